// RedisDeliveryLimit: makes dead letters of entries that a group's consumers were given as often as its rule allows and
// have not acknowledged, for streams that lie in Redis. What notifier::DeliveryLimit is for the embedded store.
//
// 1. Redis hands nothing out again by itself: consumers claim (XAUTOCLAIM, XCLAIM), and each claim counts. This only
// ends
//    what has been tried enough.
// 2. The dead letter is stored before the entry is acknowledged, so at worst there are two with the same tocsin_id.
// 3. The node that routes a stream looks after it, some entries at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "redis/client.h"
#include "runtime/core.h"
#include "streams/redelivery.h"

namespace tocsin::nodes {

class RedisDeliveryLimit {
 public:
  static constexpr int64_t kEveryMs = 1'000;

  // `owns`: as RedisRetention's. Nothing is owned; all of it outlives the client's last answer.
  RedisDeliveryLimit(runtime::Core& core, redis::Client& client, std::vector<streams::RedeliveryRule> rules,
                     std::function<bool(const std::string& stream)> owns);

  // About twice a second.
  void Tick();

 private:
  struct Pending {
    std::string id, consumer;
    int64_t idle_ms;
    uint64_t deliveries;
  };
  void Look(const streams::RedeliveryRule& rule);
  void LookAt(const streams::RedeliveryRule& rule, const std::string& group, const std::string& from);
  void End(const std::string& stream, const std::string& group, const Pending& pending);
  void Ack(const std::string& stream, const std::string& group, const std::string& id);

  runtime::Core& core_;
  redis::Client& client_;
  const std::vector<streams::RedeliveryRule> rules_;
  const std::function<bool(const std::string& stream)> owns_;
  int64_t next_us_ = 0;
};

}  // namespace tocsin::nodes
