#include <algorithm>
#include <cstring>

#include "wire/http.h"

namespace tocsin::wire {
namespace {

constexpr size_t kMaxChunkLine = 256;                      // size and extensions of one chunk
constexpr size_t kMaxChunkOverhead = model::kMaxHttpHead;  // extensions and trailers of one request
constexpr size_t kMaxChunkDigits = 15;                     // so that a size never overflows

constexpr std::array<std::string_view, 7> kMethods = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

// RFC 9110, section 5.6.2
constexpr auto kToken = [] {
  std::array<bool, 256> table{};
  for (int c = '0'; c <= '9'; ++c) table[static_cast<size_t>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[static_cast<size_t>(c)] = table[static_cast<size_t>(c - 'a' + 'A')] = true;
  for (char c : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<unsigned char>(c)] = true;
  return table;
}();

// A host name, an address or `[...]`, and a port: the characters that RFC 3986 gives an authority, without user info.
constexpr auto kHostChar = [] {
  std::array<bool, 256> table{};
  for (int c = '0'; c <= '9'; ++c) table[static_cast<size_t>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[static_cast<size_t>(c)] = table[static_cast<size_t>(c - 'a' + 'A')] = true;
  for (char c : std::string_view("-._~%!$&'()*+,;=:[]")) table[static_cast<unsigned char>(c)] = true;
  return table;
}();

constexpr bool IsToken(char c) { return kToken[static_cast<unsigned char>(c)]; }
constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }
constexpr char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool IsTokenText(std::string_view text) {
  bool good = !text.empty();
  for (char c : text) good &= IsToken(c);
  return good;
}

// What a header value or a chunk extension may hold.
bool IsFieldText(std::string_view text) {
  bool good = true;  // without an early end the loop is one the compiler vectorizes
  for (char ch : text) {
    const auto c = static_cast<unsigned char>(ch);
    good &= (c >= 0x20 && c != 0x7f) || c == '\t';
  }
  return good;
}

bool IsHost(std::string_view host) {
  if (host.empty() ||
      !std::all_of(host.begin(), host.end(), [](char c) { return kHostChar[static_cast<unsigned char>(c)]; })) {
    return false;
  }
  std::string_view port;
  if (host.front() == '[') {
    const size_t end = host.find(']');
    if (end == host.npos || end == 1) return false;
    port = host.substr(end + 1);
    if (!port.empty() && port.front() != ':') return false;
  } else {
    const size_t colon = host.find(':');
    if (colon == 0) return false;
    port = colon == host.npos ? std::string_view() : host.substr(colon);
    if (host.find_first_of("[]") != host.npos) return false;
  }
  return port.empty() || std::all_of(port.begin() + 1, port.end(), IsDigit);
}

std::string_view Trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

HttpError ParseTarget(std::string_view target, RequestHead& head) {
  for (char ch : target) {
    const auto c = static_cast<unsigned char>(ch);
    if (c <= 0x20 || c >= 0x7f || c == '#') return {400, "a character in the request target that must be escaped"};
  }
  if (target == "*") {
    head.path = target;
    return head.method == Method::kOptions ? HttpError() : HttpError{400, "the target `*` is for OPTIONS only"};
  }
  if (target.front() != '/') {  // absolute-form: what it names goes over the Host header
    const size_t scheme = target.find("://");
    if (scheme == target.npos ||
        (!EqualsIgnoreCase(target.substr(0, scheme), "http") && !EqualsIgnoreCase(target.substr(0, scheme), "https"))) {
      return {400, "the request target must start with `/`"};
    }
    target.remove_prefix(scheme + 3);
    const size_t end = std::min(target.find_first_of("/?"), target.size());
    head.host = target.substr(0, end);
    if (!IsHost(head.host)) return {400, "the request target names no valid host"};
    target.remove_prefix(end);
  }
  const size_t question = target.find('?');
  head.path = target.substr(0, question);
  if (question != target.npos) head.query = target.substr(question + 1);
  if (head.path.empty()) head.path = "/";
  return {};
}

HttpError ParseRequestLine(std::string_view line, RequestHead& head) {
  const size_t method_end = line.find(' ');
  const size_t target_end = line.rfind(' ');
  if (method_end == line.npos || target_end <= method_end + 1) {
    return {400, "the request line is not `METHOD target HTTP/1.1`"};
  }
  const std::string_view method = line.substr(0, method_end);
  const std::string_view version = line.substr(target_end + 1);
  if (!IsTokenText(method)) return {400, "the method is not a token"};
  if (version.size() != 8 || !version.starts_with("HTTP/") || !IsDigit(version[5]) || version[6] != '.' ||
      !IsDigit(version[7])) {
    return {400, "the request line does not end with `HTTP/1.1`"};
  }
  if (version[5] != '1' || version[7] > '1') return {505, "only HTTP/1.1 and HTTP/1.0 are spoken here"};
  head.minor_version = version[7] - '0';
  const auto* known = std::find(kMethods.begin(), kMethods.end(), method);
  if (known == kMethods.end()) return {501, "this method is not known here"};
  head.method = static_cast<Method>(known - kMethods.begin());
  return ParseTarget(line.substr(method_end + 1, target_end - method_end - 1), head);
}

HttpError ParseContentLength(std::string_view value, RequestHead& head) {
  if (head.framing == BodyFraming::kLength) return {400, "more than one Content-Length"};
  if (value.empty() || !std::all_of(value.begin(), value.end(), IsDigit)) {
    return {400, "Content-Length is not a decimal number"};
  }
  for (char c : value) {
    head.content_length = head.content_length * 10 + static_cast<uint64_t>(c - '0');
    if (head.content_length > uint64_t{1} << 59) return {413, "Content-Length is beyond every limit"};
  }
  head.framing = BodyFraming::kLength;
  return {};
}

// What is collected over the headers, to be judged at their end.
struct Seen {
  bool host = false;
  bool close = false;
  bool keep_alive = false;
  bool transfer_encoding = false;
  bool expect = false;
};

HttpError NoteHeader(const HttpHeader& header, RequestHead& head, Seen& seen) {
  const std::string_view name = header.name;
  if (EqualsIgnoreCase(name, "host")) {
    if (seen.host) return {400, "more than one Host"};
    seen.host = true;
    if (!IsHost(header.value)) return {400, "Host is not a host name with an optional port"};
    if (head.host.empty()) head.host = header.value;
  } else if (EqualsIgnoreCase(name, "content-length")) {
    return ParseContentLength(header.value, head);
  } else if (EqualsIgnoreCase(name, "transfer-encoding")) {
    if (seen.transfer_encoding) return {400, "more than one Transfer-Encoding"};
    seen.transfer_encoding = true;
    if (!EqualsIgnoreCase(header.value, "chunked")) return {400, "the only transfer coding known here is `chunked`"};
  } else if (EqualsIgnoreCase(name, "connection")) {
    seen.close |= ListHasToken(header.value, "close");
    seen.keep_alive |= ListHasToken(header.value, "keep-alive");
    head.upgrade |= ListHasToken(header.value, "upgrade");
  } else if (EqualsIgnoreCase(name, "expect")) {
    if (!EqualsIgnoreCase(header.value, "100-continue")) return {417, "the only expectation known is `100-continue`"};
    seen.expect = true;
  }
  return {};
}

HttpError ParseHeaderLine(std::string_view line, HttpHeader& header) {
  if (line.front() == ' ' || line.front() == '\t') return {400, "a header folded over two lines"};
  const size_t colon = line.find(':');
  if (colon == line.npos || !IsTokenText(line.substr(0, colon))) {
    return {400, "a header line is not `Name: value` (no space before the colon)"};
  }
  header = {line.substr(0, colon), Trim(line.substr(colon + 1))};
  return IsFieldText(header.value) ? HttpError() : HttpError{400, "a control character in a header"};
}

HttpError Judge(const Seen& seen, RequestHead& head) {
  if (!seen.host && head.minor_version == 1) return {400, "the header Host is missing"};
  if (seen.transfer_encoding) {
    if (head.framing == BodyFraming::kLength) return {400, "both Content-Length and Transfer-Encoding"};
    if (head.minor_version == 0) return {400, "Transfer-Encoding in HTTP/1.0"};
    head.framing = BodyFraming::kChunked;
  }
  head.keep_alive = !seen.close && (head.minor_version == 1 || seen.keep_alive);
  const bool has_body = head.framing == BodyFraming::kChunked || head.content_length > 0;
  head.expect_continue = seen.expect && head.minor_version == 1 && has_body;
  return {};
}

// All but the array of headers, whose 2 KB would cost more than reading a small head does.
void Clear(RequestHead& head) {
  head.method = Method::kGet;
  head.minor_version = 1;
  head.path = head.query = head.host = {};
  head.keep_alive = true;
  head.upgrade = head.expect_continue = false;
  head.framing = BodyFraming::kNone;
  head.content_length = 0;
  head.size = head.header_count = 0;
}

// `text` is the whole head with its empty line; every `\n` in it is known to end a CRLF.
HttpError ParseHead(std::string_view text, RequestHead& head) {
  const auto next_line = [&text] {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end - 1);
    text.remove_prefix(end + 1);
    return line;
  };
  const std::string_view request_line = next_line();
  if (request_line.find('\r') != request_line.npos) return {400, "a bare CR in the request line"};
  if (const HttpError error = ParseRequestLine(request_line, head); error.status != 0) return error;
  Seen seen;
  while (true) {
    const std::string_view line = next_line();
    if (line.empty()) return Judge(seen, head);
    if (head.header_count == head.header_array.size()) return {431, "too many headers"};
    HttpHeader& header = head.header_array[head.header_count];
    if (const HttpError error = ParseHeaderLine(line, header); error.status != 0) return error;
    ++head.header_count;
    if (const HttpError error = NoteHeader(header, head, seen); error.status != 0) return error;
  }
}

int HexValue(char c) {
  if (IsDigit(c)) return c - '0';
  c = Lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

}  // namespace

std::string_view MethodName(Method method) { return kMethods[static_cast<size_t>(method)]; }

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return Lower(x) == Lower(y); });
}

