#include "nodes/lease.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace tocsin::nodes {
namespace {

using base::Result;
using wire::RespReply;

// KEYS: lease, counter. ARGV: node, ttl ms, clock ms, the least number that will do. Answers 0 (another's), 1 (kept) or
// 2 (taken), and the number.
const redis::Script& TakeScript() {
  static const redis::Script script(R"lua(
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return {0, 0} end
local number = tonumber(redis.call('GET', KEYS[2]) or '0')
if holder and number >= tonumber(ARGV[4]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return {1, number}
end
number = math.max(number + 1, tonumber(ARGV[3]), tonumber(ARGV[4]))
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('SET', KEYS[2], string.format('%.0f', number))
return {2, number}
)lua");
  return script;
}

const redis::Script& ReleaseScript() {
  static const redis::Script script(R"lua(
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
)lua");
  return script;
}

}  // namespace

Lease::Lease(runtime::Core& core, redis::Client& client, std::string key, std::string node, Holder& holder)
    : core_(core),
      client_(client),
      key_(std::move(key)),
      counter_(key_ + ":fence"),
      node_(std::move(node)),
      holder_(holder) {}

void Lease::Tick() {
  const int64_t now_us = core_.clock().MonotonicUs();
  if (held_ && now_us >= valid_until_us_) Lose();
  if (!asking_ && !released_ && now_us >= next_us_) Ask();
}

void Lease::Ask() {
  asking_ = true;
  const int64_t now_us = core_.clock().MonotonicUs();
  next_us_ = now_us + (held_ ? kRenewMs : kRenewMs / 3) * 1000;
  client_.Eval(TakeScript(), {key_, counter_},
               {node_, std::to_string(kTtlMs), std::to_string(core_.clock().NowMs()), std::to_string(least_)},
               [this, now_us](const Result<RespReply>& reply) { OnAnswer(reply, now_us); }, {.patience_ms = kRenewMs});
}

void Lease::OnAnswer(const Result<RespReply>& reply, int64_t asked_us) {
  asking_ = false;
  if (released_) return GiveBack();  // it may just have been taken
  if (!reply.ok() || reply->is_error() || reply->elements.size() != 2) {
    if (reply.ok()) base::Log(base::Level::kWarn, "lease_refused", {{"key", key_}, {"error", reply->text}});
    return;  // it may still be ours: Tick() knows until when
  }
  const int64_t verdict = reply->elements[0].integer;
  if (verdict == 0) {
    if (held_) Lose();
    return;
  }
  valid_until_us_ = asked_us + kTtlMs * 1000;
  // Kept, though we had thought it lost or another process of this node took it: all starts over with its number.
  if (held_ && verdict == 1) return;
  if (held_) Lose();
  held_ = true;
  next_us_ = asked_us + kRenewMs * 1000;
  const auto fence = static_cast<uint64_t>(reply->elements[1].integer);
  base::Log(base::Level::kInfo, "lease_taken", {{"key", key_}, {"fence", fence}});
  holder_.OnLease(fence);
}

void Lease::Lose() {
  held_ = false;
  base::Log(base::Level::kWarn, "lease_lost", {{"key", key_}});
  holder_.OnLeaseLost();
}

void Lease::Release() {
  released_ = true;
  if (!std::exchange(held_, false)) return;
  holder_.OnLeaseLost();
  GiveBack();
}

void Lease::Renumber(uint64_t seen) {
  least_ = std::max(least_, seen + 1);
  next_us_ = 0;
}

void Lease::GiveBack() {
  client_.Eval(ReleaseScript(), {key_}, {node_}, [](const Result<RespReply>&) {}, {.patience_ms = 1'000});
}

}  // namespace tocsin::nodes
