// A node on a Redis or Valkey.
#include "nodes/redis_engine.h"

#include "redis/address.h"
#include "server/engine.h"

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

base::Result<std::unique_ptr<Engine>> OpenRedis(const Config& config, const gateway::GatewayOptions& options,
                                                const base::Clock& clock, base::Random& random,
                                                gateway::Fanout& fanout) {
  auto deployment = redis::ParseDeployment(config.store);
  if (!deployment.ok()) return deployment.status();
  nodes::RedisEngineOptions engine{.deployment = std::move(*deployment),
                                   .ingest_streams = options.ingest_streams,
                                   .partitions = config.partitions,
                                   .ingest_from = config.ingest_from == IngestFrom::kStart ? "0" : "$",
                                   .log_max_entries = config.log_max_entries};
  return std::unique_ptr<Engine>(std::make_unique<RedisStore>(std::move(engine), clock, random, fanout));
}

}  // namespace tocsin::server
