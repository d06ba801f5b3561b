// RedisDigests: ends the windows of rate limits that lie in Redis (state/rate_limit.h), each with the digest of what
// was summed up in it. Every node has one; the owner's is at work.
//
// 1. A window's end and the append of its digest are one script: told once, whatever crashes, and whoever else is at
//    work. One that has changed meanwhile is left for the next look.
// 2. A digest is subject to what its user prefers: muted with its category, held in quiet hours (and then in the
//    schedule before its window is gone).
// 3. Looks at every bucket every kLookMs while there are limits, else every kLookOnceMs: there may have been.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "logs/redis_logs.h"
#include "nodes/redis_delivery.h"
#include "runtime/core.h"

namespace tocsin::nodes {

class RedisDigests {
 public:
  static constexpr int64_t kLookMs = 500, kLookOnceMs = 10'000;
  static constexpr size_t kMostAtOnce = 64;  // of a bucket

  // Nothing is owned; all of it outlives the client's last answer. On the store Core.
  RedisDigests(runtime::Core& core, logs::RedisLogs& logs, const state::RateLimits& limits,
               std::function<bool()> is_owner, RedisDelivery::Hold hold, RedisDelivery::Appended appended)
      : core_(core),
        logs_(logs),
        limits_(limits),
        is_owner_(std::move(is_owner)),
        hold_(std::move(hold)),
        appended_(std::move(appended)) {}

  void Tick();

 private:
  struct Ending;
  void End(const std::shared_ptr<Ending>& ending);
  void Send(const std::shared_ptr<Ending>& ending);
  void Ended(const std::shared_ptr<Ending>& ending, base::Result<logs::Appended> appended);
  void Close() { --waiting_; }

  runtime::Core& core_;
  logs::RedisLogs& logs_;
  const state::RateLimits& limits_;
  const std::function<bool()> is_owner_;
  const RedisDelivery::Hold hold_;
  const RedisDelivery::Appended appended_;
  int64_t next_look_us_ = 0;
  size_t waiting_ = 0;  // answers; no look begins before they are there
};

}  // namespace tocsin::nodes
