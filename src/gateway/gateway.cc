#include "gateway/gateway.h"

#include <cerrno>
#include <cstring>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/metrics.h"
#include "gateway/connection.h"
#include "gateway/http_peer.h"
#include "gateway/resp_door.h"
#include "model/topic.h"

namespace tocsin::gateway {
namespace {

using base::Code;
using base::Status;

constexpr int kBacklog = 1'024;
// Bytes unacknowledged for so long: the peer is gone (RFC 5482). A little over ping and pong.
constexpr int kUserTimeoutMs = 38'000;
constexpr int kAcceptsPerTurn = 64;

base::Counter turned_away("tocsin_connections_refused_total", "Connections refused: too many were open");

void SetOption(int socket, int level, int name, int value) { setsockopt(socket, level, name, &value, sizeof value); }

uint16_t PortOf(const sockaddr_storage& address) {
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                                             : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

std::string AddressText(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, text, sizeof text);
  } else if (address.ss_family == AF_INET6) {
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, text, sizeof text);
  }
  return text;
}

std::string WithPort(const sockaddr_storage& address) {
  const std::string text = AddressText(address);
  return (address.ss_family == AF_INET6 ? "[" + text + "]" : text) + ":" + std::to_string(PortOf(address));
}

// Both ends of a connection.
std::pair<std::string, std::string> EndsOf(int socket) {
  sockaddr_storage peer{}, local{};
  socklen_t size = sizeof peer;
  getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &size);
  size = sizeof local;
  getsockname(socket, reinterpret_cast<sockaddr*>(&local), &size);
  return {WithPort(peer), WithPort(local)};
}

constexpr std::string_view kTooManyHttp =
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
constexpr std::string_view kTooManyRedis = "-ERR max number of clients reached\r\n";

}  // namespace

void Fanout::OnCommitted(std::vector<logs::LogUpdate> updates) {
  if (backend_ == nullptr) return;
  std::vector<std::vector<logs::LogUpdate>> by_hub(backend_->hubs.size());
  for (logs::LogUpdate& update : updates) {
    if (model::IsTopicLog(update.user)) {  // its followers may be on any Core
      for (std::vector<logs::LogUpdate>& batch : by_hub) batch.push_back(update);
      continue;
    }
    Hub& home = backend_->HomeOf(update.user);
    by_hub[static_cast<size_t>(home.core().index())].push_back(std::move(update));
  }
  for (size_t i = 0; i < by_hub.size(); ++i) {
    if (by_hub[i].empty()) continue;
    Hub* hub = backend_->hubs[i];
    hub->core().Post([hub, batch = std::move(by_hub[i])]() mutable { hub->Apply(std::move(batch)); });
  }
}

void Fanout::OnLogsLost(std::function<bool(std::string_view user)> lost) {
  if (backend_ == nullptr) return;
  for (Hub* hub : backend_->hubs) {
    hub->core().Post([hub, lost] { hub->EndSessions(lost); });
  }
}

class Gateway::Listener final : public runtime::Watch::Handler {
 public:
  Listener(Gateway& gateway, Protocol protocol, int socket) : gateway_(gateway), protocol_(protocol), socket_(socket) {
    watch_ = gateway_.cores_.front()->Observe(socket_, *this);
  }
  ~Listener() override {
    watch_.reset();
    close(socket_);
  }

  void OnReadable() override {
    for (int i = 0; i < kAcceptsPerTurn; ++i) {
      sockaddr_storage address{};
      socklen_t size = sizeof address;
      const int socket = accept4(socket_, reinterpret_cast<sockaddr*>(&address), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (socket >= 0) {
        gateway_.Accept(protocol_, socket, AddressText(address));
        continue;
      }
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        // The connection stays in the backlog; asking again at once would only spin.
        base::Log(base::Level::kError, "accept_failed", {{"error", std::strerror(errno)}});
        watch_->Pause();
        gateway_.cores_.front()->After(200, [this] { watch_->Resume(); });
      }
      if (errno != EINTR && errno != ECONNABORTED) return;
    }
  }
  void OnWritable() override {}

 private:
  Gateway& gateway_;
  const Protocol protocol_;
  const int socket_;
  std::unique_ptr<runtime::Watch> watch_;
};