bool ListHasToken(std::string_view list, std::string_view token) {
  while (!list.empty()) {
    const size_t comma = list.find(',');
    if (EqualsIgnoreCase(Trim(list.substr(0, comma)), token)) return true;
    list = comma == list.npos ? std::string_view() : list.substr(comma + 1);
  }
  return false;
}

std::optional<std::string_view> RequestHead::Find(std::string_view name) const {
  for (const HttpHeader& header : headers()) {
    if (EqualsIgnoreCase(header.name, name)) return header.value;
  }
  return std::nullopt;
}

size_t RequestHead::Count(std::string_view name) const {
  return static_cast<size_t>(std::count_if(headers().begin(), headers().end(), [name](const HttpHeader& header) {
    return EqualsIgnoreCase(header.name, name);
  }));
}

RequestParser::Step RequestParser::Fail(int status, std::string_view message) {
  state_ = State::kFailed;
  error_ = {status, message};
  return Step::kError;
}

RequestParser::Step RequestParser::ReadHead(std::string_view input, RequestHead& head) {
  if (state_ != State::kHead) {
    return state_ == State::kFailed ? Step::kError : Fail(400, "a request before the last one's body was read");
  }
  if (input.empty()) return Step::kNeedMore;
  const bool empty_line = input.front() == '\r';
  if (!empty_line && !IsToken(input.front())) return Fail(400, "the method is not a token");
  const size_t first = empty_line ? 2 : 0;
  while (true) {
    const size_t end = scanned_ < input.size() ? input.find('\n', scanned_) : input.npos;
    const size_t size = end == input.npos ? input.size() : end + 1;
    if (size > model::kMaxHttpHead) return Fail(431, "request line and headers are too long");
    if (end == input.npos) {
      scanned_ = static_cast<uint32_t>(size);
      return Step::kNeedMore;
    }
    if (end == line_start_ || input[end - 1] != '\r') return Fail(400, "a line that does not end with CRLF");
    const bool blank = end == line_start_ + 1;
    const bool leading = line_start_ < first;
    line_start_ = scanned_ = static_cast<uint32_t>(end + 1);
    if (!blank || leading) {
      if (leading && !blank) return Fail(400, "a bare CR in the request line");
      continue;
    }
    if (end == first + 1) return Fail(400, "more than one empty line before the request");
    Clear(head);
    if (const HttpError error = ParseHead(input.substr(first, size - first), head); error.status != 0) {
      return Fail(error.status, error.message);
    }
    head.size = size;
    scanned_ = line_start_ = 0;
    limit_ = model::kMaxIngestBody;
    remaining_ = head.content_length;
    overhead_ = 0;
    state_ = head.framing == BodyFraming::kChunked  ? State::kChunkSize
             : head.framing == BodyFraming::kLength ? State::kLength
                                                    : State::kNoBody;
    return Step::kHead;
  }
}

