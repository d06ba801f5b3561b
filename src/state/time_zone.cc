#include "state/time_zone.h"

#include <chrono>
#include <exception>
#include <string>

#include <date/tz.h>

namespace tocsin::state {
namespace {

using base::Code;
using base::Status;
using std::chrono::milliseconds;
using LocalMs = date::local_time<milliseconds>;
using UtcMs = date::sys_time<milliseconds>;

int64_t OffsetMs(const date::sys_info& period) { return milliseconds(period.offset).count(); }

// Years 1678 to 2262, far from where the library's arithmetic would overflow.
constexpr int64_t kFarMs = 9'200'000'000'000;
int64_t Near(int64_t ms) { return ms < -kFarMs ? -kFarMs : ms > kFarMs ? kFarMs : ms; }

}  // namespace

// The library tells by exceptions; they end here.
base::Result<TimeZone> TimeZone::Find(std::string_view name) {
  constexpr char kNoZones[] = "this server has no time zone data: its operator installs the package tzdata";
  try {
    if (date::get_tzdb().zones.empty()) return Status(Code::kUnavailable, kNoZones);
  } catch (const std::exception&) {
    return Status(Code::kUnavailable, kNoZones);
  }
  try {
    const date::time_zone* zone = date::locate_zone(name);
    zone->get_info(UtcMs());  // reads its file
    return TimeZone(*zone);
  } catch (const std::exception&) {
    return Status(Code::kInvalidArgument, "there is no such time zone");
  }
}

int64_t TimeZone::ToLocalMs(int64_t utc_ms) const {
  return utc_ms + OffsetMs(zone_->get_info(UtcMs(milliseconds(Near(utc_ms)))));
}

int64_t TimeZone::ToUtcMs(int64_t local_ms, Twice twice) const {
  const date::local_info found = zone_->get_info(LocalMs(milliseconds(Near(local_ms))));
  if (found.result == date::local_info::nonexistent) return milliseconds(found.first.end.time_since_epoch()).count();
  const bool second = found.result == date::local_info::ambiguous && twice == Twice::kSecond;
  return local_ms - OffsetMs(second ? found.second : found.first);
}

}  // namespace tocsin::state
