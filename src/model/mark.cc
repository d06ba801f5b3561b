#include "model/mark.h"

#include <algorithm>
#include <array>

namespace tocsin::model {
namespace {

constexpr std::array<std::string_view, kMarkOps> kNames = {"read",   "unread", "seen",  "archive",
                                                           "delete", "expire", "update"};

}  // namespace

std::string_view MarkOpName(MarkOp op) { return kNames[static_cast<size_t>(op)]; }

std::optional<MarkOp> ParseMarkOp(std::string_view name) {
  const auto* end = kNames.begin() + kUserMarkOps;
  const auto* found = std::find(kNames.begin(), end, name);
  if (found == end) return std::nullopt;
  return static_cast<MarkOp>(found - kNames.begin());
}

}  // namespace tocsin::model
