#include "notifier/retention.h"

#include <algorithm>

#include "base/log.h"
#include "notifier/counters.h"
#include "notifier/router.h"

namespace tocsin::notifier {
namespace {

using base::Status;
using model::EntryId;
using streams::Refs;
using streams::Trim;

// Of one trim. Dropping a node costs next to nothing; its rows are deleted some at a time.
constexpr uint64_t kAtOnce = 100'000;
constexpr int64_t kWarnEveryUs = 3'600'000'000;

EntryId BeforeMs(int64_t now_ms, int64_t age_ms) {
  return {static_cast<uint64_t>(std::max<int64_t>(now_ms - age_ms, 0)), 0};
}

}  // namespace

Retention::Retention(streams::StreamEngine& streams, const base::Clock& clock, std::vector<RetentionRule> rules)
    : streams_(streams), clock_(clock) {
  for (RetentionRule& rule : rules) rules_.push_back({.rule = std::move(rule)});
}

Status Retention::BeforeCommit(storage::Batch&) {
  const int64_t now_us = clock_.MonotonicUs();
  if (now_us < next_us_) return base::Ok();
  more_ = false;
  for (Kept& kept : rules_) {
    RETURN_IF_ERROR(Keep(kept.rule));
    RETURN_IF_ERROR(WarnOfHeldBack(kept));
  }
  next_us_ = rules_.empty() ? kNoTurn : more_ ? now_us : now_us + kEveryMs * 1000;
  return base::Ok();
}

Status Retention::Keep(const RetentionRule& rule) {
  if (rule.age_ms) {
    RETURN_IF_ERROR(TrimTo(rule, {.by = Trim::By::kMinId, .min_id = BeforeMs(clock_.NowMs(), *rule.age_ms)}));
  }
  if (rule.entries) RETURN_IF_ERROR(TrimTo(rule, {.by = Trim::By::kMaxLength, .max_length = *rule.entries}));
  if (rule.bytes) {
    auto from = streams_.KeepsFrom(rule.stream, *rule.bytes);
    if (!from.ok()) return from.status();
    if (!from->IsZero()) RETURN_IF_ERROR(TrimTo(rule, {.by = Trim::By::kMinId, .min_id = *from}));
  }
  return rule.cap_bytes ? TrimToCap(rule) : base::Ok();
}

// To a limit, sparing what is needed unless the rule says otherwise.
Status Retention::TrimTo(const RetentionRule& rule, Trim trim) {
  auto size = streams_.SizeOf(rule.stream);
  if (!size.ok()) return size.status();
  if (!*size || (*size)->length == 0) return base::Ok();
  if (trim.by == Trim::By::kMinId ? (*size)->first_id >= trim.min_id : (*size)->length <= trim.max_length) {
    return base::Ok();
  }
  trim.exactness = Trim::Exactness::kApproximate;
  trim.limit = kAtOnce;
  trim.refs = Refs::kAcked;
  auto spared = streams_.TrimStream(rule.stream, trim);
  if (!spared.ok()) return spared.status();
  trimmed_entries.Add(static_cast<int64_t>(*spared));
  more_ = more_ || *spared > kAtOnce / 2;
  if (rule.needed == Needed::kKeep || *spared > kAtOnce / 2) return base::Ok();

  auto needs = NeedsOf(rule.stream);
  if (!needs.ok()) return needs.status();
  if (trim.by == Trim::By::kMinId) {
    trim.min_id = std::min(trim.min_id, needs->routed_to);
  } else if (needs->routed_to != EntryId::Max()) {
    auto last = streams_.LastId(rule.stream);
    if (!last.ok()) return last.status();
    if (needs->routed_to <= *last) return base::Ok();  // in the next turn
  }
  trim.refs = Refs::kDelete;
  auto lost = streams_.TrimStream(rule.stream, trim);
  if (!lost.ok()) return lost.status();
  if (*lost == 0) return base::Ok();
  trimmed_entries.Add(static_cast<int64_t>(*lost));
  trimmed_needed.Add(static_cast<int64_t>(*lost));
  more_ = more_ || *lost > kAtOnce / 2;
  base::Log(base::Level::kWarn, "trimmed_needed_entries",
            {{"stream", rule.stream}, {"entries", *lost}, {"groups", needs->groups}});
  return base::Ok();
}

Status Retention::TrimToCap(const RetentionRule& rule) {
  auto from = streams_.KeepsFrom(rule.stream, *rule.cap_bytes);
  if (!from.ok() || from->IsZero()) return from.ok() ? base::Ok() : from.status();
  RetentionRule capped = rule;
  capped.needed = Needed::kDrop;
  return TrimTo(capped, {.by = Trim::By::kMinId, .min_id = *from});
}

base::Result<Retention::Needs> Retention::NeedsOf(const std::string& stream) {
  Needs needs;
  auto groups = streams_.ReportGroups(stream);
  if (!groups.ok()) return groups.status();
  std::vector<std::pair<EntryId, std::string>> from;
  for (const streams::GroupReport& group : *groups) {
    const EntryId unread = group.last_id.Next().value_or(EntryId::Max());
    if (group.name == kGroup) needs.routed_to = unread;
    auto pending = streams_.PendingOf(stream, group.name);
    if (!pending.ok()) return pending.status();
    from.emplace_back(pending->count > 0 ? std::min(pending->smallest, unread) : unread, group.name);
    needs.from = std::min(needs.from, from.back().first);
  }
  auto size = streams_.SizeOf(stream);
  if (!size.ok()) return size.status();
  const EntryId first = *size ? (*size)->first_id : EntryId();
  for (const auto& [id, name] : from) {
    if (id > std::max(first, needs.from)) continue;
    if (!needs.groups.empty()) needs.groups += ", ";
    needs.groups += name;
  }
  return needs;
}

Status Retention::WarnOfHeldBack(Kept& kept) {
  const RetentionRule& rule = kept.rule;
  const int64_t now_us = clock_.MonotonicUs();
  if (more_ || (kept.warned_us && now_us - *kept.warned_us < kWarnEveryUs)) return base::Ok();
  auto size = streams_.SizeOf(rule.stream);
  if (!size.ok()) return size.status();
  if (!*size || (*size)->length == 0) return base::Ok();
  // More than half as much again as it should be.
  const bool held_back = (rule.entries && (*size)->length > *rule.entries + *rule.entries / 2) ||
                         (rule.bytes && (*size)->bytes > *rule.bytes + *rule.bytes / 2) ||
                         (rule.age_ms && (*size)->first_id < BeforeMs(clock_.NowMs(), *rule.age_ms + *rule.age_ms / 2));
  if (!held_back) return base::Ok();
  auto needs = NeedsOf(rule.stream);
  if (!needs.ok()) return needs.status();
  if (needs->groups.empty()) return base::Ok();  // a node that is not full yet
  kept.warned_us = now_us;
  base::Log(base::Level::kWarn, "retention_held_back",
            {{"stream", rule.stream},
             {"entries", (*size)->length},
             {"bytes", (*size)->bytes},
             {"groups", needs->groups},
             {"mend", "have the groups read and acknowledge, or destroy those nobody needs"}});
  return base::Ok();
}

}  // namespace tocsin::notifier
