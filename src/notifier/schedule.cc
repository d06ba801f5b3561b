#include "notifier/schedule.h"

#include <algorithm>

#include "base/log.h"
#include "base/metrics.h"
#include "notifier/counters.h"
#include "notifier/router.h"
#include "notifier/scheduled_row.h"

namespace tocsin::notifier {

using base::Result;
using base::Status;
using model::EntryId;
using storage::Batch;

Schedule::Schedule(const storage::Store& store, const base::Clock& clock, Delivery& delivery)
    : clock_(clock),
      delivery_(delivery),
      timers_(store, clock, TimerKind::kDeliver, *this),
      cancelled_(store, clock, TimerKind::kCancelled, forget_) {}

Status Schedule::Add(std::string_view stream, EntryId id, const model::Notification& notification, Batch& batch) {
  const Timer timer = ScheduledTimer(NidOf(stream, id), notification);
  // A stream that was deleted may give an id again.
  auto earlier = timers_.Remove(timer.name, batch);
  if (!earlier.ok()) return earlier.status();
  auto put = timers_.Put(timer, batch);
  return put.ok() ? base::Ok() : put.status();
}

// One whose time has come has fired, and one that was cancelled is not put again.
Status Schedule::AddAgain(std::string_view stream, EntryId id, const model::Notification& notification, Batch& batch) {
  if (*notification.deliver_at_ms <= clock_.NowMs()) return base::Ok();
  const std::string nid = NidOf(stream, id);
  auto cancelled = cancelled_.Find(nid);
  if (!cancelled.ok()) return cancelled.status();
  if (cancelled->has_value()) return base::Ok();
  auto put = timers_.Put(ScheduledTimer(nid, notification), batch);
  return put.ok() ? base::Ok() : put.status();
}

Status Schedule::Hold(std::string_view nid, const std::string& user, const model::Notification& notification,
                      int64_t until_ms, Batch& batch) {
  auto put = timers_.Put(HeldTimer(nid, user, notification, until_ms), batch);
  return put.ok() ? base::Ok() : put.status();
}

Result<bool> Schedule::Cancel(std::string_view nid, Batch& batch) {
  if (!ParseNid(nid)) return false;
  auto row = timers_.Find(nid);
  if (!row.ok()) return row.status();
  auto whole = timers_.Remove(nid, batch);
  if (!whole.ok()) return whole.status();
  auto held = timers_.RemoveAll(HeldName(nid, ""), batch);
  if (!held.ok()) return held.status();
  if (!*whole && *held == 0) return false;
  Timer known{.name = std::string(nid), .due_ms = clock_.NowMs() + kKnowCancelledMs};
  if (row->has_value()) known.payload = std::move((*row)->payload);
  auto put = cancelled_.Put(known, batch);
  if (!put.ok()) return put.status();
  ++cancelled_now_;
  return true;
}

Result<std::optional<ScheduledState>> Schedule::Find(std::string_view nid) const {
  ScheduledState state;
  auto row = timers_.Find(nid);
  if (!row.ok()) return row.status();
  auto held = timers_.FindAll(HeldName(nid, ""), model::kMaxRecipients);
  if (!held.ok()) return held.status();
  for (const Timer& timer : *held) state.held.emplace_back(PartsOfName(timer.name).user, timer.due_ms);
  if (row->has_value()) state.due_ms = (*row)->due_ms;
  if (!row->has_value()) {
    row = cancelled_.Find(nid);
    if (!row.ok()) return row.status();
    state.cancelled = row->has_value();
  }
  if (row->has_value() && !(*row)->payload.empty()) {
    auto fields = DecodeFields((*row)->payload);
    if (!fields.ok()) return fields.status();
    state.fields = std::move(*fields);
  }
  if (!row->has_value() && state.held.empty()) return std::optional<ScheduledState>();
  return std::optional(std::move(state));
}

Result<SchedulePage> Schedule::List(const SchedulePlace& after, size_t limit) const {
  Timer from{.due_ms = after.deliver_at_ms, .order = after.id};
  if (!after.stream.empty()) {
    from.name = NidOf(after.stream, after.id);
    if (!after.user.empty()) from.name = HeldName(from.name, after.user);
  }
  auto listed = timers_.List(from, limit);
  if (!listed.ok()) return listed.status();
  SchedulePage page{.lines = {}, .more = listed->more};
  for (const Timer& timer : listed->timers) {
    const TimerNameParts parts = PartsOfName(timer.name);
    const auto nid = ParseNid(parts.nid);
    if (!nid) return Status(base::Code::kCorruption, "a row of the schedule has no nid");
    page.lines.push_back(
        {{timer.due_ms, timer.order, std::string(nid->stream), std::string(parts.user)}, timer.weight});
  }
  return page;
}

Status Schedule::OnDue(const Timer& timer, uint64_t number, Batch& batch) {
  const auto [nid, user] = PartsOfName(timer.name);
  const auto parts = ParseNid(nid);
  auto notification = DecodeScheduled(timer.payload);
  if (!parts || !notification.ok()) {
    // It was good when it was accepted: rules have changed since.
    dead_lettered.Add();
    base::Log(base::Level::kError, "scheduled_unreadable", {{"nid", nid}, {"why", notification.status().message()}});
    return base::Ok();
  }
  const std::string source = std::string(parts->stream).append(kScheduledSuffix);
  return delivery_.Deliver({.nid = nid,
                            .notification = *notification,
                            .users = notification->users,
                            .at_ms = clock_.NowMs(),
                            .source = {.stream = source, .id = {number, 0}},
                            .held = user.empty() ? state::Held::kNo : state::Held::kYes},
                           batch);
}

Status Schedule::BeforeCommit(Batch& batch) {
  RETURN_IF_ERROR(timers_.BeforeCommit(batch));
  return cancelled_.BeforeCommit(batch);
}

void Schedule::AfterCommit(const Status& status) {
  timers_.AfterCommit(status);
  cancelled_.AfterCommit(status);
  if (status.ok()) {
    scheduled_fired.Add(static_cast<int64_t>(timers_.fired() - fired_));
    fired_ = timers_.fired();
    scheduled_cancelled.Add(cancelled_now_);
    scheduled_pending.Set(static_cast<int64_t>(timers_.pending()));
  }
  cancelled_now_ = 0;
}

int64_t Schedule::NextTurnUs() const { return std::min(timers_.NextTurnUs(), cancelled_.NextTurnUs()); }

}  // namespace tocsin::notifier
