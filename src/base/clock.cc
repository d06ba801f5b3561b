#include "base/clock.h"

#include <ctime>

namespace tocsin::base {
namespace {

class MachineClock final : public Clock {
 public:
  int64_t NowMs() const override { return Read(CLOCK_REALTIME) / 1000; }
  int64_t MonotonicUs() const override { return Read(CLOCK_MONOTONIC); }

 private:
  static int64_t Read(clockid_t id) {
    timespec now{};
    clock_gettime(id, &now);
    return int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
  }
};

}  // namespace

const Clock& SystemClock() {
  static const MachineClock clock;
  return clock;
}

}  // namespace tocsin::base
