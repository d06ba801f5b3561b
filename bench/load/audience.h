// Audience: many subscribers, brought online a limited number at a time, as a work's listener.
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "load/latencies.h"
#include "load/ledger.h"
#include "load/subscriber.h"

namespace tocsin::bench {

class Audience : public Listener {
 public:
  Audience(Loop* loop, const Options& options) : loop_(loop), options_(options) {}

  // Composes the requests of users [first, first + count); nothing is sent yet.
  void Prepare(uint32_t first, int count);
  // Brings all that are prepared online, 64 at a time, and returns when the last one is. Dies after 120 s.
  void BringOnline();
  // Resets all connections.
  void Leave();

  void OnOnline(Subscriber* subscriber) override;
  void OnNotification(Subscriber* subscriber, std::string_view json) override;

  // One turn of the loop, with the acks that are due.
  void Turn(int64_t deadline_ns);
  // Turns until `done` says so (true) or until `deadline_ns` (false).
  bool TurnUntil(const std::function<bool()>& done, int64_t deadline_ns);
  void TurnFor(double seconds);
  // Turns until `drained` says so, or nothing has arrived for 4 s: what is missing then, the ledger will tell.
  void Drain(const std::function<bool()>& drained);

  Ledger& ledger() { return ledger_; }
  // Time from `sent` to the device, of each notification since the last Clear.
  Latencies& delivery() { return delivery_; }
  int64_t last_arrival_ns() const { return last_arrival_ns_; }
  const AckClock& acks() const { return acks_; }
  const std::vector<std::unique_ptr<Subscriber>>& subscribers() const { return subscribers_; }

 private:
  Loop* loop_;
  const Options& options_;
  AckClock acks_;
  Ledger ledger_;
  Latencies delivery_;
  int64_t last_arrival_ns_ = 0;
  std::vector<std::unique_ptr<Subscriber>> subscribers_;
  size_t started_ = 0;
  size_t online_ = 0;
};

}  // namespace tocsin::bench