RequestParser::Step RequestParser::End() {
  state_ = State::kHead;
  return Step::kEnd;
}

RequestParser::Step RequestParser::ReadPiece(std::string_view input, std::string_view& piece, size_t& consumed,
                                             State next) {
  if (input.empty()) return Step::kNeedMore;
  piece = input.substr(0, static_cast<size_t>(std::min<uint64_t>(remaining_, input.size())));
  consumed += piece.size();
  remaining_ -= piece.size();
  if (remaining_ == 0) state_ = next;
  return Step::kBody;
}

bool RequestParser::ReadLine(std::string_view input, std::string_view& line, Step& step) {
  const size_t end = input.substr(0, kMaxChunkLine).find('\n');
  if (end == input.npos) {
    step =
        input.size() < kMaxChunkLine ? Step::kNeedMore : Fail(400, "a chunk extension or a trailer that is too long");
    return false;
  }
  if (end == 0 || input[end - 1] != '\r') {
    step = Fail(400, "a line of a chunked body that does not end with CRLF");
    return false;
  }
  line = input.substr(0, end - 1);
  return true;
}

bool RequestParser::ReadChunkSize(std::string_view line) {
  const auto fail = [this](int status, std::string_view message) {
    Fail(status, message);
    return false;
  };
  size_t digits = 0;
  uint64_t size = 0;
  while (digits < line.size() && HexValue(line[digits]) >= 0) {
    if (digits == kMaxChunkDigits) return fail(400, "a chunk size that is too long");
    size = size << 4 | static_cast<uint64_t>(HexValue(line[digits++]));
  }
  const std::string_view extension = line.substr(digits);
  if (digits == 0 || (!extension.empty() && extension.front() != ';') || !IsFieldText(extension)) {
    return fail(400, "a chunk size is not a hexadecimal number");
  }
  overhead_ += static_cast<uint32_t>(extension.size());
  if (overhead_ > kMaxChunkOverhead) return fail(400, "chunk extensions that are too long");
  if (size > limit_) return fail(413, "the body is too large");
  limit_ -= size;
  remaining_ = size;
  state_ = size == 0 ? State::kTrailers : State::kChunk;
  return true;
}

