#include "load/latencies.h"

#include <algorithm>

namespace tocsin::bench {

double Latencies::QuantileMs(double p) {
  if (ns_.empty()) {
    return 0;
  }
  const auto last = static_cast<double>(ns_.size() - 1);
  const auto nth = ns_.begin() + static_cast<int64_t>(p * last + 0.5);
  std::nth_element(ns_.begin(), nth, ns_.end());
  return static_cast<double>(*nth) / 1e6;
}

}  // namespace tocsin::bench
