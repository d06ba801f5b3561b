#include "model/mark.h"

#include <algorithm>
#include <array>

namespace tocsin::model {
namespace {

constexpr std::array<std::string_view, kMarkOps> kNames = {"read", "unread", "seen", "archive", "delete"};

}  // namespace

std::string_view MarkOpName(MarkOp op) { return kNames[static_cast<size_t>(op)]; }

std::optional<MarkOp> ParseMarkOp(std::string_view name) {
  const auto* found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<MarkOp>(found - kNames.begin());
}

}  // namespace tocsin::model
