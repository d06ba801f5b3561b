// StoreWatch: what this node knows of the Redis it lives on: whether it answers, how durable it is, and whether it has
// lost what it had confirmed.
//
// 1. Whenever a primary is connected, and every kLookEveryMs, it reads the servers' own words (durability.h). A store
//    that must not be used (it evicts, it is too old) is not: health() says why, and how to mend it.
// 2. Each bucket of logs remembers which primary it was on. When that is another one that was promoted (or the same one
//    restarted, where it does not sync every write), entries may be missing: the bucket's id floor and loss mark go
//    above all clocks, so that no id is used twice and whoever stands below is told `gap` once.
// 3. A slot that moved to another node of a Cluster lost nothing, and leaves no mark.
#pragma once

#include <atomic>
#include <bitset>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "logs/redis_keys.h"
#include "nodes/durability.h"
#include "redis/client.h"
#include "runtime/core.h"

namespace tocsin::nodes {

using Buckets = std::bitset<logs::kBuckets>;

class StoreWatch final : public redis::Client::Listener {
 public:
  struct Events {
    // The first verdict, and each after it.
    std::function<void(const Durability&)> assessed;
    // Logs of these buckets have lost entries, or are new ones (another epoch).
    std::function<void(const Buckets&)> lost;
    // Makes the records of buckets that have none.
    std::function<void(std::function<void(const base::Status&)>)> prepare;
  };
  static constexpr int64_t kLookEveryMs = 30'000;

  StoreWatch(runtime::Core& core, redis::Deployment::Kind kind, Events events, DurabilityOptions durability = {});
  // Once, before the Core runs: the client whose listener this is.
  void SetClient(redis::Client& client) { client_ = &client; }

  // On the Core. A look is taken soon: something says that the store is not what it was.
  void LookSoon();
  void Tick();
  // From here on publishes are refused.
  void Stop();

  // Thread-safe.
  base::Status health() const;
  std::string level() const;
  std::string why() const;

  void OnPrimary(const std::string& address, const std::string& run_id) override;
  void OnLost(const std::string& address, const base::Status& why) override;

 private:
  struct Verdict {
    Durability durability;
    bool assessed = false;
    bool connected = false;
    bool stopped = false;
    std::string lost_why;
  };
  struct Primary {
    ServerFacts facts;
    std::string run_id, replid, replid2;
  };
  struct Known {
    std::string epoch, lost;
  };
  void Look();
  void Gather(size_t command, std::shared_ptr<std::vector<Primary>> primaries);
  void Assessed(const std::vector<Primary>& primaries);
  void Settle(const std::vector<Primary>& primaries);
  void SettleBucket(int bucket, const Primary& primary, std::shared_ptr<void> round);
  void Failed();
  template <typename Change>
  void Update(Change change);
  std::shared_ptr<const Verdict> verdict() const { return verdict_.load(std::memory_order_acquire); }

  runtime::Core& core_;
  const redis::Deployment::Kind kind_;
  const Events events_;
  const DurabilityOptions durability_;
  redis::Client* client_ = nullptr;
  bool stopped_ = false, looking_ = false, again_ = false;
  int64_t next_look_us_ = 0;
  std::vector<Known> known_{logs::kBuckets};
  Buckets changed_;         // in this round
  bool unsettled_ = false;  // some of this round were not reached
  std::atomic<std::shared_ptr<const Verdict>> verdict_;
};

}  // namespace tocsin::nodes
