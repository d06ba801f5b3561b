// Bytes of stored keys and values: big-endian numbers for keys (bytewise order is numeric order), varints (LEB128) and
// length-prefixed strings for values. Readers never read past the end: they answer false, and the caller says
// corruption.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tocsin::model {

void PutBig16(std::string& out, uint16_t value);
void PutBig64(std::string& out, uint64_t value);
uint16_t GetBig16(const char* bytes);
uint64_t GetBig64(const char* bytes);

void PutVarint(std::string& out, uint64_t value);
void PutString(std::string& out, std::string_view text);  // varint length, then the bytes

// Takes values off the front of `rest`.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}
  bool Byte(uint8_t& value);
  bool Varint(uint64_t& value);
  bool String(std::string_view& text);  // refers to the bytes read from
  bool Big64(uint64_t& value);
  std::string_view rest() const { return rest_; }
  bool done() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

// The smallest key greater than every key that starts with `prefix`; empty when there is none (all 0xff).
std::string PrefixSuccessor(std::string_view prefix);

}  // namespace tocsin::model
