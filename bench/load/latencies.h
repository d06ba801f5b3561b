// Latencies: every measured one, kept whole; a run has some 10,000 to 200,000.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tocsin::bench {

class Latencies {
 public:
  void Add(int64_t ns) { ns_.push_back(ns); }
  void Clear() { ns_.clear(); }
  size_t size() const { return ns_.size(); }

  // In milliseconds; `p` from 0 to 1. 0 when there are none.
  double QuantileMs(double p);

 private:
  std::vector<int64_t> ns_;
};

}  // namespace tocsin::bench
