#include "notifier/schedule.h"

#include <algorithm>

#include "base/log.h"
#include "base/metrics.h"
#include "model/bytes.h"
#include "notifier/counters.h"
#include "notifier/rendered_item.h"
#include "notifier/router.h"
#include "wire/notification_fields.h"

namespace tocsin::notifier {
namespace {

using base::Code;
using base::Result;
using base::Status;
using model::EntryId;
using storage::Batch;
using storage::Family;

// kMeta: kDuePrefix time (8) id (16) stream -> number of recipients; kNidPrefix nid -> time, fields; kState -> number
// of the last firing, how many are pending.
constexpr std::string_view kDuePrefix = "sched/due/", kNidPrefix = "sched/nid/", kState = "sched/state";

// Behind the name of a stream: what the logs take its firings for.
constexpr std::string_view kScheduledSuffix = "#scheduled";

std::string DueKey(int64_t due_ms, EntryId id, std::string_view stream) {
  std::string key(kDuePrefix);
  model::PutBig64(key, static_cast<uint64_t>(due_ms));
  id.EncodeTo(key);
  return key.append(stream);
}

std::optional<SchedulePlace> PlaceOf(std::string_view key) {
  key.remove_prefix(kDuePrefix.size());
  if (key.size() < 8 + EntryId::kEncodedSize) return std::nullopt;
  return SchedulePlace{static_cast<int64_t>(model::GetBig64(key.data())), EntryId::Decode(key.substr(8)),
                       std::string(key.substr(8 + EntryId::kEncodedSize))};
}

std::string NidKey(std::string_view nid) { return std::string(kNidPrefix).append(nid); }

std::string Encode(int64_t due_ms, const model::StreamFields& fields) {
  std::string out;
  model::PutVarint(out, static_cast<uint64_t>(due_ms));
  model::PutVarint(out, fields.size());
  for (const auto& [name, value] : fields) {
    model::PutString(out, name);
    model::PutString(out, value);
  }
  return out;
}

Status Damaged() { return Status(Code::kCorruption, "a row of the schedule cannot be decoded"); }

Result<Schedule::Row> Decode(std::string_view value) {
  Schedule::Row row;
  model::ByteReader in(value);
  uint64_t due = 0, fields = 0;
  bool good = in.Varint(due) && in.Varint(fields) && fields <= in.rest().size();
  row.due_ms = static_cast<int64_t>(due);
  for (uint64_t i = 0; good && i < fields; ++i) {
    std::string_view name, text;
    good = in.String(name) && in.String(text);
    row.fields.emplace_back(name, text);
  }
  if (!good || !in.done()) return Damaged();
  return row;
}

}  // namespace

Status Schedule::Load() {
  if (loaded_) return base::Ok();
  auto state = store_.Get(Family::kMeta, kState);
  if (!state.ok()) return state.status();
  number_ = pending_ = 0;
  if (state->has_value()) {
    model::ByteReader in(**state);
    if (!in.Varint(number_) || !in.Varint(pending_)) return Damaged();
  }
  auto rows = store_.Iterate(Family::kMeta, kDuePrefix, model::PrefixSuccessor(kDuePrefix));
  rows->SeekToFirst();
  next_key_ = rows->Valid() ? std::string(rows->key()) : model::PrefixSuccessor(kDuePrefix);
  RETURN_IF_ERROR(rows->status());
  loaded_ = true;
  return base::Ok();
}

Result<std::optional<int64_t>> Schedule::DueOf(std::string_view nid) const {
  if (auto staged = staged_.find(nid); staged != staged_.end()) return staged->second;
  auto row = Find(nid);
  if (!row.ok()) return row.status();
  if (!row->has_value()) return std::optional<int64_t>();
  return std::optional((*row)->due_ms);
}

Status Schedule::Add(std::string_view stream, EntryId id, const model::Notification& notification, Batch& batch) {
  RETURN_IF_ERROR(Load());
  const int64_t due_ms = *notification.deliver_at_ms;
  const std::string nid = NidOf(stream, id);
  // A stream that was deleted may give an id again.
  auto earlier = DueOf(nid);
  if (!earlier.ok()) return earlier.status();
  if (earlier->has_value()) {
    batch.Delete(Family::kMeta, DueKey(**earlier, id, stream));
    --pending_;
  }
  std::string key = DueKey(due_ms, id, stream), users;
  model::PutVarint(users, notification.users.size());
  batch.Put(Family::kMeta, key, users);
  batch.Put(Family::kMeta, NidKey(nid), Encode(due_ms, wire::ToFields(notification)));
  next_key_ = std::min(next_key_, key);
  staged_.insert_or_assign(nid, std::optional(due_ms));
  ++pending_;
  changed_ = true;
  return base::Ok();
}

Result<bool> Schedule::Cancel(std::string_view nid, Batch& batch) {
  RETURN_IF_ERROR(Load());
  const auto parts = ParseNid(nid);
  if (!parts) return false;
  auto due = DueOf(nid);
  if (!due.ok()) return due.status();
  if (!due->has_value()) return false;
  batch.Delete(Family::kMeta, DueKey(**due, parts->id, parts->stream));
  batch.Delete(Family::kMeta, NidKey(nid));
  staged_.insert_or_assign(std::string(nid), std::nullopt);
  --pending_;
  ++cancelled_;
  changed_ = true;
  return true;
}

Result<std::optional<Schedule::Row>> Schedule::Find(std::string_view nid) const {
  auto stored = store_.Get(Family::kMeta, NidKey(nid));
  if (!stored.ok()) return stored.status();
  if (!stored->has_value()) return std::optional<Row>();
  auto row = Decode(**stored);
  if (!row.ok()) return row.status();
  return std::optional(std::move(*row));
}

Result<SchedulePage> Schedule::List(const SchedulePlace& after, size_t limit) const {
  SchedulePage page;
  const std::string from = DueKey(after.deliver_at_ms, after.id, after.stream) + '\0';
  auto rows =
      store_.Iterate(Family::kMeta, loaded_ ? std::max(from, next_key_) : from, model::PrefixSuccessor(kDuePrefix));
  for (rows->SeekToFirst(); rows->Valid(); rows->Next()) {
    if (page.lines.size() == limit) {
      page.more = true;
      break;
    }
    auto place = PlaceOf(rows->key());
    model::ByteReader value(rows->value());
    uint64_t users = 0;
    if (!place || !value.Varint(users)) return Damaged();
    page.lines.push_back({std::move(*place), users});
  }
  RETURN_IF_ERROR(rows->status());
  return page;
}

Status Schedule::BeforeCommit(Batch& batch) {
  RETURN_IF_ERROR(Load());
  RETURN_IF_ERROR(Fire(batch));
  if (changed_) {
    std::string state;
    model::PutVarint(state, number_);
    model::PutVarint(state, pending_);
    batch.Put(Family::kMeta, kState, state);
  }
  return base::Ok();
}

// What is stored: what this turn has added is there with the next one.
Status Schedule::Fire(Batch& batch) {
  if (pending_ == 0) return base::Ok();
  const std::string end = DueKey(std::max<int64_t>(clock_.NowMs(), 0) + 1, {}, {});
  if (next_key_ >= end) return base::Ok();
  size_t users = 0, bytes = 0, fired = 0;
  auto rows = store_.Iterate(Family::kMeta, next_key_, model::PrefixSuccessor(kDuePrefix));
  for (rows->SeekToFirst(); rows->Valid() && rows->key() < end; rows->Next()) {
    if (fired == kFire || users >= kFireUsers || bytes >= kFireBytes) break;
    const auto place = PlaceOf(rows->key());
    if (!place) return Damaged();
    const std::string nid = NidOf(place->stream, place->id);
    if (staged_.contains(nid)) continue;
    auto row = Find(nid);
    if (!row.ok()) return row.status();
    if (!row->has_value()) return Damaged();
    RETURN_IF_ERROR(FireOne(*place, nid, **row, batch));
    uint64_t recipients = 0;
    if (!model::ByteReader(rows->value()).Varint(recipients)) return Damaged();
    users += recipients;
    for (const auto& [name, value] : (*row)->fields) bytes += value.size();
    ++fired;
  }
  RETURN_IF_ERROR(rows->status());
  next_key_ = rows->Valid() ? std::string(rows->key()) : model::PrefixSuccessor(kDuePrefix);
  for (const auto& [nid, due_ms] : staged_) {
    const auto parts = ParseNid(nid);
    if (due_ms && parts) next_key_ = std::min(next_key_, DueKey(*due_ms, parts->id, parts->stream));
  }
  return base::Ok();
}

Status Schedule::FireOne(const SchedulePlace& place, std::string_view nid, const Row& row, Batch& batch) {
  auto notification = wire::FromFields(row.fields);
  if (notification.ok()) {
    const std::string stream = place.stream + std::string(kScheduledSuffix);
    const std::string json = RenderItem(nid, static_cast<uint64_t>(clock_.NowMs()), *notification);
    const logs::NewItem item{.nid = nid, .priority = notification->priority, .json = json};
    const logs::Source source{.stream = stream, .id = {++number_, 0}};
    for (const std::string& user : notification->users) RETURN_IF_ERROR(user_logs_.Append(user, item, source, batch));
    ++fired_;
  } else {
    // It was good when it was accepted: rules have changed since.
    dead_lettered.Add();
    base::Log(base::Level::kError, "scheduled_unreadable", {{"nid", nid}, {"why", notification.status().message()}});
  }
  batch.Delete(Family::kMeta, DueKey(place.deliver_at_ms, place.id, place.stream));
  batch.Delete(Family::kMeta, NidKey(nid));
  --pending_;
  changed_ = true;
  return base::Ok();
}

void Schedule::AfterCommit(const Status& status) {
  if (status.ok()) {
    scheduled_fired.Add(fired_);
    scheduled_cancelled.Add(cancelled_);
    scheduled_pending.Set(static_cast<int64_t>(pending_));
  } else {
    loaded_ = false;
  }
  staged_.clear();
  changed_ = false;
  fired_ = cancelled_ = 0;
}

int64_t Schedule::NextTurnUs() const {
  const int64_t now_us = clock_.MonotonicUs();
  if (!loaded_) return now_us + kLookMs * 1000;
  if (pending_ == 0) return kNoTurn;
  const auto place = next_key_.starts_with(kDuePrefix) ? PlaceOf(next_key_) : std::nullopt;
  const int64_t wait_ms = place ? place->deliver_at_ms - clock_.NowMs() : kLookMs;
  return now_us + std::clamp<int64_t>(wait_ms, 0, kLookMs) * 1000;
}

}  // namespace tocsin::notifier
