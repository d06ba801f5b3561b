#include "redis/resolver.h"

#include <cstring>
#include <string>

#include <netdb.h>

namespace tocsin::redis {
namespace {

using base::Result;
using base::Status;

Result<std::vector<SocketAddress>> LookUp(const Endpoint& endpoint, int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(), &hints, &found);
  if (error != 0) {
    return Status(base::Code::kUnavailable, "the name `" + endpoint.host + "` is not found: " + gai_strerror(error));
  }
  std::vector<SocketAddress> addresses;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    SocketAddress address{};
    if (one->ai_addrlen > sizeof address.address) continue;
    std::memcpy(&address.address, one->ai_addr, one->ai_addrlen);
    address.size = one->ai_addrlen;
    addresses.push_back(address);
  }
  freeaddrinfo(found);
  if (addresses.empty()) return Status(base::Code::kUnavailable, "the name `" + endpoint.host + "` has no address");
  return addresses;
}

}  // namespace

void Resolver::Resolve(const Endpoint& endpoint, Done done) {
  if (!*alive_) return;
  if (Result<std::vector<SocketAddress>> numeric = LookUp(endpoint, AI_NUMERICHOST); numeric.ok()) {
    return done(std::move(numeric));
  }
  std::vector<Done>& waiting = under_way_[endpoint.ToString()];
  waiting.push_back(std::move(done));
  if (waiting.size() > 1) return;
  if (!pool_) pool_ = std::make_unique<runtime::WorkerPool>("redis-name", 1);
  pool_->Submit([this, endpoint, alive = alive_] {
    if (!*alive) return;
    core_.Post([this, endpoint, addresses = LookUp(endpoint, 0), alive] {
      if (!*alive) return;
      const auto found = under_way_.find(endpoint.ToString());
      const std::vector<Done> waiting_now = std::move(found->second);
      under_way_.erase(found);
      for (const Done& one : waiting_now) one(addresses);
    });
  });
}

void Resolver::Stop() {
  *alive_ = false;
  if (pool_) pool_->Stop();
}

}  // namespace tocsin::redis
