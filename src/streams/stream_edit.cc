// Adding and removing a stream's entries.
#include <algorithm>

#include "streams/stream.h"

namespace tocsin::streams {
namespace {

// A stored chunk is opened again (and written again, whole) while it is smaller than this; so a stream that gets an
// entry a turn writes each byte a few times, but does not end as one row per entry.
constexpr size_t kReopenBytes = 512;
constexpr size_t kChunkBytes = 4096;
constexpr size_t kFirstCapacity = 256;

}  // namespace

Chunk& Stream::ChunkFor(EntryId id, FieldSpan fields, NodeStart start) {
  // A chunk that was begun in this turn means that more is coming: no need to grow step by step.
  const size_t capacity = !window_.empty() && window_.back()->staged ? kChunkBytes : kFirstCapacity;
  if (start == NodeStart::kNew) {
    window_.push_back(Chunk::Make(id, fields, capacity));
  } else {
    const Chunk& last = *window_.back();
    if (last.value().size() >= (last.staged ? kChunkBytes : kReopenBytes)) {
      window_.push_back(Chunk::MakeNext(last, id, capacity));
    }
  }
  Stage(window_.back());
  return *window_.back();
}

void Stream::Stage(const ChunkPtr& chunk) {
  if (chunk->staged) return;
  chunk->staged = true;
  staged_[chunk->base()] = chunk;
}

base::Status Stream::Append(EntryId id, FieldSpan fields, const NodeLimits& limits) {
  RETURN_IF_ERROR(LoadTail());
  record_staged_ = true;
  const bool new_node = nodes_.empty() || IsFull(nodes_.back(), fields, limits);
  if (new_node) {
    if (nodes_.empty()) {
      record_.head = id;
    } else {
      node_rows_staged_.insert(nodes_.back().first);
    }
    nodes_.push_back(MakeNode(id, fields));
  }
  const uint64_t counted = new_node ? 0 : nodes_.back().bytes;
  Chunk& chunk = ChunkFor(id, fields, new_node ? NodeStart::kNew : NodeStart::kGoOn);
  const Names names = chunk.NamesOf(fields);
  AddToNode(nodes_.back(), id, fields, names);
  record_.bytes += nodes_.back().bytes - counted;
  chunk.Append(id, fields, names);
  record_.last_id = id;
  ++record_.entries_added;
  if (++record_.length == 1) record_.first_id = id;
  return base::Ok();
}

void Stream::Replace(const Chunk& before, ChunkPtr after) {
  const EntryId base = before.base();
  const bool stored = before.stored;
  if (after) {
    after->staged = true;
    staged_[base] = after;
  } else if (stored) {
    staged_[base] = nullptr;
  } else {
    staged_.erase(base);
  }
  if (window_.empty() || base < window_.front()->base()) return;
  const auto at = window_.begin() + static_cast<std::ptrdiff_t>(WindowIndex(base));
  if (after) {
    *at = std::move(after);
  } else {
    window_.erase(at);
  }
}

base::Status Stream::Missing() const {
  return {base::Code::kCorruption, "entries of stream `" + name_ + "` are missing from the store"};
}

// Removes the first node. Its chunks become garbage.
void Stream::DropFront() {
  record_.length -= nodes_.front().live;
  record_.bytes -= nodes_.front().bytes;
  nodes_.pop_front();
  ++garbage_nodes_;
}

void Stream::ForgetBelowHead() {
  if (nodes_.empty()) {
    window_.clear();
    staged_.clear();
    node_rows_staged_.clear();
    return;
  }
  const EntryId head = nodes_.front().first;
  while (!window_.empty() && window_.front()->base() < head) window_.pop_front();
  staged_.erase(staged_.begin(), staged_.lower_bound(head));
  node_rows_staged_.erase(node_rows_staged_.begin(), node_rows_staged_.lower_bound(head));
}

// The first entry could not be read: the first node's name is below it, and above all that is gone.
base::Status Stream::GiveUp(base::Status status) {
  ForgetBelowHead();
  record_.first_id = nodes_.empty() ? EntryId() : std::max(record_.first_id, nodes_.front().first);
  return status;
}

base::Status Stream::FindFirst(EntryId from) {
  if (record_.length == 0) {
    record_.first_id = {};
    return base::Ok();
  }
  Entries first;
  auto status = Scan(from, EntryId::Max(), Direction::kForward, {.count = 1}, first);
  if (status.ok() && first.empty()) status = Missing();
  if (!status.ok()) return GiveUp(std::move(status));
  record_.first_id = first.list.front().id();
  return base::Ok();
}

base::Result<uint64_t> Stream::TrimToLength(uint64_t max_len, TrimTo to, uint64_t limit, EntryId barrier) {
  if (record_.length <= max_len) return uint64_t{0};
  RETURN_IF_ERROR(LoadNodes());
  record_staged_ = true;
  uint64_t deleted = 0;
  while (!nodes_.empty() && record_.length > max_len) {
    Node& node = nodes_.front();
    if (limit != 0 && deleted + node.live > limit) break;
    if (record_.length - node.live >= max_len && node.last < barrier) {
      deleted += node.live;
      DropFront();
      continue;
    }
    if (to == TrimTo::kWholeNodes) break;
    ForgetBelowHead();
    // The entry behind the last one that goes becomes the first.
    const uint64_t most = record_.length - max_len;
    Entries going;
    auto status = Scan(node.first, EntryId::Max(), Direction::kForward,
                       {.count = std::min<uint64_t>(most, node.live) + 1}, going);
    if (!status.ok()) return GiveUp(std::move(status));
    uint64_t excess = 0;
    while (excess < most && excess < node.live && excess < going.size() && going.list[excess].id() < barrier) ++excess;
    if (excess == going.size() && excess != record_.length) return GiveUp(Missing());
    node.live -= static_cast<uint32_t>(excess);
    node.deleted += static_cast<uint32_t>(excess);
    node_rows_staged_.insert(node.first);
    record_.length -= excess;
    record_.first_id = record_.length == 0 ? EntryId() : going.list[excess].id();
    return deleted + excess;
  }
  if (deleted == 0) return deleted;
  ForgetBelowHead();
  RETURN_IF_ERROR(FindFirst({}));
  return deleted;
}

base::Result<uint64_t> Stream::TrimBelow(EntryId min_id, TrimTo to, uint64_t limit) {
  if (nodes_.empty() || Head() >= min_id) return uint64_t{0};
  RETURN_IF_ERROR(LoadNodes());
  record_staged_ = true;
  uint64_t deleted = 0;
  bool dropped = false, opened = false;
  while (!nodes_.empty()) {
    Node& node = nodes_.front();
    if (limit != 0 && deleted + node.live > limit) break;
    if (node.last < min_id) {
      deleted += node.live;
      DropFront();
      dropped = true;
      continue;
    }
    if (to == TrimTo::kWholeNodes || min_id.IsZero()) break;
    ForgetBelowHead();
    Entries going;
    auto status = Scan(node.first, *min_id.Previous(), Direction::kForward, {}, going);
    if (!status.ok()) return GiveUp(std::move(status));
    node.live -= static_cast<uint32_t>(going.size());
    node.deleted += static_cast<uint32_t>(going.size());
    node_rows_staged_.insert(node.first);
    record_.length -= going.size();
    deleted += going.size();
    opened = true;
    break;
  }
  if (dropped) ForgetBelowHead();
  if (deleted > 0) RETURN_IF_ERROR(FindFirst(opened ? min_id : EntryId()));
  return deleted;
}

base::Result<uint64_t> Stream::Delete(std::span<const EntryId> ids) {
  uint64_t deleted = 0;
  bool first = false;
  for (const EntryId id : ids) {
    auto gone = DeleteOne(id);
    if (!gone.ok()) return gone.status();
    if (!*gone) continue;
    ++deleted;
    first = first || id == record_.first_id;
    record_.max_deleted = std::max(record_.max_deleted, id);
  }
  if (first) RETURN_IF_ERROR(FindFirst({}));
  return deleted;
}

base::Result<bool> Stream::DeleteOne(EntryId id) {
  if (record_.length == 0 || id < record_.first_id || id > record_.last_id) return false;
  auto found = FindChunk(id);
  if (!found.ok()) return found.status();
  if (!*found) return false;
  const Chunk& chunk = **found;
  const size_t index = chunk.LowerBound(id);
  if (index == chunk.count() || chunk.id(index) != id) return false;
  RETURN_IF_ERROR(LoadNodes());
  const ChunkPtr held = *found;
  record_staged_ = true;
  const auto after =
      std::upper_bound(nodes_.begin(), nodes_.end(), id, [](EntryId a, const Node& node) { return a < node.first; });
  if (after == nodes_.begin()) {
    return base::Status(base::Code::kCorruption, "a node of stream `" + name_ + "` is missing from the store");
  }
  const auto node = after - 1;
  Replace(chunk, chunk.count() == 1 ? nullptr : chunk.Without(index));
  if (node->live > 1) {
    --node->live;
    ++node->deleted;
    --record_.length;
    node_rows_staged_.insert(node->first);
    return true;
  }
  if (node == nodes_.begin()) {
    // It may hold trimmed entries still, which are not worth finding one by one.
    DropFront();
    ForgetBelowHead();
    return true;
  }
  --record_.length;
  record_.bytes -= node->bytes;
  node_rows_staged_.insert(node->first);
  nodes_.erase(node);
  return true;
}

}  // namespace tocsin::streams
