// Requests as a connection reads them. Fed in one piece and in pieces of a size that the first byte chooses, the
// outcome must be the same: what a request means cannot depend on how TCP cut it.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/check.h"
#include "wire/http.h"
#include "wire/uri.h"
#include "wire/websocket.h"

namespace {

namespace wire = tocsin::wire;
using Step = wire::RequestParser::Step;

class InputSide {
 public:
  void Feed(std::string_view bytes) {
    input_.append(bytes);
    while (!failed_ && Turn()) {
    }
  }
  const std::string& seen() const { return seen_; }

 private:
  bool Turn() {
    // An exact copy, so that a read past the end is seen.
    const std::unique_ptr<char[]> exact(new char[input_.size()]);
    std::copy(input_.begin(), input_.end(), exact.get());
    const std::string_view input(exact.get(), input_.size());
    Step step;
    size_t consumed = 0;
    if (in_body_) {
      std::string_view piece;
      step = parser_.ReadBody(input, piece, consumed);
      CHECK(step != Step::kBody || !piece.empty());
      seen_ += piece;
      if (step == Step::kEnd) seen_ += "\n--end\n";
      if (step == Step::kEnd) in_body_ = false;
    } else {
      wire::RequestHead head;
      step = parser_.ReadHead(input, head);
      CHECK(step == Step::kNeedMore || step == Step::kHead || step == Step::kError);
      if (step == Step::kNeedMore) CHECK(input.size() <= tocsin::model::kMaxHttpHead);
      if (step == Step::kHead) {
        Note(head);
        consumed = head.size;
        in_body_ = true;
        parser_.SetBodyLimit(4'096);
      }
    }
    CHECK(consumed <= input_.size());
    input_.erase(0, consumed);
    if (step == Step::kError) {
      failed_ = true;
      CHECK(parser_.error().status >= 400);
      seen_ += "\n--error " + std::to_string(parser_.error().status) + " " + std::string(parser_.error().message);
    }
    return step != Step::kNeedMore;
  }

  void Note(const wire::RequestHead& head) {
    CHECK(head.path.starts_with('/') || head.path == "*");
    CHECK(!head.host.empty() || head.minor_version == 0);
    seen_.append(MethodName(head.method)).append(" ").append(head.path).append("?").append(head.query);
    seen_.append(" ").append(head.host).append(head.keep_alive ? " keep\n" : " close\n");
    for (const wire::HttpHeader& header : head.headers()) {
      CHECK(!header.name.empty() && header.value.find_first_of(std::string_view("\r\n\0", 3)) == header.value.npos);
      seen_.append(header.name).append("=").append(header.value).append("\n");
    }
    static_cast<void>(wire::PathSegments(head.path));
    static_cast<void>(wire::QueryParameters::Parse(head.query));
    wire::WsUpgrade upgrade;
    wire::WsRefusal refusal;
    CHECK(wire::CheckUpgrade(head, upgrade, refusal) || refusal.status >= 400);
  }

  wire::RequestParser parser_;
  bool in_body_ = false;
  bool failed_ = false;
  std::string input_;
  std::string seen_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (size < 2) return 0;
  const std::string_view text(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  const size_t step = bytes[0] % 32 + 1U;
  InputSide whole, pieces;
  whole.Feed(text);
  for (size_t at = 0; at < text.size(); at += step) pieces.Feed(text.substr(at, step));
  CHECK(whole.seen() == pieces.seen());
  return 0;
}
