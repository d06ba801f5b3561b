#include <algorithm>
#include <array>
#include <forward_list>
#include <string>

#include <boost/container/small_vector.hpp>

#include "model/limits.h"
#include "wire/json.h"
#include "wire/json_scan.h"

namespace tocsin::wire {
namespace {

using base::Code;
using base::Result;
using base::Status;

constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }
constexpr bool IsContinuation(unsigned char c) { return (c & 0xc0) == 0x80; }

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
    return JsonValue{JsonKindOf(raw.front()), raw};
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
    while (at_ < end_ && IsJsonSpace(*at_)) ++at_;
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
      DecodeJson(text, decoded_.front());
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

}  // namespace

Result<JsonValue> ParseJson(std::string_view text) { return Validator(text).Run(); }

}  // namespace tocsin::wire
