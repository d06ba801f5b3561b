#include "wire/http.h"

#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wire/uri.h"

namespace tocsin::wire {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Step = RequestParser::Step;

struct Request {
  std::string summary;  // method path?query host keep-alive
  std::string headers;  // name=value;...
  std::string body;
  friend bool operator==(const Request&, const Request&) = default;
};
void PrintTo(const Request& request, std::ostream* out) {
  *out << request.summary << " | " << request.headers << " | " << request.body;
}

struct Outcome {
  std::vector<Request> requests;
  int status = 0;
  std::string message;
  size_t unread = 0;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

// A connection in small: bytes arrive `step` at a time and are dropped when the parser has consumed them.
class InputSide {
 public:
  explicit InputSide(uint64_t body_limit) : body_limit_(body_limit) {}

  Outcome Feed(std::string_view bytes, size_t step) {
    while (!bytes.empty() && outcome_.status == 0) {
      const size_t size = std::min(step, bytes.size());
      input_.append(bytes.substr(0, size));
      bytes.remove_prefix(size);
      while (Turn()) {
      }
    }
    outcome_.unread = input_.size();
    return outcome_;
  }

 private:
  bool Turn() {
    // An exact copy on the heap, so that ASan sees a read past the end.
    const std::vector<char> exact(input_.begin(), input_.end());
    const std::string_view input(exact.data(), exact.size());
    if (!in_body_) {
      RequestHead head;
      const Step step = parser_.ReadHead(input, head);
      if (step == Step::kError) return Fail();
      if (step == Step::kNeedMore) return false;
      Note(head);
      input_.erase(0, head.size);
      parser_.SetBodyLimit(body_limit_);
      in_body_ = true;
      return true;
    }
    std::string_view piece;
    size_t consumed = 0;
    const Step step = parser_.ReadBody(input, piece, consumed);
    EXPECT_LE(consumed, input.size());
    outcome_.requests.back().body += piece;
    input_.erase(0, consumed);
    if (step == Step::kError) return Fail();
    if (step == Step::kEnd) {
      in_body_ = false;
      EXPECT_TRUE(parser_.idle());
    }
    return step != Step::kNeedMore;
  }

  bool Fail() {
    outcome_.status = parser_.error().status;
    outcome_.message = parser_.error().message;
    RequestHead head;
    EXPECT_EQ(parser_.ReadHead("GET / HTTP/1.1\r\nHost: a\r\n\r\n", head), Step::kError);  // stays failed
    return false;
  }

  void Note(const RequestHead& head) {
    Request request;
    request.summary = std::string(MethodName(head.method)) + " " + std::string(head.path) + "?" +
                      std::string(head.query) + " " + std::string(head.host) + (head.keep_alive ? " keep" : " close") +
                      (head.expect_continue ? " expect" : "") + (head.upgrade ? " upgrade" : "");
    for (const HttpHeader& header : head.headers()) {
      request.headers += std::string(header.name) + "=" + std::string(header.value) + ";";
    }
    outcome_.requests.push_back(std::move(request));
  }

