// Timers: the timers of one kind (timer.h) on the embedded store. What becomes of a due one is its action's to say;
// that and the timer's end are one batch, so each is done exactly once, across crashes and failed turns.
//
// 1. While any is pending it looks at the clock at least every kLookMs. A turn takes at most kFire of them, of
//    kFireWeight together and kFireBytes; what is left rides with the next turn.
// 2. What a turn has put fires with the next one at the earliest.
// 3. Everything is in the store; the memory of it is the same for none and for millions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "logs/text_map.h"
#include "notifier/timer.h"
#include "storage/committer.h"
#include "storage/store.h"

namespace tocsin::notifier {

class TimerAction {
 public:
  virtual ~TimerAction() = default;
  // On the commit thread, in a turn: stages what is to be done. May put and remove timers. A failure is the store's and
  // fails the turn; what is wrong with the timer itself is the action's to count, and ends with ok.
  virtual base::Status OnDue(const Timer& timer, uint64_t number, storage::Batch& batch) = 0;
};

class Timers final : public storage::Participant {
 public:
  static constexpr int64_t kLookMs = 500;
  static constexpr size_t kFire = 1'000, kFireWeight = 8'192, kFireBytes = 4 << 20;

  // Nothing is owned. Registered with the committer behind whoever puts timers, and before those whose BeforeCommit
  // writes what the action stages. `action` is not used before the first turn: it may be made later.
  Timers(const storage::Store& store, const base::Clock& clock, TimerKind kind, TimerAction& action);

  // All on the commit thread. A failure is the store's.

  // False: there is one of that name.
  base::Result<bool> Put(const Timer& timer, storage::Batch& batch);
  // False: there is none, or not any more.
  base::Result<bool> Remove(std::string_view name, storage::Batch& batch);
  // All whose names begin so; answers how many.
  base::Result<size_t> RemoveAll(std::string_view prefix, storage::Batch& batch);

  // What was committed.
  base::Result<std::optional<Timer>> Find(std::string_view name) const;
  // Those whose names begin so, in the order of their names, without payloads; at most `limit`.
  base::Result<std::vector<Timer>> FindAll(std::string_view prefix, size_t limit) const;
  // In the order in which they fire, behind that place (whose `order` and `name` count), without payloads.
  struct Page {
    std::vector<Timer> timers;
    bool more = false;
  };
  base::Result<Page> List(const Timer& after, size_t limit) const;

  // For a migration: the last number given, and that what is given from now on is above that one.
  base::Result<uint64_t> LastNumber();
  base::Status SkipNumbers(uint64_t number);

  // After a turn.
  uint64_t pending() const { return pending_; }
  uint64_t fired() const { return fired_total_; }      // since the start
  uint64_t removed() const { return removed_total_; }  // since the start

  base::Status BeforeCommit(storage::Batch& batch) override;
  void AfterCommit(const base::Status& status) override;
  int64_t NextTurnUs() const override;

 private:
  struct Place {
    int64_t due_ms;
    model::EntryId order;
  };
  std::string DueKey(const Place& place, std::string_view name) const;
  std::string DueEnd() const;
  std::string RowKey(std::string_view name) const;
  base::Status Load();
  base::Status Fire(storage::Batch& batch);
  base::Result<std::optional<Place>> PlaceOf(std::string_view name) const;
  void Drop(const Place& place, std::string_view name, storage::Batch& batch);

  const storage::Store& store_;
  const base::Clock& clock_;
  const TimerKind kind_;
  TimerAction& action_;
  const std::string due_prefix_, row_prefix_, state_key_;
  uint64_t fired_total_ = 0, removed_total_ = 0;
  bool loaded_ = false;
  // Meaningful when loaded.
  uint64_t number_ = 0;  // of the last one fired
  uint64_t pending_ = 0;
  std::string next_key_;  // none stands before it
  // Of this turn.
  bool changed_ = false;
  uint64_t fired_ = 0, removed_ = 0;
  logs::TextMap<std::optional<Place>> staged_;  // by name; nothing: removed
};

}  // namespace tocsin::notifier
