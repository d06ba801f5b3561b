// Commands on entries: XADD, XLEN, XRANGE, XREVRANGE, XREAD, XTRIM, XDEL.
#include <algorithm>

#include "streams/engine.h"
#include "streams/errors.h"

namespace tocsin::streams {
namespace {

constexpr uint64_t kMaxEntryBytes = 1u << 30;  // what Redis refuses, too
constexpr uint64_t kMaxTrimLimit = 1'000'000;

constexpr std::string_view kNotAboveTop =
    "ERR The ID specified in XADD is equal or smaller than the target stream top item";

uint64_t NowMs(const base::Clock& clock) { return static_cast<uint64_t>(std::max<int64_t>(clock.NowMs(), 0)); }

bool IsAhead(uint64_t ms, uint64_t now_ms, uint64_t allowed_ms) { return ms > now_ms && ms - now_ms > allowed_ms; }

// The id of the new entry; nothing when there is none above `last`.
std::optional<EntryId> NextId(const AddId& asked, EntryId last, uint64_t now_ms) {
  switch (asked.kind) {
    case AddId::Kind::kAuto:
      return now_ms > last.ms ? EntryId{now_ms, 0} : last.Next();
    case AddId::Kind::kAutoSeq:
      if (asked.id.ms != last.ms) return EntryId{asked.id.ms, 0};
      if (last.seq == UINT64_MAX) return std::nullopt;
      return EntryId{last.ms, last.seq + 1};
    case AddId::Kind::kWhole:
      return asked.id;
  }
  return std::nullopt;
}

}  // namespace

base::Result<std::optional<EntryId>> StreamEngine::Append(std::string_view key, FieldSpan fields,
                                                          const AppendOptions& options) {
  const AddId& asked = options.id;
  const uint64_t now_ms = NowMs(clock_);
  if (asked.kind == AddId::Kind::kWhole && asked.id.IsZero()) {
    return Refused("ERR The ID specified in XADD must be greater than 0-0");
  }
  if (options.max_future_ms && asked.kind != AddId::Kind::kAuto &&
      IsAhead(asked.id.ms, now_ms, *options.max_future_ms)) {
    return Refused("ERR The ID specified in XADD is too far ahead of the clock for an ingest stream");
  }
  uint64_t bytes = 0;
  for (const auto& [name, value] : fields) bytes += name.size() + value.size();
  auto found = Find(key);
  if (!found.ok()) return found.status();
  if (*found == nullptr && options.make_stream == MakeStream::kNo) return std::optional<EntryId>();
  const EntryId last = *found == nullptr ? EntryId() : (*found)->record().last_id;
  if (last == EntryId::Max()) {
    return Refused("ERR The stream has exhausted the last possible ID, unable to add more items");
  }
  std::string once_id;
  if (options.once) {
    once_id = options.once->id ? std::string(*options.once->id) : ContentId(fields);
    auto before = AddedBefore(key, *found, *options.once, once_id);
    if (!before.ok() || *before) return before;
  }
  const auto id = NextId(asked, last, now_ms);
  if (!id || *id <= last) return Refused(kNotAboveTop);
  if (bytes > kMaxEntryBytes) return Refused("ERR Elements are too large to be stored");
  if (*found == nullptr) found = FindOrMake(key);
  if (!found.ok()) return found.status();
  Stream& stream = **found;
  Touch(key);
  RETURN_IF_ERROR(stream.Append(*id, fields, options_.nodes));
  if (options.once) {
    auto produced = stream.LoadProduced();
    if (!produced.ok()) return produced.status();
    (*produced)->Remember(options.once->producer, once_id, *id, clock_.NowMs());
    stream.CountProduced(1, 0);
  }
  auto trimmed = TrimFound(stream, options.trim);
  if (!trimmed.ok()) return trimmed.status();
  Signal(key);
  return id;
}

base::Result<std::optional<EntryId>> StreamEngine::AddedBefore(std::string_view key, Stream* stream, const Once& once,
                                                               std::string_view id) {
  if (stream == nullptr) return std::optional<EntryId>();
  auto produced = stream->LoadProduced();
  if (!produced.ok()) return produced.status();
  const auto entry = (*produced)->Find(once.producer, id, clock_.NowMs());
  if (!entry) return entry;
  Touch(key);
  stream->CountProduced(0, 1);
  return entry;
}

base::Status StreamEngine::ConfigureOnce(std::string_view key, std::optional<int64_t> duration_s,
                                         std::optional<uint64_t> max_per_producer) {
  auto found = Find(key);
  if (!found.ok()) return found.status();
  if (*found == nullptr) return NoSuchKey();
  ProducedSettings settings = (*found)->record().produced;
  settings.duration_s = duration_s.value_or(settings.duration_s);
  settings.max_per_producer = max_per_producer.value_or(settings.max_per_producer);
  Touch(key);
  return (*found)->ConfigureProduced(settings);
}

base::Result<uint64_t> StreamEngine::Length(std::string_view key) {
  auto stream = Find(key);
  if (!stream.ok()) return stream.status();
  return *stream == nullptr ? uint64_t{0} : (*stream)->length();
}

base::Result<EntryId> StreamEngine::LastId(std::string_view key) {
  auto stream = Find(key);
  if (!stream.ok()) return stream.status();
  return *stream == nullptr ? EntryId() : (*stream)->record().last_id;
}

base::Result<Entries> StreamEngine::Range(std::string_view key, EntryId start, EntryId end, RangeOptions options) {
  Entries entries;
  auto stream = Find(key);
  if (!stream.ok()) return stream.status();
  if (*stream == nullptr) return entries;
  RETURN_IF_ERROR(
      (*stream)->Scan(start, end, Direction::kForward, {.count = options.count, .bytes = options.max_bytes}, entries));
  return entries;
}

base::Result<Entries> StreamEngine::RevRange(std::string_view key, EntryId end, EntryId start, RangeOptions options) {
  Entries entries;
  auto stream = Find(key);
  if (!stream.ok()) return stream.status();
  if (*stream == nullptr) return entries;
  RETURN_IF_ERROR(
      (*stream)->Scan(start, end, Direction::kBackward, {.count = options.count, .bytes = options.max_bytes}, entries));
  return entries;
}

base::Result<Entries> StreamEngine::Read(std::string_view key, EntryId after, RangeOptions options) {
  const auto start = after.Next();
  if (!start) return Entries();
  return Range(key, *start, EntryId::Max(), options);
}

base::Result<std::optional<StreamSize>> StreamEngine::SizeOf(std::string_view key) {
  auto stream = Find(key);
  if (!stream.ok()) return stream.status();
  if (*stream == nullptr) return std::optional<StreamSize>();
  const StreamRecord& record = (*stream)->record();
  return std::optional<StreamSize>({.length = record.length, .bytes = record.bytes, .first_id = record.first_id});
}

base::Result<EntryId> StreamEngine::KeepsFrom(std::string_view key, uint64_t max_bytes) {
  auto stream = Find(key);
  if (!stream.ok()) return stream.status();
  if (*stream == nullptr || (*stream)->record().bytes <= max_bytes) return EntryId();
  auto nodes = (*stream)->Nodes();
  if (!nodes.ok()) return nodes.status();
  uint64_t bytes = (*stream)->record().bytes;
  auto oldest = (*nodes)->begin();
  for (; bytes > max_bytes && oldest + 1 != (*nodes)->end(); ++oldest) bytes -= oldest->bytes;
  return oldest == (*nodes)->begin() ? EntryId() : oldest->first;
}

base::Result<uint64_t> StreamEngine::TrimFound(Stream& stream, const Trim& trim) {
  if (trim.by == Trim::By::kNothing) return uint64_t{0};
  switch (trim.refs) {
    case Refs::kKeep:
      return TrimPlain(stream, trim, EntryId::Max());
    case Refs::kDelete:
      return TrimDeletingRefs(stream, trim);
    case Refs::kAcked:
      return TrimAcked(stream, trim);
  }
  return uint64_t{0};
}

base::Result<uint64_t> StreamEngine::TrimPlain(Stream& stream, const Trim& trim, EntryId barrier) {
  uint64_t limit = 0;
  auto to = Stream::TrimTo::kEntries;
  if (trim.exactness == Trim::Exactness::kApproximate) {
    to = Stream::TrimTo::kWholeNodes;
    const uint64_t nodes = options_.nodes.max_entries == 0 ? 100 : options_.nodes.max_entries;
    limit = trim.limit ? *trim.limit : std::min(100 * nodes, kMaxTrimLimit);
  }
  return trim.by == Trim::By::kMaxLength ? stream.TrimToLength(trim.max_length, to, limit, barrier)
                                         : stream.TrimBelow(std::min(trim.min_id, barrier), to, limit);
}

base::Result<uint64_t> StreamEngine::TrimStream(std::string_view key, const Trim& trim) {
  auto stream = Find(key);
  if (!stream.ok()) return stream.status();
  if (*stream == nullptr) return uint64_t{0};
  Touch(key);
  return TrimFound(**stream, trim);
}

base::Result<uint64_t> StreamEngine::Delete(std::string_view key, std::span<const EntryId> ids) {
  auto stream = Find(key);
  if (!stream.ok()) return stream.status();
  if (*stream == nullptr) return uint64_t{0};
  Touch(key);
  return (*stream)->Delete(ids);
}

base::Status StreamEngine::SetId(std::string_view key, const SetIdOptions& options) {
  if (options.max_deleted && options.last_id < *options.max_deleted) {
    return Refused("ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id");
  }
  if (options.max_future_ms && IsAhead(options.last_id.ms, NowMs(clock_), *options.max_future_ms)) {
    return Refused("ERR The ID specified in XSETID is too far ahead of the clock for an ingest stream");
  }
  auto found = Find(key);
  if (!found.ok()) return found.status();
  if (*found == nullptr) return NoSuchKey();
  Stream& stream = **found;
  if (options.last_id < stream.record().max_deleted) {
    return Refused("ERR The ID specified in XSETID is smaller than current max_deleted_entry_id");
  }
  if (stream.length() > 0) {
    Entries top;
    RETURN_IF_ERROR(stream.Scan({}, EntryId::Max(), Direction::kBackward, {.count = 1}, top));
    if (!top.empty() && options.last_id < top.list.front().id()) {
      return Refused("ERR The ID specified in XSETID is smaller than the target stream top item");
    }
    if (options.entries_added && stream.length() > *options.entries_added) {
      return Refused("ERR The entries_added specified in XSETID is smaller than the target stream length");
    }
  }
  Touch(key);
  const bool move_mark = options.max_deleted && !options.max_deleted->IsZero();
  stream.SetIds(options.last_id, options.entries_added, move_mark ? options.max_deleted : std::nullopt);
  return base::Ok();
}

}  // namespace tocsin::streams
