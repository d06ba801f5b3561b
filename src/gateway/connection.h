// Connection: one socket and its bytes. What they mean is its Peer's business: HttpPeer at first, WebSocketPeer or
// EventPeer after an upgrade.
//
// 1. It writes once per turn: what was queued during a turn leaves in one send at its end.
// 2. Idle it holds no buffers. Input that is no whole message yet stays in `input_`, which the Peer bounds; output that
//    the peer does not read stays in `output_`, which Congested() tells to stop filling.
// 3. It lives in exactly one Hub; MoveTo() takes it to another one with everything queued.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "gateway/hub.h"
#include "runtime/core.h"

namespace tocsin::gateway {

class Peer {
 public:
  virtual ~Peer() = default;
  // Bytes of the peer, those not consumed before included; may be changed in place. Answers how many it is done with.
  virtual size_t OnInput(std::span<char> bytes) = 0;
  // The end of a turn in which the connection was marked dirty: the last moment to queue bytes.
  virtual void BeforeFlush() {}
  // The send window has room again.
  virtual void OnWritable() {}
  // About once a second.
  virtual void OnTick(session::Moment now) = 0;
  // The other side sends nothing more. False: it wants nothing more either, the connection can end.
  virtual bool OnInputEnd() { return false; }
  // On another hub now.
  virtual void OnMoved() {}
  virtual void OnDrain(int64_t after_ms) = 0;
};

class Connection final : public runtime::Watch::Handler {
 public:
  // Takes over the (non-blocking) socket. `peer_address`: the other end's IP address, as text. Counted in `open`, which
  // outlives it.
  Connection(uint64_t number, int socket, std::string peer_address, std::atomic<size_t>& open);
  ~Connection() override;

  uint64_t number() const { return number_; }
  const std::string& peer_address() const { return peer_address_; }
  Hub& hub() const { return *hub_; }
  void SetPeer(std::unique_ptr<Peer> peer);  // the one before ends when its present call has returned
  Peer* peer() { return peer_.get(); }

  // To be sent at the end of the turn.
  std::string& output() {
    Touch();
    return output_;
  }
  // The peer has something to say: BeforeFlush() is called at the end of the turn.
  void Touch() {
    if (std::exchange(dirty_, true)) return;
    hub_->MarkDirty(*this);
  }
  // Bytes that wait for the peer to read.
  size_t unsent() const { return output_.size() - sent_; }
  bool Congested() const { return unsent() >= model::kSendWindow; }
  // Closes once everything queued was sent, or after a few seconds. Nothing more is read.
  void CloseAfterFlush();
  bool closing() const { return closing_; }
  // Reads no more until ResumeInput().
  void PauseInput();
  void ResumeInput();
  // The same from inside a call of the peer.
  void ResumeInputLater();
  // Gives the peer again what it left, whether or not anything follows. Not from inside its OnInput.
  void RetryInput();
  // The other side is gone or sends nothing more. For while input is paused, when nobody else would notice.
  bool PeerHasGone() const;
  // Moves to that hub as soon as the present call of the peer has returned; the peer's OnMoved() then runs there.
  void MoveTo(Hub& hub) { destination_ = &hub; }

  // By the hub.
  void Attach(Hub& hub);
  void Detach();
  void Flush();
  void Tick(session::Moment now);

  void OnReadable() override;
  void OnWritable() override;

 private:
  void Consume(std::span<char> bytes);
  void AfterPeerCall();

  const uint64_t number_;
  const int socket_;
  const std::string peer_address_;
  std::atomic<size_t>& open_;
  Hub* hub_ = nullptr;
  Hub* destination_ = nullptr;
  std::unique_ptr<runtime::Watch> watch_;
  std::unique_ptr<Peer> peer_;
  std::unique_ptr<Peer> former_peer_;
  std::string input_, output_;
  size_t sent_ = 0;
  bool dirty_ = false;
  bool paused_ = false;
  bool closing_ = false;
  bool input_ended_ = false;
  bool waits_for_write_ = false;
  bool was_congested_ = false;
  int64_t closing_since_ms_ = 0;
};

}  // namespace tocsin::gateway