  uint64_t body_limit_;
  RequestParser parser_;
  bool in_body_ = false;
  std::string input_;
  Outcome outcome_;
};

// Whatever the sizes in which the bytes arrive, the outcome is one.
Outcome Serve(std::string_view bytes, uint64_t body_limit = 1'000'000) {
  const Outcome whole = InputSide(body_limit).Feed(bytes, bytes.size());
  for (size_t step : {1, 2, 7}) {
    Outcome in_steps = InputSide(body_limit).Feed(bytes, step);
    in_steps.unread = whole.unread;  // after an error the rest was not fed
    if (whole.status != 0 && in_steps.requests.size() == whole.requests.size() && !whole.requests.empty()) {
      in_steps.requests.back().body = whole.requests.back().body;
    }
    EXPECT_EQ(in_steps, whole) << bytes << " in steps of " << step;
  }
  return whole;
}

std::string WithHeaders(std::string_view headers) {
  return "POST /x HTTP/1.1\r\nHost: a\r\n" + std::string(headers) + "\r\n";
}

TEST(HttpTest, PlainRequest) {
  const Outcome outcome =
      Serve("GET /v1/ws?a=1&b=%20 HTTP/1.1\r\nHost: Example.com:8080\r\nX-Empty:\r\nX-Api-Key: \t k 1 \t\r\n\r\n");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.requests, ElementsAre(Request{"GET /v1/ws?a=1&b=%20 Example.com:8080 keep",
                                                    "Host=Example.com:8080;X-Empty=;X-Api-Key=k 1;", ""}));
}

TEST(HttpTest, PipelinedWithEveryKindOfBody) {
  const Outcome outcome = Serve(
      "\r\nPOST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
      "DELETE /b HTTP/1.1\r\nhost: h\r\n\r\n"
      "PUT /c HTTP/1.1\r\nHOST: h\r\nTransfer-Encoding: Chunked\r\n\r\n"
      "3\r\nabc\r\nA;x=\"y\"\r\n0123456789\r\n0\r\nX-Trailer: dropped\r\n\r\n"
      "PATCH /d HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"
      "HEAD /e HTTP/1.0\r\n\r\n");
  EXPECT_EQ(outcome.status, 0) << outcome.message;
  EXPECT_EQ(outcome.unread, 0U);
  ASSERT_EQ(outcome.requests.size(), 5U);
  EXPECT_EQ(outcome.requests[0].body, "hello");
  EXPECT_EQ(outcome.requests[1].summary, "DELETE /b? h keep");
  EXPECT_EQ(outcome.requests[2].body, "abc0123456789");
  EXPECT_EQ(outcome.requests[2].headers, "HOST=h;Transfer-Encoding=Chunked;");
  EXPECT_EQ(outcome.requests[3].body, "");
  EXPECT_EQ(outcome.requests[4].summary, "HEAD /e?  close");
}

// Nothing of a head may stay behind for the next one: here the second request line ends where, counted from the end of
// the first head, an empty line would have.
TEST(HttpTest, EveryHeadStartsAnew) {
  const std::string first = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  const std::string around = "GET / HTTP/1.1\r\n";
  const std::string path(first.size() + 2 - around.size(), 'x');
  const Outcome outcome = Serve(first + "GET /" + path + " HTTP/1.1\r\nHost: b\r\n\r\n");
  EXPECT_EQ(outcome.status, 0) << outcome.message;
  ASSERT_EQ(outcome.requests.size(), 2U);
  EXPECT_EQ(outcome.requests[1].summary, "GET /" + path + "? b keep");
}

TEST(HttpTest, WholeBodyIsOnePieceInPlace) {
  RequestParser parser;
  RequestHead head;
  const std::string bytes = WithHeaders("Content-Length: 4\r\n") + "bodyGET";
  ASSERT_EQ(parser.ReadHead(bytes, head), Step::kHead);
  EXPECT_EQ(parser.remaining(), 4U);
  const std::string_view rest = std::string_view(bytes).substr(head.size);
  std::string_view piece;
  size_t consumed = 0;
  ASSERT_EQ(parser.ReadBody(rest, piece, consumed), Step::kBody);
  EXPECT_EQ(piece.data(), rest.data());
  EXPECT_EQ(piece, "body");
  EXPECT_EQ(parser.ReadBody(rest.substr(consumed), piece, consumed), Step::kEnd);
  EXPECT_EQ(consumed, 0U);
}

TEST(HttpTest, Targets) {
  EXPECT_EQ(Serve("GET http://other:81/p?q HTTP/1.1\r\nHost: a\r\n\r\n").requests[0].summary, "GET /p?q other:81 keep");
  EXPECT_EQ(Serve("GET HTTPS://other HTTP/1.1\r\nHost: a\r\n\r\n").requests[0].summary, "GET /? other keep");
  EXPECT_EQ(Serve("GET http://other?q HTTP/1.1\r\nHost: a\r\n\r\n").requests[0].summary, "GET /?q other keep");
  EXPECT_EQ(Serve("GET //p??q HTTP/1.1\r\nHost: a\r\n\r\n").requests[0].summary, "GET //p??q a keep");
  EXPECT_EQ(Serve("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").requests[0].summary, "OPTIONS *? a keep");
  EXPECT_EQ(Serve("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n").requests[0].summary, "GET /? [::1]:80 keep");
}

TEST(HttpTest, KeepAlive) {
  const auto summary = [](std::string_view version, std::string_view connection) {
    const Outcome outcome =
        Serve("GET / HTTP/" + std::string(version) + "\r\nHost: a\r\n" + std::string(connection) + "\r\n");
    return outcome.status == 0 ? outcome.requests[0].summary : outcome.message;
  };
  EXPECT_EQ(summary("1.1", ""), "GET /? a keep");
  EXPECT_EQ(summary("1.1", "Connection: Close\r\n"), "GET /? a close");
  EXPECT_EQ(summary("1.1", "Connection: keep-alive, close\r\n"), "GET /? a close");
  EXPECT_EQ(summary("1.1", "Connection: x\r\nconnection: y ,close\r\n"), "GET /? a close");
  EXPECT_EQ(summary("1.1", "Connection: closed\r\n"), "GET /? a keep");
  EXPECT_EQ(summary("1.1", "Connection: keep-alive, Upgrade\r\n"), "GET /? a keep upgrade");
  EXPECT_EQ(summary("1.0", ""), "GET /? a close");
  EXPECT_EQ(summary("1.0", "Connection: Keep-Alive\r\n"), "GET /? a keep");
}

TEST(HttpTest, ExpectContinueOnlyWhereABodyFollows) {
  EXPECT_THAT(Serve(WithHeaders("Expect: 100-Continue\r\nContent-Length: 1\r\n") + "x").requests[0].summary,
              "POST /x? a keep expect");
  EXPECT_THAT(Serve(WithHeaders("Expect: 100-continue\r\nContent-Length: 0\r\n")).requests[0].summary,
              "POST /x? a keep");
  EXPECT_THAT(Serve("POST /x HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx").requests[0].summary,
              "POST /x?  close");
}

struct Bad {
  std::string bytes;
  int status;
  std::string_view message;
};

constexpr std::string_view kRequestLine = "the request line is not `METHOD target HTTP/1.1`";
constexpr std::string_view kHeaderLine = "a header line is not `Name: value` (no space before the colon)";
constexpr std::string_view kLineEnd = "a line that does not end with CRLF";
constexpr std::string_view kChunkSize = "a chunk size is not a hexadecimal number";

void ExpectRefused(const std::vector<Bad>& table) {
  for (const Bad& bad : table) {
    const Outcome outcome = Serve(bad.bytes);
    EXPECT_EQ(outcome.status, bad.status) << bad.bytes;
    EXPECT_EQ(outcome.message, bad.message) << bad.bytes;
  }
}

TEST(HttpTest, RefusesRequestLines) {
  const std::string rest = "\r\nHost: a\r\n\r\n";
  ExpectRefused({
      {"GET /" + rest, 400, kRequestLine},
      {"GET" + rest, 400, kRequestLine},
      {"GET  HTTP/1.1" + rest, 400, kRequestLine},
      {"GET  / HTTP/1.1" + rest, 400, "a character in the request target that must be escaped"},
      {"GET / HTTP/1.1 " + rest, 400, "the request line does not end with `HTTP/1.1`"},
      {"GET /\tHTTP/1.1" + rest, 400, kRequestLine},
      {" GET / HTTP/1.1" + rest, 400, "the method is not a token"},
      {"G(T / HTTP/1.1" + rest, 400, "the method is not a token"},
      {"\x16\x03\x01\x02" + rest, 400, "the method is not a token"},
      {"get / HTTP/1.1" + rest, 501, "this method is not known here"},
      {"BREW / HTTP/1.1" + rest, 501, "this method is not known here"},
      {"CONNECT a:80 HTTP/1.1" + rest, 501, "this method is not known here"},
      {"TRACE / HTTP/1.1" + rest, 501, "this method is not known here"},
      {"GET / http/1.1" + rest, 400, "the request line does not end with `HTTP/1.1`"},
      {"GET / HTTP/1.10" + rest, 400, "the request line does not end with `HTTP/1.1`"},
      {"GET / HTTP/1,1" + rest, 400, "the request line does not end with `HTTP/1.1`"},
      {"GET / HTTP/1.2" + rest, 505, "only HTTP/1.1 and HTTP/1.0 are spoken here"},
      {"GET / HTTP/0.9" + rest, 505, "only HTTP/1.1 and HTTP/1.0 are spoken here"},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "only HTTP/1.1 and HTTP/1.0 are spoken here"},
      {"GET x HTTP/1.1" + rest, 400, "the request target must start with `/`"},
      {"GET ?q HTTP/1.1" + rest, 400, "the request target must start with `/`"},
      {"GET ftp://a/ HTTP/1.1" + rest, 400, "the request target must start with `/`"},
      {"GET javascript:x HTTP/1.1" + rest, 400, "the request target must start with `/`"},
      {"GET http:///p HTTP/1.1" + rest, 400, "the request target names no valid host"},
      {"GET http://u@a/ HTTP/1.1" + rest, 400, "the request target names no valid host"},
      {"GET * HTTP/1.1" + rest, 400, "the target `*` is for OPTIONS only"},
      {"GET /a#b HTTP/1.1" + rest, 400, "a character in the request target that must be escaped"},
      {"GET /a\x01 HTTP/1.1" + rest, 400, "a character in the request target that must be escaped"},
      {"GET /\xc3\xa9 HTTP/1.1" + rest, 400, "a character in the request target that must be escaped"},
      {"GET /\x7f HTTP/1.1" + rest, 400, "a character in the request target that must be escaped"},
      {"GET / HTTP/1.1\n" + rest, 400, kLineEnd},
      {"GET /a\rb HTTP/1.1" + rest, 400, "a bare CR in the request line"},
      {"\nGET / HTTP/1.1" + rest, 400, "the method is not a token"},
      {"\rGET / HTTP/1.1" + rest, 400, "a bare CR in the request line"},
      {"\r\n\r\nGET / HTTP/1.1" + rest, 400, "more than one empty line before the request"},
  });
}

