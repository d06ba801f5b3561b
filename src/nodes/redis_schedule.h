// RedisSchedule: the notifications of one ingest stream that are to be delivered later, in Redis: for all their users
// (`deliver_at`), or held back for one of them. What notifier::Schedule is on the embedded store.
//
// The stream's router drives it: it begins and ends with the lease, and puts in what entries ask for. Firing goes on
// beside routing, neither waits for the other. The logs take a firing for the entry number-0 of `<stream>#scheduled`,
// so what was appended before a crash is passed over after it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "nodes/redis_delivery.h"
#include "nodes/redis_timers.h"

namespace tocsin::nodes {

class RedisSchedule final : private RedisTimerAction {
 public:
  // As RedisTimers. `appended` is told what firing has done to logs.
  RedisSchedule(runtime::Core& core, redis::Client& client, const base::Clock& wall, logs::RedisLogs& logs,
                std::string stream, RedisDelivery::Appended appended,
                const state::RateLimits& limits = RedisDelivery::kNoLimits);

  // To be driven by who holds the stream.
  RedisTimers& timers() { return timers_; }
  // Ends what was delivered of the stream, in its time; to be driven as well.
  RedisExpiry& expiry() { return expiry_; }

  // In the order of the stream; what was added once is never added again. Made by notifier::ScheduledTimer().
  void Add(const std::vector<notifier::Timer>& timers, std::function<void(const base::Status&)> then) {
    timers_.Put(timers, RedisTimers::Of::kEntries, std::move(then));
  }
  // Made by notifier::HeldTimer(). Once for each user, however often it is asked.
  void Hold(const std::vector<notifier::Timer>& timers, std::function<void(const base::Status&)> then) {
    timers_.Put(timers, RedisTimers::Of::kAnything, std::move(then));
  }
  // Holds one. Lives as long as this.
  RedisDelivery::Hold Holder();

 private:
  void OnDue(std::vector<DueTimer> due, Pass pass, uint64_t fence,
             std::function<void(const base::Status&)> then) override;
  void OnPending(int64_t more) override;

  const std::string stream_;
  RedisExpiry expiry_;
  RedisDelivery delivery_;
  RedisTimers timers_;
};

}  // namespace tocsin::nodes
