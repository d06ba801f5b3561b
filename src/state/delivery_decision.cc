#include "state/delivery_decision.h"

#include <atomic>

#include "base/log.h"
#include "state/time_zone.h"

namespace tocsin::state {
namespace {

constexpr int64_t kMinuteMs = 60'000, kDayMs = 24 * 60 * kMinuteMs;

}  // namespace

base::Result<std::optional<int64_t>> QuietUntil(const QuietHours& quiet, int64_t now_ms) {
  const auto zone = TimeZone::Find(quiet.tz);
  if (!zone.ok()) return zone.status();
  const int64_t local_ms = zone->ToLocalMs(now_ms);
  const int64_t today = local_ms - ((local_ms % kDayMs) + kDayMs) % kDayMs;
  // The window that began yesterday may not be over.
  for (const int64_t day : {today - kDayMs, today}) {
    const int64_t end_day = quiet.to > quiet.from ? day : day + kDayMs;
    const int64_t from = zone->ToUtcMs(day + quiet.from * kMinuteMs, TimeZone::Twice::kFirst);
    const int64_t to = zone->ToUtcMs(end_day + quiet.to * kMinuteMs, TimeZone::Twice::kSecond);
    if (from <= now_ms && now_ms < to) return std::optional(to);
  }
  return std::optional<int64_t>();
}

Decision Decide(const Preferences& preferences, std::string_view category, model::Priority priority, int64_t now_ms,
                Held held) {
  if (preferences.Mutes(category)) return {.what = Decision::What::kMute};
  if (!preferences.quiet_hours || priority == model::Priority::kCritical || held == Held::kYes) return {};
  const auto until = QuietUntil(*preferences.quiet_hours, now_ms);
  if (!until.ok()) {
    static std::atomic<uint64_t> times{0};
    if (times++ % 1'000 != 0) return {};  // the first says it all
    base::Log(base::Level::kWarn, "quiet_hours_unknown",
              {{"tz", preferences.quiet_hours->tz}, {"why", until.status().message()}});
    return {};
  }
  if (!until->has_value()) return {};
  return {.what = Decision::What::kHold, .until_ms = **until};
}

}  // namespace tocsin::state
