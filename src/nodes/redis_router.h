// RedisRouter: takes one ingest stream that lies in Redis into the users' logs, as the built-in group `tocsin`. Every
// node has one per stream; the one that holds the stream's lease is at work.
//
// 1. Taking over: the fencing number goes to every bucket of logs first, so that nothing an earlier holder still has
//    under way can be appended after it; then what is pending in the group, in the order of the stream; then what is
//    new. Nothing is skipped: a failure stops the stream, and the pending is taken again.
// 2. An entry is acknowledged, some milliseconds later, once all its appends are confirmed. An append that is repeated
// is a no-op (the log keeps
//    the last id it has taken of each stream and priority), so a crash anywhere repeats work, never a notification.
// 3. Between two batches nothing is under way: one batch's appends have all been answered before the next one's start,
//    so no redirection or reconnect can reorder a user's notifications.
// 4. A read that an earlier holder had sent may still take entries after its pending was claimed. So before anything
// that
//    was read is routed, it is looked whether more is pending than that; then all of it is claimed again, in order.
// 5. Memory is bounded, whatever producers append: a batch ends at kBatchBytes or kBatchUsers, its appends leave in a
//    window, and after a failure fewer entries are read at once.
// 6. What is to be delivered later goes to the schedule of the stream, which this drives: it fires while the lease is
//    held.
// 7. An entry that can never be routed goes to `<stream>:dead` with the reason, and is acknowledged. What others took
//    out of the stream while it was pending is acknowledged and counted.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "logs/redis_logs.h"
#include "nodes/entries.h"
#include "nodes/lease.h"
#include "nodes/redis_delivery.h"
#include "nodes/redis_schedule.h"
#include "redis/client.h"
#include "runtime/core.h"

namespace tocsin::nodes {

class RedisRouter final : public Lease::Holder {
 public:
  using Appended = RedisDelivery::Appended;

  // Nothing is owned; all of it outlives the client's last answer. `schedule`: of the same stream. `start`: where the
  // group begins on a stream that it has not been on: "$" after what is there, "0" before it.
  RedisRouter(runtime::Core& core, redis::Client& client, logs::RedisLogs& logs, RedisSchedule& schedule,
              std::string stream, std::string node, std::string start, Appended appended,
              const state::RateLimits& limits = RedisDelivery::kNoLimits);

  // Timers of the same stream, of any kind: they begin and end with the lease as well. Before the first Tick().
  void Drive(RedisTimers& timers) { driven_.push_back(&timers); }

  // Makes the group, if there is none, and tries until it can: what is published before it exists would not be routed.
  void Prepare(std::function<void()> ready);
  void Tick() { lease_.Tick(); }
  void Release();
  bool at_work() const { return lease_.held(); }
  const std::string& stream() const { return stream_; }
  // Entries of the last minutes go through the logs once more: a failover may have taken their appends and kept their
  // acknowledgement.
  void RouteAgain();

  void OnLease(uint64_t fence) override;
  void OnLeaseLost() override;

 private:
  struct Reading;
  struct Batch;
  using Next = std::function<void()>;

  bool Stale(uint64_t term) const { return term != term_; }
  uint64_t NewTerm();
  void TakeOver();
  using Made = std::function<void(std::string_view failure)>;  // empty: it is there
  void MakeGroup(Made then);
  void ClaimPending(std::string cursor);
  void EndClaim();
  void AckVanished();
  void RouteRecent(std::string from);
  void ReadNew();
  void ReadOn(size_t had);
  void LookForStrays(const std::shared_ptr<Reading>& reading);
  void Route(const std::shared_ptr<Reading>& reading);
  void Take(const std::shared_ptr<Batch>& batch, const StreamEntry& entry);
  void Note(const std::shared_ptr<Batch>& batch, const base::Status& done);
  void Finish(const std::shared_ptr<Batch>& batch);
  void Acknowledge();
  void AddDeadLetter(const std::shared_ptr<Batch>& batch, const StreamEntry& entry, std::string reason);
  void Fail(std::string_view what, const base::Result<wire::RespReply>& reply);
  void Retry(std::string_view what, std::string_view why);
  void StopReading();

  runtime::Core& core_;
  redis::Client& client_;
  logs::RedisLogs& logs_;
  RedisSchedule& schedule_;
  std::vector<RedisTimers*> driven_;  // those of the schedule too
  const std::string stream_, node_, start_, routed_key_;
  RedisDelivery delivery_;
  Lease lease_;
  uint64_t term_ = 0;                        // of what is under way: what an older one brings is dropped
  std::weak_ptr<RedisDelivery::Load> load_;  // of the batch that is under way
  uint64_t fence_ = 0;
  uint64_t blocking_ = 0;                 // a read that waits for new entries; 0: none
  bool again_ = false;                    // RouteAgain()
  bool prepared_ = false;                 // the group was there once: what is in a stream without one came after that
  int64_t failures_ = 0;                  // in a row
  size_t count_;                          // entries to be read at once
  std::vector<model::EntryId> finished_;  // and not acknowledged yet
  bool ack_due_ = false;
  int64_t read_us_ = 0;    // when entries came last, monotonic
  bool vanished_ = false;  // of the pending that is claimed, some is not in the stream any more
};

}  // namespace tocsin::nodes
