#include "nodes/redis_delivery_limit.h"

#include <utility>

#include "nodes/dead_letter.h"
#include "nodes/entries.h"
#include "notifier/counters.h"
#include "notifier/dead_letters.h"

namespace tocsin::nodes {
namespace {

using base::Result;
using wire::RespReply;

constexpr size_t kAtOnce = 100;
constexpr int64_t kPatienceMs = 5'000;

// What a report of flat names and values says of `name`.
const RespReply* FieldOf(const RespReply& report, std::string_view name) {
  for (size_t i = 0; i + 1 < report.elements.size(); i += 2) {
    if (report.elements[i].text == name) return &report.elements[i + 1];
  }
  return nullptr;
}

}  // namespace

RedisDeliveryLimit::RedisDeliveryLimit(runtime::Core& core, redis::Client& client,
                                       std::vector<streams::RedeliveryRule> rules,
                                       std::function<bool(const std::string& stream)> owns)
    : core_(core), client_(client), rules_(std::move(rules)), owns_(std::move(owns)) {}

void RedisDeliveryLimit::Tick() {
  const int64_t now_us = core_.clock().MonotonicUs();
  if (now_us < next_us_) return;
  next_us_ = now_us + kEveryMs * 1000;
  for (const streams::RedeliveryRule& rule : rules_) {
    if (rule.redelivery.max_deliveries > 0 && owns_(rule.stream)) Look(rule);
  }
}

void RedisDeliveryLimit::Look(const streams::RedeliveryRule& rule) {
  if (rule.group != "*") return LookAt(rule, rule.group, "-");
  client_.Call(rule.stream, {"XINFO", "GROUPS", rule.stream}, [this, &rule](const Result<RespReply>& groups) {
    if (!groups.ok() || groups->is_error()) return;  // no such stream yet
    for (const RespReply& group : groups->elements) {
      const RespReply* name = FieldOf(group, "name");
      const RespReply* pending = FieldOf(group, "pending");
      if (name != nullptr && pending != nullptr && pending->integer > 0) LookAt(rule, name->text, "-");
    }
  });
}

void RedisDeliveryLimit::LookAt(const streams::RedeliveryRule& rule, const std::string& group,
                                const std::string& from) {
  auto looked = [this, &rule, group](const Result<RespReply>& reply) {
    if (!reply.ok() || reply->is_error()) return;
    for (const RespReply& row : reply->elements) {
      if (row.elements.size() != 4) continue;
      const Pending pending{row.elements[0].text, row.elements[1].text, row.elements[2].integer,
                            static_cast<uint64_t>(row.elements[3].integer)};
      const bool exhausted = pending.deliveries >= rule.redelivery.max_deliveries;
      if (exhausted && pending.idle_ms >= rule.redelivery.DelayMs(pending.deliveries)) End(rule.stream, group, pending);
    }
    if (reply->elements.size() == kAtOnce) LookAt(rule, group, "(" + reply->elements.back().elements[0].text);
  };
  client_.Call(rule.stream,
               {"XPENDING", rule.stream, group, "IDLE", std::to_string(rule.redelivery.after_ms), from, "+",
                std::to_string(kAtOnce)},
               std::move(looked), {.patience_ms = kPatienceMs});
}

void RedisDeliveryLimit::End(const std::string& stream, const std::string& group, const Pending& pending) {
  auto read = [this, stream, group, pending](const Result<RespReply>& found) {
    if (!found.ok() || found->is_error()) return;
    const std::vector<StreamEntry> entries = EntriesOf(*found);
    if (entries.empty()) {
      notifier::pending_gone.Add();
      return Ack(stream, group, pending.id);
    }
    const std::string reason = notifier::ReasonOf(pending.deliveries, pending.consumer, pending.idle_ms);
    auto verdict = [stream, group, pending, reason]() -> Verdict {
      return {.stream = stream, .id = pending.id, .group = group, .reason = reason, .attempts = pending.deliveries};
    };
    auto stored = [this, verdict, stream, group, id = pending.id](const Result<RespReply>& reply) {
      if (!reply.ok() || reply->is_error()) return;  // it is still pending: the next look tries again
      NoteDeadLetter(verdict());
      Ack(stream, group, id);
    };
    client_.Call(DeadLettersOf(stream), DeadLetterCommand(verdict(), entries.front().fields), std::move(stored),
                 {.patience_ms = kPatienceMs});
  };
  client_.Call(stream, {"XRANGE", stream, pending.id, pending.id}, std::move(read), {.patience_ms = kPatienceMs});
}

void RedisDeliveryLimit::Ack(const std::string& stream, const std::string& group, const std::string& id) {
  client_.Call(stream, {"XACK", stream, group, id}, [](const Result<RespReply>&) {}, {.patience_ms = kPatienceMs});
}

}  // namespace tocsin::nodes
