// Commands on groups: XGROUP, XREADGROUP, XACK.
#include "streams/engine.h"
#include "streams/errors.h"

namespace tocsin::streams {

base::Status StreamEngine::GroupCreate(std::string_view key, std::string_view group,
                                       const GroupCreateOptions& options) {
  auto found = options.make_stream == MakeStream::kYes ? FindOrMake(key) : Find(key);
  if (!found.ok()) return found.status();
  if (*found == nullptr) return GroupNeedsKey();
  Stream& stream = **found;
  auto groups = stream.LoadGroups();
  if (!groups.ok()) return groups.status();
  if ((*groups)->find(group) != (*groups)->end()) return GroupExists();
  Touch(key);
  stream.AddGroup(group, options.from_end ? stream.record().last_id : options.start,
                  options.entries_read.value_or(Group::kUnknown));
  return base::Ok();
}

base::Status StreamEngine::GroupSetId(std::string_view key, std::string_view group, const GroupCreateOptions& options) {
  auto found = FindGroup(key, group);
  if (!found.ok()) return found.status();
  if (found->stream == nullptr) return GroupNeedsKey();
  if (found->group == nullptr) return NoSuchGroup(key, group);
  Touch(key);
  found->group->SetPosition(options.from_end ? found->stream->record().last_id : options.start,
                            options.entries_read.value_or(Group::kUnknown));
  return base::Ok();
}

base::Result<bool> StreamEngine::HasGroup(std::string_view key, std::string_view group) {
  auto found = FindGroup(key, group);
  if (!found.ok()) return found.status();
  return found->group != nullptr;
}

base::Result<bool> StreamEngine::GroupDestroy(std::string_view key, std::string_view group) {
  auto found = FindGroup(key, group);
  if (!found.ok()) return found.status();
  if (found->stream == nullptr) return GroupNeedsKey();
  if (found->group == nullptr) return false;
  Touch(key);
  found->stream->RemoveGroup(group);
  Signal(key);
  return true;
}

base::Result<bool> StreamEngine::CreateConsumer(std::string_view key, std::string_view group,
                                                std::string_view consumer) {
  auto found = FindGroup(key, group);
  if (!found.ok()) return found.status();
  if (found->stream == nullptr) return GroupNeedsKey();
  if (found->group == nullptr) return NoSuchGroup(key, group);
  if (found->group->FindConsumer(consumer) != nullptr) return false;
  Touch(key);
  found->group->AddConsumer(consumer, clock_.NowMs());
  return true;
}

base::Result<uint64_t> StreamEngine::DeleteConsumer(std::string_view key, std::string_view group,
                                                    std::string_view consumer) {
  auto found = FindGroup(key, group);
  if (!found.ok()) return found.status();
  if (found->stream == nullptr) return GroupNeedsKey();
  if (found->group == nullptr) return NoSuchGroup(key, group);
  Consumer* named = found->group->FindConsumer(consumer);
  if (named == nullptr) return uint64_t{0};
  Touch(key);
  return uint64_t{found->group->RemoveConsumer(*named)};
}

namespace {

// The position of a group behind `entries`, and what it counts as read.
void Advance(const Stream& stream, Group& group, const Entries& entries) {
  EntryId last = group.last_id();
  int64_t read = group.entries_read();
  for (const EntryView& entry : entries.list) {
    if (read != Group::kUnknown && last >= stream.record().first_id && !stream.HasTombstonesFrom(last)) {
      ++read;
    } else if (stream.record().entries_added > 0) {
      read = stream.EstimateEntriesRead(entry.id());
    }
    last = entry.id();
  }
  group.SetPosition(last, read);
}

}  // namespace

base::Result<Entries> StreamEngine::ReadGroup(std::string_view key, std::string_view group, std::string_view consumer,
                                              const ReadGroupOptions& options) {
  auto found = FindGroup(key, group);
  if (!found.ok()) return found.status();
  if (found->group == nullptr) return NoSuchKeyOrGroup(key, group, kInReadGroup);
  Stream& stream = *found->stream;
  Group& in = *found->group;
  const int64_t now_ms = clock_.NowMs();
  Consumer* named = in.FindConsumer(consumer);
  Consumer& reader = named == nullptr ? in.AddConsumer(consumer, now_ms) : *named;
  in.Seen(reader, now_ms);

  Entries entries;
  const ScanLimits limits{.count = options.count, .bytes = options.max_bytes};
  if (!options.history_after) {
    if (const auto start = in.last_id().Next()) {
      RETURN_IF_ERROR(stream.Scan(*start, EntryId::Max(), Direction::kForward, limits, entries));
    }
    if (!entries.empty()) {
      Advance(stream, in, entries);
      if (options.acks == Acks::kNeeded) {
        in.Active(reader, now_ms);
        for (const EntryView& entry : entries.list) in.Assign(entry.id(), reader, now_ms, 1);
      }
    }
  } else {
    std::vector<EntryId> own;
    reader.pending.ForEach(options.history_after->Next().value_or(EntryId::Max()), [&](const Consumer::Own& pending) {
      if (pending.id > *options.history_after) own.push_back(pending.id);
      return own.size() < options.count;
    });
    for (const EntryId id : own) {
      const size_t before = entries.size();
      RETURN_IF_ERROR(stream.Scan(id, id, Direction::kForward, {.count = 1}, entries));
      if (entries.size() == before) {
        entries.list.push_back(EntryView::Gone(id));
        continue;
      }
      in.Assign(id, reader, now_ms, in.FindPending(id)->deliveries + 1);
    }
  }
  if (in.staged()) Touch(key, Confirms::kNo);
  return entries;
}

base::Result<uint64_t> StreamEngine::Ack(std::string_view key, std::string_view group, std::span<const EntryId> ids) {
  auto found = FindGroup(key, group);
  if (!found.ok()) return found.status();
  if (found->group == nullptr) return uint64_t{0};
  uint64_t acked = 0;
  for (const EntryId id : ids) acked += found->group->Unassign(id) ? 1 : 0;
  if (acked > 0) Touch(key);
  return acked;
}

}  // namespace tocsin::streams
