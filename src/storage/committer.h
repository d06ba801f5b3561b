// Committer: the one writer of a store. Changes from every thread are staged in turn into one batch and confirmed
// together after one fsync, so that no Core blocks and concurrent writers share the disk.
//
//   Core -> Submit(change)                                      any thread
//   [turn]  change.Stage(batch) for each waiting change         the commit thread
//           participant.BeforeCommit(batch)                     routes what the changes staged, in the same batch
//           store.Write(batch)                                  one write, one fsync
//           participant.AfterCommit(status)                     hands out what is now durable, or forgets it
//           change.Done(status)                                 answers, in the order of submission
//
// 1. What a change has staged is seen by later changes of the same turn (the engines hold it in memory), by nobody
//    else before the sync.
// 2. A turn that fails, fails whole: every participant drops what it holds in memory about staged data and reads it
//    from the store again.
// 3. A turn of only lazy changes is written without a sync and synced within kLazySyncMs, or by the next turn that is.
// 4. A turn takes at most kMaxTurnChanges and is closed at kMaxTurnBytes. The rest keeps its place for the next one.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "storage/store.h"

namespace tocsin::storage {

// Something that a client wants stored.
class Change {
 public:
  virtual ~Change() = default;
  // Checks and stages. Runs on the commit thread; may use the engines that live there.
  virtual void Stage(Batch& batch) = 0;
  // Runs on the commit thread after the turn's sync, or with the failure of the turn: then nothing of this change is
  // stored. Must not block; usually posts the answer to the Core that asked.
  virtual void Done(const base::Status& status) = 0;
  // True: confirms nothing to anybody, so it may ride on a later sync (a device's receipt over a socket).
  virtual bool lazy() const { return false; }
  // About how much memory it holds while it waits.
  virtual size_t bytes() const { return 0; }
};

// An engine with staged state, called on the commit thread in the order of registration.
class Participant {
 public:
  virtual ~Participant() = default;
  // May stage. Leave what does not fit the turn for the next one and ask for it with Committer::Wake(). A failure fails
  // the turn: nothing of it is written.
  virtual base::Status BeforeCommit(Batch&) { return base::Ok(); }
  // The turn is durable (ok) or nothing of it is stored. Called for every turn, also for one that staged nothing.
  virtual void AfterCommit(const base::Status& status) = 0;
  // True: what BeforeCommit stages confirms nothing, so a turn of lazy changes stays lazy with it.
  virtual bool lazy() const { return false; }
  // When it wants a turn though nobody submits a change, for work that comes with time (monotonic clock); kNoTurn: it
  // does not. Asked after each turn, so no wish is lost when a turn comes early. A time in the past means at once.
  static constexpr int64_t kNoTurn = INT64_MAX;
  virtual int64_t NextTurnUs() const { return kNoTurn; }
};

struct CommitterStats {
  uint64_t turns = 0, syncs = 0, changes = 0, failed_turns = 0;  // syncs: writes and lazy syncs that were answered ok
};

class Committer {
 public:
  // Nothing is owned; store, clock and participants outlive it.
  Committer(Store& store, const base::Clock& clock, std::vector<Participant*> participants,
            FaultPoints* faults = nullptr);
  ~Committer();  // Stop()

  // Starts the commit thread. Without it, RunTurn() drives the committer from the caller's thread (simulation).
  void Start();
  // Everything submitted before is committed, then the thread ends. Later Submit()s answer kCancelled.
  void Stop();

  // Thread-safe. Takes the change, unless the queue is full or a commit has taken longer than kMaxQueueMs
  // (kUnavailable), or the committer was stopped (kCancelled): then Done is not called.
  base::Status Submit(std::unique_ptr<Change> change);
  // The same for a change without an answer of its own: runs `stage` on the commit thread.
  base::Status Submit(std::function<void(Batch&)> stage);

  // Thread-safe. Asks for one more turn, with or without changes: a participant has work left over. After a turn that
  // failed, such a turn comes not before 100 ms have passed; clients' changes do not wait for that.
  void Wake();

  // One turn over what waits now, or the lazy sync that is due, on the caller's thread; true when there was something.
  // Only without Start().
  bool RunTurn();

  CommitterStats stats() const;  // thread-safe
  size_t queued() const;         // thread-safe

 private:
  using Changes = std::vector<std::unique_ptr<Change>>;
  enum class Work { kNone, kTurn, kLazySync };

  void Loop();
  // Both with mutex_ held.
  Work TakeWork(Changes& changes);
  int64_t UsToNextWork() const;
  bool Do(Work work, Changes& changes);
  void Turn(Changes& changes);
  // Stages until the turn is full; what is over goes back to the head of the queue. True when all were lazy.
  bool Stage(Changes& changes);
  base::Status Commit(Sync sync);
  void SyncLazy();

  Store& store_;
  const base::Clock& clock_;
  const std::vector<Participant*> participants_;
  FaultPoints* const faults_;

  // On the thread that runs the turns.
  Batch batch_;
  std::optional<int64_t> unsynced_since_us_;  // none: all is synced
  int64_t retry_at_us_ = 0;                   // turns that only Wake() asks for wait until then

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  Changes queue_;
  size_t queued_bytes_ = 0;
  bool wanted_ = false;                        // Wake()
  int64_t turn_at_us_ = Participant::kNoTurn;  // the earliest of what the participants want
  bool waiting_ = false;                       // the thread sleeps and must be notified
  bool stopping_ = false;
  std::optional<int64_t> turn_began_us_;  // none: no turn runs
  CommitterStats stats_;
  std::thread thread_;
};

}  // namespace tocsin::storage
