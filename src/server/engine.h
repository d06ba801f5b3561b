// Engine: the store that `serve` runs on, and everything that works on it: the one behind RocksDB in this process, or a
// node on a Redis that others share. The doors (gateway) stand before either.
#pragma once

#include <memory>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "gateway/gateway.h"
#include "server/config.h"

namespace tocsin::server {

class Engine {
 public:
  virtual ~Engine() = default;
  // For the gateway. `fanout` hears of what is committed from Begin() on.
  virtual gateway::Gateway::Parts parts() = 0;
  // The gateway stands: work begins.
  virtual base::Status Begin() = 0;
  // The server is going away: what others could do is left to them.
  virtual void Drain() {}
  // Answers what waits, and ends. The gateway's Cores still run.
  virtual void End() = 0;
};

// Opens the store in `config.data_dir`. Nothing is owned.
base::Result<std::unique_ptr<Engine>> OpenEmbedded(const Config& config, const gateway::GatewayOptions& options,
                                                   const base::Clock& clock, base::Random& random,
                                                   gateway::Fanout& fanout);
// A node on the Redis of `config.store`; connects in Begin().
base::Result<std::unique_ptr<Engine>> OpenRedisNode(const Config& config, const gateway::GatewayOptions& options,
                                                    const base::Clock& clock, base::Random& random,
                                                    gateway::Fanout& fanout);

}  // namespace tocsin::server
