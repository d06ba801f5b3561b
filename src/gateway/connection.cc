#include "gateway/connection.h"

#include <cerrno>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/metrics.h"

namespace tocsin::gateway {
namespace {

constexpr int64_t kLingerMs = 3'000;
// Buffers larger than this are given back when they are empty.
constexpr size_t kKeepCapacity = 512;

base::Gauge open_connections("tocsin_connections", "Open connections");
base::Counter bytes_in("tocsin_bytes_received_total", "Bytes received from clients");
base::Counter bytes_out("tocsin_bytes_sent_total", "Bytes sent to clients");

void GiveBack(std::string& buffer) {
  buffer.clear();
  if (buffer.capacity() > kKeepCapacity) std::string().swap(buffer);
}

}  // namespace

Connection::Connection(uint64_t number, int socket, std::string peer_address, std::atomic<size_t>& open)
    : number_(number), socket_(socket), peer_address_(std::move(peer_address)), open_(open) {
  open_.fetch_add(1, std::memory_order_relaxed);
  open_connections.Add(1);
}

Connection::~Connection() {
  peer_.reset();
  watch_.reset();
  close(socket_);
  open_.fetch_sub(1, std::memory_order_relaxed);
  open_connections.Add(-1);
}

void Connection::SetPeer(std::unique_ptr<Peer> peer) {
  former_peer_ = std::move(peer_);
  peer_ = std::move(peer);
}

void Connection::Attach(Hub& hub) {
  hub_ = &hub;
  watch_ = hub.core().Observe(socket_, *this);
  if (paused_) watch_->Pause();
  waits_for_write_ = false;
  dirty_ = false;
  if (unsent() > 0) Touch();
}

void Connection::Detach() {
  watch_.reset();
  hub_ = nullptr;
}

void Connection::OnReadable() {
  std::vector<char>& scratch = hub_->scratch();
  const ssize_t got = recv(socket_, scratch.data(), scratch.size(), 0);
  if (got < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return;
    return hub_->Discard(*this);
  }
  if (got == 0) {
    watch_->Pause();  // an end can be read for ever
    input_ended_ = true;
    if (closing_ || !peer_->OnInputEnd()) return hub_->Discard(*this);
    return;
  }
  bytes_in.Add(got);
  if (closing_) return;  // read and dropped, so that the close does not become a reset
  Consume({scratch.data(), static_cast<size_t>(got)});
}

void Connection::Consume(std::span<char> bytes) {
  // The scratch buffer is the hub's: a call of the peer never reads another connection, so the bytes hold for it.
  if (!input_.empty()) {
    input_.append(bytes.data(), bytes.size());
    bytes = input_;
  }
  size_t done = 0;
  while (done < bytes.size() && !closing_ && destination_ == nullptr && !paused_) {
    Peer* peer = peer_.get();
    const size_t consumed = peer_->OnInput(bytes.subspan(done));
    done += consumed;
    if (consumed == 0 && peer == peer_.get()) break;  // a new peer gets its turn with what is left
  }
  former_peer_.reset();
  if (bytes.data() == input_.data()) {
    input_.erase(0, done);
    if (input_.empty()) GiveBack(input_);
  } else if (!closing_) {
    input_.assign(bytes.data() + done, bytes.size() - done);
  }
  AfterPeerCall();
}

void Connection::AfterPeerCall() {
  if (destination_ == nullptr || closing_) return;
  Hub* destination = std::exchange(destination_, nullptr);
  if (destination == hub_) {
    peer_->OnMoved();
    return;
  }
  std::shared_ptr<std::unique_ptr<Connection>> held =
      std::make_shared<std::unique_ptr<Connection>>(hub_->Release(*this));
  destination->core().Post([destination, held] {
    Connection& connection = **held;
    destination->Adopt(std::move(*held));
    connection.peer_->OnMoved();
    if (!connection.input_.empty() && !connection.paused_) connection.Consume({});
  });
}

void Connection::PauseInput() {
  if (paused_) return;
  paused_ = true;
  if (watch_) watch_->Pause();
}

void Connection::ResumeInput() {
  if (!paused_) return;
  paused_ = false;
  if (watch_) watch_->Resume();
  if (!input_.empty()) Consume({});
}

void Connection::ResumeInputLater() {
  if (!paused_ || closing_) return;
  hub_->core().Post([hub = hub_, number = number_] {
    if (Connection* connection = hub->Find(number)) connection->ResumeInput();
  });
}

void Connection::RetryInput() {
  if (paused_) return ResumeInput();
  if (!input_.empty() && !closing_) Consume({});
}

bool Connection::PeerHasGone() const {
  pollfd descriptor{.fd = socket_, .events = POLLRDHUP, .revents = 0};
  return poll(&descriptor, 1, 0) > 0;
}

void Connection::CloseAfterFlush() {
  if (closing_) return;
  closing_ = true;
  closing_since_ms_ = hub_->now().monotonic_ms;
  Touch();
}

void Connection::Flush() {
  dirty_ = false;
  if (!closing_ || unsent() == 0) peer_->BeforeFlush();
  was_congested_ |= Congested();  // also when the coming write takes all of it: the peer has seen it and waits
  if (waits_for_write_) return;
  while (unsent() > 0) {
    const ssize_t sent = send(socket_, output_.data() + sent_, unsent(), MSG_NOSIGNAL);
    if (sent > 0) {
      bytes_out.Add(sent);
      sent_ += static_cast<size_t>(sent);
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return hub_->Discard(*this);
    waits_for_write_ = true;
    watch_->WantWrite();
    break;
  }
  if (unsent() == 0) {
    sent_ = 0;
    GiveBack(output_);
    if (closing_) {
      if (input_ended_) return hub_->Discard(*this);
      // The peer sees our last bytes and the end; what it still sends is read until it closes, or kLingerMs pass.
      shutdown(socket_, SHUT_WR);
      if (paused_) ResumeInput();
    }
  } else if (sent_ > model::kSendWindow / 2) {
    output_.erase(0, sent_);
    sent_ = 0;
  }
}

void Connection::OnWritable() {
  waits_for_write_ = false;
  Flush();
  if (hub_ != nullptr && was_congested_ && unsent() < model::kSendWindow / 2 && !closing_) {
    was_congested_ = false;
    peer_->OnWritable();
  }
}

void Connection::Tick(session::Moment now) {
  if (closing_) {
    if (now.monotonic_ms - closing_since_ms_ >= kLingerMs) hub_->Discard(*this);
    return;
  }
  peer_->OnTick(now);
}

}  // namespace tocsin::gateway
