// Schedule: notifications that are to be delivered later (`deliver_at`), on the embedded store. The router puts them in
// with the turn that takes their entry; when its time has come, one is appended to its recipients' logs and leaves the
// schedule in one batch.
//
// 1. None fires before its time by the wall clock, whatever that does; while anything is pending it looks at the clock
//    at least every kLookMs.
// 2. None is lost and none fires twice, across crashes and failed turns: to append and to remove is one batch. What the
//    logs take a firing for (Source) is a number that only grows, never its time, so a clock that is set back loses
//    none.
// 3. In the order of their times, and of their entries among those of one time. A turn fires at most kFire of them;
//    what is left rides with the next turn.
// 4. Everything is in the store; the memory of it is the same for none and for millions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "logs/text_map.h"
#include "logs/user_logs.h"
#include "model/notification.h"
#include "notifier/publisher.h"
#include "storage/committer.h"
#include "storage/store.h"

namespace tocsin::notifier {

class Schedule final : public storage::Participant {
 public:
  static constexpr int64_t kLookMs = 500;
  static constexpr size_t kFire = 1'000, kFireUsers = 8'192, kFireBytes = 4 << 20;

  // Nothing is owned. Registered with the committer behind the router and before the logs.
  Schedule(const storage::Store& store, logs::UserLogs& user_logs, const base::Clock& clock)
      : store_(store), user_logs_(user_logs), clock_(clock) {}

  // All on the commit thread. A failure is the store's.

  // `notification` has a time of delivery; `id` is its entry in the ingest stream.
  base::Status Add(std::string_view stream, model::EntryId id, const model::Notification& notification,
                   storage::Batch& batch);
  // False: it is not scheduled, or not any more.
  base::Result<bool> Cancel(std::string_view nid, storage::Batch& batch);
  // Its fields and its time, while it is scheduled.
  struct Row {
    int64_t due_ms = 0;
    model::StreamFields fields;
  };
  base::Result<std::optional<Row>> Find(std::string_view nid) const;
  // What was committed, at most `limit`.
  base::Result<SchedulePage> List(const SchedulePlace& after, size_t limit) const;

  base::Status BeforeCommit(storage::Batch& batch) override;
  void AfterCommit(const base::Status& status) override;
  int64_t NextTurnUs() const override;

 private:
  base::Status Load();
  base::Status Fire(storage::Batch& batch);
  base::Status FireOne(const SchedulePlace& place, std::string_view nid, const Row& row, storage::Batch& batch);
  base::Result<std::optional<int64_t>> DueOf(std::string_view nid) const;

  const storage::Store& store_;
  logs::UserLogs& user_logs_;
  const base::Clock& clock_;
  bool loaded_ = false;
  // Meaningful when loaded.
  uint64_t number_ = 0;  // of the last firing
  uint64_t pending_ = 0;
  std::string next_key_;  // no row stands before it
  // Of this turn.
  bool changed_ = false;
  int64_t fired_ = 0, cancelled_ = 0;
  logs::TextMap<std::optional<int64_t>> staged_;  // nid -> its time; nothing: removed
};

}  // namespace tocsin::notifier
