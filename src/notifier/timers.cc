#include "notifier/timers.h"

#include <algorithm>

#include "model/bytes.h"

namespace tocsin::notifier {
namespace {

using base::Code;
using base::Result;
using base::Status;
using model::EntryId;
using storage::Batch;
using storage::Family;

// kMeta, drawn in docs/format.md. Kinds are one byte behind the prefix.
constexpr std::string_view kDuePrefix = "timer/due/", kRowPrefix = "timer/row/", kStatePrefix = "timer/state/";
constexpr size_t kPlaceSize = 8 + EntryId::kEncodedSize;

std::string KeyOf(std::string_view prefix, TimerKind kind) {
  std::string key(prefix);
  key.push_back(static_cast<char>(kind));
  return key;
}

std::string EncodeRow(const Timer& timer) {
  std::string row;
  model::PutVarint(row, static_cast<uint64_t>(timer.due_ms));
  timer.order.EncodeTo(row);
  model::PutVarint(row, timer.weight);
  return row.append(timer.payload);
}

Status Damaged() { return Status(Code::kCorruption, "a timer cannot be decoded"); }

Result<Timer> DecodeRow(std::string_view name, std::string_view row) {
  Timer timer{.name = std::string(name)};
  model::ByteReader in(row);
  uint64_t due = 0;
  if (!in.Varint(due) || due > uint64_t{INT64_MAX} || in.rest().size() <= EntryId::kEncodedSize) return Damaged();
  timer.due_ms = static_cast<int64_t>(due);
  timer.order = EntryId::Decode(in.rest());
  model::ByteReader rest(in.rest().substr(EntryId::kEncodedSize));
  if (!rest.Varint(timer.weight)) return Damaged();
  timer.payload = rest.rest();
  return timer;
}

}  // namespace

Timers::Timers(const storage::Store& store, const base::Clock& clock, TimerKind kind, TimerAction& action)
    : store_(store),
      clock_(clock),
      kind_(kind),
      action_(action),
      due_prefix_(KeyOf(kDuePrefix, kind)),
      row_prefix_(KeyOf(kRowPrefix, kind)),
      state_key_(KeyOf(kStatePrefix, kind)) {}

std::string Timers::DueKey(const Place& place, std::string_view name) const {
  std::string key = due_prefix_;
  model::PutBig64(key, static_cast<uint64_t>(place.due_ms));
  place.order.EncodeTo(key);
  return key.append(name);
}

std::string Timers::DueEnd() const { return model::PrefixSuccessor(due_prefix_); }
std::string Timers::RowKey(std::string_view name) const { return std::string(row_prefix_).append(name); }

Status Timers::Load() {
  if (loaded_) return base::Ok();
  auto state = store_.Get(Family::kMeta, state_key_);
  if (!state.ok()) return state.status();
  number_ = pending_ = 0;
  if (state->has_value()) {
    model::ByteReader in(**state);
    if (!in.Varint(number_) || !in.Varint(pending_)) return Damaged();
  }
  auto rows = store_.Iterate(Family::kMeta, due_prefix_, DueEnd());
  rows->SeekToFirst();
  next_key_ = rows->Valid() ? std::string(rows->key()) : DueEnd();
  RETURN_IF_ERROR(rows->status());
  loaded_ = true;
  return base::Ok();
}

Result<std::optional<Timers::Place>> Timers::PlaceOf(std::string_view name) const {
  if (auto staged = staged_.find(name); staged != staged_.end()) return staged->second;
  auto timer = Find(name);
  if (!timer.ok()) return timer.status();
  if (!timer->has_value()) return std::optional<Place>();
  return std::optional(Place{(*timer)->due_ms, (*timer)->order});
}

Result<bool> Timers::Put(const Timer& timer, Batch& batch) {
  RETURN_IF_ERROR(Load());
  auto earlier = PlaceOf(timer.name);
  if (!earlier.ok()) return earlier.status();
  if (earlier->has_value()) return false;
  Timer stored = timer;
  stored.due_ms = std::max<int64_t>(timer.due_ms, 0);
  const Place place{stored.due_ms, stored.order};
  std::string key = DueKey(place, stored.name), weight;
  model::PutVarint(weight, stored.weight);
  batch.Put(Family::kMeta, key, weight);
  batch.Put(Family::kMeta, RowKey(stored.name), EncodeRow(stored));
  next_key_ = std::min(next_key_, key);
  staged_.insert_or_assign(stored.name, std::optional(place));
  ++pending_;
  changed_ = true;
  return true;
}

void Timers::Drop(const Place& place, std::string_view name, Batch& batch) {
  batch.Delete(Family::kMeta, DueKey(place, name));
  batch.Delete(Family::kMeta, RowKey(name));
  staged_.insert_or_assign(std::string(name), std::nullopt);
  --pending_;
  changed_ = true;
}

Result<bool> Timers::Remove(std::string_view name, Batch& batch) {
  RETURN_IF_ERROR(Load());
  auto place = PlaceOf(name);
  if (!place.ok()) return place.status();
  if (!place->has_value()) return false;
  Drop(**place, name, batch);
  ++removed_;
  return true;
}

Result<size_t> Timers::RemoveAll(std::string_view prefix, Batch& batch) {
  std::vector<std::string> names;
  const std::string lower = RowKey(prefix);
  auto rows = store_.Iterate(Family::kMeta, lower, model::PrefixSuccessor(lower));
  for (rows->SeekToFirst(); rows->Valid(); rows->Next()) {
    names.emplace_back(rows->key().substr(row_prefix_.size()));
  }
  RETURN_IF_ERROR(rows->status());
  for (const auto& [name, place] : staged_) {
    if (place && name.starts_with(prefix)) names.push_back(name);
  }
  size_t removed = 0;
  for (const std::string& name : names) {
    auto was = Remove(name, batch);
    if (!was.ok()) return was.status();
    removed += *was ? 1 : 0;
  }
  return removed;
}

Result<std::optional<Timer>> Timers::Find(std::string_view name) const {
  auto stored = store_.Get(Family::kMeta, RowKey(name));
  if (!stored.ok()) return stored.status();
  if (!stored->has_value()) return std::optional<Timer>();
  auto timer = DecodeRow(name, **stored);
  if (!timer.ok()) return timer.status();
  return std::optional(std::move(*timer));
}

Result<std::vector<Timer>> Timers::FindAll(std::string_view prefix, size_t limit) const {
  std::vector<Timer> found;
  const std::string lower = RowKey(prefix);
  auto rows = store_.Iterate(Family::kMeta, lower, model::PrefixSuccessor(lower));
  for (rows->SeekToFirst(); rows->Valid() && found.size() < limit; rows->Next()) {
    auto timer = DecodeRow(rows->key().substr(row_prefix_.size()), rows->value());
    if (!timer.ok()) return timer.status();
    timer->payload.clear();
    found.push_back(std::move(*timer));
  }
  RETURN_IF_ERROR(rows->status());
  return found;
}

Result<Timers::Page> Timers::List(const Timer& after, size_t limit) const {
  Page page;
  const std::string from = DueKey({std::max<int64_t>(after.due_ms, 0), after.order}, after.name) + '\0';
  auto rows = store_.Iterate(Family::kMeta, loaded_ ? std::max(from, next_key_) : from, DueEnd());
  for (rows->SeekToFirst(); rows->Valid(); rows->Next()) {
    if (page.timers.size() == limit) {
      page.more = true;
      break;
    }
    std::string_view place = rows->key();
    place.remove_prefix(due_prefix_.size());
    model::ByteReader value(rows->value());
    Timer timer;
    if (place.size() <= kPlaceSize || !value.Varint(timer.weight)) return Damaged();
    timer.due_ms = static_cast<int64_t>(model::GetBig64(place.data()));
    timer.order = EntryId::Decode(place.substr(8));
    timer.name = place.substr(kPlaceSize);
    page.timers.push_back(std::move(timer));
  }
  RETURN_IF_ERROR(rows->status());
  return page;
}

Result<uint64_t> Timers::LastNumber() {
  RETURN_IF_ERROR(Load());
  return number_;
}

Status Timers::SkipNumbers(uint64_t number) {
  RETURN_IF_ERROR(Load());
  number_ = std::max(number_, number);
  changed_ = true;
  return base::Ok();
}

Status Timers::BeforeCommit(Batch& batch) {
  RETURN_IF_ERROR(Load());
  RETURN_IF_ERROR(Fire(batch));
  if (changed_) {
    std::string state;
    model::PutVarint(state, number_);
    model::PutVarint(state, pending_);
    batch.Put(Family::kMeta, state_key_, state);
  }
  return base::Ok();
}

// What is stored: what this turn has put is there with the next one.
Status Timers::Fire(Batch& batch) {
  if (pending_ == 0) return base::Ok();
  const int64_t now_ms = std::max<int64_t>(clock_.NowMs(), 0);
  const std::string end = DueKey({now_ms + 1, {}}, {});
  if (next_key_ >= end) return base::Ok();
  size_t weight = 0, bytes = 0, fired = 0;
  auto rows = store_.Iterate(Family::kMeta, next_key_, DueEnd());
  for (rows->SeekToFirst(); rows->Valid() && rows->key() < end; rows->Next()) {
    if (fired == kFire || weight >= kFireWeight || bytes >= kFireBytes) break;
    if (rows->key().size() <= due_prefix_.size() + kPlaceSize) return Damaged();
    const std::string_view name = rows->key().substr(due_prefix_.size() + kPlaceSize);
    if (staged_.contains(name)) continue;
    auto timer = Find(name);
    if (!timer.ok()) return timer.status();
    if (!timer->has_value()) return Damaged();
    // Removed first: the action may put one of that name again.
    Drop({(*timer)->due_ms, (*timer)->order}, name, batch);
    number_ = std::max(number_ + 1, static_cast<uint64_t>(now_ms) * 1'000);
    RETURN_IF_ERROR(action_.OnDue(**timer, number_, batch));
    weight += (*timer)->weight;
    bytes += (*timer)->payload.size();
    ++fired_;
    ++fired;
  }
  RETURN_IF_ERROR(rows->status());
  next_key_ = rows->Valid() ? std::string(rows->key()) : DueEnd();
  for (const auto& [name, place] : staged_) {
    if (place) next_key_ = std::min(next_key_, DueKey(*place, name));
  }
  return base::Ok();
}

void Timers::AfterCommit(const Status& status) {
  if (status.ok()) {
    fired_total_ += fired_;
    removed_total_ += removed_;
  } else {
    loaded_ = false;
  }
  staged_.clear();
  changed_ = false;
  fired_ = removed_ = 0;
}

int64_t Timers::NextTurnUs() const {
  const int64_t now_us = clock_.MonotonicUs();
  if (!loaded_) return now_us + kLookMs * 1000;
  if (pending_ == 0) return kNoTurn;
  int64_t wait_ms = kLookMs;
  if (next_key_.size() > due_prefix_.size() + kPlaceSize && next_key_.starts_with(due_prefix_)) {
    wait_ms = static_cast<int64_t>(model::GetBig64(next_key_.data() + due_prefix_.size())) - clock_.NowMs();
  }
  return now_us + std::clamp<int64_t>(wait_ms, 0, kLookMs) * 1000;
}

}  // namespace tocsin::notifier
