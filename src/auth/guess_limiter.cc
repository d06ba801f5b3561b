#include "auth/guess_limiter.h"

#include <algorithm>
#include <cstring>
#include <string>

#include <arpa/inet.h>

#include "auth/digest.h"

// A slot: 32 bits of the address' hash, 24 bits of the second in which its minute began, 8 bits of wrong tries. Zero
// tries: free.
namespace tocsin::auth {
namespace {

constexpr uint64_t kTagMask = 0xffff'ffff'0000'0000;
constexpr uint64_t kSecondMask = 0xff'ffff;
constexpr uint64_t kMinute = 60;

uint64_t Pack(uint64_t tag, uint64_t second, uint64_t tries) {
  return (tag & kTagMask) | ((second & kSecondMask) << 8) | std::min<uint64_t>(tries, 255);
}
uint64_t Tries(uint64_t slot) { return slot & 255; }
// Seconds since the slot's minute began; a clock of 24 bits goes round every 194 days, which costs a minute at most.
uint64_t Age(uint64_t slot, uint64_t now) { return (now - (slot >> 8)) & kSecondMask; }
bool IsLive(uint64_t slot, uint64_t now) { return Tries(slot) > 0 && Age(slot, now) < kMinute; }

// What counts as one address: IPv4 whole (also when mapped into IPv6), IPv6 by its /64, since a host owns all of that.
std::string Canonical(std::string_view address) {
  std::string text(address.substr(0, INET6_ADDRSTRLEN));
  unsigned char bytes[16];
  if (inet_pton(AF_INET, text.c_str(), bytes) == 1) return std::string(reinterpret_cast<char*>(bytes), 4);
  if (inet_pton(AF_INET6, text.c_str(), bytes) != 1) return std::string(address);
  static constexpr unsigned char kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::memcmp(bytes, kMapped, sizeof kMapped) == 0) return std::string(reinterpret_cast<char*>(bytes) + 12, 4);
  return std::string(reinterpret_cast<char*>(bytes), 8);
}

}  // namespace

GuessLimiter::GuessLimiter(const base::Clock& clock, base::Random& random)
    : clock_(clock), seed_(random.Next()), slots_(new std::atomic<uint64_t>[kSets * kWays]()) {}

GuessLimiter::Place GuessLimiter::PlaceOf(std::string_view address) const {
  std::string key(reinterpret_cast<const char*>(&seed_), sizeof seed_);
  key += Canonical(address);
  Sha256Digest digest = Sha256(key);  // keyed: nobody can choose addresses that share a set
  uint64_t words[2];
  std::memcpy(words, digest.data(), sizeof words);
  return {.set = static_cast<size_t>(words[0] % kSets) * kWays, .tag = words[1] & kTagMask};
}

uint64_t GuessLimiter::NowSeconds() const { return static_cast<uint64_t>(clock_.MonotonicUs() / 1'000'000); }

uint64_t GuessLimiter::Find(const Place& place) const {
  for (size_t way = 0; way < kWays; ++way) {
    uint64_t slot = slots_[place.set + way].load(std::memory_order_relaxed);
    if (Tries(slot) > 0 && (slot & kTagMask) == place.tag) return slot;
  }
  return 0;
}

bool GuessLimiter::Allowed(std::string_view address) const {
  uint64_t slot = Find(PlaceOf(address));
  return !IsLive(slot, NowSeconds()) || Tries(slot) < kMaxWrongTries;
}

void GuessLimiter::CountWrong(std::string_view address) {
  Place place = PlaceOf(address);
  uint64_t now = NowSeconds();
  std::atomic<uint64_t>* victim = nullptr;
  uint64_t fewest = UINT64_MAX;
  for (size_t way = 0; way < kWays; ++way) {
    std::atomic<uint64_t>& slot = slots_[place.set + way];
    uint64_t seen = slot.load(std::memory_order_relaxed);
    if (Tries(seen) > 0 && (seen & kTagMask) == place.tag) {
      uint64_t next = IsLive(seen, now) ? Pack(place.tag, seen >> 8, Tries(seen) + 1) : Pack(place.tag, now, 1);
      slot.compare_exchange_strong(seen, next, std::memory_order_relaxed);
      return;
    }
    uint64_t tries = IsLive(seen, now) ? Tries(seen) : 0;
    if (tries < fewest) {
      fewest = tries;
      victim = &slot;
    }
  }
  victim->store(Pack(place.tag, now, 1), std::memory_order_relaxed);
}

int64_t GuessLimiter::RetryAfterSeconds(std::string_view address) const {
  uint64_t now = NowSeconds();
  uint64_t slot = Find(PlaceOf(address));
  if (!IsLive(slot, now)) return 1;
  return std::max<int64_t>(1, static_cast<int64_t>(kMinute - Age(slot, now)));
}

}  // namespace tocsin::auth
