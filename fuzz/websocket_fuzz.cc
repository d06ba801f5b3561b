// Frames as a connection reads them, as server and as client; in one piece and in pieces of a size that the first byte
// chooses, the messages must be the same. A text message that comes out whole is UTF-8.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/check.h"
#include "model/notification.h"
#include "wire/websocket.h"

namespace {

namespace wire = tocsin::wire;
using Event = wire::WsDecoder::Event;

class InputSide {
 public:
  explicit InputSide(wire::WsRole role) : decoder_(role, 4'096) {}

  void Feed(std::string_view bytes) {
    input_.append(bytes);
    while (!failed_ && Turn()) {
    }
  }
  const std::string& seen() const { return seen_; }

 private:
  bool Turn() {
    const size_t size = input_.size();
    const std::unique_ptr<char[]> exact(new char[size]);
    std::copy(input_.begin(), input_.end(), exact.get());
    size_t consumed = 0;
    std::string_view payload;
    const Event event = decoder_.Next({exact.get(), size}, consumed, payload);
    CHECK(consumed <= size);
    input_.erase(0, consumed);
    switch (event) {
      case Event::kNeedMore:
        CHECK(input_.size() <= 131);
        return false;
      case Event::kError:
        failed_ = true;
        Note("error " + std::to_string(decoder_.close_code()) + " ", decoder_.error());
        break;
      case Event::kPiece:
        CHECK(!payload.empty());
        message_ += payload;
        break;
      case Event::kMessage:
        CHECK(decoder_.in_pieces() == !message_.empty());
        message_ += payload;
        CHECK(message_.size() <= 4'096);
        CHECK(decoder_.opcode() != wire::WsOpcode::kText || tocsin::model::IsValidUtf8(message_));
        Note(decoder_.opcode() == wire::WsOpcode::kText ? "text " : "binary ", message_);
        message_.clear();
        break;
      case Event::kPing:
        CHECK(payload.size() <= 125);
        Note("ping ", payload);
        break;
      case Event::kPong:
        Note("pong ", payload);
        break;
      case Event::kClose:
        Note("close " + std::to_string(decoder_.close_code()) + " ", payload);
        break;
    }
    return true;
  }
  void Note(std::string_view what, std::string_view text) { seen_.append(what).append(text).append("\n"); }

  wire::WsDecoder decoder_;
  bool failed_ = false;
  std::string input_, message_, seen_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (size < 2) return 0;
  const std::string_view text(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  const size_t step = bytes[0] % 32 + 1U;
  const wire::WsRole role = (bytes[0] & 0x80) != 0 ? wire::WsRole::kClient : wire::WsRole::kServer;
  InputSide whole(role), pieces(role);
  whole.Feed(text);
  for (size_t at = 0; at < text.size(); at += step) pieces.Feed(text.substr(at, step));
  CHECK(whole.seen() == pieces.seen());
  static_cast<void>(wire::CheckUpgradeResponse(text, "dGhlIHNhbXBsZSBub25jZQ=="));
  return 0;
}
