#include "base/random.h"

#include <cerrno>
#include <cstring>
#include <vector>

#include <sys/random.h>

#include "base/check.h"

namespace tocsin::base {
namespace {

class KernelRandom final : public Random {
 public:
  void Fill(std::span<unsigned char> bytes) override {
    size_t done = 0;
    while (done < bytes.size()) {
      ssize_t got = getrandom(bytes.data() + done, bytes.size() - done, 0);
      CHECK_MSG(got > 0 || errno == EINTR, "getrandom failed");
      if (got > 0) done += static_cast<size_t>(got);
    }
  }
};

}  // namespace

uint64_t Random::Next() {
  unsigned char bytes[8];
  Fill(bytes);
  uint64_t value = 0;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

uint64_t Random::Below(uint64_t bound) {
  CHECK(bound > 0);
  return Next() % bound;  // the bias is below 2^-32 for every bound we use
}

std::string Random::Hex(size_t bytes) {
  static const char kDigits[] = "0123456789abcdef";
  std::vector<unsigned char> raw(bytes);
  Fill(raw);
  std::string text;
  text.reserve(2 * bytes);
  for (unsigned char byte : raw) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return text;
}

Random& SystemRandom() {
  static KernelRandom random;
  return random;
}

void SeededRandom::Fill(std::span<unsigned char> bytes) {
  for (size_t at = 0; at < bytes.size(); at += 8) {
    state_ += 0x9e3779b97f4a7c15ULL;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    z ^= z >> 31;
    std::memcpy(bytes.data() + at, &z, std::min<size_t>(8, bytes.size() - at));
  }
}

}  // namespace tocsin::base
