#include "server/http_client.h"

#include <charconv>
#include <optional>

namespace tocsin::server {
namespace {

using base::Code;
using base::Result;
using base::Status;

constexpr int64_t kAnswerMs = 30'000;
constexpr size_t kMaxAnswer = 16 << 20;

Status Malformed() { return Status(Code::kInvalidArgument, "the server's answer is not HTTP/1.1"); }

bool ParseSize(std::string_view text, int base, size_t& size) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size, base);
  return error == std::errc() && end == text.data() + text.size() && size <= kMaxAnswer;
}

struct AnswerHead {
  int status = 0;
  size_t size = 0;
  bool keep_alive = true;
  bool chunked = false;
  std::optional<size_t> length{};
};

bool ReadHeaderLine(std::string_view line, AnswerHead& head) {
  size_t colon = line.find(':');
  if (colon == std::string_view::npos) return false;
  std::string_view name = line.substr(0, colon);
  std::string_view value = line.substr(colon + 1);
  while (value.starts_with(' ') || value.starts_with('\t')) value.remove_prefix(1);
  while (value.ends_with(' ') || value.ends_with('\t')) value.remove_suffix(1);
  if (wire::EqualsIgnoreCase(name, "connection") && wire::ListHasToken(value, "close")) head.keep_alive = false;
  if (wire::EqualsIgnoreCase(name, "transfer-encoding")) head.chunked = wire::EqualsIgnoreCase(value, "chunked");
  if (!wire::EqualsIgnoreCase(name, "content-length")) return true;
  size_t length = 0;
  head.length = length;
  return ParseSize(value, 10, *head.length);
}

// Its size is 0 while it is not complete.
Result<AnswerHead> ReadHead(std::string_view input) {
  AnswerHead head;
  size_t end = input.find("\r\n\r\n");
  if (end == std::string_view::npos) {
    if (input.size() > model::kMaxHttpHead) return Malformed();
    return head;
  }
  std::string_view lines = input.substr(0, end + 2);
  size_t line_end = lines.find("\r\n");
  std::string_view status_line = lines.substr(0, line_end);
  if (status_line.size() < 12 || !status_line.starts_with("HTTP/1.")) return Malformed();
  std::string_view digits = status_line.substr(9, 3);
  auto [stop, error] = std::from_chars(digits.data(), digits.data() + 3, head.status);
  if (error != std::errc() || stop != digits.data() + 3 || head.status < 100) return Malformed();
  head.keep_alive = status_line[7] == '1';
  for (lines.remove_prefix(line_end + 2); !lines.empty(); lines.remove_prefix(line_end + 2)) {
    line_end = lines.find("\r\n");
    if (!ReadHeaderLine(lines.substr(0, line_end), head)) return Malformed();
  }
  head.size = end + 4;
  return head;
}

// Bytes that the chunked body at the front of `input` takes; 0 while it is not complete.
Result<size_t> ReadChunks(std::string_view input, std::string& body) {
  size_t at = 0;
  for (;;) {
    size_t line_end = input.find("\r\n", at);
    if (line_end == std::string_view::npos) return size_t{0};
    std::string_view line = input.substr(at, line_end - at);
    size_t size = 0;
    if (!ParseSize(line.substr(0, line.find(';')), 16, size)) return Malformed();
    at = line_end + 2;
    if (size == 0) break;
    if (input.size() < at + size + 2) return size_t{0};
    body.append(input.substr(at, size));
    at += size + 2;
  }
  for (;;) {  // trailers, up to an empty line
    size_t line_end = input.find("\r\n", at);
    if (line_end == std::string_view::npos) return size_t{0};
    bool last = line_end == at;
    at = line_end + 2;
    if (last) return at;
  }
}

}  // namespace

Result<size_t> ReadAnswer(std::string_view input, HttpAnswer& answer, bool& keep_alive) {
  size_t skipped = 0;
  Result<AnswerHead> head = ReadHead(input);
  while (head.ok() && head->size > 0 && head->status < 200) {
    skipped += head->size;
    head = ReadHead(input.substr(skipped));
  }
  if (!head.ok()) return head.status();
  if (head->size == 0) return size_t{0};
  answer = HttpAnswer{.status = head->status};
  keep_alive = head->keep_alive;
  std::string_view rest = input.substr(skipped + head->size);
  if (head->status == 204 || head->status == 304) return skipped + head->size;
  if (head->chunked) {
    Result<size_t> size = ReadChunks(rest, answer.body);
    if (!size.ok()) return size.status();
    return *size == 0 ? size_t{0} : skipped + head->size + *size;
  }
  if (!head->length) return Malformed();  // a body until the end of the connection: no server of ours sends one
  if (rest.size() < *head->length) return size_t{0};
  answer.body = rest.substr(0, *head->length);
  return skipped + head->size + *head->length;
}

Result<HttpAnswer> HttpClient::Post(std::string_view path, std::span<const wire::HttpHeader> headers,
                                    std::string_view body) {
  std::string request = "POST " + std::string(path) + " HTTP/1.1\r\nHost: " + server_.host +
                        "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  for (const wire::HttpHeader& header : headers) {
    request += std::string(header.name) + ": " + std::string(header.value) + "\r\n";
  }
  request += "\r\n";
  request += body;
  return Exchange(request);
}

Result<HttpAnswer> HttpClient::Exchange(std::string_view request) {
  if (!socket_.open()) {
    Result<ClientSocket> connected = ClientSocket::Connect(server_.address);
    if (!connected.ok()) return connected.status();
    socket_ = std::move(connected).value();
  }
  RETURN_IF_ERROR(socket_.Send(request));
  std::string input;
  HttpAnswer answer;
  bool keep_alive = false;
  for (;;) {
    Status received = socket_.Receive(input, kAnswerMs);
    if (!received.ok()) return Status(Code::kUnavailable, "no answer: " + std::string(received.message()));
    if (input.size() > kMaxAnswer) return Malformed();
    Result<size_t> size = ReadAnswer(input, answer, keep_alive);
    if (!size.ok()) return size.status();
    if (*size > 0) break;
  }
  if (!keep_alive) socket_.Close();
  return answer;
}

}  // namespace tocsin::server
