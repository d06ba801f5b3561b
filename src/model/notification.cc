#include "model/notification.h"

#include <algorithm>

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
  const auto* at = reinterpret_cast<const unsigned char*>(text.data());
  const unsigned char* end = at + text.size();
  while (at < end) {
    unsigned char lead = *at++;
    if (lead < 0x80) continue;
    int more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    if (lead < 0xc2 || lead > 0xf4 || end - at < more) return false;
    unsigned char low = 0x80, high = 0xbf;  // bounds of the second byte, Unicode table 3-7
    if (lead == 0xe0) low = 0xa0;
    if (lead == 0xed) high = 0x9f;
    if (lead == 0xf0) low = 0x90;
    if (lead == 0xf4) high = 0x8f;
    if (*at < low || *at > high) return false;
    ++at;
    for (int i = 1; i < more; ++i, ++at) {
      if (*at < 0x80 || *at > 0xbf) return false;
    }
  }
  return true;
}

bool IsValidUserId(std::string_view id) { return !id.empty() && id.size() <= kMaxUserId && IsValidUtf8(id); }

bool IsValidDeviceId(std::string_view id) {
  if (id.empty() || id.size() > kMaxDeviceId) return false;
  return std::all_of(id.begin(), id.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

}  // namespace tocsin::model
