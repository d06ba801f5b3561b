// HTTP/1.1, server side, without a socket (RFC 9110, 9112): requests are read where they lie in the connection's input
// buffer, response heads are appended to its output buffer.
//
// 1. One reading only. What two implementations could frame differently is refused, and an error ends the connection:
//    bare CR or LF, folded headers, white space before a colon, Content-Length twice or with Transfer-Encoding, any
//    transfer coding but one `chunked`, no Host or two.
// 2. The head comes before the body: the caller decides about rights and the body's limit in between.
// 3. Views point into the input given to that call. They hold until the caller drops those bytes.
// 4. A parser costs 64 bytes at most, whatever it is reading; everything else lies in the caller's buffer, and no more
//    than kMaxHttpHead bytes of that need be kept for it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "model/limits.h"

namespace tocsin::wire {

enum class Method : uint8_t { kGet, kHead, kPost, kPut, kPatch, kDelete, kOptions };
std::string_view MethodName(Method method);

struct HttpHeader {
  std::string_view name, value;
};

enum class BodyFraming : uint8_t { kNone, kLength, kChunked };

struct RequestHead {
  Method method = Method::kGet;
  int minor_version = 1;         // of HTTP/1.x
  std::string_view path;         // not decoded; starts with `/`, or is `*` (OPTIONS only)
  std::string_view query;        // not decoded, without the `?`
  std::string_view host;         // with the port, if sent; empty only in HTTP/1.0
  bool keep_alive = true;        // the client is willing to send another request on this connection
  bool upgrade = false;          // Connection names `upgrade`; the protocol is in the header Upgrade
  bool expect_continue = false;  // waits for a 100 before it sends the body
  BodyFraming framing = BodyFraming::kNone;
  uint64_t content_length = 0;  // of kLength; more than 2^63 is refused with 413
  size_t size = 0;              // bytes of the input that the head takes: drop them before ReadBody
  size_t header_count = 0;
  std::array<HttpHeader, model::kMaxHttpHeaders> header_array;  // beyond header_count: what was there before

  std::span<const HttpHeader> headers() const { return {header_array.data(), header_count}; }
  // The first one of that name (compared without case); nothing where there is none.
  std::optional<std::string_view> Find(std::string_view name) const;
  // How many there are.
  size_t Count(std::string_view name) const;
};

// What went wrong, as the response should say it. The connection is closed after that response.
struct HttpError {
  int status = 0;
  std::string_view message;  // a literal
};

class RequestParser {
 public:
  enum class Step : uint8_t {
    kNeedMore,  // call again with the same bytes and more behind them
    kHead,      // the head is complete; now drop head.size bytes and read the body
    kBody,      // a piece of the body
    kEnd,       // the request is complete; the next one may follow in the input
    kError,     // see error(); nothing more can be read from this connection
  };

  // Reads a head from the front of `input`: kNeedMore, kHead or kError. `input` starts at the same byte in every call
  // until kHead. An empty line before the request line is skipped.
  Step ReadHead(std::string_view input, RequestHead& head);

  // The most bytes of body that this request may have: beyond it ReadBody fails with 413, as soon as the length is
  // announced. To be called between kHead and ReadBody; kMaxIngestBody otherwise.
  void SetBodyLimit(uint64_t bytes) { limit_ = bytes; }

  // Reads body from the front of `input`; after kHead, for every request, until kEnd: kNeedMore, kBody with a `piece`
  // of at least one byte, kEnd or kError. Drop `consumed` bytes after each call. A body of known length that is wholly
  // in `input` is one piece.
  Step ReadBody(std::string_view input, std::string_view& piece, size_t& consumed);

  // Bytes of a body that are still announced (kLength), or of its present chunk.
  uint64_t remaining() const { return remaining_; }
  // Between requests, and nothing of the next one has been seen.
  bool idle() const { return state_ == State::kHead && scanned_ == 0; }
  HttpError error() const { return error_; }

 private:
  enum class State : uint8_t { kHead, kNoBody, kLength, kChunkSize, kChunk, kChunkEnd, kTrailers, kFailed };

  Step Fail(int status, std::string_view message);
  Step End();
  Step ReadPiece(std::string_view input, std::string_view& piece, size_t& consumed, State next);
  // The CRLF-ended line at the front of `input`; without one, false, and `step` says why.
  bool ReadLine(std::string_view input, std::string_view& line, Step& step);
  bool ReadChunkSize(std::string_view line);

  State state_ = State::kHead;
  uint32_t scanned_ = 0;     // kHead: bytes of the input known to hold no end of the head
  uint32_t line_start_ = 0;  // kHead: where the line at scanned_ starts
  uint32_t overhead_ = 0;    // chunked: bytes of extensions and trailers so far
  uint64_t remaining_ = 0;
  uint64_t limit_ = model::kMaxIngestBody;  // bytes of body that may still be announced
  HttpError error_;
};

static_assert(sizeof(RequestParser) <= 64);

// How a response leaves the connection.
enum class Connection : uint8_t {
  kImplied,    // HTTP/1.1 keeps it open, nothing need be said
  kKeepAlive,  // said in so many words, to an HTTP/1.0 client
  kClose,
  kUpgrade,
};
// What suits the request.
Connection ConnectionFor(const RequestHead& head);

struct ResponseHead {
  int status = 200;
  std::optional<uint64_t> content_length = {};  // nothing: no such header (1xx, 204, 304, or a body until close)
  Connection connection = Connection::kImplied;
  std::span<const HttpHeader> headers = {};  // in this order; Content-Length and Connection are not among them
};

// Appends status line, headers and the empty line. A control character in a header value becomes a space, so that
// nothing echoed can split a response.
void AppendResponseHead(std::string& out, const ResponseHead& head);

// "HTTP/1.1 100 Continue", whole.
void AppendContinue(std::string& out);

// "Not Found"; empty for a status this server has no use for.
std::string_view ReasonPhrase(int status);

bool EqualsIgnoreCase(std::string_view a, std::string_view b);
// Whether a comma-separated list (`Connection: a, b`) has that token, without case.
bool ListHasToken(std::string_view list, std::string_view token);

}  // namespace tocsin::wire
