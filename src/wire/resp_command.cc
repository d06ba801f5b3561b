#include <algorithm>
#include <charconv>
#include <optional>

#include "wire/resp.h"

namespace tocsin::wire {
namespace {

constexpr size_t kMaxLine = 64 << 10;  // PROTO_INLINE_MAX_SIZE
constexpr size_t kKeptArguments = 64;  // more than this are given back after the command

// Redis' string2ll: decimal, no plus, no leading zeros, nothing around it.
std::optional<int64_t> ParseNumber(std::string_view text) {
  int64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end) return std::nullopt;
  const std::string_view digits = text.substr(text.front() == '-' ? 1 : 0);
  if (digits.front() == '0' && text.size() > 1) return std::nullopt;
  return value;
}

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r') || c == '\0'; }

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// One escape of a double-quoted argument; `i` stands on the backslash and is moved to its last byte.
char Escape(std::string_view line, size_t& i) {
  if (i + 3 < line.size() && line[i + 1] == 'x' && HexValue(line[i + 2]) >= 0 && HexValue(line[i + 3]) >= 0) {
    i += 3;
    return static_cast<char>(HexValue(line[i - 1]) << 4 | HexValue(line[i]));
  }
  switch (line[++i]) {
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'b':
      return '\b';
    case 'a':
      return '\a';
    default:
      return line[i];
  }
}

}  // namespace

RespCommandParser::Step RespCommandParser::Fail(std::string_view what) {
  error_ = "ERR Protocol error: ";
  error_ += what;
  return Step::kError;
}

void RespCommandParser::Forget() {
  at_ = remaining_ = wanted_ = 0;
  in_command_ = in_bulk_ = false;
  slices_.clear();
  if (slices_.capacity() > kKeptArguments) slices_.shrink_to_fit();
}

bool RespCommandParser::Line(std::string_view input, std::string_view too_long, std::string_view& line, Step& step) {
  const size_t end = input.substr(at_, kMaxLine).find('\r');
  if (end == input.npos || at_ + end + 1 >= input.size()) {
    step = input.size() - at_ > kMaxLine ? Fail(too_long) : Step::kNeedMore;
    return false;
  }
  if (input[at_ + end + 1] != '\n') {
    step = Fail("expected CRLF at the end of a line");
    return false;
  }
  line = input.substr(at_, end);
  at_ += end + 2;
  return true;
}

RespCommandParser::Step RespCommandParser::Next(std::string_view input, size_t& consumed) {
  consumed = 0;
  if (!error_.empty()) return Step::kError;
  if (!in_command_) {
    arguments_.clear();
    if (arguments_.capacity() > kKeptArguments) arguments_.shrink_to_fit();
    unquoted_.clear();
  }
  while (consumed < input.size()) {
    const bool multibulk = in_command_ || input[consumed] == '*';
    size_t used = 0;
    const std::string_view rest = input.substr(consumed);
    const Step step = multibulk ? Multibulk(rest, used) : Inline(rest, used);
    consumed += used;
    // Empty lines and `*0` are no commands.
    if (step != Step::kCommand || !arguments_.empty()) return step;
  }
  return Step::kNeedMore;
}

RespCommandParser::Step RespCommandParser::Inline(std::string_view input, size_t& consumed) {
  const size_t end = input.substr(0, kMaxLine).find('\n');
  if (end == input.npos) return input.size() < kMaxLine ? Step::kNeedMore : Fail("too big inline request");
  std::string_view line = input.substr(0, end);
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (!SplitInline(line)) return Fail("unbalanced quotes in request");
  if (arguments_.size() > limits_.max_arguments) return Fail("unauthenticated multibulk length");
  consumed = end + 1;
  return Step::kCommand;
}

// As Redis' sdssplitargs: `"` with escapes, `'` with `\'` only; a quote ends its argument.
bool RespCommandParser::SplitInline(std::string_view line) {
  size_t i = 0;
  while (true) {
    while (i < line.size() && IsSpace(line[i])) ++i;
    if (i == line.size()) return true;
    const size_t start = i;
    while (i < line.size() && !IsSpace(line[i]) && line[i] != '"' && line[i] != '\'') ++i;
    if (i == line.size() || IsSpace(line[i])) {
      arguments_.push_back(line.substr(start, i - start));
      continue;
    }
    std::string text(line.substr(start, i - start));
    const char quote = line[i];
    for (++i;; ++i) {
      if (i >= line.size()) return false;
      if (line[i] == quote) break;
      if (line[i] != '\\' || i + 1 >= line.size()) {
        text.push_back(line[i]);
      } else if (quote == '"') {
        text.push_back(Escape(line, i));
      } else if (line[i + 1] == '\'') {
        text.push_back(line[++i]);
      } else {
        text.push_back('\\');
      }
    }
    if (++i < line.size() && !IsSpace(line[i])) return false;
    arguments_.push_back(unquoted_.emplace_back(std::move(text)));
  }
}

RespCommandParser::Step RespCommandParser::Multibulk(std::string_view input, size_t& consumed) {
  Step step;
  if (in_command_ && input.size() < at_) return Step::kNeedMore;
  if (!in_command_) {
    at_ = 0;
    std::string_view line;
    if (!Line(input, "too big mbulk count string", line, step)) {
      at_ = 0;
      return step;
    }
    const std::optional<int64_t> count = ParseNumber(line.substr(1));
    if (!count || *count > int64_t{1} << 20) return Fail("invalid multibulk length");
    if (*count > static_cast<int64_t>(limits_.max_arguments)) return Fail("unauthenticated multibulk length");
    if (*count <= 0) {
      consumed = at_;
      Forget();
      return Step::kCommand;
    }
    in_command_ = true;
    remaining_ = static_cast<size_t>(*count);
  }
  while (remaining_ > 0) {
    if (!Argument(input, step)) return step;
  }
  arguments_.reserve(slices_.size());
  for (const Slice& slice : slices_) arguments_.push_back(input.substr(slice.at, slice.size));
  consumed = at_;
  Forget();
  return Step::kCommand;
}

bool RespCommandParser::Argument(std::string_view input, Step& step) {
  if (!in_bulk_) {
    if (at_ < input.size() && input[at_] != '$') {
      const char got = input[at_] == '\r' || input[at_] == '\n' ? ' ' : input[at_];
      step = Fail(std::string("expected '$', got '") + got + "'");
      return false;
    }
    std::string_view line;
    if (!Line(input, "too big bulk count string", line, step)) return false;
    const std::optional<int64_t> size = ParseNumber(line.substr(1));
    if (!size || *size < 0 || *size > static_cast<int64_t>(kRespAuthenticated.max_bulk)) {
      step = Fail("invalid bulk length");
      return false;
    }
    if (*size > static_cast<int64_t>(limits_.max_bulk)) {
      step = Fail("unauthenticated bulk length");
      return false;
    }
    bulk_ = static_cast<size_t>(*size);
    in_bulk_ = true;
    wanted_ = at_ + bulk_ + 2;
    if (wanted_ > limits_.max_command) {
      step = Fail("too big command");
      return false;
    }
  }
  if (input.size() - at_ < bulk_ + 2) {
    step = Step::kNeedMore;
    return false;
  }
  if (input[at_ + bulk_] != '\r' || input[at_ + bulk_ + 1] != '\n') {
    step = Fail("expected CRLF behind an argument");
    return false;
  }
  slices_.push_back({at_, bulk_});
  at_ += bulk_ + 2;
  in_bulk_ = false;
  --remaining_;
  return true;
}

}  // namespace tocsin::wire
