// Copies one stream from one end of a migration to the other, and compares the copies, by the commands of Redis alone.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "server/migrate_end.h"

namespace tocsin::server {

// What was copied, or is there.
struct StreamFigures {
  uint64_t entries = 0, groups = 0, consumers = 0, pending = 0;
  // Pending entries that are not in the stream any more: no command makes such a one, so they stay behind.
  uint64_t pending_gone = 0;
  std::string last_id;
};

// Entries with their ids, the stream's own figures, groups with their positions and consumers, what is pending with
// whom, how long and how often, the time to live.
base::Result<StreamFigures> CopyStream(const std::string& stream, MigrationEnd& from, MigrationEnd& to);
base::Result<StreamFigures> FiguresOf(const std::string& stream, MigrationEnd& end);

}  // namespace tocsin::server
