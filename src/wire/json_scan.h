// What the validator and the readers of JSON share: one way to walk over a string, to decode it, to tell a kind. For
// json_validate.cc and json.cc only.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "wire/json.h"

namespace tocsin::wire {

constexpr bool IsJsonSpace(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

// The first byte at or after `p` that is a quote or a backslash or, with kStrict, anything else that a string cannot
// take unseen: a control character or a byte of a multi-byte character. Eight bytes at a time: a flag may be wrong, but
// only above a right one, and only the lowest is used.
enum class Stop : uint8_t { kQuotes, kStrict };
template <Stop kStop>
const char* SkipPlain(const char* p, const char* end) {
  constexpr bool kStrict = kStop == Stop::kStrict;
  if constexpr (std::endian::native == std::endian::little) {
    constexpr uint64_t kOnes = 0x0101010101010101;
    while (end - p >= 8) {
      uint64_t word;
      std::memcpy(&word, p, sizeof(word));
      const uint64_t quote = word ^ kOnes * '"';
      const uint64_t slash = word ^ kOnes * '\\';
      uint64_t stop = ((quote - kOnes) & ~quote) | ((slash - kOnes) & ~slash);
      if constexpr (kStrict) stop |= word | (word - kOnes * 0x20);
      stop &= kOnes * 0x80;
      if (stop != 0) return p + std::countr_zero(stop) / 8;
      p += 8;
    }
  }
  for (; p < end; ++p) {
    const auto c = static_cast<unsigned char>(*p);
    if (c == '"' || c == '\\' || (kStrict && (c < 0x20 || c >= 0x80))) break;
  }
  return p;
}

// Of the value that starts with this byte.
inline JsonKind JsonKindOf(char first) {
  switch (first) {
    case '{':
      return JsonKind::kObject;
    case '[':
      return JsonKind::kArray;
    case '"':
      return JsonKind::kString;
    case 'n':
      return JsonKind::kNull;
    case 't':
    case 'f':
      return JsonKind::kBool;
    default:
      return JsonKind::kNumber;
  }
}

// The value of a hex digit; -1 for anything else.
int HexValue(char c);
// Four hex digits.
uint32_t HexUnit(const char* p);

// Appends what a valid string means; `body` stands between its quotes.
void DecodeJson(std::string_view body, std::string& out);

}  // namespace tocsin::wire
