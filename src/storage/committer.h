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
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
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
};

// An engine with staged state, called on the commit thread in the order of registration.
class Participant {
 public:
  virtual ~Participant() = default;
  virtual void BeforeCommit(Batch&) {}
  virtual void AfterCommit(const base::Status& status) = 0;
};

struct CommitterStats {
  uint64_t turns = 0, syncs = 0, changes = 0, failed_turns = 0;
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

  // One turn over what waits now, on the caller's thread; true when there was something. Only without Start().
  bool RunTurn();

  CommitterStats stats() const;  // thread-safe
  size_t queued() const;         // thread-safe

 private:
  void Loop();
  void Turn(std::vector<std::unique_ptr<Change>>& changes);

  Store& store_;
  const base::Clock& clock_;
  std::vector<Participant*> participants_;
  FaultPoints* faults_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::unique_ptr<Change>> queue_;
  bool stopping_ = false;
  int64_t turn_began_us_ = 0;  // 0: no turn runs
  int64_t unsynced_since_us_ = 0;
  CommitterStats stats_;
  std::thread thread_;
};

}  // namespace tocsin::storage
