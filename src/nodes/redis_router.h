// RedisRouter: takes one ingest stream that lies in Redis into the users' logs, as the built-in group `tocsin`. Every
// node has one per stream; the one that holds the stream's lease is at work.
//
// 1. Taking over: the fencing number goes to every bucket of logs first, so that nothing an earlier holder still has
//    under way can be appended after it; then what is pending in the group, in the order of the stream; then what is
//    new. Nothing is skipped: a failure stops the stream, and the pending is taken again.
// 2. An entry is acknowledged, some milliseconds later, once all its appends are confirmed. An append that is repeated
// is a no-op (the log keeps
//    the last id it has taken of each stream and priority), so a crash anywhere repeats work, never a notification.
// 3. What was read is routed by priority (notifier/read_ahead.h): up to kReadAhead entries are held, and while a batch
// is
//    routed what has come meanwhile joins them, so an urgent one waits for one batch, not for the backlog. Of one
//    priority the order is the stream's. What is held is pending, so after a crash the next holder claims it, in order.
// 4. Between two batches nothing is under way: one batch's appends have all been answered before the next one's start,
//    so no redirection or reconnect can reorder a user's notifications.
// 5. A read that an earlier holder had sent may still take entries after its pending was claimed. So before anything
// that
//    was read is routed, it is looked whether more is pending than that; then all of it is claimed again, in order.
// 6. Memory is bounded, whatever producers append: a batch ends at kBatchBytes, kBatchUsers or the stream's share of
//    kBatchEntries (notifier/fair_share.h), its appends leave in a window, and fewer entries are read at once when they
//    are large, or after a failure.
// 7. What is to be delivered later goes to the schedule of the stream, which this drives: it fires while the lease is
//    held.
// 8. An entry that can never be routed goes to `<stream>:dead` with the reason, and is acknowledged. What others took
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
#include "notifier/fair_share.h"
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

  // To share the node with other routers, which batch at a time do what their weights are worth. Before the first
  // Tick(); `share` is not owned, and without it this has all of it.
  void ShareWith(notifier::FairShare& share, int weight);

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
  void ReadMore(const std::shared_ptr<Reading>& reading);
  size_t BatchEntries() const;
  void SetBacklog(notifier::FairShare::Backlog backlog);
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
  model::EntryId routed_;                 // everything up to it is finished
  notifier::FairShare* share_ = nullptr;
  size_t place_ = 0;  // in it
  bool ack_due_ = false;
  int64_t read_us_ = 0;    // when entries came last, monotonic
  bool vanished_ = false;  // of the pending that is claimed, some is not in the stream any more
};

}  // namespace tocsin::nodes
