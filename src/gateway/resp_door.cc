#include "gateway/resp_door.h"

#include "gateway/resp_peer.h"
#include "notifier/router.h"

namespace tocsin::gateway {
namespace {

commands::DatabaseOptions DatabaseOptionsOf(const GatewayOptions& options) {
  return {.ingest_streams = options.ingest_streams,
          .own_group = std::string(notifier::kGroup),
          .durability = "sync",
          .version = options.version};
}

}  // namespace

RespDoor::RespDoor(const EmbeddedEngine& engine, const GatewayOptions& options, auth::GuessLimiter& guesses,
                   const base::Clock& clock, commands::Database::RouteNow route_now)
    : database_(engine.streams, clock, DatabaseOptionsOf(options)),
      context_{database_, options.api_keys, guesses,
               options.redis_without_password ? commands::Authentication::kOff : commands::Authentication::kRequired,
               clock} {
  database_.SetRouteNow(std::move(route_now));
}

void RespDoor::AddQueue(runtime::Core& core) {
  RespQueue* queue = queues_.emplace_back(std::make_unique<RespQueue>(database_)).get();
  core.AtTurnEnd([queue] { queue->Flush(); });
}

void RespDoor::SetHub(Hub& hub) {
  RespQueue* queue = queues_[static_cast<size_t>(hub.core().index())].get();
  hub.core().AtTurnEnd([queue] { queue->Flush(); });
  queue->SetHub(hub);
}

void RespDoor::Serve(Connection& connection, const std::pair<std::string, std::string>& ends) {
  RespQueue& queue = *queues_[static_cast<size_t>(connection.hub().core().index())];
  connection.SetPeer(std::make_unique<RespPeer>(connection, queue, context_, ends.first, ends.second));
}

}  // namespace tocsin::gateway
