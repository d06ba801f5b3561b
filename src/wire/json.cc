#include "wire/json.h"

#include <array>
#include <charconv>

#include "wire/json_scan.h"

namespace tocsin::wire {
namespace {

void AppendUtf8(std::string& out, uint32_t point) {
  const auto put = [&out](uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xc0 | point >> 6);
    put(0x80 | (point & 0x3f));
  } else if (point < 0x10000) {
    put(0xe0 | point >> 12);
    put(0x80 | (point >> 6 & 0x3f));
    put(0x80 | (point & 0x3f));
  } else {
    put(0xf0 | point >> 18);
    put(0x80 | (point >> 12 & 0x3f));
    put(0x80 | (point >> 6 & 0x3f));
    put(0x80 | (point & 0x3f));
  }
}

// What follows reads text that Validator accepted: structure ends every walk, and `end` only bounds reading in words.

const char* SkipSpaces(const char* p) {
  while (IsJsonSpace(*p)) ++p;
  return p;
}

// Past the string that starts at `p`; says in `escapes` whether it has any.
const char* SkipString(const char* p, const char* end, bool& escapes) {
  escapes = false;
  ++p;
  while (*(p = SkipPlain<Stop::kQuotes>(p, end)) == '\\') {
    escapes = true;
    p += 2;
  }
  return p + 1;
}

const char* SkipContainer(const char* p, const char* end) {
  int depth = 0;
  bool escapes;
  while (true) {
    switch (*p) {
      case '"':
        p = SkipString(p, end, escapes);
        continue;
      case '{':
      case '[':
        ++depth;
        break;
      case '}':
      case ']':
        if (--depth == 0) return p + 1;
        break;
      default:
        break;
    }
    ++p;
  }
}

// The value that starts at `p`, inside a container that ends at `end`.
JsonValue ValueAt(const char* p, const char* end) {
  const JsonKind kind = JsonKindOf(*p);
  const char* after = p;
  bool escapes;
  switch (kind) {
    case JsonKind::kObject:
    case JsonKind::kArray:
      after = SkipContainer(p, end);
      break;
    case JsonKind::kString:
      after = SkipString(p, end, escapes);
      break;
    default:
      while (*after != ',' && *after != '}' && *after != ']' && !IsJsonSpace(*after)) ++after;
  }
  return {kind, std::string_view(p, static_cast<size_t>(after - p))};
}

// The first byte in a container, or null where it is empty or not of that kind.
const char* FirstIn(JsonValue container, JsonKind kind) {
  if (container.kind != kind) return nullptr;
  const char* const p = SkipSpaces(container.raw.data() + 1);
  return *p == '}' || *p == ']' ? nullptr : p;
}

// The first byte of what follows a value, or null where the container ends.
const char* AfterValue(JsonValue value) {
  const char* const p = SkipSpaces(value.raw.data() + value.raw.size());
  return *p == ',' ? SkipSpaces(p + 1) : nullptr;
}

}  // namespace

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Four hex digits that were validated.
uint32_t HexUnit(const char* p) {
  uint32_t unit = 0;
  for (int i = 0; i < 4; ++i) unit = unit << 4 | static_cast<uint32_t>(HexValue(p[i]));
  return unit;
}

// A valid string, so no bounds are checked within an escape.
void DecodeJson(std::string_view body, std::string& out) {
  const char* p = body.data();
  const char* const end = p + body.size();
  while (p < end) {
    const auto* slash = static_cast<const char*>(std::memchr(p, '\\', static_cast<size_t>(end - p)));
    if (slash == nullptr) slash = end;
    out.append(p, slash);
    if (slash == end) return;
    p = slash + 2;
    switch (slash[1]) {
      case 'b':
        out.push_back('\b');
        break;
      case 'f':
        out.push_back('\f');
        break;
      case 'n':
        out.push_back('\n');
        break;
      case 'r':
        out.push_back('\r');
        break;
      case 't':
        out.push_back('\t');
        break;
      case 'u': {
        uint32_t point = HexUnit(p);
        p += 4;
        if (point >= 0xd800 && point < 0xdc00) {
          point = 0x10000 + ((point - 0xd800) << 10) + (HexUnit(p + 2) - 0xdc00);
          p += 6;
        }
        AppendUtf8(out, point);
        break;
      }
      default:
        out.push_back(slash[1]);
    }
  }
}

std::string_view JsonKindName(JsonKind kind) {
  switch (kind) {
    case JsonKind::kNull:
      return "null";
    case JsonKind::kBool:
      return "a boolean";
    case JsonKind::kNumber:
      return "a number";
    case JsonKind::kString:
      return "a string";
    case JsonKind::kArray:
      return "an array";
    case JsonKind::kObject:
      return "an object";
  }
  return "";
}

