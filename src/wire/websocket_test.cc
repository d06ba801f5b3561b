#include "wire/websocket.h"

#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/notification.h"

namespace tocsin::wire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Event = WsDecoder::Event;

constexpr std::array<unsigned char, 4> kMask = {0x37, 0xfa, 0x21, 0x3d};

// A frame with every bit chosen; masked unless `length_byte` says otherwise.
std::string Frame(unsigned first, std::string_view payload) {
  std::string out;
  AppendWsClientFrame(out, WsOpcode::kText, payload, kMask);
  out[0] = static_cast<char>(first);
  return out;
}

std::string Bytes(std::initializer_list<int> bytes) {
  std::string out;
  for (int byte : bytes) out.push_back(static_cast<char>(byte));
  return out;
}

// What comes out when the bytes arrive `step` at a time, one line an event; pieces are put together.
std::vector<std::string> Decode(std::string_view bytes, size_t step, WsDecoder decoder = WsDecoder()) {
  std::vector<std::string> events;
  std::string message;
  std::vector<char> input;
  while (!bytes.empty()) {
    const size_t size = std::min(step, bytes.size());
    input.insert(input.end(), bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size));
    bytes.remove_prefix(size);
    while (true) {
      input.shrink_to_fit();
      size_t consumed = 0;
      std::string_view payload;
      const Event event = decoder.Next(input, consumed, payload);
      const std::string text(payload);
      input.erase(input.begin(), input.begin() + static_cast<ptrdiff_t>(consumed));
      if (event == Event::kNeedMore) {
        EXPECT_LE(input.size(), 131U);
        break;
      }
      if (event == Event::kPiece || event == Event::kMessage) {
        EXPECT_TRUE(event != Event::kMessage || decoder.in_pieces() == !message.empty()) << "an empty piece";
        message += text;
      }
      switch (event) {
        case Event::kMessage:
          events.push_back((decoder.opcode() == WsOpcode::kText ? "text " : "binary ") + message);
          message.clear();
          break;
        case Event::kPing:
          events.push_back("ping " + text);
          break;
        case Event::kPong:
          events.push_back("pong " + text);
          break;
        case Event::kClose:
          events.push_back("close " + std::to_string(decoder.close_code()) + " " + text);
          break;
        case Event::kError:
          events.push_back("error " + std::to_string(decoder.close_code()) + " " + std::string(decoder.error()));
          EXPECT_EQ(decoder.Next(input, consumed, payload), Event::kError);  // stays failed
          return events;
        default:
          break;
      }
    }
  }
  return events;
}

std::vector<std::string> DecodeInAnySteps(std::string_view bytes) {
  const std::vector<std::string> events = Decode(bytes, bytes.size());
  for (size_t step : {1, 2, 3, 5, 64}) EXPECT_EQ(Decode(bytes, step), events) << "in steps of " << step;
  return events;
}

