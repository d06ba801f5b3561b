// Utf8Validator: whether bytes that arrive in pieces are UTF-8 (RFC 3629), known at the first byte that is not.
#pragma once

#include <cstdint>
#include <string_view>

namespace tocsin::wire {

class Utf8Validator {
 public:
  // False from the first byte on that cannot be part of any well-formed text.
  bool Feed(std::string_view bytes);
  // Between two characters: the text may end here.
  bool complete() const { return more_ == 0; }
  void Reset() { *this = Utf8Validator(); }

 private:
  uint8_t more_ = 0;    // continuation bytes still expected
  uint8_t low_ = 0x80;  // bounds of the next one
  uint8_t high_ = 0xbf;
};

}  // namespace tocsin::wire
