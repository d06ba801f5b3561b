#include "wire/json.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <forward_list>

#include <boost/container/small_vector.hpp>

#include "model/limits.h"

namespace tocsin::wire {
namespace {

using base::Code;
using base::Result;
using base::Status;

constexpr bool IsSpace(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }
constexpr bool IsContinuation(unsigned char c) { return (c & 0xc0) == 0x80; }

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

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

// Bytes of the well-formed character that starts at `p` (RFC 3629), 0 if it is not one.
size_t CharacterLength(const char* p, const char* end) {
  const auto byte = [p](size_t i) { return static_cast<unsigned char>(p[i]); };
  const auto left = static_cast<size_t>(end - p);
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead < 0xc2) return 0;
  if (lead < 0xe0) return left >= 2 && IsContinuation(byte(1)) ? 2 : 0;
  if (lead < 0xf0) {
    if (left < 3 || !IsContinuation(byte(1)) || !IsContinuation(byte(2))) return 0;
    if (lead == 0xe0 && byte(1) < 0xa0) return 0;   // overlong
    if (lead == 0xed && byte(1) >= 0xa0) return 0;  // surrogate
    return 3;
  }
  if (lead > 0xf4 || left < 4) return 0;
  if (!IsContinuation(byte(1)) || !IsContinuation(byte(2)) || !IsContinuation(byte(3))) return 0;
  if (lead == 0xf0 && byte(1) < 0x90) return 0;   // overlong
  if (lead == 0xf4 && byte(1) >= 0x90) return 0;  // above U+10FFFF
  return 4;
}

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

// Four hex digits that were validated.
uint32_t HexUnit(const char* p) {
  uint32_t unit = 0;
  for (int i = 0; i < 4; ++i) unit = unit << 4 | static_cast<uint32_t>(HexValue(p[i]));
  return unit;
}

// `body` is what stands between the quotes of a validated string.
void Decode(std::string_view body, std::string& out) {
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

// At most 40 bytes of `text` for an error message, cut between characters.
std::string_view Excerpt(std::string_view text) {
  if (text.size() <= 40) return text;
  size_t size = 40;
  while (size > 0 && IsContinuation(static_cast<unsigned char>(text[size]))) --size;
  return text.substr(0, size);
}

class Validator {
 public:
  explicit Validator(std::string_view text) : begin_(text.data()), at_(text.data()), end_(text.data() + text.size()) {}

  Result<JsonValue> Run() {
    SkipSpace();
    const char* const start = at_;
    if (!Containers()) return Failure();
    const std::string_view raw(start, static_cast<size_t>(at_ - start));
    SkipSpace();
    if (at_ != end_) {
      Fail("expected nothing after the value");
      return Failure();
    }
    return JsonValue{KindOf(raw.front()), raw};
  }

  static JsonKind KindOf(char first) {
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

 private:
  struct Key {
    std::string_view text;  // decoded
    const char* at;
  };
  struct Open {
    bool object;
    size_t first_key;  // index into keys_
  };
  enum class Step : uint8_t { kFailed, kOpened, kComplete };

  char Peek() const { return at_ < end_ ? *at_ : '\0'; }
  void SkipSpace() {
    while (at_ < end_ && IsSpace(*at_)) ++at_;
  }
  bool Fail(std::string what, const char* where = nullptr) {
    what_ = std::move(what);
    where_ = where != nullptr ? where : at_;
    return false;
  }
  Status Failure() const {
    std::string message = "not valid JSON: " + what_ + " at byte " + std::to_string(where_ - begin_);
    if (where_ == end_) message += ", where the text ends";
    return Status(Code::kInvalidArgument, std::move(message));
  }

  // One value with everything in it; no recursion, so the depth costs no stack.
  bool Containers() {
    while (true) {
      switch (Value()) {
        case Step::kFailed:
          return false;
        case Step::kOpened:
          continue;
        case Step::kComplete:
          break;
      }
      while (depth_ > 0) {
        SkipSpace();
        const bool object = open_[depth_ - 1].object;
        if (Peek() == ',') {
          ++at_;
          SkipSpace();
          if (object && !KeyAndColon()) return false;
          break;  // to the next value
        }
        if (Peek() != (object ? '}' : ']')) return Fail(object ? "expected `,` or `}`" : "expected `,` or `]`");
        ++at_;
        if (!Close()) return false;
      }
      if (depth_ == 0) return true;
    }
  }

  Step Value() {
    SkipSpace();
    switch (Peek()) {
      case '{':
      case '[':
        return OpenContainer();
      case '"':
        return String() ? Step::kComplete : Step::kFailed;
      case 't':
        return Word("true");
      case 'f':
        return Word("false");
      case 'n':
        return Word("null");
      default:
        return Number() ? Step::kComplete : Step::kFailed;
    }
  }

  Step OpenContainer() {
    const bool object = *at_ == '{';
    if (depth_ == open_.size()) {
      Fail("more than " + std::to_string(open_.size()) + " levels");
      return Step::kFailed;
    }
    ++at_;
    SkipSpace();
    if (Peek() == (object ? '}' : ']')) {
      ++at_;
      return Step::kComplete;
    }
    open_[depth_++] = {object, keys_.size()};
    if (object && !KeyAndColon()) return Step::kFailed;
    return Step::kOpened;
  }

  bool Close() {
    const Open& open = open_[--depth_];
    if (!open.object) return true;
    if (!KeysDiffer(open.first_key)) return false;
    keys_.resize(open.first_key);
    return true;
  }

  bool KeysDiffer(size_t first) {
    const auto begin = keys_.begin() + static_cast<ptrdiff_t>(first);
    if (keys_.size() - first <= 16) {
      for (auto b = begin; b != keys_.end(); ++b) {
        for (auto a = begin; a != b; ++a) {
          if (a->text == b->text) return FailDuplicate(*b);
        }
      }
      return true;
    }
    std::sort(begin, keys_.end(),
              [](const Key& a, const Key& b) { return a.text != b.text ? a.text < b.text : a.at < b.at; });
    const auto twice =
        std::adjacent_find(begin, keys_.end(), [](const Key& a, const Key& b) { return a.text == b.text; });
    return twice == keys_.end() || FailDuplicate(*(twice + 1));
  }
  bool FailDuplicate(const Key& key) {
    return Fail("the key `" + std::string(Excerpt(key.text)) + "` a second time in its object", key.at);
  }

  bool KeyAndColon() {
    if (Peek() != '"') return Fail("expected a key in quotes");
    const char* const start = at_;
    if (!String()) return false;
    std::string_view text(start + 1, static_cast<size_t>(at_ - start) - 2);
    if (escapes_) {
      decoded_.emplace_front();
      Decode(text, decoded_.front());
      text = decoded_.front();
    }
    keys_.push_back({text, start});
    SkipSpace();
    if (Peek() != ':') return Fail("expected `:`");
    ++at_;
    return true;
  }

  Step Word(std::string_view word) {
    if (static_cast<size_t>(end_ - at_) < word.size() || std::string_view(at_, word.size()) != word) {
      Fail("expected a value");
      return Step::kFailed;
    }
    at_ += word.size();
    return Step::kComplete;
  }

  bool Digits() {
    if (!IsDigit(Peek())) return Fail("expected a digit");
    while (IsDigit(Peek())) ++at_;
    return true;
  }
  bool Number() {
    if (Peek() == '-') {
      ++at_;
    } else if (!IsDigit(Peek())) {
      return Fail("expected a value");
    }
    if (Peek() == '0') {
      ++at_;
      if (IsDigit(Peek())) return Fail("a number with a leading zero");
    } else if (!Digits()) {
      return false;
    }
    if (Peek() == '.') {
      ++at_;
      if (!Digits()) return false;
    }
    if (Peek() == 'e' || Peek() == 'E') {
      ++at_;
      if (Peek() == '+' || Peek() == '-') ++at_;
      if (!Digits()) return false;
    }
    return true;
  }

  // A string; leaves in escapes_ whether it has any.
  bool String() {
    escapes_ = false;
    ++at_;
    while (true) {
      at_ = SkipPlain<Stop::kStrict>(at_, end_);
      if (at_ == end_) return Fail("a string that does not end");
      const auto c = static_cast<unsigned char>(*at_);
      if (c == '"') {
        ++at_;
        return true;
      }
      if (c == '\\') {
        escapes_ = true;
        if (!Escape()) return false;
      } else if (c < 0x20) {
        return Fail("a control character in a string (write it as \\u escape)");
      } else {
        const size_t length = CharacterLength(at_, end_);
        if (length == 0) return Fail("bytes that are not UTF-8");
        at_ += length;
      }
    }
  }

  bool Escape() {
    const char* const start = at_++;
    switch (Peek()) {
      case '"':
      case '\\':
      case '/':
      case 'b':
      case 'f':
      case 'n':
      case 'r':
      case 't':
        ++at_;
        return true;
      case 'u':
        break;
      default:
        return Fail("an unknown escape", start);
    }
    ++at_;
    uint32_t unit = 0;
    if (!Unit(unit)) return false;
    if (unit < 0xd800 || unit > 0xdfff) return true;
    if (unit < 0xdc00 && end_ - at_ >= 6 && at_[0] == '\\' && at_[1] == 'u') {
      at_ += 2;
      if (!Unit(unit)) return false;
      if (unit >= 0xdc00 && unit <= 0xdfff) return true;
    }
    return Fail("half of a surrogate pair", start);
  }
  bool Unit(uint32_t& unit) {
    for (int i = 0; i < 4; ++i, ++at_) {
      if (HexValue(Peek()) < 0) return Fail("expected four hex digits after \\u");
    }
    unit = HexUnit(at_ - 4);
    return true;
  }

  const char* const begin_;
  const char* at_;
  const char* const end_;
  bool escapes_ = false;
  size_t depth_ = 0;
  std::array<Open, model::kMaxJsonDepth> open_;
  boost::container::small_vector<Key, 24> keys_;  // of all open objects, outermost first
  std::forward_list<std::string> decoded_;        // keys that were written with escapes
  std::string what_;
  const char* where_ = nullptr;
};

// What follows reads text that Validator accepted: structure ends every walk, and `end` only bounds reading in words.

const char* SkipSpaces(const char* p) {
  while (IsSpace(*p)) ++p;
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
  const JsonKind kind = Validator::KindOf(*p);
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
      while (*after != ',' && *after != '}' && *after != ']' && !IsSpace(*after)) ++after;
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

Result<JsonValue> ParseJson(std::string_view text) { return Validator(text).Run(); }

MemberReader::MemberReader(JsonValue object)
    : at_(FirstIn(object, JsonKind::kObject)), end_(object.raw.data() + object.raw.size()) {}

bool MemberReader::Next() {
  if (at_ == nullptr) return false;
  bool escapes;
  const char* const key_end = SkipString(at_, end_, escapes);
  key_ = std::string_view(at_ + 1, static_cast<size_t>(key_end - at_) - 2);
  if (escapes) {
    decoded_.clear();
    Decode(key_, decoded_);
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
  if (string.is_string()) Decode(string.raw.substr(1, string.raw.size() - 2), text);
  return text;
}

std::string_view TextView(JsonValue string, std::string& scratch) {
  if (!string.is_string()) return {};
  const std::string_view body = string.raw.substr(1, string.raw.size() - 2);
  if (body.find('\\') == body.npos) return body;
  scratch.clear();
  Decode(body, scratch);
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
