// Removing entries with regard to those who still have them pending (Redis 8.2: KEEPREF, DELREF, ACKED, XDELEX,
// XACKDEL), and giving pending ones back (8.8: XNACK).
#include <algorithm>

#include "streams/engine.h"
#include "streams/errors.h"

namespace tocsin::streams {
namespace {

bool IsPending(const Stream::Groups& groups, EntryId id) {
  return std::any_of(groups.begin(), groups.end(),
                     [&](const auto& named) { return named.second->FindPending(id) != nullptr; });
}

// Every group has been given the entry.
bool IsDelivered(const Stream::Groups& groups, EntryId id) {
  return std::all_of(groups.begin(), groups.end(), [&](const auto& named) { return named.second->last_id() >= id; });
}

void Unassign(Stream::Groups& groups, EntryId id) {
  for (const auto& [name, group] : groups) group->Unassign(id);
}

// Entries below this id are needed by no group.
EntryId NeededFrom(const Stream::Groups& groups) {
  EntryId from = EntryId::Max();
  for (const auto& [name, group] : groups) {
    from = std::min(from, group->last_id().Next().value_or(EntryId::Max()));
    if (const Pending* first = group->pending().First()) from = std::min(from, first->id);
  }
  return from;
}

}  // namespace

base::Result<uint64_t> StreamEngine::TrimDeletingRefs(Stream& stream, const Trim& trim) {
  auto groups = stream.LoadGroups();
  if (!groups.ok()) return groups.status();
  const EntryId first = stream.record().first_id;
  auto trimmed = TrimPlain(stream, trim, EntryId::Max());
  if (!trimmed.ok() || *trimmed == 0) return trimmed;
  // What was trimmed lay between the old first entry and the new one.
  const bool emptied = stream.length() == 0;
  const EntryId end = emptied ? stream.record().last_id : stream.record().first_id;
  for (const auto& [name, group] : **groups) {
    std::vector<EntryId> gone;
    group->pending().ForEach(first, [&](const Pending& pending) {
      if (emptied ? pending.id > end : pending.id >= end) return false;
      gone.push_back(pending.id);
      return true;
    });
    for (const EntryId id : gone) group->Unassign(id);
  }
  return trimmed;
}

base::Result<uint64_t> StreamEngine::TrimAcked(Stream& stream, const Trim& trim) {
  auto groups = stream.LoadGroups();
  if (!groups.ok()) return groups.status();
  if ((*groups)->empty()) return TrimPlain(stream, trim, EntryId::Max());
  // What nobody needs at the front goes as always; then, if it is to be exact, single entries between pending ones.
  auto trimmed = TrimPlain(stream, trim, NeededFrom(**groups));
  if (!trimmed.ok() || trim.exactness == Trim::Exactness::kApproximate) return trimmed;
  constexpr size_t kAtOnce = 256;
  EntryId at = stream.record().first_id;
  for (;;) {
    const bool by_length = trim.by == Trim::By::kMaxLength;
    if (by_length && stream.length() <= trim.max_length) return trimmed;
    const uint64_t excess = by_length ? stream.length() - trim.max_length : UINT64_MAX;
    Entries entries;
    RETURN_IF_ERROR(stream.Scan(at, EntryId::Max(), Direction::kForward, {.count = kAtOnce}, entries));
    std::vector<EntryId> acked;
    bool more = entries.size() == kAtOnce;
    for (const EntryView& entry : entries.list) {
      const EntryId id = entry.id();
      if (acked.size() == excess || (!by_length && id >= trim.min_id) || !IsDelivered(**groups, id)) {
        more = false;
        break;
      }
      if (!IsPending(**groups, id)) acked.push_back(id);
    }
    auto deleted = stream.Delete(acked);
    if (!deleted.ok()) return deleted;
    trimmed = *trimmed + *deleted;
    if (!more) return trimmed;
    at = *entries.list.back().id().Next();  // not the last id there is: more came behind it
  }
}

base::Result<std::vector<Removal>> StreamEngine::DeleteEx(std::string_view key, std::span<const EntryId> ids,
                                                          Refs refs) {
  std::vector<Removal> removals(ids.size(), Removal::kNoEntry);
  auto found = Find(key);
  if (!found.ok()) return found.status();
  if (*found == nullptr) return removals;
  Stream& stream = **found;
  auto groups = stream.LoadGroups();
  if (!groups.ok()) return groups.status();
  Touch(key);
  for (size_t i = 0; i < ids.size(); ++i) {
    auto removal = RemoveOne(stream, **groups, ids[i], refs);
    if (!removal.ok()) return removal.status();
    removals[i] = *removal;
  }
  return removals;
}

base::Result<Removal> StreamEngine::RemoveOne(Stream& stream, Stream::Groups& groups, EntryId id, Refs refs) {
  if (refs == Refs::kAcked) {
    auto exists = stream.Contains(id);
    if (!exists.ok()) return exists.status();
    if (!*exists) return Removal::kNoEntry;
    // Without a group, nobody has read it.
    if (groups.empty() || !IsDelivered(groups, id) || IsPending(groups, id)) return Removal::kStillNeeded;
  }
  if (refs == Refs::kDelete) Unassign(groups, id);
  auto deleted = stream.Delete(std::span(&id, 1));
  if (!deleted.ok()) return deleted.status();
  return *deleted == 1 ? Removal::kRemoved : Removal::kNoEntry;
}

base::Result<std::vector<Removal>> StreamEngine::AckDelete(std::string_view key, std::string_view group,
                                                           std::span<const EntryId> ids, Refs refs) {
  std::vector<Removal> removals(ids.size(), Removal::kNoEntry);
  auto found = FindGroup(key, group);
  if (!found.ok()) return found.status();
  if (found->group == nullptr) return removals;
  auto groups = found->stream->LoadGroups();
  if (!groups.ok()) return groups.status();
  Touch(key);
  for (size_t i = 0; i < ids.size(); ++i) {
    if (!found->group->Unassign(ids[i])) {
      if (refs == Refs::kDelete) Unassign(**groups, ids[i]);
      continue;
    }
    auto removal = RemoveOne(*found->stream, **groups, ids[i], refs);
    if (!removal.ok()) return removal.status();
    // It was acknowledged, even when the entry itself was gone before.
    removals[i] = *removal == Removal::kNoEntry ? Removal::kRemoved : *removal;
  }
  return removals;
}

base::Result<uint64_t> StreamEngine::Nack(std::string_view key, std::string_view group, std::span<const EntryId> ids,
                                          const NackOptions& options) {
  constexpr uint64_t kNeverAgain = INT64_MAX;
  auto found = FindGroup(key, group);
  if (!found.ok()) return found.status();
  if (found->group == nullptr) return NoSuchKeyOrGroup(key, group);
  Group& in = *found->group;
  Touch(key);
  uint64_t released = 0;
  for (const EntryId id : ids) {
    const Pending* pending = in.FindPending(id);
    uint64_t deliveries = 0;
    if (pending == nullptr) {
      if (!options.force) continue;
      auto exists = found->stream->Contains(id);
      if (!exists.ok()) return exists.status();
      if (!*exists) continue;
    } else {
      deliveries = pending->deliveries;
      if (options.mode == NackOptions::Mode::kSilent && deliveries > 0) --deliveries;
    }
    if (options.mode == NackOptions::Mode::kFatal) deliveries = kNeverAgain;
    const bool counts = options.mode != NackOptions::Mode::kSilent;
    in.Release(id, options.retry_count.value_or(deliveries), counts ? clock_.NowMs() : 0);
    ++released;
  }
  if (released > 0) retry_claims_ = true;
  return released;
}

}  // namespace tocsin::streams