Gateway::Gateway(Parts parts, const GatewayOptions& options, int cores)
    : clock_(parts.clock),
      guesses_(parts.clock, parts.random),
      backend_{parts.logs, parts.publisher, parts.embedded, guesses_, options, {}, parts.random.Next()} {
  if (parts.embedded != nullptr) {
    redis_ = std::make_unique<RespDoor>(*parts.embedded, options, guesses_, clock_, std::move(parts.route_now));
  }
  for (int i = 0; i < cores; ++i) {
    runtime::Core& core = *cores_.emplace_back(std::make_unique<runtime::Core>(i, clock_));
    if (redis_) redis_->AddQueue(core);
    Hub& hub = *hubs_.emplace_back(std::make_unique<Hub>(core, backend_));
    if (redis_) redis_->SetHub(hub);
    backend_.hubs.push_back(&hub);
  }
}

Gateway::~Gateway() { Stop(); }

Status Gateway::Start() {
  const GatewayOptions& options = backend_.options;
  RETURN_IF_ERROR(Listen(Protocol::kHttp, options.listen_host, options.listen_port, port_));
  if (redis_ && options.redis_listen_host) {
    RETURN_IF_ERROR(Listen(Protocol::kRedis, *options.redis_listen_host, options.redis_listen_port, redis_port_));
    redis_->database().SetPort(redis_port_);
  }
  for (auto& core : cores_) threads_.emplace_back([&core] { core->Run(); });
  return base::Ok();
}

Status Gateway::Listen(Protocol protocol, std::string host, uint16_t wanted, uint16_t& port) {
  const std::string setting = protocol == Protocol::kHttp ? "listen" : "redis_listen";
  const std::string flag = protocol == Protocol::kHttp ? "listen" : "redis-listen";
  const std::string where = host + ":" + std::to_string(wanted);
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const int error = getaddrinfo(host.c_str(), std::to_string(wanted).c_str(), &hints, &found);
  if (error != 0) {
    return Status(Code::kInvalidArgument,
                  "`" + setting + "`: " + where + " is not an address here: " + gai_strerror(error));
  }
  std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(found, &freeaddrinfo);
  const int socket = ::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket < 0) return Status(Code::kUnavailable, std::string("cannot make a socket: ") + std::strerror(errno));
  SetOption(socket, SOL_SOCKET, SO_REUSEADDR, 1);
  if (bind(socket, found->ai_addr, found->ai_addrlen) != 0 || listen(socket, kBacklog) != 0) {
    Status status(Code::kUnavailable, "cannot listen on " + where + ": " + std::strerror(errno) +
                                          (errno == EADDRINUSE ? "; another process has the port, choose one with `--" +
                                                                     flag + " 127.0.0.1:PORT`"
                                                               : std::string()));
    close(socket);
    return status;
  }
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  getsockname(socket, reinterpret_cast<sockaddr*>(&bound), &size);
  port = PortOf(bound);
  listeners_.push_back(std::make_unique<Listener>(*this, protocol, socket));
  return base::Ok();
}

// On the first Core.
void Gateway::Accept(Protocol protocol, int socket, std::string peer_address) {
  SetOption(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  SetOption(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, kUserTimeoutMs);
  if (open_.load(std::memory_order_relaxed) >= backend_.options.max_connections) {
    turned_away.Add();
    if (protocol == Protocol::kRedis)
      redis_->database().figures().connections_rejected.fetch_add(1, std::memory_order_relaxed);
    const std::string_view answer = protocol == Protocol::kHttp ? kTooManyHttp : kTooManyRedis;
    const ssize_t sent = send(socket, answer.data(), answer.size(), MSG_NOSIGNAL);
    static_cast<void>(sent);
    close(socket);
    return;
  }
  const uint64_t number = next_connection_++;
  Hub* hub = hubs_[number % hubs_.size()].get();
  auto connection = std::make_unique<Connection>(number, socket, std::move(peer_address), open_);
  auto ends = protocol == Protocol::kRedis ? EndsOf(socket) : std::pair<std::string, std::string>();
  auto adopt = [this, hub, protocol, ends = std::move(ends)](std::unique_ptr<Connection> adopted) {
    Connection& reference = *adopted;
    hub->Adopt(std::move(adopted));
    if (protocol == Protocol::kHttp) return reference.SetPeer(std::make_unique<HttpPeer>(reference));
    redis_->Serve(reference, ends);
  };
  if (hub == hubs_.front().get()) return adopt(std::move(connection));
  hub->core().Post([adopt, connection = std::move(connection)]() mutable { adopt(std::move(connection)); });
}

void Gateway::Drain() {
  cores_.front()->Post([this] { listeners_.clear(); });
  for (auto& hub : hubs_) {
    hub->core().Post([raw = hub.get()] { raw->Drain(); });
  }
}

void Gateway::Stop() {
  for (auto& core : cores_) core->Stop();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
  threads_.clear();
  listeners_.clear();
  hubs_.clear();
}

}  // namespace tocsin::gateway
