#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include "wire/resp.h"

namespace tocsin::wire {
namespace {

constexpr size_t kMaxLine = 64 << 10;

template <typename Number>
std::optional<Number> Parse(std::string_view text) {
  Number value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end) return std::nullopt;
  return value;
}

std::string DoubleText(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  std::array<char, 32> text;
  return std::string(text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr);
}

}  // namespace

void RespWriter::Head(char type, uint64_t number) {
  std::array<char, 24> digits;
  char* const end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out_.push_back(type);
  out_.append(digits.data(), end);
  out_ += "\r\n";
}

void RespWriter::Simple(std::string_view text) { out_.append("+").append(text).append("\r\n"); }

void RespWriter::Error(std::string_view text) {
  out_.push_back('-');
  for (char c : text) out_.push_back(c == '\r' || c == '\n' ? ' ' : c);
  out_ += "\r\n";
}

void RespWriter::Integer(int64_t value) {
  if (value >= 0) return Head(':', static_cast<uint64_t>(value));
  out_.append(":").append(std::to_string(value)).append("\r\n");
}

void RespWriter::Bulk(std::string_view bytes) {
  Head('$', bytes.size());
  out_.append(bytes).append("\r\n");
}

void RespWriter::Null() { out_ += version_ == RespVersion::k3 ? "_\r\n" : "$-1\r\n"; }
void RespWriter::NullArray() { out_ += version_ == RespVersion::k3 ? "_\r\n" : "*-1\r\n"; }

void RespWriter::Bool(bool value) {
  if (version_ == RespVersion::k2) return Integer(value ? 1 : 0);
  out_ += value ? "#t\r\n" : "#f\r\n";
}

void RespWriter::Double(double value) {
  if (version_ == RespVersion::k2) return Bulk(DoubleText(value));
  out_.append(",").append(DoubleText(value)).append("\r\n");
}

void RespWriter::Verbatim(std::string_view text) {
  if (version_ == RespVersion::k2) return Bulk(text);
  Head('=', text.size() + 4);
  out_.append("txt:").append(text).append("\r\n");
}

void RespWriter::ArrayHead(size_t size) { Head('*', size); }
void RespWriter::MapHead(size_t pairs) {
  if (version_ == RespVersion::k3) return Head('%', pairs);
  Head('*', 2 * pairs);
}
void RespWriter::SetHead(size_t size) { Head(version_ == RespVersion::k3 ? '~' : '*', size); }
void RespWriter::PushHead(size_t size) { Head(version_ == RespVersion::k3 ? '>' : '*', size); }

void AppendRespCommand(std::string& out, std::span<const std::string_view> arguments) {
  RespWriter writer(out, RespVersion::k2);
  writer.ArrayHead(arguments.size());
  for (std::string_view argument : arguments) writer.Bulk(argument);
}

RespReplyParser::Step RespReplyParser::Fail(const char* why) {
  error_ = why;
  open_.clear();
  return Step::kError;
}

RespReplyParser::Token RespReplyParser::Bad(const char* why) {
  error_ = why;
  return Token::kError;
}

RespReplyParser::Step RespReplyParser::Next(std::string_view input, size_t& consumed, RespReply& reply) {
  consumed = 0;
  if (*error_ != '\0') return Step::kError;
  while (true) {
    RespReply value;
    switch (ReadToken(input, consumed, value)) {
      case Token::kNeedMore:
        return Step::kNeedMore;
      case Token::kError:
        return Fail(error_);
      case Token::kOpened:
        continue;
      case Token::kValue:
        break;
    }
    // The value may complete the aggregate it is in, that the one around it, and so on.
    while (true) {
      if (open_.empty()) {
        reply = std::move(value);
        return Step::kReply;
      }
      Open& top = open_.back();
      top.reply.elements.push_back(std::move(value));
      if (--top.remaining > 0) break;
      const bool attribute = top.attribute;
      value = std::move(top.reply);
      open_.pop_back();
      if (attribute) break;  // what it belongs to follows
    }
  }
}

