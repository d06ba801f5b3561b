#include "model/notification.h"

#include <algorithm>

#include "base/utf8.h"
#include "model/limits.h"

namespace tocsin::model {
namespace {

constexpr std::array<std::string_view, kPriorities> kPriorityNames = {"low", "normal", "high", "critical"};

}  // namespace

std::string_view PriorityName(Priority priority) { return kPriorityNames[static_cast<size_t>(priority)]; }

std::optional<Priority> ParsePriority(std::string_view name) {
  const auto* found = std::find(kPriorityNames.begin(), kPriorityNames.end(), name);
  if (found == kPriorityNames.end()) return std::nullopt;
  return static_cast<Priority>(found - kPriorityNames.begin());
}

bool IsValidUtf8(std::string_view text) {
  while (!text.empty()) {
    const size_t length = static_cast<signed char>(text.front()) >= 0 ? 1 : base::Utf8Length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

bool IsValidUserId(std::string_view id) { return !id.empty() && id.size() <= kMaxUserId && IsValidUtf8(id); }

bool IsValidDeviceId(std::string_view id) {
  if (id.empty() || id.size() > kMaxDeviceId) return false;
  return std::all_of(id.begin(), id.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

}  // namespace tocsin::model
