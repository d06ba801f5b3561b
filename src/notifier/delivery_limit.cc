#include "notifier/delivery_limit.h"

#include <vector>

#include "notifier/counters.h"
#include "notifier/dead_letters.h"

namespace tocsin::notifier {
namespace {

using base::Status;

}  // namespace

Status DeliveryLimit::BeforeCommit(storage::Batch&) {
  const int64_t now_us = clock_.MonotonicUs();
  if (now_us < next_us_) return base::Ok();
  more_ = false;
  bool limited = false;
  for (const streams::RedeliveryRule& rule : streams_.redelivery()) {
    if (rule.redelivery.max_deliveries == 0) continue;
    limited = true;
    if (rule.group != "*") {
      RETURN_IF_ERROR(Look(rule.stream, rule.group));
      continue;
    }
    auto groups = streams_.ReportGroups(rule.stream);
    if (!groups.ok() && groups.status().code() == base::Code::kNotFound) continue;
    if (!groups.ok()) return groups.status();
    for (const streams::GroupReport& group : *groups) RETURN_IF_ERROR(Look(rule.stream, group.name));
  }
  next_us_ = !limited ? kNoTurn : more_ ? now_us : now_us + kEveryMs * 1000;
  return base::Ok();
}

void DeliveryLimit::AfterCommit(const Status& status) {
  if (!status.ok()) next_us_ = 0;  // what was taken is there again
}

Status DeliveryLimit::Look(std::string_view stream, std::string_view group) {
  auto exhausted = streams_.TakeExhausted(stream, group, kAtOnce);
  if (!exhausted.ok()) return exhausted.status();
  for (const streams::PendingEntry& pending : *exhausted) RETURN_IF_ERROR(End(stream, group, pending));
  more_ = more_ || exhausted->size() == kAtOnce;
  return base::Ok();
}

Status DeliveryLimit::End(std::string_view stream, std::string_view group, const streams::PendingEntry& pending) {
  auto found = streams_.Range(stream, pending.id, pending.id);
  if (!found.ok()) return found.status();
  if (found->empty()) {
    pending_gone.Add();
  } else {
    RETURN_IF_ERROR(AddDeadLetter(streams_,
                                  {.stream = stream,
                                   .group = group,
                                   .reason = ReasonOf(pending.deliveries, pending.consumer, pending.idle_ms),
                                   .attempts = std::min<uint64_t>(pending.deliveries, INT64_MAX)},
                                  found->list.front()));
  }
  auto acked = streams_.Ack(stream, group, std::span(&pending.id, 1));
  return acked.ok() ? base::Ok() : acked.status();
}

}  // namespace tocsin::notifier
