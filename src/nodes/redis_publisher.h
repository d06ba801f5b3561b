// RedisPublisher: publishes to ingest streams that lie in Redis, where producers may XADD to them as well.
//
// 1. Answered when the server has answered, so as durably as that server is configured (StoreWatch says how).
// 2. Nothing waits for a server that is away: kUnavailable at once. What was under way when it went is answered so too;
//    it may have been stored, so a client that tries again may be told twice.
// 3. With `wait_replicas`, it is answered when so many replicas have it too (WAIT), else kUnavailable: stored, but not
//    as safely as was asked.
// 4. A request with an Idempotency-Key is one script on one partition, that of its first notification: the answer is
//    remembered where the entries are.
// 5. With partitions, a notification goes to that of its first user: CRC16 of the id modulo their number, as Redis
//    Cluster computes it. Order is promised within a partition.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "model/entry_id.h"
#include "nodes/redis_schedules.h"
#include "nodes/store_watch.h"
#include "notifier/publisher.h"
#include "redis/client.h"
#include "runtime/core.h"

namespace tocsin::nodes {

class RedisPublisher final : public notifier::Publisher {
 public:
  // Nothing is owned. `streams`: the partitions of the first ingest stream, at least one; `all`: those of every one,
  // whose notifications are found and whose schedules are listed.
  RedisPublisher(runtime::Core& core, redis::Client& client, const StoreWatch& watch, std::vector<std::string> streams,
                 std::vector<std::string> all, int wait_replicas = 0);

  void Publish(notifier::PublishRequest request, Then then) override;
  void Find(const std::string& nid, Found then) override;
  void ListScheduled(notifier::SchedulePlace after, size_t limit, Listed then) override;
  void CancelScheduled(const std::string& nid, Cancelled then) override;
  base::Status health() const override { return watch_.health(); }
  std::string durability() const override { return watch_.level(); }
  size_t queued() const override { return queued_.load(std::memory_order_relaxed); }

  // On the Core: which of the ids that were confirmed here in the last kRememberMs the stream does not have any more.
  // Logs what it finds. For after a failover.
  void CountLost();

 private:
  static constexpr int64_t kRememberMs = 60'000;
  static constexpr size_t kMaxRemembered = 200'000;
  struct Confirmed {
    model::EntryId id;
    int64_t at_ms;
  };
  size_t PartitionOf(const model::StreamFields& entry) const;
  using Answered = std::function<void(const base::Result<wire::RespReply>&)>;
  void Send(notifier::PublishRequest asked, Then then);
  void Append(size_t partition, size_t entries, redis::Arguments words, const notifier::IdempotencyKey& key,
              Answered then);
  void WaitSoon(size_t partition, std::function<void(const base::Status&)> then);
  void Wait(const std::string& address);
  void Remember(size_t partition, const std::vector<std::string>& ids);
  void Check(size_t partition, std::deque<Confirmed> confirmed, std::vector<std::string> missing);

  runtime::Core& core_;
  redis::Client& client_;
  const StoreWatch& watch_;
  const std::vector<std::string> streams_, all_;
  RedisSchedules schedules_;
  const int wait_replicas_;
  std::vector<std::deque<Confirmed>> confirmed_;  // by partition, oldest first
  // What was appended, until the replicas have it.
  struct Waiting {  // of one server
    std::vector<std::function<void(const base::Status&)>> thens;
    size_t partition = 0;  // one that is there
    bool under_way = false;
  };
  std::map<std::string, Waiting> waiting_;  // by address
  std::atomic<size_t> queued_{0};
};

}  // namespace tocsin::nodes
