#include "streams/group.h"

#include <algorithm>

#include "streams/redelivery.h"

namespace tocsin::streams {
namespace {

constexpr uint8_t kGroupFormat = 1;
constexpr int64_t kTimesEveryMs = 1000;

uint64_t ZigZag(int64_t value) { return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63); }
int64_t UnZigZag(uint64_t value) { return static_cast<int64_t>((value >> 1) ^ (~(value & 1) + 1)); }

}  // namespace

void Group::SetPosition(EntryId last_id, int64_t entries_read) {
  last_id_ = last_id;
  entries_read_ = entries_read;
  staged_ = row_staged_ = true;
}

Consumer* Group::FindConsumer(std::string_view name) {
  const auto found = consumers_.find(name);
  return found == consumers_.end() ? nullptr : found->second.get();
}

Consumer& Group::AddConsumer(std::string_view name, int64_t now_ms) {
  auto made = std::make_unique<Consumer>();
  Consumer& consumer = *made;
  consumer.number = next_consumer_++;
  consumer.name = name;
  consumer.seen_ms = now_ms;
  by_number_[consumer.number] = &consumer;
  consumers_.emplace(consumer.name, std::move(made));
  row_staged_ = true;
  Stage(consumer);
  return consumer;
}

size_t Group::RemoveConsumer(Consumer& consumer) {
  std::vector<EntryId> ids;
  consumer.pending.ForEach({}, [&](const Consumer::Own& own) {
    ids.push_back(own.id);
    return true;
  });
  for (const EntryId id : ids) pending_.Erase(id);
  std::erase(staged_consumers_, &consumer);
  removed_.push_back(consumer.number);
  by_number_.erase(consumer.number);
  consumers_.erase(consumers_.find(consumer.name));
  staged_ = true;
  return ids.size();
}

void Group::Stage(Consumer& consumer) {
  staged_ = true;
  if (consumer.staged) return;
  consumer.staged = true;
  staged_consumers_.push_back(&consumer);
}

void Group::Seen(Consumer& consumer, int64_t now_ms) {
  consumer.seen_ms = now_ms;
  if (now_ms - consumer.stored_ms >= kTimesEveryMs || now_ms < consumer.stored_ms) Stage(consumer);
}

void Group::Active(Consumer& consumer, int64_t now_ms) {
  consumer.active_ms = now_ms;
  Stage(consumer);
}

Consumer* Group::ConsumerOf(const Pending& pending) const {
  const auto found = by_number_.find(pending.consumer);
  return found == by_number_.end() ? nullptr : found->second;
}

std::vector<Pending> Group::IdleSince(int64_t ms) {
  std::vector<Pending> idle;
  if (ms < oldest_ms_) return idle;
  int64_t oldest_ms = INT64_MAX;
  pending_.ForEach({}, [&](const Pending& pending) {
    oldest_ms = std::min(oldest_ms, pending.IdleFromMs());
    if (pending.IdleFromMs() <= ms) idle.push_back(pending);
    return true;
  });
  oldest_ms_ = oldest_ms;
  std::stable_sort(idle.begin(), idle.end(),
                   [](const Pending& a, const Pending& b) { return a.IdleFromMs() < b.IdleFromMs(); });
  return idle;
}

