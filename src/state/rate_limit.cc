#include "state/rate_limit.h"

#include <algorithm>

#include "model/bytes.h"
#include "model/limits.h"
#include "wire/json.h"

namespace tocsin::state {
namespace {

using model::Priority;

constexpr std::string_view kOthers = "*";

std::string Sentence(uint64_t count, std::string_view category) {
  std::string text = std::to_string(count) + (count == 1 ? " more notification" : " more notifications");
  if (!category.empty()) text.append(" in ").append(category);
  return text;
}

}  // namespace

const RateLimit* RateLimits::Of(std::string_view category, Priority priority) const {
  if (rules_.empty() || priority == Priority::kCritical) return nullptr;
  const RateLimit* others = nullptr;
  for (const RateLimit& rule : rules_) {
    if (rule.category == kOthers) others = &rule;
    if (rule.category == category && !category.empty()) return &rule;
  }
  return others;
}

Passage Pass(const RateLimit& limit, std::string_view nid, Priority priority, int64_t at_ms, LimitWindow& window) {
  // The second: a clock was set back, and the window would last as long.
  const bool over = at_ms >= window.ends_ms || window.ends_ms - at_ms > limit.window_ms;
  if (over && window.summed == 0) window = {.ends_ms = at_ms + limit.window_ms};
  if (window.summed == 0 && window.delivered < limit.most) {
    ++window.delivered;
    return Passage::kDeliver;
  }
  ++window.summed;
  window.highest = std::max(window.highest, priority);
  if (window.nids.size() < model::kMaxDigestNids) window.nids.emplace_back(nid);
  return Passage::kSum;
}

std::string EncodeWindow(const LimitWindow& window) {
  std::string out;
  model::PutVarint(out, static_cast<uint64_t>(window.ends_ms));
  model::PutVarint(out, window.delivered);
  model::PutVarint(out, window.summed);
  out.push_back(static_cast<char>(window.highest));
  for (const std::string& nid : window.nids) model::PutString(out, nid);
  return out;
}

base::Result<LimitWindow> DecodeWindow(std::string_view bytes) {
  LimitWindow window;
  model::ByteReader in(bytes);
  uint64_t ends = 0;
  uint8_t highest = 0;
  bool good = in.Varint(ends) && in.Varint(window.delivered) && in.Varint(window.summed) && in.Byte(highest) &&
              highest < model::kPriorities;
  while (good && !in.done()) {
    std::string_view nid;
    good = in.String(nid);
    window.nids.emplace_back(nid);
  }
  if (!good) return base::Status(base::Code::kCorruption, "a window of a rate limit cannot be decoded");
  window.ends_ms = static_cast<int64_t>(ends);
  window.highest = static_cast<Priority>(highest);
  return window;
}

model::Notification MakeDigest(const std::string& user, std::string_view category, const LimitWindow& window) {
  model::Notification digest;
  digest.users = {user};
  digest.message = Sentence(window.summed, category);
  digest.priority = window.highest;
  digest.category = category;
  std::string& data = digest.data;
  data += "{\"digest\":{\"count\":";
  wire::AppendJsonNumber(data, window.summed);
  if (!category.empty()) {
    data += ",\"category\":";
    wire::AppendJsonString(data, category);
  }
  data += ",\"nids\":[";
  for (const std::string& nid : window.nids) {
    if (data.back() != '[') data += ",";
    wire::AppendJsonString(data, nid);
  }
  data += "]}}";
  return digest;
}

}  // namespace tocsin::state
