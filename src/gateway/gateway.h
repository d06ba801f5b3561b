// Gateway: the doors of the server. Listens, gives each connection a Core, takes what was committed to the users' home
// Cores, and drains.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "auth/guess_limiter.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "commands/database.h"
#include "gateway/hub.h"
#include "gateway/options.h"
#include "logs/log_store.h"
#include "runtime/core.h"

namespace tocsin::gateway {

// Hands committed updates to the home hubs: made before the logs, told of the gateway when that runs.
class Fanout final : public logs::LogListener {
 public:
  void SetBackend(const Backend* backend) { backend_ = backend; }  // before the commit thread starts
  void OnCommitted(std::vector<logs::LogUpdate> updates) override;
  void OnLogsLost(std::function<bool(std::string_view user)> lost) override;

 private:
  const Backend* backend_ = nullptr;
};

class RespDoor;

class Gateway {
 public:
  struct Parts {
    logs::LogStore& logs;
    notifier::Publisher& publisher;
    const base::Clock& clock;
    base::Random& random;
    // The Redis port, where the store is the embedded one; without it that door stays shut.
    EmbeddedEngine* embedded = nullptr;
    commands::Database::RouteNow route_now = {};  // of the router
  };
  // Parts and options outlive it. `cores` > 0.
  Gateway(Parts parts, const GatewayOptions& options, int cores);
  ~Gateway();  // Stop()

  const Backend& backend() const { return backend_; }

  // Listens and starts the Cores' threads. kUnavailable says which address cannot be had and why.
  base::Status Start();
  // The ports listened on; redis_port() is 0 when that door is shut.
  uint16_t port() const { return port_; }
  uint16_t redis_port() const { return redis_port_; }

  // Takes no new connections and tells the sessions to come back later. Any thread.
  void Drain();
  size_t connections() const { return open_.load(std::memory_order_relaxed); }
  // Ends the Cores. What posts to them (the committer, a Redis engine) must have stopped.
  void Stop();

 private:
  class Listener;
  enum class Protocol : uint8_t { kHttp, kRedis };
  base::Status Listen(Protocol protocol, std::string host, uint16_t wanted, uint16_t& port);
  void Accept(Protocol protocol, int socket, std::string peer_address);

  const base::Clock& clock_;
  auth::GuessLimiter guesses_;
  Backend backend_;
  std::atomic<size_t> open_{0};      // connections
  std::unique_ptr<RespDoor> redis_;  // null: shut
  std::vector<std::unique_ptr<runtime::Core>> cores_;
  std::vector<std::unique_ptr<Hub>> hubs_;
  std::vector<std::thread> threads_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  uint16_t port_ = 0, redis_port_ = 0;
  uint64_t next_connection_ = 1;  // on the listening Core
};

}  // namespace tocsin::gateway