TEST(WebSocketTest, ExamplesOfTheRfc) {
  // Section 5.7.
  EXPECT_THAT(DecodeInAnySteps(Bytes({0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58})),
              ElementsAre("text Hello"));
  const std::string server =
      Bytes({0x81, 0x05, 'H', 'e', 'l', 'l', 'o', 0x01, 0x03, 'H', 'e', 'l', 0x80, 0x02, 'l', 'o'});
  EXPECT_THAT(Decode(server, server.size(), WsDecoder(WsRole::kClient)), ElementsAre("text Hello", "text Hello"));
  EXPECT_EQ(WsAccept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");  // section 1.3
}

TEST(WebSocketTest, FragmentsWithControlFramesBetween) {
  EXPECT_THAT(DecodeInAnySteps(Frame(0x01, "one ") + Frame(0x89, "p") + Frame(0x00, "") + Frame(0x00, "two ") +
                               Frame(0x8a, "") + Frame(0x80, "three") + Frame(0x82, std::string("\xff\0", 2)) +
                               Frame(0x81, "") + Frame(0x01, "") + Frame(0x80, "") + Frame(0x88, "") + "ignored"),
              ElementsAre("ping p", "pong ", "text one two three", std::string("binary \xff\0", 9), "text ", "text ",
                          "close 1005 "));
}

TEST(WebSocketTest, MessageInOneFrameIsUnmaskedInPlace) {
  WsDecoder decoder;
  std::string bytes = Frame(0x81, "in place") + Frame(0x81, "next");
  size_t consumed = 0;
  std::string_view payload;
  ASSERT_EQ(decoder.Next(bytes, consumed, payload), Event::kMessage);
  EXPECT_EQ(payload, "in place");
  EXPECT_EQ(payload.data(), bytes.data() + 6);
  EXPECT_FALSE(decoder.in_pieces());
  EXPECT_EQ(consumed, 14U);
  ASSERT_EQ(decoder.Next(std::span(bytes).subspan(14), consumed, payload), Event::kMessage);
  EXPECT_EQ(payload, "next");
}

TEST(WebSocketTest, AnyLengthReadsBack) {
  for (size_t size : {0, 1, 7, 8, 9, 125, 126, 127, 1'000, 32'768}) {
    const std::string text(size, 'x');
    for (size_t step : {13, 100'000}) {
      EXPECT_EQ(Decode(Frame(0x81, text), step), std::vector<std::string>{"text " + text}) << size;
    }
    std::string server;
    AppendWsFrame(server, WsOpcode::kBinary, text);
    EXPECT_EQ(Decode(server, 1'000'000, WsDecoder(WsRole::kClient)), std::vector<std::string>{"binary " + text});
  }
  std::string big;
  AppendWsFrame(big, WsOpcode::kText, std::string(70'000, 'x'));
  EXPECT_EQ(big.substr(0, 10), Bytes({0x81, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70}));
  EXPECT_EQ(Decode(big, 1'000'000, WsDecoder(WsRole::kClient, 100'000)).size(), 1U);
}

TEST(WebSocketTest, RefusesWithItsCode) {
  struct Bad {
    std::string bytes;
    std::string_view outcome;
  };
  std::string empty_fragments = Frame(0x01, "");
  for (uint32_t i = 0; i < WsDecoder::kMaxFragments; ++i) empty_fragments += Frame(0x00, "");
  for (const Bad& bad : std::vector<Bad>{
           {Bytes({0x81, 0x05}) + "Hello", "error 1002 a frame of a client that is not masked"},
           {Frame(0xc1, "x"), "error 1002 a reserved bit is set: no extension was agreed on"},
           {Frame(0xa1, "x"), "error 1002 a reserved bit is set: no extension was agreed on"},
           {Frame(0x91, "x"), "error 1002 a reserved bit is set: no extension was agreed on"},
           {Frame(0x83, "x"), "error 1002 an unknown opcode"},
           {Frame(0x87, "x"), "error 1002 an unknown opcode"},
           {Frame(0x8b, "x"), "error 1002 an unknown opcode"},
           {Frame(0x8f, "x"), "error 1002 an unknown opcode"},
           {Frame(0x09, "x"), "error 1002 a fragmented control frame"},
           {Frame(0x08, ""), "error 1002 a fragmented control frame"},
           {Frame(0x89, std::string(126, 'x')), "error 1002 a control frame of more than 125 bytes"},
           {Frame(0x80, "x"), "error 1002 a continuation of no message"},
           {Frame(0x00, "x"), "error 1002 a continuation of no message"},
           {Frame(0x01, "x") + Frame(0x81, "y"), "error 1002 a new message before the last one ended"},
           {Frame(0x01, "") + Frame(0x02, ""), "error 1002 a new message before the last one ended"},
           {Bytes({0x81, 0xfe, 0, 125}), "error 1002 a length in more bytes than it needs"},
           {Bytes({0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff}), "error 1002 a length in more bytes than it needs"},
           {Bytes({0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0}), "error 1002 a length of 2^63 or more"},
           {Bytes({0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}), "error 1009 the message is too large"},
           {Bytes({0x81, 0xfe, 0x80, 0x01}), "error 1009 the message is too large"},
           {Frame(0x01, "x") + Bytes({0x80, 0xfe, 0x80, 0x00}), "error 1009 the message is too large"},
           {empty_fragments, "error 1009 a message in too many fragments"},
           {Frame(0x81, "\xff"), "error 1007 text that is not UTF-8"},
           {Frame(0x01, "\xed\xa0"), "error 1007 text that is not UTF-8"},
           {Frame(0x01, "\xf4\x90").substr(0, 8), "error 1007 text that is not UTF-8"},
           {Frame(0x81, "\xe2\x82"), "error 1007 text that ends within a character"},
           {Frame(0x01, "\xe2\x82") + Frame(0x80, ""), "error 1007 text that ends within a character"},
           {Frame(0x01, "\xe2") + Frame(0x00, "\x82") + Frame(0x80, "x"), "error 1007 text that is not UTF-8"},
           {Frame(0x88, "\x03"), "error 1002 a close frame with half a code"},
           {Frame(0x88, Bytes({0x03, 0xe8}) + "\xff"), "error 1007 a close reason that is not UTF-8"},
       }) {
    const std::vector<std::string> events = DecodeInAnySteps(bad.bytes);
    ASSERT_FALSE(events.empty());
    EXPECT_EQ(events.back(), bad.outcome);
  }
}

TEST(WebSocketTest, TextMayBeCutWithinACharacter) {
  EXPECT_THAT(DecodeInAnySteps(Frame(0x01, "\xe2") + Frame(0x89, "") + Frame(0x00, "\x82") + Frame(0x80, "\xac")),
              ElementsAre("ping ", "text \xe2\x82\xac"));
}

TEST(WebSocketTest, LimitsStartAnewWithEveryMessage) {
  std::string bytes;
  for (int i = 0; i < 3; ++i) bytes += Frame(0x01, std::string(20'000, 'x')) + Frame(0x80, std::string(12'768, 'y'));
  EXPECT_EQ(Decode(bytes, 1'000).size(), 3U);
  EXPECT_THAT(Decode(bytes, 1'000).back(), HasSubstr("xxxyyy"));
}

TEST(WebSocketTest, CloseCodes) {
  for (int code : {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4004, 4999}) {
    std::string bytes;
    AppendWsClientClose(bytes, static_cast<uint16_t>(code), "why", kMask);
    EXPECT_THAT(DecodeInAnySteps(bytes), ElementsAre("close " + std::to_string(code) + " why"));
  }
  for (int code : {0, 999, 1004, 1006, 1015, 1016, 2999, 5000, 65535}) {
    std::string bytes;
    AppendWsClientClose(bytes, static_cast<uint16_t>(code), "", kMask);
    EXPECT_THAT(DecodeInAnySteps(bytes), ElementsAre("error 1002 a close code that no one may send")) << code;
  }
  // 1005 is what a decoder says of a close without a code; in a frame it may not stand.
  EXPECT_THAT(DecodeInAnySteps(Frame(0x88, Bytes({0x03, 0xed}))),
              ElementsAre("error 1002 a close code that no one may send"));
}

TEST(WebSocketTest, CloseReasonIsCutBetweenCharacters) {
  std::string out;
  AppendWsClose(out, 4100, std::string(122, 'x') + "\xc3\xa9");
  EXPECT_EQ(out.size(), 2U + 2 + 122);
  EXPECT_TRUE(model::IsValidUtf8(std::string_view(out).substr(4)));
  out.clear();
  AppendWsClose(out, 1005, "nothing");
  EXPECT_EQ(out, Bytes({0x88, 0x00}));
}

TEST(WebSocketTest, ClientRefusesMaskedFrames) {
  EXPECT_THAT(Decode(Frame(0x81, "x"), 100, WsDecoder(WsRole::kClient)),
              ElementsAre("error 1002 a frame of a server that is masked"));
}

// The handshake.

std::string UpgradeRequest() {
  std::string out;
  const HttpHeader headers[] = {{"Origin", "http://localhost"}};
  AppendUpgradeRequest(out, "localhost:8080", "/v1/ws", "dGhlIHNhbXBsZSBub25jZQ==", headers);
  return out;
}

std::string Replace(std::string text, std::string_view from, std::string_view to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, text.npos) << from;
  return text.replace(at, from.size(), to);
}

std::string Check(const std::string& request) {
  RequestParser parser;
  RequestHead head;
  if (parser.ReadHead(request, head) != RequestParser::Step::kHead) return "not HTTP";
  WsUpgrade upgrade;
  WsRefusal refusal;
  if (CheckUpgrade(head, upgrade, refusal)) return upgrade.accept + (upgrade.subprotocol ? " tocsin.v1" : "");
  return std::to_string(refusal.status) + " " + std::string(refusal.message);
}

TEST(WebSocketTest, HandshakeOfServer) {
  const std::string good = UpgradeRequest();
  const std::string accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
  const std::string upgrade = "426 a WebSocket needs the headers `Connection: Upgrade` and `Upgrade: websocket`";
  const std::string version = "426 the WebSocket version spoken here is 13";
  const std::string key = "400 Sec-WebSocket-Key must be 16 bytes in base64, once";
  EXPECT_EQ(Check(good), accept + " tocsin.v1");
  EXPECT_EQ(Check(Replace(good, "Connection: Upgrade", "Connection: keep-alive, upgrade")), accept + " tocsin.v1");
  EXPECT_EQ(Check(Replace(good, "Upgrade: websocket", "Upgrade: WebSocket")), accept + " tocsin.v1");
  EXPECT_EQ(Check(Replace(good, "tocsin.v1", "a, tocsin.v1 ,b")), accept + " tocsin.v1");
  EXPECT_EQ(Check(Replace(good, "tocsin.v1", "a\r\nSec-WebSocket-Protocol: tocsin.v1")), accept + " tocsin.v1");
  EXPECT_EQ(Check(Replace(good, "tocsin.v1", "tocsin.v2")), accept);
  EXPECT_EQ(Check(Replace(good, "Sec-WebSocket-Protocol: tocsin.v1\r\n", "")), accept);
  EXPECT_EQ(Check(Replace(good, "GET", "POST")), "405 a WebSocket is opened with GET");
  EXPECT_EQ(Check(Replace(good, "HTTP/1.1", "HTTP/1.0")), "400 a WebSocket needs HTTP/1.1");
  EXPECT_EQ(Check(Replace(good, "Connection: Upgrade", "Connection: close")), upgrade);
  EXPECT_EQ(Check(Replace(good, "Upgrade: websocket", "Upgrade: h2c")), upgrade);
  EXPECT_EQ(Check(Replace(good, "Version: 13", "Version: 8")), version);
  EXPECT_EQ(Check(Replace(good, "Version: 13", "Version: 13, 8")), version);
  EXPECT_EQ(Check(Replace(good, "Sec-WebSocket-Version: 13\r\n", "")), version);
  EXPECT_EQ(Check(Replace(good, "dGhlIHNhbXBsZSBub25jZQ==", "dGhl")), key);
  EXPECT_EQ(Check(Replace(good, "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=a")), key);
  EXPECT_EQ(Check(Replace(good, "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZS*ub25jZQ==")), key);
  EXPECT_EQ(Check(Replace(good, "Origin: http://localhost", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")), key);
  EXPECT_EQ(Check(Replace(good, "Origin: http://localhost", "Content-Length: 3")),
            "400 the opening request of a WebSocket has no body");
}

TEST(WebSocketTest, HandshakeOfClient) {
  std::string answer;
  AppendUpgradeResponse(answer, {.accept = WsAccept("k"), .subprotocol = true});
  EXPECT_EQ(answer, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " + WsAccept("k") +
                        "\r\nSec-WebSocket-Protocol: tocsin.v1\r\nConnection: Upgrade\r\n\r\n");
  for (size_t size = 0; size < answer.size(); ++size) {
    EXPECT_EQ(*CheckUpgradeResponse(std::string_view(answer).substr(0, size), "k"), 0U);
  }
  EXPECT_EQ(*CheckUpgradeResponse(answer + "frames", "k"), answer.size());
  const auto why = [](const std::string& text) {
    return std::string(CheckUpgradeResponse(text, "k").status().message());
  };
  EXPECT_EQ(why(Replace(answer, "101 Switching Protocols", "503 Service Unavailable")),
            "no WebSocket: the server answered `HTTP/1.1 503 Service Unavailable`");
  EXPECT_EQ(why(Replace(answer, "Upgrade: websocket", "Upgrade: x")),
            "no WebSocket: the answer upgrades to something else");
  EXPECT_EQ(why(Replace(answer, "Connection: Upgrade", "Connection: close")),
            "no WebSocket: the answer does not upgrade");
  EXPECT_EQ(why(Replace(answer, WsAccept("k"), WsAccept("j"))), "no WebSocket: the answer is not to this request");
  EXPECT_EQ(why(Replace(answer, "tocsin.v1", "other")), "no WebSocket: the server picked another subprotocol");
  EXPECT_EQ(why(Replace(answer, "\r\n\r\n", "\r\nSec-WebSocket-Extensions: x\r\n\r\n")),
            "no WebSocket: the server picked an extension");
  EXPECT_EQ(why("HTTP/1.1 404\r\n\r\n"), "no WebSocket: the server answered `HTTP/1.1 404`");
  EXPECT_EQ(why(std::string(20'000, 'x')), "no WebSocket: the answer's head is too long");
}

TEST(WebSocketTest, ClientKeyIsSixteenBytes) {
  const std::array<unsigned char, 16> random = {'t', 'h', 'e', ' ', 's', 'a', 'm', 'p',
                                                'l', 'e', ' ', 'n', 'o', 'n', 'c', 'e'};
  EXPECT_EQ(WsClientKey(random), "dGhlIHNhbXBsZSBub25jZQ==");
}

}  // namespace
}  // namespace tocsin::wire
