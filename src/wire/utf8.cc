#include "wire/utf8.h"

#include <cstring>

namespace tocsin::wire {

bool Utf8Validator::Feed(std::string_view bytes) {
  const char* p = bytes.data();
  const char* const end = p + bytes.size();
  while (p < end) {
    if (more_ == 0) {
      uint64_t word;
      while (end - p >= 8 && (std::memcpy(&word, p, 8), (word & 0x8080808080808080) == 0)) p += 8;
      if (p == end) break;
    }
    const auto c = static_cast<unsigned char>(*p++);
    if (more_ > 0) {
      if (c < low_ || c > high_) return false;
      low_ = 0x80;
      high_ = 0xbf;
      --more_;
    } else if (c >= 0x80) {
      if (c < 0xc2 || c > 0xf4) return false;
      more_ = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
      if (c == 0xe0) low_ = 0xa0;   // overlong below
      if (c == 0xed) high_ = 0x9f;  // surrogates above
      if (c == 0xf0) low_ = 0x90;   // overlong below
      if (c == 0xf4) high_ = 0x8f;  // beyond U+10FFFF above
    }
  }
  return true;
}

}  // namespace tocsin::wire
