// Lease: one task in one node's hands at a time, kept in Redis.
//
// 1. A node holds the lease while it renews it; one that stopped (killed, frozen, cut off) has lost it after kTtlMs.
// 2. Each taking has a fencing number that is higher than all before, also when Redis forgot them (it is never below
//    the clock). Whatever the task writes carries it and is refused below a newer one, so a holder that wakes up late
//    can do no harm: the lease makes two holders rare, the number makes them harmless.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "redis/client.h"
#include "runtime/core.h"

namespace tocsin::nodes {

class Lease {
 public:
  class Holder {
   public:
    virtual ~Holder() = default;
    virtual void OnLease(uint64_t fence) = 0;
    virtual void OnLeaseLost() = 0;
  };

  static constexpr int64_t kTtlMs = 5'000;
  static constexpr int64_t kRenewMs = 1'500;

  // `key`: of the lease; the counter lies beside it, so the key has a hash tag. Nothing is owned; all of it outlives
  // the client's last answer.
  Lease(runtime::Core& core, redis::Client& client, std::string key, std::string node, Holder& holder);

  // About twice a second: tries for it, renews it, notices that it is lost.
  void Tick();
  // Gives it up, if held, and tries no more.
  void Release();
  // A number up to `seen` was used before, though the counter does not know it. If the lease is still ours, it is taken
  // anew, with a higher one, soon.
  void Renumber(uint64_t seen);
  bool held() const { return held_; }

 private:
  void Ask();
  void OnAnswer(const base::Result<wire::RespReply>& reply, int64_t asked_us);
  void Lose();
  void GiveBack();

  runtime::Core& core_;
  redis::Client& client_;
  const std::string key_, counter_, node_;
  Holder& holder_;
  bool held_ = false, asking_ = false, released_ = false;
  int64_t valid_until_us_ = 0;  // by our clock, counted from before the question
  int64_t next_us_ = 0;
  uint64_t least_ = 0;  // that the number has to be
};

}  // namespace tocsin::nodes
