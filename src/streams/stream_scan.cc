// Reading a stream's entries: from the store up to where the window begins, then from the window.
#include <algorithm>

#include "streams/stream.h"

namespace tocsin::streams {

// Takes entries until a limit is reached.
class Stream::Collector {
 public:
  Collector(ScanLimits limits, EntryId first_id, Entries& out) : limits_(limits), first_id_(first_id), out_(out) {}

  bool full() const { return full_; }

  void TakeForward(const Chunk& chunk, EntryId start, EntryId end) {
    bool held = false;
    for (size_t i = chunk.LowerBound(std::max(start, first_id_)); i < chunk.count() && !full_; ++i) {
      if (chunk.id(i) > end) {
        full_ = true;
        return;
      }
      Take(chunk, i, held);
    }
  }

  void TakeBackward(const Chunk& chunk, EntryId start, EntryId end) {
    bool held = false;
    size_t i = chunk.LowerBound(end);
    if (i < chunk.count() && chunk.id(i) == end) ++i;
    for (; i > 0 && !full_; --i) {
      if (chunk.id(i - 1) < std::max(start, first_id_)) {
        full_ = true;
        return;
      }
      Take(chunk, i - 1, held);
    }
  }

 private:
  void Take(const Chunk& chunk, size_t index, bool& held) {
    if (taken_ >= limits_.count) {
      full_ = true;
      return;
    }
    if (bytes_ >= limits_.bytes) {
      full_ = out_.more = true;
      return;
    }
    if (!held) out_.bytes.push_back(chunk.bytes());
    held = true;
    out_.list.push_back(chunk.At(index));
    bytes_ += chunk.EntrySize(index);
    if (++taken_ == limits_.count) full_ = true;
  }

  const ScanLimits limits_;
  const EntryId first_id_;  // what lies below is trimmed
  Entries& out_;
  size_t taken_ = 0, bytes_ = 0;
  bool full_ = false;
};

base::Status Stream::Scan(EntryId start, EntryId end, Direction direction, ScanLimits limits, Entries& out) {
  start = std::max(start, record_.first_id);
  end = std::min(end, record_.last_id);
  if (record_.length == 0 || start > end || limits.count == 0) return base::Ok();
  Collector collector(limits, record_.first_id, out);
  return direction == Direction::kForward ? ScanForward(start, end, collector) : ScanBackward(start, end, collector);
}

base::Result<bool> Stream::Contains(EntryId id) {
  Entries found;
  RETURN_IF_ERROR(Scan(id, id, Direction::kForward, {.count = 1}, found));
  return !found.empty();
}

std::unique_ptr<storage::Iterator> Stream::StoredChunks() const {
  return store_.Iterate(
      storage::Family::kEntries, EntryKey(record_.number, Head()),
      window_.empty() ? EntriesEnd(record_.number) : EntryKey(record_.number, window_.front()->base()));
}

size_t Stream::WindowIndex(EntryId id) const {
  const auto after = std::upper_bound(window_.begin(), window_.end(), id,
                                      [](EntryId a, const ChunkPtr& chunk) { return a < chunk->base(); });
  return after == window_.begin() ? 0 : static_cast<size_t>(after - window_.begin()) - 1;
}

base::Result<Stream::ChunkPtr> Stream::ReadChunk(const storage::Iterator& row) const {
  const std::string_view key = row.key();
  if (key.size() != 8 + EntryId::kEncodedSize) {
    return base::Status(base::Code::kCorruption, "a stored chunk of stream `" + name_ + "` has a damaged key");
  }
  const EntryId base = EntryId::Decode(key.substr(8));
  if (const auto staged = staged_.find(base); staged != staged_.end()) return staged->second;
  return Chunk::Parse(base, row.value());
}

base::Status Stream::ScanForward(EntryId start, EntryId end, Collector& collector) {
  if (window_.empty() || start < window_.front()->base()) {
    const auto rows = StoredChunks();
    rows->SeekForPrev(EntryKey(record_.number, start));
    if (!rows->Valid()) rows->SeekToFirst();
    const std::string past = EntryKey(record_.number, end);
    for (; rows->Valid() && !collector.full() && rows->key() <= past; rows->Next()) {
      auto chunk = ReadChunk(*rows);
      if (!chunk.ok()) return chunk.status();
      if (*chunk) collector.TakeForward(**chunk, start, end);
    }
    RETURN_IF_ERROR(rows->status());
  }
  for (size_t i = WindowIndex(start); i < window_.size() && !collector.full(); ++i) {
    collector.TakeForward(*window_[i], start, end);
  }
  return base::Ok();
}

base::Status Stream::ScanBackward(EntryId start, EntryId end, Collector& collector) {
  if (!window_.empty() && end >= window_.front()->base()) {
    for (size_t i = WindowIndex(end) + 1; i > 0 && !collector.full(); --i) {
      collector.TakeBackward(*window_[i - 1], start, end);
    }
  }
  if (collector.full() || (!window_.empty() && start >= window_.front()->base())) return base::Ok();
  const auto rows = StoredChunks();
  rows->SeekForPrev(EntryKey(record_.number, end));
  const std::string first = EntryKey(record_.number, start);
  for (bool more = true; more && rows->Valid() && !collector.full(); rows->Prev()) {
    auto chunk = ReadChunk(*rows);
    if (!chunk.ok()) return chunk.status();
    if (*chunk) collector.TakeBackward(**chunk, start, end);
    more = rows->key() > first;
  }
  return rows->status();
}

base::Result<Stream::ChunkPtr> Stream::FindChunk(EntryId id) {
  if (!window_.empty() && id >= window_.front()->base()) return window_[WindowIndex(id)];
  const auto rows = StoredChunks();
  rows->SeekForPrev(EntryKey(record_.number, id));
  if (!rows->Valid()) {
    RETURN_IF_ERROR(rows->status());
    return ChunkPtr();
  }
  return ReadChunk(*rows);
}

base::Status Stream::LoadTail() {
  if (!window_.empty() || nodes_.empty()) return base::Ok();
  const auto rows = StoredChunks();
  for (rows->SeekToLast(); rows->Valid(); rows->Prev()) {
    auto chunk = ReadChunk(*rows);
    if (!chunk.ok()) return chunk.status();
    if (!*chunk) continue;
    window_.push_back(std::move(*chunk));
    window_bytes_ = window_.back()->memory();
    return base::Ok();
  }
  RETURN_IF_ERROR(rows->status());
  return {base::Code::kCorruption, "the last entries of stream `" + name_ + "` are missing from the store"};
}

}  // namespace tocsin::streams
