// Redis commands and replies, in one piece and in pieces of a size that the first byte chooses; the outcome must be the
// same. A command that was read reads back the same when it is written as a client writes it.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/check.h"
#include "wire/resp.h"

namespace {

namespace wire = tocsin::wire;

// Feeds what arrives to `turn` until that takes nothing more; an exact copy each time, so that a read past the end
// shows.
template <typename Turn>
void Pump(std::string& input, std::string_view bytes, Turn turn) {
  input.append(bytes);
  while (true) {
    const std::unique_ptr<char[]> exact(new char[input.size()]);
    std::copy(input.begin(), input.end(), exact.get());
    size_t consumed = 0;
    const bool again = turn(std::string_view(exact.get(), input.size()), consumed);
    CHECK(consumed <= input.size());
    input.erase(0, consumed);
    if (!again) return;
  }
}

class CommandSide {
 public:
  explicit CommandSide(wire::RespLimits limits) : parser_(limits) {}
  void Feed(std::string_view bytes) {
    Pump(input_, bytes, [this](std::string_view input, size_t& consumed) {
      const auto step = parser_.Next(input, consumed);
      if (step == wire::RespCommandParser::Step::kError) failed_ = true;
      if (step == wire::RespCommandParser::Step::kCommand) {
        CHECK(!parser_.arguments().empty());
        wire::AppendRespCommand(seen_, parser_.arguments());
      }
      return step == wire::RespCommandParser::Step::kCommand;
    });
  }
  std::string seen() const { return seen_ + (failed_ ? std::string(parser_.error()) : ""); }
  bool failed() const { return failed_; }

 private:
  wire::RespCommandParser parser_;
  bool failed_ = false;
  std::string input_, seen_;
};

void Note(const wire::RespReply& reply, std::string& seen) {
  seen += std::to_string(static_cast<int>(reply.type)) + " " + std::to_string(reply.integer) + " " +
          std::to_string(reply.number) + " " + reply.text + "\n";
  for (const wire::RespReply& element : reply.elements) Note(element, seen);
}

class ReplySide {
 public:
  void Feed(std::string_view bytes) {
    Pump(input_, bytes, [this](std::string_view input, size_t& consumed) {
      wire::RespReply reply;
      const auto step = parser_.Next(input, consumed, reply);
      if (step == wire::RespReplyParser::Step::kError) failed_ = true;
      if (step == wire::RespReplyParser::Step::kReply) Note(reply, seen_);
      return step == wire::RespReplyParser::Step::kReply;
    });
  }
  std::string seen() const { return seen_ + (failed_ ? "error " + std::string(parser_.error()) : ""); }

 private:
  wire::RespReplyParser parser_;
  bool failed_ = false;
  std::string input_, seen_;
};

template <typename Side>
Side Feed(Side side, std::string_view text, size_t step) {
  for (size_t at = 0; at < text.size(); at += step) side.Feed(text.substr(at, step));
  return side;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (size < 2) return 0;
  const std::string_view text(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  const size_t step = bytes[0] % 32 + 1U;
  const wire::RespLimits limits = (bytes[0] & 0x80) != 0 ? wire::kRespUnauthenticated : wire::kRespAuthenticated;
  const CommandSide whole = Feed(CommandSide(limits), text, text.size());
  CHECK(whole.seen() == Feed(CommandSide(limits), text, step).seen());
  if (!whole.failed()) {
    const std::string written = whole.seen();
    CHECK(Feed(CommandSide(wire::kRespAuthenticated), written, step).seen() == written);
  }
  CHECK(Feed(ReplySide(), text, text.size()).seen() == Feed(ReplySide(), text, step).seen());
  return 0;
}
