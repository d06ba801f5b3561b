#include "server/client_socket.h"

#include <cerrno>
#include <charconv>
#include <memory>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace tocsin::server {
namespace {

using base::Code;
using base::Result;
using base::Status;

Status Failed(std::string what, int error) {
  return Status(Code::kUnavailable, std::move(what) + ": " + std::generic_category().message(error));
}

// Whether `descriptor` is ready for `events` in time; false also when a signal came.
bool Wait(int descriptor, short events, int64_t limit_ms) {
  pollfd watched{.fd = descriptor, .events = events, .revents = 0};
  return poll(&watched, 1, static_cast<int>(limit_ms)) > 0;
}

// An open descriptor, or the negative error.
int TryConnect(const addrinfo& target, int64_t limit_ms) {
  int descriptor = socket(target.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) return -errno;
  int error = connect(descriptor, target.ai_addr, target.ai_addrlen) == 0 ? 0 : errno;
  if (error == EINPROGRESS) {
    error = ETIMEDOUT;
    if (Wait(descriptor, POLLOUT, limit_ms)) {
      socklen_t size = sizeof error;
      if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    }
  }
  if (error != 0) {
    close(descriptor);
    return -error;
  }
  int on = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return descriptor;
}

}  // namespace

Result<ServerAddress> ServerAddress::Parse(std::string_view url) {
  auto wrong = [url](std::string_view why) {
    return Status(Code::kInvalidArgument, "server address `" + std::string(url) + "`: " + std::string(why));
  };
  if (url.starts_with("https://")) return wrong("https is not supported yet by the command line");
  if (!url.starts_with("http://")) return wrong("http://HOST:PORT is expected");
  std::string_view host = url.substr(7);
  if (host.ends_with('/')) host.remove_suffix(1);
  if (host.empty() || host.find_first_of("/?#@ \r\n") != std::string_view::npos) {
    return wrong("http://HOST:PORT is expected, without a path");
  }
  ServerAddress server{.address = {std::string(host), 80}, .host = std::string(host)};
  size_t bracket = host.rfind(']');
  size_t colon = host.rfind(':');
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
    std::string_view port = host.substr(colon + 1);
    auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), server.address.port);
    if (error != std::errc() || end != port.data() + port.size()) return wrong("its port is not a number up to 65535");
    server.address.host = host.substr(0, colon);
  }
  std::string& name = server.address.host;
  if (name.size() > 2 && name.front() == '[' && name.back() == ']') name = name.substr(1, name.size() - 2);
  if (name.empty()) return wrong("its host is missing");
  return server;
}

Result<ClientSocket> ClientSocket::Connect(const Address& address, int64_t limit_ms) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  std::string port = std::to_string(address.port);
  if (int error = getaddrinfo(address.host.c_str(), port.c_str(), &hints, &found); error != 0) {
    return Status(Code::kUnavailable, "cannot find " + address.host + ": " + gai_strerror(error));
  }
  std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> targets(found, &freeaddrinfo);
  int result = -EHOSTUNREACH;
  for (const addrinfo* target = targets.get(); target != nullptr; target = target->ai_next) {
    result = TryConnect(*target, limit_ms);
    if (result >= 0) return ClientSocket(result);
  }
  return Failed("cannot connect to " + address.ToString(), -result);
}

ClientSocket::ClientSocket(ClientSocket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

ClientSocket& ClientSocket::operator=(ClientSocket&& other) noexcept {
  if (this != &other) {
    Close();
    descriptor_ = std::exchange(other.descriptor_, -1);
  }
  return *this;
}

ClientSocket::~ClientSocket() { Close(); }

void ClientSocket::Close() {
  if (descriptor_ >= 0) close(descriptor_);
  descriptor_ = -1;
}

Status ClientSocket::Send(std::string_view bytes, int64_t limit_ms) {
  while (!bytes.empty()) {
    ssize_t sent = send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<size_t>(sent));
    } else if (errno == EAGAIN) {
      if (!Wait(descriptor_, POLLOUT, limit_ms) && errno != EINTR) return Failed("the server takes nothing", ETIMEDOUT);
    } else if (errno != EINTR) {
      return Failed("the connection failed", errno);
    }
  }
  return base::Ok();
}

Status ClientSocket::Receive(std::string& buffer, int64_t limit_ms) {
  if (!Wait(descriptor_, POLLIN, limit_ms)) return Status(Code::kWouldBlock, "the server says nothing");
  char bytes[16 << 10];
  ssize_t received = recv(descriptor_, bytes, sizeof bytes, 0);
  if (received > 0) {
    buffer.append(bytes, static_cast<size_t>(received));
    return base::Ok();
  }
  if (received == 0) return Status(Code::kUnavailable, "the server closed the connection");
  if (errno == EAGAIN || errno == EINTR) return Status(Code::kWouldBlock, "the server says nothing");
  return Failed("the connection failed", errno);
}

}  // namespace tocsin::server
