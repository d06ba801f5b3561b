// GuessLimiter: slows down whoever guesses keys or tokens. Counts wrong tries per peer address; at kMaxWrongTries
// within a minute the address is turned away (429) until that minute is over.
//
// 1. Ask Allowed() before looking at a key. A right key is turned away too while its address is: a limit that lets the
//    right guess through would limit nothing.
// 2. Bounded: a table of fixed size. An address that does not fit takes the place of the one that has failed least, so
//    a flood of addresses can only make it forget, never grow.
// 3. Thread-safe without a lock: a lost race loses one count.
//
// Known limit: peers behind one proxy or NAT share its address, and so its count.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"

namespace tocsin::auth {

inline constexpr uint32_t kMaxWrongTries = 10;  // a minute from one address (an IPv6 /64 counts as one)

class GuessLimiter {
 public:
  // `clock` outlives the limiter.
  GuessLimiter(const base::Clock& clock, base::Random& random);

  // Whether this address may try. `address`: as text, without port.
  bool Allowed(std::string_view address) const;
  // It tried, and was wrong.
  void CountWrong(std::string_view address);
  // For Retry-After: seconds until the address may try again, at least 1.
  int64_t RetryAfterSeconds(std::string_view address) const;

 private:
  static constexpr size_t kSets = 2'048;
  static constexpr size_t kWays = 4;

  struct Place {
    size_t set;
    uint64_t tag;
  };
  Place PlaceOf(std::string_view address) const;
  uint64_t NowSeconds() const;
  uint64_t Find(const Place& place) const;

  const base::Clock& clock_;
  const uint64_t seed_;
  std::unique_ptr<std::atomic<uint64_t>[]> slots_;  // [kSets * kWays]; packed in the .cc
};

}  // namespace tocsin::auth
