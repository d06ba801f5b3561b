// JSON by slices: one strict pass over the text, then values that refer to it. Nothing is built, nothing is rewritten.
//
// 1. ParseJson accepts exactly RFC 8259 texts in UTF-8, narrowed: no byte order mark, no lone surrogate escapes, at
//    most kMaxJsonDepth containers inside each other, and no object anywhere in the text that has one key twice (peers
//    disagree about which of them counts). What it accepts can be forwarded byte for byte.
// 2. A JsonValue refers to the text it was parsed from, which must outlive it. Reading one cannot fail: it was
// validated.
//    Only values that come from ParseJson, or from a reader of one, may be read.
// 3. Numbers are never rewritten: `raw` is what the peer wrote.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tocsin::wire {

enum class JsonKind : uint8_t { kNull, kBool, kNumber, kString, kArray, kObject };

// "null", "a boolean", "a number", "a string", "an array", "an object": as an error message says it.
std::string_view JsonKindName(JsonKind kind);

struct JsonValue {
  JsonKind kind = JsonKind::kNull;
  std::string_view raw;  // the value's own bytes, without white space around them; a string with its quotes

  bool is_null() const { return kind == JsonKind::kNull; }
  bool is_bool() const { return kind == JsonKind::kBool; }
  bool is_number() const { return kind == JsonKind::kNumber; }
  bool is_string() const { return kind == JsonKind::kString; }
  bool is_array() const { return kind == JsonKind::kArray; }
  bool is_object() const { return kind == JsonKind::kObject; }
};

// The whole text as one value. kInvalidArgument with what is wrong and at which byte (counted from 0) otherwise.
base::Result<JsonValue> ParseJson(std::string_view text);

// Reads the members of an object in the order sent, without allocating unless a key has escapes:
//   for (MemberReader m(object); m.Next();) Use(m.key(), m.value());
// A value that is not an object has no members.
class MemberReader {
 public:
  explicit MemberReader(JsonValue object);
  MemberReader(const MemberReader&) = delete;  // key() may refer to it
  MemberReader& operator=(const MemberReader&) = delete;
  bool Next();
  std::string_view key() const { return key_; }  // decoded; valid until the next Next()
  JsonValue value() const { return value_; }

 private:
  const char* at_;
  const char* end_;
  std::string_view key_;
  JsonValue value_;
  std::string decoded_;
};

// Reads the elements of an array in order; a value that is not an array has none.
class ElementReader {
 public:
  explicit ElementReader(JsonValue array);
  bool Next();
  JsonValue value() const { return value_; }

 private:
  const char* at_;
  const char* end_;
  JsonValue value_;
};

struct JsonMember {
  std::string key;  // decoded
  JsonValue value;
};
std::vector<JsonMember> Members(JsonValue object);
std::vector<JsonValue> Elements(JsonValue array);
// The member of that (decoded) key, if the value is an object and has it.
std::optional<JsonValue> Find(JsonValue object, std::string_view key);

// The decoded text of a string (UTF-8; may hold NUL); empty for any other kind.
std::string Text(JsonValue string);
// The same without a copy where the string has no escapes: refers to the text or to `scratch`.
std::string_view TextView(JsonValue string, std::string& scratch);
// The value of a number written without fraction or exponent that fits; nothing otherwise.
std::optional<int64_t> Integer(JsonValue number);
// Any number that a double can hold, rounded; nothing for other kinds or beyond its range.
std::optional<double> Double(JsonValue number);
// True for `true` only.
bool IsTrue(JsonValue value);

// Writing. `text` is valid UTF-8; appends it quoted and escaped. U+2028 and U+2029 are escaped too, so that the result
// is also a JavaScript literal. Nothing is replaced.
void AppendJsonString(std::string& out, std::string_view text);
void AppendJsonNumber(std::string& out, int64_t number);
void AppendJsonNumber(std::string& out, uint64_t number);

}  // namespace tocsin::wire