RequestParser::Step RequestParser::ReadBody(std::string_view input, std::string_view& piece, size_t& consumed) {
  piece = {};
  consumed = 0;
  while (true) {
    const std::string_view rest = input.substr(consumed);
    std::string_view line;
    Step step;
    switch (state_) {
      case State::kHead:
        return Fail(400, "a body before its head was read");
      case State::kFailed:
        return Step::kError;
      case State::kNoBody:
        return End();
      case State::kLength:
        if (remaining_ > limit_) return Fail(413, "the body is too large");
        if (remaining_ == 0) return End();
        limit_ -= std::min<uint64_t>(remaining_, rest.size());
        return ReadPiece(rest, piece, consumed, State::kNoBody);
      case State::kChunk:
        return ReadPiece(rest, piece, consumed, State::kChunkEnd);
      case State::kChunkSize:
        if (!ReadLine(rest, line, step)) return step;
        consumed += line.size() + 2;
        if (!ReadChunkSize(line)) return Step::kError;
        break;
      case State::kChunkEnd:
        if (rest.empty() || (rest.size() == 1 && rest[0] == '\r')) return Step::kNeedMore;
        if (!rest.starts_with("\r\n")) return Fail(400, "a chunk longer than its size says");
        consumed += 2;
        state_ = State::kChunkSize;
        break;
      case State::kTrailers: {
        if (!ReadLine(rest, line, step)) return step;
        consumed += line.size() + 2;
        if (line.empty()) return End();
        overhead_ += static_cast<uint32_t>(line.size());
        if (overhead_ > kMaxChunkOverhead) return Fail(431, "trailers that are too long");
        HttpHeader trailer;  // checked, and dropped: nothing here may change what the head said
        if (const HttpError error = ParseHeaderLine(line, trailer); error.status != 0) {
          return Fail(error.status, error.message);
        }
        break;
      }
    }
  }
}

}  // namespace tocsin::wire
