// MigrationEnd: a store as `tocsin migrate` sees it, at either end: streams through the commands of Redis, which both
// kinds understand, and user logs as records, since each kind keeps them in its own way.
//
// 1. Nobody else works on it meanwhile: an embedded store is locked, a store on Redis whose nodes are at work is
// refused.
// 2. Used from one thread, which it blocks.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "logs/keys.h"
#include "logs/log_reader.h"
#include "notifier/timer.h"
#include "server/config.h"
#include "wire/resp.h"

namespace tocsin::server {

// All that is stored of one user's log.
struct UserRecord {
  std::string user;
  logs::LogHead head;
  std::vector<logs::LogLine> lines;  // oldest first, each with its state
  std::vector<std::pair<std::string, logs::DeviceRecord>> devices;
  std::string preferences;                                // as state::RenderPreferences writes them; empty: none
  std::vector<std::pair<std::string, int64_t>> mark_ids;  // `mid`, and when; those still remembered
};

// Of a source in which a rate limit has summed up what no digest has told yet.
inline constexpr char kUntoldDigests[] =
    "rate limits have summed up notifications that no digest has told yet, and that cannot be migrated: let the server "
    "run until their windows are over";

using RespCommand = std::vector<std::string>;

// A notification that waits for its time, and the ingest stream it came by. Ends at the first failure.
using TakeScheduled = std::function<base::Status(const std::string& stream, const notifier::Timer& timer)>;

class MigrationEnd {
 public:
  virtual ~MigrationEnd() = default;

  // For the target. kConflict: there is something in it, which would be mixed up with what comes.
  virtual base::Status CheckEmpty(const std::vector<std::string>& streams) = 0;
  // What to copy: the names that it has of its own, or those of `wanted` that exist.
  virtual base::Result<std::vector<std::string>> Streams(const std::vector<std::string>& wanted) = 0;
  // Runs commands on one key, in order; one reply each, error replies among them.
  virtual base::Result<std::vector<wire::RespReply>> Run(const std::string& key,
                                                         const std::vector<RespCommand>& commands) = 0;

  // The identity that clients' cursors belong to; empty where it is not one for all users.
  virtual base::Result<std::string> Epoch() = 0;
  // Makes the target that of `epoch` (empty: of one of its own, and cursors are reset), before any log is written.
  virtual base::Status Begin(const std::string& epoch) = 0;

  // Every user's record, in any order. Ends at the first failure of `take`, and answers it. `streams`: of whose entries
  // logs know which they have had.
  using Take = std::function<base::Status(const UserRecord&)>;
  virtual base::Status ReadLogs(const std::vector<std::string>& streams, int64_t now_ms, const Take& take) = 0;
  // kInvalidArgument: this kind of store cannot hold it.
  virtual base::Status WriteLog(const UserRecord& record) = 0;

  // What waits in the schedules of those streams; answers the last number given to a firing. kConflict: see there.
  virtual base::Result<uint64_t> ReadSchedule(const std::vector<std::string>& ingest, const TakeScheduled& take) = 0;
  // Behind the stream itself. `number`, where it is not 0: the last one given to a firing; no more follow then.
  virtual base::Status WriteSchedule(const std::string& stream, const std::vector<notifier::Timer>& timers,
                                     uint64_t number) = 0;

  // What was written is stored.
  virtual base::Status Flush() = 0;
};

// `embedded:DIR`. kNotFound: a source that is not there; kUnavailable: in use, or not to be opened.
enum class MigrationRole : uint8_t { kSource, kTarget };
base::Result<std::unique_ptr<MigrationEnd>> OpenEmbeddedEnd(const std::string& directory, MigrationRole role);
// A URL as `store` has it. `ingest`: streams whose leases tell whether nodes are at work (kConflict).
base::Result<std::unique_ptr<MigrationEnd>> OpenRedisEnd(const std::string& url,
                                                         const std::vector<std::string>& ingest);

}  // namespace tocsin::server
