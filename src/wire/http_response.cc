#include <algorithm>
#include <charconv>

#include "wire/http.h"

namespace tocsin::wire {
namespace {

void AppendDecimal(std::string& out, uint64_t number) {
  std::array<char, 24> digits;
  out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr);
}

void AppendHeader(std::string& out, const HttpHeader& header) {
  out += header.name;
  out += ": ";
  const size_t start = out.size();
  out += header.value;
  std::replace_if(
      out.begin() + static_cast<ptrdiff_t>(start), out.end(),
      [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; }, ' ');
  out += "\r\n";
}

}  // namespace

Connection ConnectionFor(const RequestHead& head) {
  if (!head.keep_alive) return Connection::kClose;
  return head.minor_version == 1 ? Connection::kImplied : Connection::kKeepAlive;
}

void AppendResponseHead(std::string& out, const ResponseHead& head) {
  out += "HTTP/1.1 ";
  AppendDecimal(out, static_cast<uint64_t>(head.status));
  out += ' ';
  out += ReasonPhrase(head.status);
  out += "\r\n";
  for (const HttpHeader& header : head.headers) AppendHeader(out, header);
  if (head.content_length) {
    out += "Content-Length: ";
    AppendDecimal(out, *head.content_length);
    out += "\r\n";
  }
  switch (head.connection) {
    case Connection::kImplied:
      break;
    case Connection::kKeepAlive:
      out += "Connection: keep-alive\r\n";
      break;
    case Connection::kClose:
      out += "Connection: close\r\n";
      break;
    case Connection::kUpgrade:
      out += "Connection: Upgrade\r\n";
      break;
  }
  out += "\r\n";
}

void AppendContinue(std::string& out) { out += "HTTP/1.1 100 Continue\r\n\r\n"; }

std::string_view ReasonPhrase(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 101:
      return "Switching Protocols";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 426:
      return "Upgrade Required";
    case 428:
      return "Precondition Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    case 507:
      return "Insufficient Storage";
    default:
      return "";
  }
}

}  // namespace tocsin::wire
