// WebSocket (RFC 6455) without a socket: the opening handshake of both sides, a frame decoder that unmasks where the
// bytes lie, and frame heads.
//
// 1. Every way to break the protocol has its close code: 1002 for framing, 1007 for text that is not UTF-8 (at the byte
//    that breaks it), 1009 for a message over the limit (from the announced length, before it is buffered).
// 2. No extension is spoken: a reserved bit is an error.
// 3. A decoder holds no payload. A message that lies whole in the caller's buffer is one view into it; of any other the
//    caller appends the pieces as they come.
// 4. Work is bounded by bytes: a message may have at most kMaxFragments frames, so empty ones cannot go on for ever.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/limits.h"
#include "wire/http.h"
#include "wire/utf8.h"

namespace tocsin::wire {

inline constexpr std::string_view kSubprotocol = "tocsin.v1";

enum class WsOpcode : uint8_t { kContinuation = 0, kText = 1, kBinary = 2, kClose = 8, kPing = 9, kPong = 10 };

// Which side a decoder or an encoder is: clients mask what they send, servers never do.
enum class WsRole : uint8_t { kServer, kClient };

// Handshake, server side.
struct WsUpgrade {
  std::string accept;        // value of Sec-WebSocket-Accept
  bool subprotocol = false;  // the client offered kSubprotocol: name it in the answer
};
struct WsRefusal {
  int status = 0;  // 400, 405 or 426 (the answer then carries `Sec-WebSocket-Version: 13` and `Upgrade: websocket`)
  std::string_view message;  // a literal
};
// Whether the request asks for a WebSocket at all (`Upgrade: websocket`), rightly or not.
bool WantsWebSocket(const RequestHead& head);
// Checks the request; `refusal` says what is wrong when the answer is false.
bool CheckUpgrade(const RequestHead& head, WsUpgrade& upgrade, WsRefusal& refusal);
// The 101 answer, whole.
void AppendUpgradeResponse(std::string& out, const WsUpgrade& upgrade);

// Handshake, client side. `key` is 16 random bytes in base64 (WsClientKey). `headers` go out as they are.
std::string WsClientKey(std::span<const unsigned char, 16> random);
void AppendUpgradeRequest(std::string& out, std::string_view host, std::string_view target, std::string_view key,
                          std::span<const HttpHeader> headers = {});
// Reads the answer at the front of `input`: 0 while it is not complete, its bytes once it is right. kInvalidArgument
// with what is wrong otherwise (the status line of a refusal is in the message).
base::Result<size_t> CheckUpgradeResponse(std::string_view input, std::string_view key);

// base64(SHA-1(key + GUID)), RFC 6455 section 4.2.2.
std::string WsAccept(std::string_view key);

class WsDecoder {
 public:
  enum class Event : uint8_t {
    kNeedMore,  // call again with the unconsumed bytes and more behind them
    kPiece,     // a piece of a message that goes on: append it
    kMessage,   // the end of a message: `payload` is its last piece or, unless in_pieces(), the whole of it
    kPing,      // `payload` is to be sent back in a pong
    kPong,
    kClose,  // close_code() (1005: none was sent) and the reason in `payload`; what follows is ignored
    kError,  // close_code() is what to close with, error() why; nothing more can be read
  };

  static constexpr uint32_t kMaxFragments = 1'024;

  // `max_message`: bytes of one message over all its frames.
  explicit WsDecoder(WsRole role = WsRole::kServer, uint32_t max_message = model::kMaxFrameIn)
      : max_message_(max_message), role_(role) {}

  // Reads one event from the front of `input`, unmasking its payload there. Drop `consumed` bytes after each call (also
  // after kNeedMore); the payload holds until then. No more than 131 bytes are ever left unconsumed by kNeedMore.
  Event Next(std::span<char> input, size_t& consumed, std::string_view& payload);

  // kText or kBinary: of the message that the last kPiece or kMessage belongs to.
  WsOpcode opcode() const { return opcode_; }
  bool in_pieces() const { return in_pieces_; }
  uint16_t close_code() const { return close_code_; }
  std::string_view error() const { return error_; }  // a literal

 private:
  struct Head;
  enum class Scope : uint8_t { kBetween, kFrame, kClosed, kFailed };

  Event Fail(uint16_t code, const char* why);
  bool ReadHead(std::span<char> input, Head& head, Event& otherwise);
  bool CheckStart(const Head& head);
  bool CheckLength(const Head& head);
  Event Control(const Head& head, std::string_view payload);
  Event Data(std::span<char> input, size_t& consumed, std::string_view& payload);

  const char* error_ = "";
  uint32_t max_message_;
  uint32_t message_size_ = 0;               // bytes announced for the message so far
  uint32_t remaining_ = 0;                  // kFrame: bytes of the frame still to come
  std::array<unsigned char, 4> mask_ = {};  // kFrame: rotated to the next byte
  uint16_t close_code_ = 0;
  uint16_t fragments_ = 0;
  WsRole role_;
  Scope scope_ = Scope::kBetween;
  WsOpcode opcode_ = WsOpcode::kText;
  bool in_message_ = false;
  bool final_ = false;  // kFrame: the frame ends its message
  bool in_pieces_ = false;
  Utf8Validator utf8_;
};

static_assert(sizeof(WsDecoder) <= 48);

// Server frames: FIN, not masked. The head alone, so that one payload can be shared by many sockets.
void AppendWsHead(std::string& out, WsOpcode opcode, uint64_t size);
void AppendWsFrame(std::string& out, WsOpcode opcode, std::string_view payload);
// A close frame; the reason is cut to 123 bytes between characters. Code 1005 sends an empty one.
void AppendWsClose(std::string& out, uint16_t code, std::string_view reason);

// Client frames: FIN, masked with `mask` (random bytes).
void AppendWsClientFrame(std::string& out, WsOpcode opcode, std::string_view payload,
                         std::array<unsigned char, 4> mask);
void AppendWsClientClose(std::string& out, uint16_t code, std::string_view reason, std::array<unsigned char, 4> mask);

// Exclusive-ors `bytes` with the repeated mask, starting with its first byte.
void WsMask(std::span<char> bytes, std::array<unsigned char, 4> mask);

}  // namespace tocsin::wire
