// Commands on pending entries: XPENDING, XCLAIM, XAUTOCLAIM.
#include <algorithm>

#include "streams/engine.h"
#include "streams/errors.h"

namespace tocsin::streams {

base::Result<PendingSummary> StreamEngine::PendingOf(std::string_view key, std::string_view group) {
  auto found = FindGroup(key, group);
  if (!found.ok()) return found.status();
  if (found->group == nullptr) return NoSuchKeyOrGroup(key, group);
  PendingSummary summary;
  const auto& pending = found->group->pending();
  summary.count = pending.size();
  if (pending.empty()) return summary;
  summary.smallest = pending.First()->id;
  summary.largest = pending.Last()->id;
  for (const auto& [name, consumer] : found->group->consumers()) {
    if (!consumer->pending.empty()) summary.consumers.emplace_back(name, consumer->pending.size());
  }
  return summary;
}

PendingEntry StreamEngine::Describe(const Group& group, const Pending& pending, int64_t now_ms) {
  const Consumer* consumer = group.ConsumerOf(pending);
  return {.id = pending.id,
          .consumer = consumer == nullptr ? std::string() : consumer->name,
          .delivered_ms = pending.IdleFromMs(),
          .idle_ms = consumer == nullptr ? -1 : std::max<int64_t>(now_ms - pending.delivered_ms, 0),
          .deliveries = pending.deliveries};
}

base::Result<std::vector<PendingEntry>> StreamEngine::PendingRange(std::string_view key, std::string_view group,
                                                                   const PendingRangeOptions& options) {
  auto found = FindGroup(key, group);
  if (!found.ok()) return found.status();
  if (found->group == nullptr) return NoSuchKeyOrGroup(key, group);
  Group& in = *found->group;
  const int64_t now_ms = clock_.NowMs();
  std::vector<PendingEntry> entries;
  if (options.count == 0) return entries;
  const auto take = [&](const Pending& pending) {
    if (pending.id > options.end) return false;
    if (options.min_idle_ms != 0 && now_ms - pending.IdleFromMs() < options.min_idle_ms) return true;
    entries.push_back(Describe(in, pending, now_ms));
    return entries.size() < options.count;
  };
  if (!options.consumer) {
    in.pending().ForEach(options.start, take);
  } else if (const Consumer* consumer = in.FindConsumer(*options.consumer)) {
    consumer->pending.ForEach(options.start, [&](const Consumer::Own& own) { return take(*in.FindPending(own.id)); });
  }
  return entries;
}

base::Result<Entries> StreamEngine::Claim(std::string_view key, std::string_view group, std::string_view consumer,
                                          std::span<const EntryId> ids, const ClaimOptions& options) {
  auto found = FindGroup(key, group);
  if (!found.ok()) return found.status();
  if (found->group == nullptr) return NoSuchKeyOrGroup(key, group);
  Stream& stream = *found->stream;
  Group& in = *found->group;
  const int64_t now_ms = clock_.NowMs();
  int64_t delivered_ms = now_ms;
  // A time out of the world is no error: clients compute it from their own clocks.
  if (options.idle_ms && *options.idle_ms >= 0 && *options.idle_ms <= now_ms) delivered_ms = now_ms - *options.idle_ms;
  if (options.time_ms) delivered_ms = *options.time_ms >= 0 && *options.time_ms <= now_ms ? *options.time_ms : now_ms;
  Touch(key);
  if (options.last_id && *options.last_id > in.last_id()) in.SetPosition(*options.last_id, in.entries_read());
  Consumer* named = in.FindConsumer(consumer);
  Consumer& claimer = named == nullptr ? in.AddConsumer(consumer, now_ms) : *named;
  in.Seen(claimer, now_ms);

  Entries claimed;
  for (const EntryId id : ids) {
    const Pending* pending = in.FindPending(id);
    if (pending == nullptr && !options.force) continue;
    const size_t before = claimed.size();
    RETURN_IF_ERROR(stream.Scan(id, id, Direction::kForward, {.count = 1}, claimed));
    if (claimed.size() == before) {
      in.Unassign(id);
      continue;
    }
    if (pending != nullptr && options.min_idle_ms != 0 && now_ms - pending->IdleFromMs() < options.min_idle_ms) {
      claimed.list.pop_back();
      continue;
    }
    uint64_t deliveries = pending == nullptr ? 1 : pending->deliveries;
    if (options.retry_count) {
      deliveries = *options.retry_count;
    } else if (options.answer == Answer::kEntries) {
      ++deliveries;
    }
    in.Assign(id, claimer, delivered_ms, deliveries);
    in.Active(claimer, now_ms);
    if (options.answer == Answer::kIdsOnly) claimed.list.back() = EntryView::Gone(id);
  }
  return claimed;
}

base::Result<AutoClaimed> StreamEngine::AutoClaim(std::string_view key, std::string_view group,
                                                  std::string_view consumer, const AutoClaimOptions& options) {
  constexpr size_t kLooksPerEntry = 10;
  auto found = FindGroup(key, group);
  if (!found.ok()) return found.status();
  if (found->group == nullptr) return NoSuchKeyOrGroup(key, group);
  Stream& stream = *found->stream;
  Group& in = *found->group;
  const int64_t now_ms = clock_.NowMs();
  Touch(key);
  Consumer* named = in.FindConsumer(consumer);
  Consumer& claimer = named == nullptr ? in.AddConsumer(consumer, now_ms) : *named;
  in.Seen(claimer, now_ms);

  const size_t looks = options.count > SIZE_MAX / kLooksPerEntry ? SIZE_MAX : options.count * kLooksPerEntry;
  std::vector<Pending> list;  // claiming changes the list that is walked
  in.pending().ForEach(options.start, [&](const Pending& pending) {
    list.push_back(pending);
    return list.size() <= looks;
  });
  AutoClaimed claimed;
  size_t at = 0, left = options.count;
  for (; at < list.size() && at < looks && left > 0; ++at) {
    const Pending& pending = list[at];
    const size_t before = claimed.entries.size();
    RETURN_IF_ERROR(stream.Scan(pending.id, pending.id, Direction::kForward, {.count = 1}, claimed.entries));
    if (claimed.entries.size() == before) {
      in.Unassign(pending.id);
      claimed.deleted.push_back(pending.id);
      --left;
      continue;
    }
    if (options.min_idle_ms != 0 && now_ms - pending.IdleFromMs() < options.min_idle_ms) {
      claimed.entries.list.pop_back();
      continue;
    }
    const bool counts = options.answer == Answer::kEntries;
    in.Assign(pending.id, claimer, now_ms, pending.deliveries + (counts ? 1 : 0));
    in.Active(claimer, now_ms);
    if (!counts) claimed.entries.list.back() = EntryView::Gone(pending.id);
    --left;
  }
  if (at < list.size()) claimed.next = list[at].id;
  return claimed;
}

}  // namespace tocsin::streams
