// A node on a Redis or Valkey.
#include "nodes/redis_engine.h"

#include "redis/address.h"
#include "server/engine.h"
#include "server/stream_rules.h"

namespace tocsin::server {
namespace {

using base::Status;

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
  // What a rule says of a stream holds for each of its partitions.
  std::vector<std::string> streams;
  std::vector<notifier::RetentionRule> retention;
  for (const std::string& stream : options.ingest_streams) {
    for (std::string& partition : nodes::PartitionsOf(stream, config.partitions)) {
      for (notifier::RetentionRule rule : config.retention) {
        if (rule.stream != stream || partition == stream) continue;
        rule.stream = partition;
        retention.push_back(std::move(rule));
      }
      streams.push_back(std::move(partition));
    }
  }
  retention.insert(retention.end(), config.retention.begin(), config.retention.end());
  nodes::RedisEngineOptions engine{.deployment = std::move(*deployment),
                                   .ingest_streams = options.ingest_streams,
                                   .partitions = config.partitions,
                                   .ingest_from = config.ingest_from == IngestFrom::kStart ? "0" : "$",
                                   .wait_replicas = config.wait_replicas,
                                   .log_max_entries = config.log_max_entries,
                                   .retention = WithDefaults(std::move(retention), streams)};
  return std::unique_ptr<Engine>(std::make_unique<RedisStore>(std::move(engine), clock, random, fanout));
}

}  // namespace tocsin::server
