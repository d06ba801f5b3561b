#include "nodes/redis_schedule.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "notifier/counters.h"
#include "notifier/scheduled_row.h"

namespace tocsin::nodes {

RedisSchedule::RedisSchedule(runtime::Core& core, redis::Client& client, const base::Clock& wall, logs::RedisLogs& logs,
                             std::string stream, RedisDelivery::Appended appended)
    : stream_(std::move(stream)),
      delivery_(logs, stream_, stream_ + std::string(notifier::kScheduledSuffix), std::move(appended)),
      timers_(core, client, wall, stream_, notifier::TimerKind::kDeliver, KeepFired::kYes, *this) {}

void RedisSchedule::OnPending(int64_t more) { notifier::scheduled_pending.Add(more); }

void RedisSchedule::OnDue(std::vector<DueTimer> due, Pass pass, uint64_t fence,
                          std::function<void(const base::Status&)> then) {
  auto load = std::make_shared<RedisDelivery::Load>();
  for (const DueTimer& one : due) {
    const std::string_view nid = notifier::PartsOfName(one.timer.name).nid;
    auto notification = notifier::DecodeScheduled(one.timer.payload);
    if (!notification.ok()) {
      // It was good when it was accepted: rules have changed since.
      if (pass == Pass::kFirst) notifier::dead_lettered.Add();
      base::Log(base::Level::kError, "scheduled_unreadable", {{"nid", nid}, {"why", notification.status().message()}});
      continue;
    }
    load->Add({.nid = std::string(nid),
               .notification = *notification,
               .users = notification->users,
               .at_ms = std::max(one.timer.due_ms, static_cast<int64_t>(one.number / 1'000)),
               .source = {one.number, 0}});
  }
  const auto fired = static_cast<int64_t>(due.size());
  delivery_.Deliver(load, fence, [pass, fired, then = std::move(then)](const base::Status& delivered) {
    if (delivered.ok() && pass == Pass::kFirst) notifier::scheduled_fired.Add(fired);
    then(delivered);
  });
}

}  // namespace tocsin::nodes
