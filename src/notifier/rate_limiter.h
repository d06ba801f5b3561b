// RateLimiter: rate limits (state/rate_limit.h) on the embedded store: the windows, and the digests at their ends.
//
// 1. A window changes in the batch that delivers or sums up, and is gone in the batch that appends its digest. So what
//    is summed up is told once, across crashes and failed turns.
// 2. Everything is in the store; in memory are windows used lately, at most kMaxInMemory after a turn.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "logs/text_map.h"
#include "model/notification.h"
#include "notifier/timers.h"
#include "state/rate_limit.h"
#include "storage/committer.h"
#include "storage/store.h"

namespace tocsin::notifier {

class Delivery;

class RateLimiter final : public storage::Participant, private TimerAction {
 public:
  static constexpr size_t kMaxInMemory = 100'000;

  // Nothing is owned. Registered with the committer behind whoever delivers and before the logs. `delivery` takes the
  // digests; it is not used before the first turn.
  RateLimiter(const storage::Store& store, const base::Clock& clock, state::RateLimits limits, Delivery& delivery);

  // All on the commit thread. A failure is the store's.

  bool Limits(const model::Notification& notification) const {
    return limits_.Of(notification.category, notification.priority) != nullptr;
  }
  // Counts a notification that is to be delivered at `at_ms`: into the log now, or into the digest. One that no rule
  // limits is delivered.
  base::Result<state::Passage> Pass(std::string_view user, std::string_view nid,
                                    const model::Notification& notification, int64_t at_ms, storage::Batch& batch);

  base::Status BeforeCommit(storage::Batch& batch) override;
  void AfterCommit(const base::Status& status) override;
  int64_t NextTurnUs() const override;

 private:
  // `name` is the user behind its length, then the category.
  base::Result<std::optional<state::LimitWindow>> Find(std::string_view name);
  base::Status OnDue(const Timer& timer, uint64_t number, storage::Batch& batch) override;

  const storage::Store& store_;
  const base::Clock& clock_;
  const state::RateLimits limits_;
  Delivery& delivery_;
  Timers ends_;
  logs::TextMap<std::optional<state::LimitWindow>> known_;  // nothing: there is none
  int64_t digested_ = 0;                                    // by this turn
};

}  // namespace tocsin::notifier
