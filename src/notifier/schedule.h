// Schedule: notifications that are to be delivered later, on the embedded store: for all their users (`deliver_at`), or
// held back for one of them. The router puts the former in with the turn that takes their entry; when its time has
// come, one is delivered and leaves the schedule in one batch (timers.h says what that promises).
//
// What the logs take a firing for (Source) is the timer's number, never its time, so a clock that is set back loses
// none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "model/limits.h"
#include "model/notification.h"
#include "notifier/delivery.h"
#include "notifier/publisher.h"
#include "notifier/timers.h"
#include "storage/committer.h"
#include "storage/store.h"

namespace tocsin::notifier {

class Schedule final : public storage::Participant, private TimerAction {
 public:
  // How long it is known of a cancelled one that it was: as long as an entry that is done stays in its stream.
  static constexpr int64_t kKnowCancelledMs = model::kIngestKeepMs;

  // Nothing is owned. Registered with the committer behind the router and before the logs. `delivery` is not used
  // before the first turn.
  Schedule(const storage::Store& store, const base::Clock& clock, Delivery& delivery);

  // All on the commit thread. A failure is the store's.

  // `notification` has a time of delivery; `id` is its entry in the ingest stream.
  base::Status Add(std::string_view stream, model::EntryId id, const model::Notification& notification,
                   storage::Batch& batch);
  // The same for an entry that was taken before, and may have been put then.
  base::Status AddAgain(std::string_view stream, model::EntryId id, const model::Notification& notification,
                        storage::Batch& batch);
  // Delivers it to that user at that time; once, however often it is asked until then.
  base::Status Hold(std::string_view nid, const std::string& user, const model::Notification& notification,
                    int64_t until_ms, storage::Batch& batch);
  // For everybody who waits for it. False: nobody does, or not any more.
  base::Result<bool> Cancel(std::string_view nid, storage::Batch& batch);
  base::Result<std::optional<ScheduledState>> Find(std::string_view nid) const;
  // What was committed, at most `limit`.
  base::Result<SchedulePage> List(const SchedulePlace& after, size_t limit) const;

  base::Status BeforeCommit(storage::Batch& batch) override;
  void AfterCommit(const base::Status& status) override;
  int64_t NextTurnUs() const override;

 private:
  struct Forget final : public TimerAction {
    base::Status OnDue(const Timer&, uint64_t, storage::Batch&) override { return base::Ok(); }
  };
  base::Status OnDue(const Timer& timer, uint64_t number, storage::Batch& batch) override;

  const base::Clock& clock_;
  Delivery& delivery_;
  Forget forget_;
  Timers timers_, cancelled_;
  int64_t cancelled_now_ = 0;  // notifications, by this turn
  uint64_t fired_ = 0;         // that were counted
};

}  // namespace tocsin::notifier
