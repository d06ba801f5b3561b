#include "streams/redelivery.h"

#include <algorithm>

#include "streams/group.h"

namespace tocsin::streams {

int64_t Redelivery::DelayMs(uint64_t deliveries) const {
  int64_t delay_ms = std::min(after_ms, longest_ms);
  for (uint64_t i = 1; backoff > 1 && i < deliveries && delay_ms < longest_ms; ++i) {
    delay_ms = delay_ms > longest_ms / backoff ? longest_ms : delay_ms * backoff;
  }
  return delay_ms;
}

bool Redelivery::IsExhausted(const Pending& pending) const {
  return max_deliveries != 0 && pending.deliveries >= max_deliveries;
}

int64_t Redelivery::DueMs(const Pending& pending) const {
  if (pending.consumer == kNobody && (pending.delivered_ms == 0 || IsExhausted(pending))) return INT64_MIN;
  return pending.delivered_ms + DelayMs(pending.deliveries);
}

}  // namespace tocsin::streams