TEST(HttpTest, RefusesHeaders) {
  ExpectRefused({
      {"GET / HTTP/1.1\r\n\r\n", 400, "the header Host is missing"},
      {WithHeaders("Host: a\r\n"), 400, "more than one Host"},
      {"GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n", 400, "more than one Host"},
      {"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400, "Host is not a host name with an optional port"},
      {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "Host is not a host name with an optional port"},
      {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "Host is not a host name with an optional port"},
      {"GET / HTTP/1.1\r\nHost: a:8x\r\n\r\n", 400, "Host is not a host name with an optional port"},
      {"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400, "Host is not a host name with an optional port"},
      {"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400, "Host is not a host name with an optional port"},
      {"GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", 400, "Host is not a host name with an optional port"},
      {"GET http://b/ HTTP/1.1\r\n\r\n", 400, "the header Host is missing"},
      {WithHeaders("X-A : b\r\n"), 400, kHeaderLine},
      {WithHeaders("X-A\t: b\r\n"), 400, kHeaderLine},
      {WithHeaders("X A: b\r\n"), 400, kHeaderLine},
      {WithHeaders(": b\r\n"), 400, kHeaderLine},
      {WithHeaders("X-A\r\n"), 400, kHeaderLine},
      {WithHeaders("X-\xc3\xa9: b\r\n"), 400, kHeaderLine},
      {WithHeaders("X-A: b\r\n c\r\n"), 400, "a header folded over two lines"},
      {WithHeaders("X-A: b\r\n\tc\r\n"), 400, "a header folded over two lines"},
      {"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400, "a header folded over two lines"},
      {WithHeaders("X-A: b\n"), 400, kLineEnd},
      {WithHeaders("X-A: b\rX-B: c\r\n"), 400, "a control character in a header"},
      {WithHeaders("X-A: b\r\r\n"), 400, "a control character in a header"},
      {WithHeaders(std::string("X-A: b\0c\r\n", 10)), 400, "a control character in a header"},
      {WithHeaders("X-A: \x7f\r\n"), 400, "a control character in a header"},
      {WithHeaders("X-A: \x1b[0m\r\n"), 400, "a control character in a header"},
      {WithHeaders("Expect: 200-ok\r\n"), 417, "the only expectation known is `100-continue`"},
  });
}

TEST(HttpTest, RefusesFraming) {
  constexpr std::string_view kCoding = "the only transfer coding known here is `chunked`";
  constexpr std::string_view kLength = "Content-Length is not a decimal number";
  ExpectRefused({
      {WithHeaders("Content-Length: 5\r\nContent-Length: 6\r\n"), 400, "more than one Content-Length"},
      {WithHeaders("Content-Length: 5\r\nContent-Length: 5\r\n"), 400, "more than one Content-Length"},
      {WithHeaders("Content-Length: 5, 5\r\n"), 400, kLength},
      {WithHeaders("Content-Length: +5\r\n"), 400, kLength},
      {WithHeaders("Content-Length: -5\r\n"), 400, kLength},
      {WithHeaders("Content-Length: 0x5\r\n"), 400, kLength},
      {WithHeaders("Content-Length: 5 5\r\n"), 400, kLength},
      {WithHeaders("Content-Length:\r\n"), 400, kLength},
      {WithHeaders("Content-Length: 99999999999999999999999999\r\n"), 413, "Content-Length is beyond every limit"},
      {WithHeaders("Content-Length: 1000001\r\n"), 413, "the body is too large"},
      {WithHeaders("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400,
       "both Content-Length and Transfer-Encoding"},
      {WithHeaders("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), 400,
       "both Content-Length and Transfer-Encoding"},
      {WithHeaders("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400,
       "more than one Transfer-Encoding"},
      {WithHeaders("Transfer-Encoding: gzip, chunked\r\n"), 400, kCoding},
      {WithHeaders("Transfer-Encoding: chunked, identity\r\n"), 400, kCoding},
      {WithHeaders("Transfer-Encoding: xchunked\r\n"), 400, kCoding},
      {WithHeaders("Transfer-Encoding: gzip\r\n"), 400, kCoding},
      {WithHeaders("Transfer-Encoding:\r\n"), 400, kCoding},
      {WithHeaders("Transfer-Encoding: \"chunked\"\r\n"), 400, kCoding},
      {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "Transfer-Encoding in HTTP/1.0"},
  });
}

TEST(HttpTest, RefusesChunks) {
  const std::string head = WithHeaders("Transfer-Encoding: chunked\r\n");
  const std::string long_extension = "1;" + std::string(200, 'e') + "\r\nx\r\n";
  std::string extensions, trailers;
  for (int i = 0; i < 100; ++i) {
    extensions += long_extension;
    trailers += "X-T: " + std::string(200, 't') + "\r\n";
  }
  ExpectRefused({
      {head + "\r\n", 400, kChunkSize},
      {head + "x\r\n", 400, kChunkSize},
      {head + "-1\r\n", 400, kChunkSize},
      {head + "+1\r\n", 400, kChunkSize},
      {head + "0x1\r\n", 400, kChunkSize},
      {head + " 1\r\n", 400, kChunkSize},
      {head + "1 \r\nx", 400, kChunkSize},
      {head + "1 ;a\r\nx", 400, kChunkSize},
      {head + "1;a\x01\r\nx", 400, kChunkSize},
      {head + "1;a\rb\r\nx", 400, kChunkSize},
      {head + "1\nx\r\n", 400, "a line of a chunked body that does not end with CRLF"},
      {head + "\n", 400, "a line of a chunked body that does not end with CRLF"},
      {head + "1\r\nxy\r\n", 400, "a chunk longer than its size says"},
      {head + "1\r\nx\n", 400, "a chunk longer than its size says"},
      {head + "1\r\nx\r\r", 400, "a chunk longer than its size says"},
      {head + "0000000000000001\r\nx", 400, "a chunk size that is too long"},
      {head + "ffffffffffffffff\r\n", 400, "a chunk size that is too long"},
      {head + "fffffffffffffff\r\n", 413, "the body is too large"},
      {head + "F4241\r\n", 413, "the body is too large"},
      {head + "1\r\nx\r\nF4240\r\n", 413, "the body is too large"},
      {head + "1;" + std::string(300, 'e'), 400, "a chunk extension or a trailer that is too long"},
      {head + extensions, 400, "chunk extensions that are too long"},
      {head + "0\r\n" + trailers, 431, "trailers that are too long"},
      {head + "0\r\nX T: a\r\n\r\n", 400, kHeaderLine},
      {head + "0\r\n folded\r\n\r\n", 400, "a header folded over two lines"},
      {head + "0\r\n\n", 400, "a line of a chunked body that does not end with CRLF"},
  });
}

TEST(HttpTest, BodyLimitIsTheCallers) {
  EXPECT_EQ(Serve(WithHeaders("Content-Length: 5\r\n") + "12345", 5).requests[0].body, "12345");
  EXPECT_EQ(Serve(WithHeaders("Content-Length: 6\r\n"), 5).status, 413);
  const std::string chunked = WithHeaders("Transfer-Encoding: chunked\r\n");
  EXPECT_EQ(Serve(chunked + "2\r\n12\r\n3\r\n345\r\n0\r\n\r\n", 5).requests[0].body, "12345");
  EXPECT_EQ(Serve(chunked + "2\r\n12\r\n4\r\n", 5).status, 413);
}

TEST(HttpTest, HeadIsBounded) {
  const auto padded = [](size_t size) {
    const std::string start = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
    return start + std::string(size - start.size() - 4, 'x') + "\r\n\r\n";
  };
  EXPECT_EQ(InputSide(0).Feed(padded(model::kMaxHttpHead), 1'000).status, 0);
  EXPECT_EQ(InputSide(0).Feed(padded(model::kMaxHttpHead + 1), 1'000).status, 431);
  EXPECT_EQ(InputSide(0).Feed(std::string(model::kMaxHttpHead + 1, 'G'), 1'000).status, 431);
  std::string many = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (size_t i = 1; i < model::kMaxHttpHeaders; ++i) many += "X: y\r\n";
  EXPECT_EQ(InputSide(0).Feed(many + "\r\n", 1'000).status, 0);
  EXPECT_EQ(InputSide(0).Feed(many + "X: y\r\n\r\n", 1'000).status, 431);
}

TEST(HttpTest, MisuseIsAnErrorNotACrash) {
  RequestParser parser;
  std::string_view piece;
  size_t consumed = 0;
  EXPECT_EQ(parser.ReadBody("x", piece, consumed), Step::kError);
  RequestParser other;
  RequestHead head;
  ASSERT_EQ(other.ReadHead(WithHeaders(""), head), Step::kHead);
  EXPECT_EQ(other.ReadHead(WithHeaders(""), head), Step::kError);
}

TEST(HttpTest, HeadersAreFoundWithoutCase) {
  RequestParser parser;
  RequestHead head;
  const std::string bytes = WithHeaders("X-A: 1\r\nx-a: 2\r\n");
  ASSERT_EQ(parser.ReadHead(bytes, head), Step::kHead);
  EXPECT_EQ(head.Find("X-a"), "1");
  EXPECT_EQ(head.Count("x-A"), 2U);
  EXPECT_FALSE(head.Find("x-b").has_value());
}

TEST(HttpTest, WritesResponseHeads) {
  std::string out;
  const HttpHeader headers[] = {{"Content-Type", "application/json"}, {"X-Echo", "a\r\nSet-Cookie: b\x7f\tc"}};
  AppendResponseHead(out, {.status = 202, .content_length = 12, .headers = headers});
  EXPECT_EQ(out,
            "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nX-Echo: a  Set-Cookie: b \tc\r\n"
            "Content-Length: 12\r\n\r\n");
  out.clear();
  AppendContinue(out);
  AppendResponseHead(out, {.status = 101, .connection = Connection::kUpgrade});
  EXPECT_EQ(out, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n");
  RequestHead head;
  EXPECT_EQ(ConnectionFor(head), Connection::kImplied);
  head.minor_version = 0;
  EXPECT_EQ(ConnectionFor(head), Connection::kKeepAlive);
  head.keep_alive = false;
  EXPECT_EQ(ConnectionFor(head), Connection::kClose);
}

TEST(UriTest, PercentDecodeIsStrict) {
  EXPECT_EQ(PercentDecode("a%2Fb%c3%A9+"), "a/b\xc3\xa9+");
  EXPECT_EQ(PercentDecode("%00"), std::string(1, '\0'));
  for (std::string_view bad : {"%", "%2", "%2g", "%g2", "a%", "%%41", "%ff", "%c3", "%c0%af", "%ed%a0%80"}) {
    EXPECT_FALSE(PercentDecode(bad).has_value()) << bad;
  }
}

TEST(UriTest, EncodedDecodesBack) {
  std::string every, encoded;
  for (int c = 0; c < 0x80; ++c) every.push_back(static_cast<char>(c));
  every += "\xc3\xa9";
  AppendPercentEncoded(encoded, every);
  EXPECT_EQ(PercentDecode(encoded), every);
  EXPECT_EQ(encoded.find_first_of("/?#&= +"), std::string::npos);
}

TEST(UriTest, PathSegments) {
  EXPECT_THAT(*PathSegments("/v1/users/a%2Fb"), ElementsAre("v1", "users", "a/b"));
  EXPECT_THAT(*PathSegments("/"), ElementsAre(""));
  EXPECT_THAT(*PathSegments("/a/"), ElementsAre("a", ""));
  EXPECT_THAT(*PathSegments("//../%2e%2e"), ElementsAre("", "..", ".."));
  EXPECT_FALSE(PathSegments("/a/%zz").has_value());
  EXPECT_FALSE(PathSegments("*").has_value());
  EXPECT_FALSE(PathSegments("").has_value());
}

TEST(UriTest, QueryParameters) {
  const base::Result<QueryParameters> query = QueryParameters::Parse("a=1&b=x%20y+z&&c&d=&e==%3D&");
  ASSERT_TRUE(query.ok());
  EXPECT_EQ(query->Find("a"), "1");
  EXPECT_EQ(query->Find("b"), "x y z");
  EXPECT_EQ(query->Find("c"), "");
  EXPECT_EQ(query->Find("d"), "");
  EXPECT_EQ(query->Find("e"), "==");
  EXPECT_FALSE(query->Find("f").has_value());
  EXPECT_THAT(QueryParameters::Parse("")->all(), IsEmpty());
  EXPECT_EQ(QueryParameters::Parse("a=%zz").status().message(), "the query has a bad escape: expected `%XX` of UTF-8");
  EXPECT_EQ(QueryParameters::Parse("a=1&%61=2").status().message(), "the query parameter `a` is given twice");
}

}  // namespace
}  // namespace tocsin::wire
