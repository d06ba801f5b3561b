#include "redis/refusal.h"

#include <charconv>

namespace tocsin::redis {
namespace {

using Kind = Refusal::Kind;

constexpr struct {
  std::string_view word;
  Kind kind;
} kWords[] = {
    {"MOVED", Kind::kMoved},
    {"ASK", Kind::kAsk},
    {"TRYAGAIN", Kind::kTryAgain},
    {"LOADING", Kind::kLoading},
    {"CLUSTERDOWN", Kind::kClusterDown},
    {"MASTERDOWN", Kind::kMasterDown},
    {"READONLY", Kind::kReadonly},
    {"NOSCRIPT", Kind::kNoScript},
};

template <typename Number>
bool ReadNumber(std::string_view text, Number& value) {
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && rest == text.data() + text.size();
}

// "3999 127.0.0.1:6381"; the host may hold colons, and may be empty or "?".
bool ReadTarget(std::string_view text, Refusal& refusal) {
  const size_t space = text.find(' ');
  if (space == text.npos || !ReadNumber(text.substr(0, space), refusal.slot) || refusal.slot >= 16'384) return false;
  const std::string_view address = text.substr(space + 1);
  const size_t colon = address.rfind(':');
  if (colon == address.npos || !ReadNumber(address.substr(colon + 1), refusal.to.port)) return false;
  refusal.to.host = address.substr(0, colon);
  if (refusal.to.host == "?") refusal.to.host.clear();
  return refusal.to.port != 0;
}

}  // namespace

std::optional<Refusal> ParseRefusal(std::string_view error) {
  // A command that blocked, and had not begun, when its server became a replica.
  if (error.starts_with("UNBLOCKED force unblock")) return Refusal{.kind = Kind::kReadonly, .slot = 0, .to = {}};
  const std::string_view word = error.substr(0, error.find(' '));
  for (const auto& known : kWords) {
    if (known.word != word) continue;
    Refusal refusal{.kind = known.kind, .slot = 0, .to = {}};
    const bool redirect = known.kind == Kind::kMoved || known.kind == Kind::kAsk;
    if (redirect && !ReadTarget(error.substr(std::min(word.size() + 1, error.size())), refusal)) return std::nullopt;
    return refusal;
  }
  return std::nullopt;
}

}  // namespace tocsin::redis
