// RedisSchedules: what waits in the schedules of ingest streams, for any node to look at and to take out: no lease, one
// script for each stream. What fires at that moment is not to be taken out any more.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/limits.h"
#include "notifier/publisher.h"
#include "redis/client.h"

namespace tocsin::nodes {

class RedisSchedules {
 public:
  // How long it is known of a cancelled one that it was: as long as an entry that is done stays in its stream.
  static constexpr int64_t kKnowCancelledMs = model::kIngestKeepMs;

  // Not owned. `streams`: all ingest streams, with their partitions.
  RedisSchedules(redis::Client& client, std::vector<std::string> streams)
      : client_(client), streams_(std::move(streams)) {}

  // All on the client's Core, and answered there. As notifier::Publisher.
  void List(notifier::SchedulePlace after, size_t limit, notifier::Publisher::Listed then);
  void Cancel(const std::string& nid, notifier::Publisher::Cancelled then);
  // Of an entry; nothing: the schedule does not know it.
  using Found = std::function<void(const base::Result<std::optional<notifier::ScheduledState>>&)>;
  void Find(const std::string& nid, Found then);

 private:
  bool Has(std::string_view stream) const;

  redis::Client& client_;
  const std::vector<std::string> streams_;
};

}  // namespace tocsin::nodes
