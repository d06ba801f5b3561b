// The first of the four doors to the world: time. Whoever needs the time is given a Clock.
#pragma once

#include <cstdint>

namespace tocsin::base {

class Clock {
 public:
  virtual ~Clock() = default;
  // Wall clock, milliseconds since 1970. May jump, also backwards: nothing may rest on its order.
  virtual int64_t NowMs() const = 0;
  // Never goes back; only differences mean something. Microseconds.
  virtual int64_t MonotonicUs() const = 0;
};

// The machine's clocks. Lives as long as the process; thread-safe.
const Clock& SystemClock();

// A clock that stands still until it is told to move. For tests and simulation; not thread-safe.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(int64_t now_ms = 1'700'000'000'000) : now_ms_(now_ms) {}
  int64_t NowMs() const override { return now_ms_; }
  int64_t MonotonicUs() const override { return monotonic_us_; }
  // Time passes: both clocks move.
  void Advance(int64_t ms) {
    now_ms_ += ms;
    monotonic_us_ += ms * 1000;
  }
  // The wall clock is set, forwards or back; the monotonic one does not notice.
  void Set(int64_t now_ms) { now_ms_ = now_ms; }

 private:
  int64_t now_ms_;
  int64_t monotonic_us_ = 0;
};

}  // namespace tocsin::base
