// RedisExpiry: ends the items of one ingest stream whose time has passed, in Redis: what notifier::Expiry is on the
// embedded store. The stream's router drives its timers.
//
// A mark that is repeated finds nothing to do, so it may be done again whenever that is in doubt. At most kWindow of
// them are under way.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "logs/redis_logs.h"
#include "nodes/redis_timers.h"

namespace tocsin::nodes {

class RedisExpiry final : private RedisTimerAction {
 public:
  // As RedisTimers.
  RedisExpiry(runtime::Core& core, redis::Client& client, const base::Clock& wall, logs::RedisLogs& logs,
              std::string stream);

  // To be driven by who holds the stream.
  RedisTimers& timers() { return timers_; }

  // Made by notifier::ExpiryTimer(). What was put once is not put again.
  void Put(const std::vector<notifier::Timer>& timers, std::function<void(const base::Status&)> then) {
    timers_.Put(timers, RedisTimers::Of::kAnything, std::move(then));
  }

 private:
  static constexpr size_t kWindow = 256;
  struct Work;
  void OnDue(std::vector<DueTimer> due, Pass pass, uint64_t fence,
             std::function<void(const base::Status&)> then) override;
  void OnPending(int64_t) override {}
  void Mark(const std::shared_ptr<Work>& work);
  static void Close(const std::shared_ptr<Work>& work);

  logs::RedisLogs& logs_;
  RedisTimers timers_;
};

}  // namespace tocsin::nodes
