#include <algorithm>
#include <bit>
#include <cstring>

#include "model/notification.h"
#include "wire/websocket.h"

namespace tocsin::wire {
namespace {

constexpr size_t kMaxControl = 125;

bool IsControl(unsigned opcode) { return opcode >= 8; }

// RFC 6455 section 7.4 and the IANA registry: codes that may stand in a frame.
bool IsCloseCode(unsigned code) {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

// The longest start of `reason` that fits into a close frame and does not cut a character.
std::string_view CutReason(std::string_view reason) {
  constexpr size_t kMaxReason = kMaxControl - 2;
  if (reason.size() <= kMaxReason) return reason;
  size_t size = kMaxReason;
  while (size > 0 && (static_cast<unsigned char>(reason[size]) & 0xc0) == 0x80) --size;
  return reason.substr(0, size);
}

std::string ClosePayload(uint16_t code, std::string_view reason) {
  std::string payload;
  if (code == 1005) return payload;
  payload.push_back(static_cast<char>(code >> 8));
  payload.push_back(static_cast<char>(code & 0xff));
  payload += CutReason(reason);
  return payload;
}

void AppendHead(std::string& out, WsOpcode opcode, uint64_t size, unsigned mask_bit) {
  const auto put = [&out](uint64_t byte) { out.push_back(static_cast<char>(byte)); };
  put(0x80U | static_cast<unsigned>(opcode));
  if (size < 126) {
    put(mask_bit | size);
  } else if (size < 0x10000) {
    put(mask_bit | 126);
    put(size >> 8);
    put(size & 0xff);
  } else {
    put(mask_bit | 127);
    for (int shift = 56; shift >= 0; shift -= 8) put(size >> shift & 0xff);
  }
}

}  // namespace

struct WsDecoder::Head {
  bool final = false;
  bool reserved = false;
  bool masked = false;
  unsigned opcode = 0;
  unsigned short_length = 0;  // the seven bits
  uint64_t length = 0;
  size_t size = 0;  // bytes of the head
  std::array<unsigned char, 4> mask = {};
};

WsDecoder::Event WsDecoder::Fail(uint16_t code, const char* why) {
  scope_ = Scope::kFailed;
  close_code_ = code;
  error_ = why;
  return Event::kError;
}

// What the first two bytes of a frame can get wrong.
bool WsDecoder::CheckStart(const Head& head) {
  const char* why = nullptr;
  if (head.reserved) {
    why = "a reserved bit is set: no extension was agreed on";
  } else if (head.masked != (role_ == WsRole::kServer)) {
    why = role_ == WsRole::kServer ? "a frame of a client that is not masked" : "a frame of a server that is masked";
  } else if (IsControl(head.opcode)) {
    if (head.opcode > 10) why = "an unknown opcode";
    if (!head.final) why = "a fragmented control frame";
    if (head.short_length > kMaxControl) why = "a control frame of more than 125 bytes";
  } else if (head.opcode > 2) {
    why = "an unknown opcode";
  } else if (head.opcode == 0 && !in_message_) {
    why = "a continuation of no message";
  } else if (head.opcode != 0 && in_message_) {
    why = "a new message before the last one ended";
  }
  if (why != nullptr) Fail(1002, why);
  return why == nullptr;
}

bool WsDecoder::CheckLength(const Head& head) {
  if (head.length >> 63 != 0) {
    Fail(1002, "a length of 2^63 or more");
  } else if ((head.short_length == 126 && head.length < 126) || (head.short_length == 127 && head.length < 0x10000)) {
    Fail(1002, "a length in more bytes than it needs");
  } else if (!IsControl(head.opcode) && head.length > max_message_ - message_size_) {
    Fail(1009, "the message is too large");
  } else if (!IsControl(head.opcode) && fragments_ == kMaxFragments) {
    Fail(1009, "a message in too many fragments");
  } else {
    return true;
  }
  return false;
}

// Each check is made as soon as the bytes it needs are there.
bool WsDecoder::ReadHead(std::span<char> input, Head& head, Event& otherwise) {
  const auto byte = [input](size_t i) -> uint64_t { return static_cast<unsigned char>(input[i]); };
  otherwise = Event::kNeedMore;
  if (input.size() < 2) return false;
  head.final = (byte(0) & 0x80) != 0;
  head.reserved = (byte(0) & 0x70) != 0;
  head.opcode = static_cast<unsigned>(byte(0) & 0x0f);
  head.masked = (byte(1) & 0x80) != 0;
  head.short_length = static_cast<unsigned>(byte(1) & 0x7f);
  if (!CheckStart(head)) {
    otherwise = Event::kError;
    return false;
  }
  const size_t length_bytes = head.short_length == 127 ? 8 : head.short_length == 126 ? 2 : 0;
  if (input.size() < 2 + length_bytes) return false;
  if (length_bytes == 0) head.length = head.short_length;
  for (size_t i = 0; i < length_bytes; ++i) head.length = head.length << 8 | byte(2 + i);
  if (!CheckLength(head)) {
    otherwise = Event::kError;
    return false;
  }
  head.size = 2 + length_bytes + (head.masked ? 4 : 0);
  if (input.size() < head.size) return false;
  if (head.masked) std::memcpy(head.mask.data(), input.data() + 2 + length_bytes, 4);
  return true;
}

WsDecoder::Event WsDecoder::Control(const Head& head, std::string_view payload) {
  if (head.opcode == static_cast<unsigned>(WsOpcode::kPing)) return Event::kPing;
  if (head.opcode == static_cast<unsigned>(WsOpcode::kPong)) return Event::kPong;
  if (payload.size() == 1) return Fail(1002, "a close frame with half a code");
  if (payload.empty()) {
    close_code_ = 1005;
  } else {
    const auto high = static_cast<unsigned char>(payload[0]);
    const unsigned code = static_cast<unsigned>(high) << 8 | static_cast<unsigned char>(payload[1]);
    if (!IsCloseCode(code)) return Fail(1002, "a close code that no one may send");
    if (!model::IsValidUtf8(payload.substr(2))) return Fail(1007, "a close reason that is not UTF-8");
    close_code_ = static_cast<uint16_t>(code);
  }
  scope_ = Scope::kClosed;
  return Event::kClose;
}

// What has come of the present frame, if that is anything to hand out.
WsDecoder::Event WsDecoder::Data(std::span<char> input, size_t& consumed, std::string_view& payload) {
  const std::span<char> bytes = input.subspan(consumed, std::min<size_t>(remaining_, input.size() - consumed));
  if (role_ == WsRole::kServer) {
    WsMask(bytes, mask_);
    std::rotate(mask_.begin(), mask_.begin() + static_cast<ptrdiff_t>(bytes.size() % 4), mask_.end());
  }
  payload = std::string_view(bytes.data(), bytes.size());
  consumed += bytes.size();
  remaining_ -= static_cast<uint32_t>(bytes.size());
  if (opcode_ == WsOpcode::kText && !utf8_.Feed(payload)) return Fail(1007, "text that is not UTF-8");
  if (remaining_ == 0) {
    scope_ = Scope::kBetween;
    if (final_) {
      if (!utf8_.complete()) return Fail(1007, "text that ends within a character");
      in_message_ = false;
      message_size_ = 0;
      fragments_ = 0;
      return Event::kMessage;
    }
  }
  if (bytes.empty()) return Event::kNeedMore;
  in_pieces_ = true;
  return Event::kPiece;
}

WsDecoder::Event WsDecoder::Next(std::span<char> input, size_t& consumed, std::string_view& payload) {
  consumed = 0;
  payload = {};
  while (true) {
    if (scope_ == Scope::kFailed) return Event::kError;
    if (scope_ == Scope::kClosed) {
      consumed = input.size();
      return Event::kNeedMore;
    }
    if (scope_ == Scope::kBetween) {
      Head head;
      Event otherwise;
      const std::span<char> rest = input.subspan(consumed);
      if (!ReadHead(rest, head, otherwise)) return otherwise;
      if (IsControl(head.opcode)) {
        const auto length = static_cast<size_t>(head.length);
        if (rest.size() - head.size < length) return Event::kNeedMore;
        const std::span<char> bytes = rest.subspan(head.size, length);
        if (head.masked) WsMask(bytes, head.mask);
        payload = std::string_view(bytes.data(), bytes.size());
        consumed += head.size + length;
        const Event event = Control(head, payload);
        if (event == Event::kClose) payload.remove_prefix(std::min<size_t>(2, payload.size()));
        return event;
      }
      if (!in_message_) {
        opcode_ = static_cast<WsOpcode>(head.opcode);
        in_message_ = true;
        in_pieces_ = false;
      }
      ++fragments_;
      message_size_ += static_cast<uint32_t>(head.length);
      remaining_ = static_cast<uint32_t>(head.length);
      mask_ = head.mask;
      final_ = head.final;
      scope_ = Scope::kFrame;
      consumed += head.size;
    }
    const Event event = Data(input, consumed, payload);
    // An empty frame that does not end its message is nothing to hand out.
    if (event != Event::kNeedMore || scope_ == Scope::kFrame) return event;
  }
}

void WsMask(std::span<char> bytes, std::array<unsigned char, 4> mask) {
  uint32_t word;
  std::memcpy(&word, mask.data(), 4);
  const uint64_t wide = static_cast<uint64_t>(word) << 32 | word;
  size_t i = 0;
  for (; bytes.size() - i >= 8; i += 8) {
    uint64_t eight;
    std::memcpy(&eight, bytes.data() + i, 8);
    eight ^= wide;
    std::memcpy(bytes.data() + i, &eight, 8);
  }
  for (; i < bytes.size(); ++i) bytes[i] = static_cast<char>(static_cast<unsigned char>(bytes[i]) ^ mask[i % 4]);
}

void AppendWsHead(std::string& out, WsOpcode opcode, uint64_t size) { AppendHead(out, opcode, size, 0); }

void AppendWsFrame(std::string& out, WsOpcode opcode, std::string_view payload) {
  AppendHead(out, opcode, payload.size(), 0);
  out += payload;
}

void AppendWsClose(std::string& out, uint16_t code, std::string_view reason) {
  AppendWsFrame(out, WsOpcode::kClose, ClosePayload(code, reason));
}

void AppendWsClientFrame(std::string& out, WsOpcode opcode, std::string_view payload,
                         std::array<unsigned char, 4> mask) {
  AppendHead(out, opcode, payload.size(), 0x80);
  for (unsigned char byte : mask) out.push_back(static_cast<char>(byte));
  const size_t start = out.size();
  out += payload;
  WsMask(std::span(out).subspan(start), mask);
}

void AppendWsClientClose(std::string& out, uint16_t code, std::string_view reason, std::array<unsigned char, 4> mask) {
  AppendWsClientFrame(out, WsOpcode::kClose, ClosePayload(code, reason), mask);
}

}  // namespace tocsin::wire
