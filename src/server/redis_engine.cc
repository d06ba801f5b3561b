// A node on a Redis or Valkey.
#include "nodes/redis_engine.h"

#include <algorithm>

#include "redis/address.h"
#include "server/engine.h"
#include "server/stream_rules.h"

namespace tocsin::server {
namespace {

using base::Status;

// What a rule says of an ingest stream holds for each of its partitions.
template <typename Rule>
std::vector<Rule> OfPartitions(const std::vector<Rule>& rules, const std::vector<std::string>& ingest_streams,
                               int partitions) {
  std::vector<Rule> all;
  for (const Rule& rule : rules) {
    const bool ingest = std::find(ingest_streams.begin(), ingest_streams.end(), rule.stream) != ingest_streams.end();
    for (std::string& partition : nodes::PartitionsOf(rule.stream, ingest ? partitions : 0)) {
      all.push_back(rule);
      all.back().stream = std::move(partition);
    }
  }
  return all;
}

class RedisStore final : public Engine {
 public:
  RedisStore(nodes::RedisEngineOptions options, const base::Clock& clock, base::Random& random, gateway::Fanout& fanout)
      : clock_(clock), random_(random), engine_(std::move(options), clock, random, fanout) {}

  gateway::Gateway::Parts parts() override { return {engine_.logs(), engine_.publisher(), clock_, random_}; }
  Status Begin() override { return engine_.Start(); }
  void Drain() override { engine_.Release(); }
  void End() override { engine_.Stop(); }

 private:
  const base::Clock& clock_;
  base::Random& random_;
  nodes::RedisEngine engine_;
};

}  // namespace

base::Result<std::unique_ptr<Engine>> OpenRedisNode(const Config& config, const gateway::GatewayOptions& options,
                                                    const base::Clock& clock, base::Random& random,
                                                    gateway::Fanout& fanout) {
  auto deployment = redis::ParseDeployment(config.store);
  if (!deployment.ok()) return deployment.status();
  std::vector<std::string> streams;
  for (const std::string& stream : options.ingest_streams) {
    const std::vector<std::string> partitions = nodes::PartitionsOf(stream, config.partitions);
    streams.insert(streams.end(), partitions.begin(), partitions.end());
  }
  std::vector<int> weights;
  for (const IngestStream& stream : config.ingest_streams) weights.push_back(stream.weight);
  nodes::RedisEngineOptions engine{
      .deployment = std::move(*deployment),
      .ingest_streams = options.ingest_streams,
      .weights = std::move(weights),
      .partitions = config.partitions,
      .ingest_from = config.ingest_from == IngestFrom::kStart ? "0" : "$",
      .wait_replicas = config.wait_replicas,
      .log_max_entries = config.log_max_entries,
      .redelivery = OfPartitions(config.redelivery, options.ingest_streams, config.partitions),
      .retention = WithDefaults(OfPartitions(config.retention, options.ingest_streams, config.partitions), streams),
      .rate_limits = state::RateLimits(config.rate_limits)};
  return std::unique_ptr<Engine>(std::make_unique<RedisStore>(std::move(engine), clock, random, fanout));
}

}  // namespace tocsin::server
