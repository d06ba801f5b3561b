// The two digests that authentication rests on, and the comparison that tells nothing by its duration.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tocsin::auth {

using Sha256Digest = std::array<uint8_t, 32>;

Sha256Digest Sha256(std::string_view bytes);
Sha256Digest HmacSha256(std::string_view secret, std::string_view bytes);

// Takes the same time wherever the two differ. Different lengths are unequal (a length is no secret).
bool EqualInConstantTime(std::string_view a, std::string_view b);

inline std::string_view AsBytes(const Sha256Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace tocsin::auth
