#include "load/connection.h"

#include <cerrno>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace tocsin::bench {

namespace {
constexpr size_t kReceiveBytes = 256 * 1024;
char receive_buffer[kReceiveBytes];  // one thread: shared by all connections
}  // namespace

void Connection::Connect(uint16_t port) {
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) {
    Die("socket: %s (is `ulimit -n` high enough?)", std::strerror(errno));
  }
  const int one = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 && errno != EINPROGRESS) {
    Die("connect to port %u: %s", static_cast<unsigned>(port), std::strerror(errno));
  }
  writable_watched_ = true;
  loop_->Watch(fd_, EPOLLIN | EPOLLOUT, this);
}

void Connection::Send(std::string_view bytes) {
  if (fd_ < 0) {
    return;
  }
  if (!writable_watched_ && out_.empty()) {
    const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent == static_cast<ssize_t>(bytes.size())) {
      return;
    }
    if (sent > 0) {
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    // Other failures than a full socket are seen by the next receive.
    writable_watched_ = true;
    loop_->Change(fd_, EPOLLIN | EPOLLOUT, this);
  }
  out_.append(bytes);
}

void Connection::Close() {
  if (fd_ < 0) {
    return;
  }
  loop_->Forget(fd_, this);
  const linger reset{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  close(fd_);
  fd_ = -1;
  out_.clear();
  in_.clear();
}

void Connection::OnReady(uint32_t events) {
  if ((events & EPOLLOUT) != 0) {
    Flush();
  }
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
    Receive();
  }
}

void Connection::Flush() {
  if (!out_.empty()) {
    const ssize_t sent = send(fd_, out_.data(), out_.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      out_.erase(0, static_cast<size_t>(sent));
    }
  }
  if (out_.empty()) {
    writable_watched_ = false;
    loop_->Change(fd_, EPOLLIN, this);
  }
}

void Connection::Receive() {
  const ssize_t got = recv(fd_, receive_buffer, sizeof receive_buffer, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
    return;
  }
  if (got <= 0) {
    Close();
    OnClosed();
    return;
  }
  const std::string_view fresh(receive_buffer, static_cast<size_t>(got));
  if (in_.empty()) {
    const size_t used = OnBytes(fresh);
    if (fd_ >= 0 && used < fresh.size()) {
      in_.assign(fresh.substr(used));
    }
    return;
  }
  in_.append(fresh);
  const size_t used = OnBytes(in_);
  if (fd_ >= 0) {
    in_.erase(0, used);
  }
}

}  // namespace tocsin::bench
