// What waits for its time in a schedule, at either end of a migration: on an embedded store through notifier::Timers,
// on a Redis by commands on the keys of nodes::RedisTimers.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "notifier/timer.h"
#include "server/migrate_end.h"
#include "storage/store.h"

namespace tocsin::server {

// At most so many are read or written at once.
inline constexpr size_t kScheduledAtOnce = 500;

// Both answer the last number given to a firing; kConflict: something is in the way, with what to do.
base::Result<uint64_t> ReadEmbeddedSchedule(const storage::Store& store, const std::vector<std::string>& ingest,
                                            const TakeScheduled& take);
base::Result<uint64_t> ReadRedisSchedule(MigrationEnd& end, const std::vector<std::string>& ingest,
                                         const TakeScheduled& take);

base::Status WriteEmbeddedSchedule(storage::Store& store, const std::vector<notifier::Timer>& timers, uint64_t number);
base::Status WriteRedisSchedule(MigrationEnd& end, const std::string& stream,
                                const std::vector<notifier::Timer>& timers, uint64_t number);

}  // namespace tocsin::server