RespReplyParser::Token RespReplyParser::ReadToken(std::string_view input, size_t& consumed, RespReply& value) {
  using Type = RespReply::Type;
  const std::string_view text = input.substr(consumed);
  if (text.empty()) return Token::kNeedMore;
  const size_t end = text.substr(0, kMaxLine).find('\r');
  if (end == text.npos || end + 1 >= text.size()) {
    return text.size() > kMaxLine ? Bad("a line that is too long") : Token::kNeedMore;
  }
  if (text[end + 1] != '\n') return Bad("a line that does not end with CRLF");
  const std::string_view line = text.substr(1, std::max<size_t>(end, 1) - 1);
  const char type = text[0];
  switch (type) {
    case '+':
    case '-':
    case '(':
      value.type = type == '+' ? Type::kSimple : type == '-' ? Type::kError : Type::kBigNumber;
      value.text = line;
      break;
    case ':': {
      const std::optional<int64_t> number = Parse<int64_t>(line);
      if (!number) return Bad("an integer that is none");
      value.type = Type::kInteger;
      value.integer = *number;
      break;
    }
    case ',': {
      const std::optional<double> number = Parse<double>(line);
      if (!number) return Bad("a double that is none");
      value.type = Type::kDouble;
      value.number = *number;
      break;
    }
    case '#':
      if (line != "t" && line != "f") return Bad("a boolean that is none");
      value.type = Type::kBool;
      value.integer = line == "t" ? 1 : 0;
      break;
    case '_':
      if (!line.empty()) return Bad("a null that is none");
      break;
    default:
      return ReadLength(type, line, text.substr(end + 2), consumed, value);
  }
  consumed += end + 2;
  return Token::kValue;
}

// The types that start with a length; `rest` is what follows the line.
RespReplyParser::Token RespReplyParser::ReadLength(char type, std::string_view line, std::string_view rest,
                                                   size_t& consumed, RespReply& value) {
  using Type = RespReply::Type;
  constexpr std::string_view kStrings = "$!=", kAggregates = "*%~>|";
  if (kStrings.find(type) == kStrings.npos && kAggregates.find(type) == kAggregates.npos) {
    return Bad("an unknown type of reply");
  }
  const std::optional<int64_t> length = Parse<int64_t>(line);
  if (!length || *length < -1 || (*length == -1 && type != '$' && type != '*')) return Bad("a length that is none");
  const size_t head = line.size() + 3;
  if (*length == -1) {
    consumed += head;
    return Token::kValue;  // null
  }
  const auto size = static_cast<uint64_t>(*length);
  if (kStrings.find(type) != kStrings.npos) {
    if (size > kMaxBulk) return Bad("a string that is too long");
    if (rest.size() < size + 2) return Token::kNeedMore;
    if (rest.substr(size, 2) != "\r\n") return Bad("a string longer than its length says");
    if (type == '=' && size < 4) return Bad("a verbatim string without its format");
    value.type = type == '$' ? Type::kBulk : type == '!' ? Type::kError : Type::kVerbatim;
    value.text = rest.substr(type == '=' ? 4 : 0, size - (type == '=' ? 4 : 0));
    consumed += head + size + 2;
    return Token::kValue;
  }
  if (size > uint64_t{1} << 32) return Bad("an aggregate that is too long");
  const bool pairs = type == '%' || type == '|';
  value.type = type == '%' || type == '|' ? Type::kMap
               : type == '~'              ? Type::kSet
               : type == '>'              ? Type::kPush
                                          : Type::kArray;
  consumed += head;
  if (size == 0) return type == '|' ? Token::kOpened : Token::kValue;
  if (open_.size() == kMaxDepth) return Bad("a reply that is too deep");
  open_.push_back({std::move(value), pairs ? 2 * size : size, type == '|'});
  return Token::kOpened;
}

}  // namespace tocsin::wire
