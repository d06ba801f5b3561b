// TimeZone: a time zone of the IANA database, as the machine has it installed (/usr/share/zoneinfo).
//
// 1. Moments are milliseconds since 1970, UTC. Local times are milliseconds too: what a clock on the wall there shows,
//    counted as if it were UTC.
// 2. A local time that a change to summer time skips means the moment of the change. One that a change back shows twice
//    means the first or the second of the two moments, as the caller says.
// 3. The database is read once per process; a zone's file when the zone is first used.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace date {
class time_zone;
}

namespace tocsin::state {

class TimeZone {
 public:
  // kInvalidArgument: there is no zone of that name. kUnavailable: this machine has no time zone data.
  static base::Result<TimeZone> Find(std::string_view name);

  int64_t ToLocalMs(int64_t utc_ms) const;
  enum class Twice : uint8_t { kFirst, kSecond };
  int64_t ToUtcMs(int64_t local_ms, Twice twice) const;

 private:
  explicit TimeZone(const date::time_zone& zone) : zone_(&zone) {}
  const date::time_zone* zone_;  // the database's, for as long as the process lives
};

}  // namespace tocsin::state
