// RespDoor: the Redis port of the embedded store: its database, and each hub's way to the commit thread. A store that
// is a Redis itself has no such door: clients speak to it directly.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "commands/client.h"
#include "commands/database.h"
#include "gateway/options.h"
#include "gateway/resp_change.h"

namespace tocsin::gateway {

class RespDoor {
 public:
  // Nothing is owned. `route_now`: of the router.
  RespDoor(const EmbeddedEngine& engine, const GatewayOptions& options, auth::GuessLimiter& guesses,
           const base::Clock& clock, commands::Database::RouteNow route_now);

  commands::Database& database() { return database_; }

  // Before the hub of that Core is made, and after, so that its queue is flushed before the hub writes, when the disk
  // can work meanwhile, and once more for what came of that.
  void AddQueue(runtime::Core& core);
  void SetHub(Hub& hub);

  // Speaks the Redis protocol on that connection, on its hub. `ends`: addresses with port, the peer's and ours.
  void Serve(Connection& connection, const std::pair<std::string, std::string>& ends);

 private:
  commands::Database database_;  // its engine is touched on the commit thread only
  commands::ClientContext context_;
  std::vector<std::unique_ptr<RespQueue>> queues_;  // one a hub, by the index of its Core
};

}  // namespace tocsin::gateway
