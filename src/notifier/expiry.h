// Expiry: ends items whose time has passed (`ttl_s`, `expires_at`), on the embedded store (on Redis:
// nodes/redis_expiry.h). Nobody is shown such an item once its time has come, whether this was here already or not;
// what it does is that the item leaves the log as a state change, so that counts and devices agree
// (docs/decisions/expiry.md).
#pragma once

#include <string_view>

#include "base/clock.h"
#include "logs/user_logs.h"
#include "notifier/timers.h"

namespace tocsin::notifier {

class Expiry final : public storage::Participant, private TimerAction {
 public:
  // Nothing is owned. Registered with the committer behind who delivers and before the logs.
  Expiry(const storage::Store& store, const base::Clock& clock, logs::UserLogs& user_logs)
      : user_logs_(user_logs), timers_(store, clock, TimerKind::kExpire, *this) {}

  // On the commit thread. What was put once is not put again. A failure is the store's.
  base::Status Put(const Timer& timer, storage::Batch& batch);

  base::Status BeforeCommit(storage::Batch& batch) override { return timers_.BeforeCommit(batch); }
  void AfterCommit(const base::Status& status) override { timers_.AfterCommit(status); }
  int64_t NextTurnUs() const override { return timers_.NextTurnUs(); }

 private:
  base::Status OnDue(const Timer& timer, uint64_t number, storage::Batch& batch) override;

  logs::UserLogs& user_logs_;
  Timers timers_;
};

}  // namespace tocsin::notifier
