#include "nodes/redis_expiry.h"

#include <utility>

#include "base/log.h"
#include "notifier/expiry_timer.h"
#include "notifier/scheduled_row.h"

namespace tocsin::nodes {

struct RedisExpiry::Work {
  std::vector<std::pair<std::string, std::string>> marks;  // log, nid
  size_t next = 0;
  size_t waiting = 1;  // OnDue's own share
  base::Status failure;
  std::function<void(const base::Status&)> then;
};

RedisExpiry::RedisExpiry(runtime::Core& core, redis::Client& client, const base::Clock& wall, logs::RedisLogs& logs,
                         std::string stream)
    : logs_(logs),
      timers_(core, client, wall, std::move(stream), notifier::TimerKind::kExpire, KeepFired::kYes, *this) {}

void RedisExpiry::OnDue(std::vector<DueTimer> due, Pass, uint64_t, std::function<void(const base::Status&)> then) {
  auto work = std::make_shared<Work>();
  work->then = std::move(then);
  for (const DueTimer& one : due) {
    const std::string nid(notifier::PartsOfName(one.timer.name).nid);
    auto logs = notifier::LogsOfExpiry(one.timer.payload);
    if (!logs.ok()) {
      base::Log(base::Level::kError, "expiry_unreadable", {{"nid", nid}, {"why", logs.status().message()}});
      continue;  // the item stays hidden all the same
    }
    for (std::string& log : *logs) work->marks.emplace_back(std::move(log), nid);
  }
  Mark(work);
  Close(work);
}

void RedisExpiry::Mark(const std::shared_ptr<Work>& work) {
  while (work->next < work->marks.size() && work->waiting <= kWindow && work->failure.ok()) {
    auto& [log, nid] = work->marks[work->next++];
    ++work->waiting;
    logs_.Mark({.user = log, .op = model::MarkOp::kExpire, .nids = {nid}},
               [this, work](const base::Result<logs::Counts>& counts) {
                 if (!counts.ok() && work->failure.ok()) work->failure = counts.status();
                 Mark(work);
                 Close(work);
               });
  }
}

void RedisExpiry::Close(const std::shared_ptr<Work>& work) {
  if (--work->waiting == 0) std::exchange(work->then, nullptr)(work->failure);
}

}  // namespace tocsin::nodes
