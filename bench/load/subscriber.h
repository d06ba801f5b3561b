// Subscriber: one user's device: WebSocket handshake, hello where the peer has one, notifications, acks.
//
// 1. For Tocsin it speaks tocsin.v1 as the SDK does: hello with a token and a device, prev checked against its cursor,
// an
//    ack every 32 items or 250 ms after the first un-acked one, pong for ping.
// 2. For the others it is a plain WebSocket client; they have no acks from the device.
// 3. The handshake request and the hello are composed by Prepare, outside of what is measured.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "load/connection.h"
#include "load/options.h"

namespace tocsin::bench {

class Subscriber;

constexpr int kAckEveryItems = 32;
constexpr int64_t kAckAfterNs = 250'000'000;

// What subscribers tell the work that owns them.
class Listener {
 public:
  virtual ~Listener() = default;
  virtual void OnOnline(Subscriber* subscriber) = 0;
  // `json` begins at the `"seq":` of a notification.
  virtual void OnNotification(Subscriber* subscriber, std::string_view json) = 0;
};

// The time-outs of acks. All are equally long, so a queue is in order by itself.
class AckClock {
 public:
  void Arm(Subscriber* subscriber, int64_t deadline_ns) { queue_.push_back({deadline_ns, subscriber}); }
  // Sends the acks that are due, and returns when the next one is (or `otherwise_ns`).
  int64_t Serve(int64_t now_ns, int64_t otherwise_ns);
  bool idle() const { return queue_.empty(); }

 private:
  struct Armed {
    int64_t deadline_ns;
    Subscriber* subscriber;
  };
  std::deque<Armed> queue_;
};

class Subscriber : public Connection {
 public:
  Subscriber(Loop* loop, const Options& options, uint32_t user, Listener* listener, AckClock* acks);

  void Prepare();
  void Start();
  uint32_t user() const { return user_; }
  bool online() const { return online_; }
  // The cursor after the last frame, and the one that `welcome` named.
  const std::string& cursor() const { return cursor_; }
  const std::string& welcome_cursor() const { return welcome_cursor_; }

  // Called by the AckClock.
  void AckIfDue(int64_t deadline_ns);

 protected:
  size_t OnBytes(std::string_view bytes) override;
  void OnClosed() override;

 private:
  void OnFrame(uint8_t opcode, std::string_view payload);
  void OnText(std::string_view text);
  void OnObject(std::string_view json);
  void OnItems(std::string_view json);
  void TakeCursor(std::string_view json);
  void SendAck();
  void SendFrame(uint8_t opcode, std::string_view payload);
  void Online();

  const Options& options_;
  Listener* listener_;
  AckClock* acks_;
  uint32_t user_;
  bool upgraded_ = false;
  bool online_ = false;
  int unacked_ = 0;
  int64_t ack_deadline_ns_ = 0;
  std::string request_;
  std::string hello_;
  std::string cursor_;
  std::string welcome_cursor_;
};

}  // namespace tocsin::bench