void Group::LookForDue(const Redelivery& policy, int64_t now_ms) {
  const int64_t unseen_due_ms = unseen_ms_ == INT64_MAX ? INT64_MAX : unseen_ms_ + policy.DelayMs(1);
  if (pending_.empty() || now_ms < std::min(due_ms_, unseen_due_ms)) return;
  std::vector<std::pair<int64_t, const Pending*>> due;
  due_ms_ = unseen_ms_ = INT64_MAX;
  pending_.ForEach({}, [&](const Pending& pending) {
    const int64_t at_ms = policy.DueMs(pending);
    if (at_ms <= now_ms) {
      due.emplace_back(at_ms, &pending);
    } else {
      due_ms_ = std::min(due_ms_, at_ms);
    }
    return true;
  });
  std::stable_sort(due.begin(), due.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  due_.clear();
  exhausted_.clear();
  for (const auto& [at_ms, pending] : due) (policy.IsExhausted(*pending) ? exhausted_ : due_).push_back(pending->id);
}

std::optional<Pending> Group::TakeFrom(std::deque<EntryId>& found, const Redelivery& policy, int64_t now_ms) {
  LookForDue(policy, now_ms);
  while (!found.empty()) {
    const Pending* pending = pending_.Find(found.front());
    found.pop_front();
    if (pending == nullptr || policy.DueMs(*pending) > now_ms) continue;
    if (policy.IsExhausted(*pending) == (&found == &exhausted_)) return *pending;
  }
  return std::nullopt;
}

bool Group::HasDue(const Redelivery& policy, int64_t now_ms) {
  LookForDue(policy, now_ms);
  return !due_.empty();
}

std::optional<Pending> Group::TakeDue(const Redelivery& policy, int64_t now_ms) {
  return TakeFrom(due_, policy, now_ms);
}

std::optional<Pending> Group::TakeExhausted(const Redelivery& policy, int64_t now_ms) {
  return TakeFrom(exhausted_, policy, now_ms);
}

void Group::SetPending(Pending pending) {
  staged_ = true;
  oldest_ms_ = std::min(oldest_ms_, pending.IdleFromMs());
  // What was given back may be due at once.
  if (pending.consumer == kNobody) due_ms_ = INT64_MIN;
  unseen_ms_ = std::min(unseen_ms_, pending.delivered_ms);
  Pending* known = pending_.Find(pending.id);
  if (known == nullptr || known->consumer != pending.consumer) {
    if (known != nullptr) {
      if (Consumer* before = ConsumerOf(*known)) before->pending.Erase(pending.id);
    }
    if (Consumer* after = ConsumerOf(pending)) after->pending.Insert({pending.id});
  }
  if (known == nullptr) {
    pending_.Insert(pending);
  } else {
    *known = pending;
    pending_.Touch(pending.id);
  }
}

void Group::Assign(EntryId id, Consumer& consumer, int64_t delivered_ms, uint64_t deliveries) {
  SetPending({id, delivered_ms, deliveries, consumer.number});
}

void Group::Release(EntryId id, uint64_t deliveries, int64_t released_ms) {
  SetPending({id, released_ms, deliveries, kNobody});
}

bool Group::Unassign(EntryId id) {
  const Pending* pending = pending_.Find(id);
  if (pending == nullptr) return false;
  staged_ = true;
  if (Consumer* consumer = ConsumerOf(*pending)) consumer->pending.Erase(id);
  pending_.Erase(id);
  return true;
}

void Group::Flush(storage::Batch& batch) {
  constexpr auto kFamily = storage::Family::kGroups;
  std::string value;
  if (row_staged_) {
    value.push_back(static_cast<char>(kGroupFormat));
    model::PutString(value, name_);
    PutId(value, last_id_);
    PutSigned(value, entries_read_);
    model::PutVarint(value, next_consumer_);
    batch.Put(kFamily, GroupKey(stream_, number_), value);
  }
  for (const uint32_t number : removed_) batch.Delete(kFamily, ConsumerKey(stream_, number_, number));
  removed_.clear();
  for (Consumer* consumer : staged_consumers_) {
    value.clear();
    model::PutString(value, consumer->name);
    model::PutVarint(value, static_cast<uint64_t>(consumer->seen_ms));
    PutSigned(value, consumer->active_ms);
    batch.Put(kFamily, ConsumerKey(stream_, number_, consumer->number), value);
    consumer->staged = false;
    consumer->stored_ms = consumer->seen_ms;
  }
  staged_consumers_.clear();
  for (const EntryId block_name : pending_.touched()) {
    const auto* block = pending_.Block(block_name);
    if (block == nullptr) {
      batch.Delete(kFamily, PendingKey(stream_, number_, block_name));
      continue;
    }
    // Ids and times by their distance from the one before: most take a byte.
    value.clear();
    EntryId before = block_name;
    int64_t time_before = 0;
    for (const Pending& pending : *block) {
      const uint64_t ms = pending.id.ms - before.ms;
      model::PutVarint(value, ms);
      model::PutVarint(value, ms == 0 ? pending.id.seq - before.seq : pending.id.seq);
      model::PutVarint(value, ZigZag(pending.delivered_ms - time_before));
      model::PutVarint(value, pending.deliveries);
      model::PutVarint(value, pending.consumer == kNobody ? 0 : uint64_t{pending.consumer} + 1);
      before = pending.id;
      time_before = pending.delivered_ms;
    }
    batch.Put(kFamily, PendingKey(stream_, number_, block_name), value);
  }
  pending_.ClearTouched();
  staged_ = row_staged_ = false;
}

size_t Group::memory() const {
  return sizeof(Group) + name_.size() + consumers_.size() * (sizeof(Consumer) + 128) +
         pending_.size() * (sizeof(Pending) + sizeof(Consumer::Own)) * 3 / 2;
}

bool Group::LoadGroupRow(std::string_view value) {
  model::ByteReader reader(value);
  uint8_t format = 0;
  std::string_view name;
  uint64_t next_consumer = 0;
  if (!reader.Byte(format) || format != kGroupFormat || !reader.String(name) || !GetId(reader, last_id_) ||
      !GetSigned(reader, entries_read_) || !reader.Varint(next_consumer)) {
    return false;
  }
  name_ = name;
  next_consumer_ = static_cast<uint32_t>(next_consumer);
  staged_ = row_staged_ = false;
  return true;
}

bool Group::LoadConsumerRow(uint32_t number, std::string_view value) {
  model::ByteReader reader(value);
  auto consumer = std::make_unique<Consumer>();
  std::string_view name;
  uint64_t seen = 0;
  if (!reader.String(name) || !reader.Varint(seen) || !GetSigned(reader, consumer->active_ms)) return false;
  consumer->number = number;
  consumer->name = name;
  consumer->seen_ms = consumer->stored_ms = static_cast<int64_t>(seen);
  by_number_[number] = consumer.get();
  return consumers_.emplace(consumer->name, std::move(consumer)).second;
}

bool Group::LoadPendingRow(EntryId name, std::string_view value) {
  model::ByteReader reader(value);
  std::vector<Pending> block;
  EntryId before = name;
  int64_t time = 0;
  while (!reader.done()) {
    uint64_t ms = 0, seq = 0, delivered = 0, deliveries = 0, consumer = 0;
    if (!reader.Varint(ms) || !reader.Varint(seq) || !reader.Varint(delivered) || !reader.Varint(deliveries) ||
        !reader.Varint(consumer)) {
      return false;
    }
    const EntryId id{before.ms + ms, ms == 0 ? before.seq + seq : seq};
    if (id < before || (!block.empty() && id == before)) return false;
    time += UnZigZag(delivered);
    block.push_back({id, time, deliveries, consumer == 0 ? kNobody : static_cast<uint32_t>(consumer - 1)});
    if (consumer != 0) {
      Consumer* owner = ConsumerOf(block.back());
      if (owner == nullptr) return false;
      owner->pending.Insert({id});
    }
    before = id;
  }
  return pending_.Restore(name, std::move(block));
}

}  // namespace tocsin::streams
