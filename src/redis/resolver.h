// Resolver: the addresses of a server's name. getaddrinfo blocks, so names are looked up on a thread of its own; an
// address that is written as a number is answered at once.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <sys/socket.h>

#include "base/result.h"
#include "redis/address.h"
#include "runtime/core.h"
#include "runtime/worker_pool.h"

namespace tocsin::redis {

struct SocketAddress {
  sockaddr_storage address;
  socklen_t size;
};

class Resolver {
 public:
  using Done = std::function<void(base::Result<std::vector<SocketAddress>>)>;  // at least one address

  // Answers on `core`, which outlives this.
  explicit Resolver(runtime::Core& core) : core_(core) {}
  ~Resolver() { Stop(); }
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // `done` is called once, inside the call where the host is a number. Not after Stop().
  void Resolve(const Endpoint& endpoint, Done done);
  // Waits for a look-up that is under way.
  void Stop();

 private:
  runtime::Core& core_;
  std::shared_ptr<std::atomic<bool>> alive_ = std::make_shared<std::atomic<bool>>(true);
  std::map<std::string, std::vector<Done>> under_way_;  // by address: one look-up for all who want to know
  std::unique_ptr<runtime::WorkerPool> pool_;           // made for the first name
};

}  // namespace tocsin::redis
