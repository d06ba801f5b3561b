#include "nodes/redis_schedule.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "notifier/counters.h"
#include "notifier/scheduled_row.h"

namespace tocsin::nodes {

RedisSchedule::RedisSchedule(runtime::Core& core, redis::Client& client, const base::Clock& wall, logs::RedisLogs& logs,
                             std::string stream, RedisDelivery::Appended appended, const state::RateLimits& limits)
    : stream_(std::move(stream)),
      expiry_(core, client, wall, logs, stream_),
      delivery_(logs, expiry_, stream_, stream_ + std::string(notifier::kScheduledSuffix), std::move(appended), limits,
                Holder()),
      timers_(core, client, wall, stream_, notifier::TimerKind::kDeliver, KeepFired::kYes, *this) {}

RedisDelivery::Hold RedisSchedule::Holder() {
  return [this](const std::string& nid, const std::string& user, const model::Notification& notification,
                int64_t until_ms, std::function<void(const base::Status&)> then) {
    Hold({notifier::HeldTimer(nid, user, notification, until_ms)}, std::move(then));
  };
}

void RedisSchedule::OnPending(int64_t more) { notifier::scheduled_pending.Add(more); }

void RedisSchedule::OnDue(std::vector<DueTimer> due, Pass pass, uint64_t fence,
                          std::function<void(const base::Status&)> then) {
  auto load = std::make_shared<RedisDelivery::Load>();
  for (const DueTimer& one : due) {
    const auto [nid, user] = notifier::PartsOfName(one.timer.name);
    auto decoded = notifier::DecodeScheduled(one.timer.payload);
    if (!decoded.ok()) {
      // It was good when it was accepted: rules have changed since.
      if (pass == Pass::kFirst) notifier::dead_lettered.Add();
      base::Log(base::Level::kError, "scheduled_unreadable", {{"nid", nid}, {"why", decoded.status().message()}});
      continue;
    }
    auto notification = std::make_shared<const model::Notification>(std::move(*decoded));
    load->Add({.nid = std::string(nid),
               .notification = notification,
               .users = notification->users,
               .at_ms = std::max(one.timer.due_ms, static_cast<int64_t>(one.number / 1'000)),
               .source = {one.number, 0},
               .held = user.empty() ? state::Held::kNo : state::Held::kYes});
  }
  const auto fired = static_cast<int64_t>(due.size());
  delivery_.Deliver(load, fence, [pass, fired, then = std::move(then)](const base::Status& delivered) {
    if (delivered.ok() && pass == Pass::kFirst) notifier::scheduled_fired.Add(fired);
    then(delivered);
  });
}

}  // namespace tocsin::nodes
