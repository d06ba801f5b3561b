// Delivery: takes a notification into the logs of users, on the embedded store. Everything that becomes one there comes
// through here, whatever brought it: the router an entry of an ingest stream, the schedule what was to be delivered
// later. So what decides whether and how a user gets it has this one home (on Redis: nodes/redis_delivery.h).
//
// 1. In this order: what the user mutes is passed over; what comes in quiet hours is held in the schedule until they
//    end, and comes here again then; what is beyond a rate limit is summed up.
// 2. What is decided is decided by `at_ms`, never by the clock: taken again after a crash, it comes out the same.
// 3. Where no rate limit applies, a user without preferences costs one look at the log's head, which the append needs
//    anyway.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "logs/user_logs.h"
#include "logs/user_preferences.h"
#include "model/notification.h"
#include "notifier/expiry.h"
#include "state/delivery_decision.h"
#include "storage/committer.h"
#include "storage/store.h"

namespace tocsin::notifier {

class RateLimiter;
class Schedule;

// Nothing is owned.
struct Parcel {
  std::string_view nid;
  const model::Notification& notification;
  std::span<const std::string> users;  // who is to get it: all of the notification's, or some of them
  int64_t at_ms = 0;                   // when it is delivered: when it was accepted, or its time came; the item's `ts`
  logs::Source source;                 // what the logs take it for
  state::Held held = state::Held::kNo;
};

// As a participant it only counts, once a turn is committed.
class Delivery final : public storage::Participant {
 public:
  // Nothing is owned.
  Delivery(const storage::Store& store, const base::Clock& clock, logs::UserLogs& user_logs)
      : user_logs_(user_logs), expiry_(store, clock, user_logs) {}

  // Ends what was delivered, in its time. Registered with the committer behind who delivers and before the logs.
  Expiry& expiry() { return expiry_; }

  // What is asked before anything is delivered; set before the first turn. Without it all is delivered at once.
  void Ask(logs::UserPreferences& preferences, Schedule& schedule, RateLimiter& limiter) {
    preferences_ = &preferences;
    schedule_ = &schedule;
    limiter_ = &limiter;
  }

  // On the commit thread. A failure is the store's: the turn should fail with it.
  base::Status Deliver(const Parcel& parcel, storage::Batch& batch);

  base::Status BeforeCommit(storage::Batch&) override { return base::Ok(); }
  void AfterCommit(const base::Status& status) override;
  bool lazy() const override { return true; }

 private:
  enum class Verdict : uint8_t { kAppend, kDone };
  base::Result<Verdict> Decide(const Parcel& parcel, const std::string& user, storage::Batch& batch);

  logs::UserLogs& user_logs_;
  Expiry expiry_;
  logs::UserPreferences* preferences_ = nullptr;
  Schedule* schedule_ = nullptr;
  RateLimiter* limiter_ = nullptr;
  int64_t muted_ = 0, held_ = 0;  // by this turn
};

}  // namespace tocsin::notifier