MemberReader::MemberReader(JsonValue object)
    : at_(FirstIn(object, JsonKind::kObject)), end_(object.raw.data() + object.raw.size()) {}

bool MemberReader::Next() {
  if (at_ == nullptr) return false;
  bool escapes;
  const char* const key_end = SkipString(at_, end_, escapes);
  key_ = std::string_view(at_ + 1, static_cast<size_t>(key_end - at_) - 2);
  if (escapes) {
    decoded_.clear();
    DecodeJson(key_, decoded_);
    key_ = decoded_;
  }
  value_ = ValueAt(SkipSpaces(SkipSpaces(key_end) + 1), end_);
  at_ = AfterValue(value_);
  return true;
}

ElementReader::ElementReader(JsonValue array)
    : at_(FirstIn(array, JsonKind::kArray)), end_(array.raw.data() + array.raw.size()) {}

bool ElementReader::Next() {
  if (at_ == nullptr) return false;
  value_ = ValueAt(at_, end_);
  at_ = AfterValue(value_);
  return true;
}

std::vector<JsonMember> Members(JsonValue object) {
  std::vector<JsonMember> members;
  for (MemberReader m(object); m.Next();) members.push_back({std::string(m.key()), m.value()});
  return members;
}

std::vector<JsonValue> Elements(JsonValue array) {
  std::vector<JsonValue> elements;
  for (ElementReader e(array); e.Next();) elements.push_back(e.value());
  return elements;
}

std::optional<JsonValue> Find(JsonValue object, std::string_view key) {
  for (MemberReader m(object); m.Next();) {
    if (m.key() == key) return m.value();
  }
  return std::nullopt;
}

std::string Text(JsonValue string) {
  std::string text;
  if (string.is_string()) DecodeJson(string.raw.substr(1, string.raw.size() - 2), text);
  return text;
}

std::string_view TextView(JsonValue string, std::string& scratch) {
  if (!string.is_string()) return {};
  const std::string_view body = string.raw.substr(1, string.raw.size() - 2);
  if (body.find('\\') == body.npos) return body;
  scratch.clear();
  DecodeJson(body, scratch);
  return scratch;
}

std::optional<int64_t> Integer(JsonValue number) {
  if (!number.is_number()) return std::nullopt;
  int64_t value = 0;
  const char* const end = number.raw.data() + number.raw.size();
  const auto [rest, error] = std::from_chars(number.raw.data(), end, value);
  if (error != std::errc() || rest != end) return std::nullopt;
  return value;
}

std::optional<double> Double(JsonValue number) {
  if (!number.is_number()) return std::nullopt;
  double value = 0;
  const char* const end = number.raw.data() + number.raw.size();
  const auto [rest, error] = std::from_chars(number.raw.data(), end, value);
  if (error != std::errc() || rest != end) return std::nullopt;
  return value;
}

bool IsTrue(JsonValue value) { return value.raw == "true"; }

void AppendJsonString(std::string& out, std::string_view text) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  out.push_back('"');
  const char* p = text.data();
  const char* const end = p + text.size();
  const char* copied = p;  // [copied, p) waits to be appended as it stands
  while ((p = SkipPlain<Stop::kStrict>(p, end)) < end) {
    const auto c = static_cast<unsigned char>(*p);
    const bool separator = c == 0xe2 && end - p >= 3 && static_cast<unsigned char>(p[1]) == 0x80 &&
                           (static_cast<unsigned char>(p[2]) & 0xfe) == 0xa8;
    if (c >= 0x80 && !separator) {
      ++p;
      continue;
    }
    out.append(copied, p);
    if (separator) {
      out += static_cast<unsigned char>(p[2]) == 0xa8 ? "\\u2028" : "\\u2029";
      p += 2;
    } else {
      switch (c) {
        case '"':
          out += "\\\"";
          break;
        case '\\':
          out += "\\\\";
          break;
        case '\n':
          out += "\\n";
          break;
        case '\r':
          out += "\\r";
          break;
        case '\t':
          out += "\\t";
          break;
        case '\b':
          out += "\\b";
          break;
        case '\f':
          out += "\\f";
          break;
        default:
          out += "\\u00";
          out.push_back(kHex[c >> 4]);
          out.push_back(kHex[c & 15]);
      }
    }
    copied = ++p;
  }
  out.append(copied, end);
  out.push_back('"');
}

void AppendJsonNumber(std::string& out, int64_t number) {
  std::array<char, 24> digits;
  out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr);
}

void AppendJsonNumber(std::string& out, uint64_t number) {
  std::array<char, 24> digits;
  out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr);
}

}  // namespace tocsin::wire
