// RedisRetention: keeps streams that lie in Redis as long as their rules say: what notifier::Retention is for the
// embedded store. XTRIM alone takes entries that a group has not read or not acknowledged; this does not.
//
// 1. A stream is trimmed by the node that routes it (its dead letters too), a piece at a time, each in one script: what
//    the groups need cannot change between the look and the trim.
// 2. Entries that some group needs go in two cases only: the rule says Needed::kDrop, or the stream has grown to its
// cap.
//    They are counted and logged with the groups. What the built-in group has not finished goes in no case.
// 3. Consumers of the built-in group that left nothing pending and have been silent are removed: nodes that are gone.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "notifier/retention_rule.h"
#include "redis/client.h"
#include "runtime/core.h"

namespace tocsin::nodes {

class RedisRetention {
 public:
  static constexpr int64_t kEveryMs = 10'000;
  static constexpr int64_t kSilentMs = 60'000;

  // `owns`: whether this node routes the ingest stream that a stream belongs to. Nothing is owned; all of it outlives
  // the client's last answer.
  RedisRetention(runtime::Core& core, redis::Client& client, std::vector<notifier::RetentionRule> rules,
                 std::function<bool(const std::string& stream)> owns);

  // About twice a second.
  void Tick();
  // One look at every stream that is this node's, whatever the time.
  void Look();

 private:
  struct Kept {
    notifier::RetentionRule rule;
    bool busy = false;
    int64_t warned_us = INT64_MIN / 2;
  };
  void Keep(Kept& kept);
  void OnKept(Kept& kept, const wire::RespReply& reply);
  void ForgetConsumers(const std::string& stream);

  runtime::Core& core_;
  redis::Client& client_;
  std::vector<Kept> rules_;
  const std::function<bool(const std::string& stream)> owns_;
  int64_t next_us_ = 0;
};

}  // namespace tocsin::nodes
