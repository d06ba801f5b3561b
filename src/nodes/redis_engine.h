// RedisEngine: one Tocsin node on a Redis or Valkey: a Core of its own, on which everything lives that speaks to the
// store: the client, the logs, a router for each ingest stream, wake-ups, and the watch over what the store is worth.
//
// A node keeps nothing that another could not take over. Any number of them may run on one store, and come and go.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "logs/redis_logs.h"
#include "nodes/redis_delivery.h"
#include "nodes/redis_delivery_limit.h"
#include "nodes/redis_digests.h"
#include "nodes/redis_publisher.h"
#include "nodes/redis_retention.h"
#include "nodes/redis_router.h"
#include "nodes/redis_schedule.h"
#include "nodes/store_watch.h"
#include "nodes/wakes.h"
#include "redis/client.h"
#include "runtime/core.h"

namespace tocsin::nodes {

struct RedisEngineOptions {
  redis::Deployment deployment;
  std::vector<std::string> ingest_streams;  // at least one; publishes over HTTP go to the first
  std::vector<int> weights;                 // of those, for their shares of a node; empty: 1 each
  int partitions = 0;             // of each ingest stream: `<stream>:{0}` and on; 0: the stream itself is the only one
  std::string ingest_from = "$";  // where the group begins on a stream it has not been on: `$` or `0`
  int wait_replicas = 0;          // that an answer to a publish waits for; 0: none
  size_t log_max_entries = model::kLogMaxEntries;
  std::vector<streams::RedeliveryRule> redelivery;  // of groups of streams and partitions: only what ends deliveries
  std::vector<notifier::RetentionRule> retention;   // of streams and partitions, and of their dead letters
  state::RateLimits rate_limits{};
  int64_t start_patience_ms = 15'000;  // that Start() has for a store that does not answer yet
};

class RedisEngine {
 public:
  // `listener` hears, on the engine's Core, of logs that are watched here. Nothing is owned.
  RedisEngine(RedisEngineOptions options, const base::Clock& clock, base::Random& random, logs::LogListener& listener);
  ~RedisEngine();  // Stop()

  // Connects, and waits until the store was looked at. kUnavailable: it does not answer, with the reason;
  // kInvalidArgument: it must not be used as it is configured.
  base::Status Start();
  // Gives up the leases, so that other nodes take over at once; what comes from connected users is still done. Any
  // thread, more than once.
  void Release();
  // Answers what waits, and ends the Core.
  void Stop();

  logs::LogStore& logs() { return logs_; }
  notifier::Publisher& publisher() { return publisher_; }
  const std::string& node() const { return node_; }

 private:
  static constexpr int64_t kTickMs = 500;

  void Begin();
  void Tick();
  void OnAssessed(const Durability& durability);
  void OnLost(const Buckets& buckets);
  void OnAppended(std::vector<logs::Appended> appended);
  bool Owns(const std::string& stream) const;

  const RedisEngineOptions options_;
  const std::string node_;
  logs::LogListener& listener_;
  runtime::Core core_;
  StoreWatch watch_;
  std::unique_ptr<redis::Client> client_;
  logs::RedisLogs logs_;
  Wakes wakes_;
  RedisPublisher publisher_;
  std::vector<std::unique_ptr<RedisSchedule>> schedules_;
  notifier::FairShare share_;                          // of the routers
  std::vector<std::unique_ptr<RedisRouter>> routers_;  // each with the schedule of its stream
  RedisDigests digests_;
  RedisRetention retention_;
  RedisDeliveryLimit delivery_limit_;
  bool begun_ = false;  // after the first good verdict
  bool doubt_ = false;  // wake-ups may have been lost
  bool released_ = false;
  int64_t next_heartbeat_us_ = 0, next_compare_us_ = 0;
  struct Starting;
  std::shared_ptr<Starting> starting_;  // until Start() has its answer
  std::thread thread_;
};

// The names of a stream's partitions.
std::vector<std::string> PartitionsOf(const std::string& stream, int partitions);

}  // namespace tocsin::nodes
