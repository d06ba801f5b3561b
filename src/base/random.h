// The fourth door: randomness. Keys, epochs, session ids and jitter come from the Random that their owner was given.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace tocsin::base {

class Random {
 public:
  virtual ~Random() = default;
  virtual void Fill(std::span<unsigned char> bytes) = 0;

  uint64_t Next();
  // 0 <= result < bound; bound > 0.
  uint64_t Below(uint64_t bound);
  // 2 * bytes lower-case hex digits.
  std::string Hex(size_t bytes);
};

// getrandom(2). Thread-safe.
Random& SystemRandom();

// The same seed gives the same bytes (SplitMix64). For tests and simulation; no secret may come from it.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(uint64_t seed) : state_(seed) {}
  void Fill(std::span<unsigned char> bytes) override;

 private:
  uint64_t state_;
};

}  // namespace tocsin::base
