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

std::string AddressText(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, text, sizeof text);
  } else if (address.ss_family == AF_INET6) {
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, text, sizeof text);
  }
  return text;
}

}  // namespace

void Fanout::OnCommitted(std::vector<logs::LogUpdate> updates) {
  if (backend_ == nullptr) return;
  std::vector<std::vector<logs::LogUpdate>> by_hub(backend_->hubs.size());
  for (logs::LogUpdate& update : updates) {
    Hub& home = backend_->HomeOf(update.user);
    by_hub[static_cast<size_t>(home.core().index())].push_back(std::move(update));
  }
  for (size_t i = 0; i < by_hub.size(); ++i) {
    if (by_hub[i].empty()) continue;
    Hub* hub = backend_->hubs[i];
    hub->core().Post([hub, batch = std::move(by_hub[i])]() mutable { hub->Apply(std::move(batch)); });
  }
}

class Gateway::Listener final : public runtime::Watch::Handler {
 public:
  Listener(Gateway& gateway, int socket) : gateway_(gateway), socket_(socket) {
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
        gateway_.Accept(socket, AddressText(address));
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
  const int socket_;
  std::unique_ptr<runtime::Watch> watch_;
};

Gateway::Gateway(Parts parts, const GatewayOptions& options, int cores)
    : clock_(parts.clock),
      guesses_(parts.clock, parts.random),
      backend_{parts.store,
               parts.committer,
               parts.streams,
               parts.user_logs,
               logs::LogReader(parts.store),
               parts.readers,
               guesses_,
               options,
               {},
               parts.random.Next()} {
  for (int i = 0; i < cores; ++i) {
    cores_.push_back(std::make_unique<runtime::Core>(i, clock_));
    hubs_.push_back(std::make_unique<Hub>(*cores_.back(), backend_));
    backend_.hubs.push_back(hubs_.back().get());
  }
}

Gateway::~Gateway() { Stop(); }

Status Gateway::Start() {
  RETURN_IF_ERROR(Listen());
  for (auto& core : cores_) threads_.emplace_back([&core] { core->Run(); });
  return base::Ok();
}

Status Gateway::Listen() {
  const GatewayOptions& options = backend_.options;
  const std::string where = options.listen_host + ":" + std::to_string(options.listen_port);
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  std::string host = options.listen_host;
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const int error = getaddrinfo(host.c_str(), std::to_string(options.listen_port).c_str(), &hints, &found);
  if (error != 0) {
    return Status(Code::kInvalidArgument, "`listen`: " + where + " is not an address here: " + gai_strerror(error));
  }
  std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(found, &freeaddrinfo);
  const int socket = ::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket < 0) return Status(Code::kUnavailable, std::string("cannot make a socket: ") + std::strerror(errno));
  SetOption(socket, SOL_SOCKET, SO_REUSEADDR, 1);
  if (bind(socket, found->ai_addr, found->ai_addrlen) != 0 || listen(socket, kBacklog) != 0) {
    Status status(Code::kUnavailable, "cannot listen on " + where + ": " + std::strerror(errno) +
                                          (errno == EADDRINUSE ? "; another process has the port, choose one with "
                                                                 "`--listen 127.0.0.1:PORT`"
                                                               : ""));
    close(socket);
    return status;
  }
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  getsockname(socket, reinterpret_cast<sockaddr*>(&bound), &size);
  port_ = ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(bound).sin6_port
                                            : reinterpret_cast<sockaddr_in&>(bound).sin_port);
  listener_ = std::make_unique<Listener>(*this, socket);
  return base::Ok();
}

// On the first Core.
void Gateway::Accept(int socket, std::string peer_address) {
  SetOption(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  SetOption(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, kUserTimeoutMs);
  if (open_.load(std::memory_order_relaxed) >= backend_.options.max_connections) {
    turned_away.Add();
    static constexpr std::string_view kAnswer =
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    const ssize_t sent = send(socket, kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL);
    static_cast<void>(sent);
    close(socket);
    return;
  }
  const uint64_t number = next_connection_++;
  Hub* hub = hubs_[number % hubs_.size()].get();
  auto connection = std::make_unique<Connection>(number, socket, std::move(peer_address), open_);
  auto adopt = [hub](std::unique_ptr<Connection> adopted) {
    Connection& reference = *adopted;
    hub->Adopt(std::move(adopted));
    reference.SetPeer(std::make_unique<HttpPeer>(reference));
  };
  if (hub == hubs_.front().get()) return adopt(std::move(connection));
  hub->core().Post([adopt, connection = std::move(connection)]() mutable { adopt(std::move(connection)); });
}

void Gateway::Drain() {
  cores_.front()->Post([this] { listener_.reset(); });
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
  listener_.reset();
  hubs_.clear();
}

}  // namespace tocsin::gateway
