// StreamEngine: keys, what is in memory of them, and the turn.
#include "streams/engine.h"

#include <algorithm>

#include "streams/errors.h"

namespace tocsin::streams {
namespace {

constexpr uint8_t kEngineFormat = 1;
constexpr int64_t kRetryEveryUs = 100'000;
constexpr int64_t kExpiryLookMs = 1'000;

}  // namespace

StreamEngine::StreamEngine(storage::Store& store, const base::Clock& clock, EngineOptions options)
    : store_(store), clock_(clock), options_(options) {}

StreamEngine::~StreamEngine() = default;

base::Status StreamEngine::LoadRow() {
  if (row_loaded_) return base::Ok();
  auto value = store_.Get(storage::Family::kGroups, kEngineKey);
  if (!value.ok()) return value.status();
  next_number_ = 1;
  keys_ = 0;
  if (*value) {
    model::ByteReader reader(**value);
    uint8_t format = 0;
    if (!reader.Byte(format) || format != kEngineFormat || !reader.Varint(next_number_) || !reader.Varint(keys_)) {
      return {base::Code::kCorruption, "the stored row of the stream engine is damaged"};
    }
  }
  row_loaded_ = true;
  return base::Ok();
}

StreamEngine::Slot& StreamEngine::SlotOf(std::string_view key) {
  if (const auto found = slots_.find(key); found != slots_.end()) {
    uses_.splice(uses_.begin(), uses_, found->second.use);
    return found->second;
  }
  const auto made = slots_.try_emplace(std::string(key)).first;
  uses_.push_front(&made->first);
  made->second.use = uses_.begin();
  return made->second;
}

base::Result<Stream*> StreamEngine::Find(std::string_view key) {
  auto found = FindStored(key);
  if (!found.ok() || *found == nullptr) return found;
  const int64_t expires_ms = (*found)->record().expires_ms;
  if (expires_ms == 0 || expires_ms > clock_.NowMs()) return found;
  RETURN_IF_ERROR(Remove(key));
  return nullptr;
}

base::Result<Stream*> StreamEngine::FindStored(std::string_view key) {
  if (const auto found = slots_.find(key); found != slots_.end()) {
    uses_.splice(uses_.begin(), uses_, found->second.use);
    return found->second.stream.get();
  }
  if (store_hidden_) return nullptr;
  auto value = store_.Get(storage::Family::kGroups, StreamKey(key));
  if (!value.ok()) return value.status();
  if (!*value) return nullptr;
  StreamRecord record;
  if (!Decode(**value, record)) {
    return base::Status(base::Code::kCorruption, "the stored record of stream `" + std::string(key) + "` is damaged");
  }
  Slot& slot = SlotOf(key);
  slot.stream = std::make_unique<Stream>(store_, std::string(key), record);
  memory_ += slot.stream->memory();
  return slot.stream.get();
}

base::Result<Stream*> StreamEngine::FindOrMake(std::string_view key) {
  auto found = Find(key);
  if (!found.ok() || *found != nullptr) return found;
  RETURN_IF_ERROR(LoadRow());
  Slot& slot = SlotOf(key);
  slot.stream = std::make_unique<Stream>(store_, std::string(key), next_number_++);
  ++keys_;
  row_staged_ = true;
  Touch(key);
  return slot.stream.get();
}

base::Result<StreamEngine::StreamAndGroup> StreamEngine::FindGroup(std::string_view key, std::string_view group) {
  StreamAndGroup found;
  auto stream = Find(key);
  if (!stream.ok()) return stream.status();
  found.stream = *stream;
  if (found.stream == nullptr) return found;
  auto in_stream = found.stream->FindGroup(group);
  if (!in_stream.ok()) return in_stream.status();
  found.group = *in_stream;
  return found;
}

void StreamEngine::Touch(std::string_view key, Confirms confirms) {
  confirms_ = confirms_ || confirms == Confirms::kYes;
  if (!watched_.empty()) {
    if (const auto watched = watched_.find(key); watched != watched_.end()) ++watched->second.changes;
  }
  Slot& slot = SlotOf(key);
  if (slot.touched) return;
  slot.touched = true;
  touched_.emplace_back(key);
  // Counted again when the turn is over.
  if (slot.stream) memory_ -= std::min(memory_, slot.stream->memory());
}

base::Status StreamEngine::BeforeCommit(storage::Batch& batch) {
  RETURN_IF_ERROR(DeleteExpired());
  if (const int64_t now_us = clock_.MonotonicUs(); time_brings_entries() && now_us >= next_retry_us_) {
    next_retry_us_ = now_us + kRetryEveryUs;
    RetryClaims();
  }
  EndCommand();
  if (store_hidden_) {
    batch.DeleteRange(storage::Family::kEntries, {}, EntryKey(UINT64_MAX, EntryId::Max()));
    batch.DeleteRange(storage::Family::kGroups, {}, "\x7f");  // every key begins with a letter
  }
  for (const auto& stream : doomed_) stream->Wipe(batch);
  for (const std::string& key : touched_) {
    const Slot& slot = slots_.find(key)->second;
    if (slot.stream) {
      slot.stream->Flush(batch);
    } else {
      batch.Delete(storage::Family::kGroups, StreamKey(key));
    }
  }
  for (const auto& [key, put] : expiry_rows_) {
    if (put) {
      batch.Put(storage::Family::kGroups, key, {});
    } else {
      batch.Delete(storage::Family::kGroups, key);
    }
  }
  if (!row_staged_) return base::Ok();
  std::string value(1, static_cast<char>(kEngineFormat));
  model::PutVarint(value, next_number_);
  model::PutVarint(value, keys_);
  batch.Put(storage::Family::kGroups, kEngineKey, value);
  return base::Ok();
}

int64_t StreamEngine::NextTurnUs() const {
  const int64_t next_us = time_brings_entries() ? next_retry_us_ : kNoTurn;
  if (next_expiry_ms_ == INT64_MAX) return next_us;
  // Expiries are times of the wall clock, which may be set: a look now and then costs little.
  const int64_t now_ms = clock_.NowMs();
  const int64_t wait_ms = std::clamp<int64_t>(next_expiry_ms_.value_or(now_ms) - now_ms, 0, kExpiryLookMs);
  return std::min(next_us, clock_.MonotonicUs() + wait_ms * 1000);
}

void StreamEngine::AfterCommit(const base::Status& status) {
  doomed_.clear();
  expiry_rows_.clear();
  row_staged_ = confirms_ = store_hidden_ = false;
  if (!status.ok()) {
    slots_.clear();
    uses_.clear();
    touched_.clear();
    memory_ = 0;
    row_loaded_ = false;
    next_expiry_ms_.reset();
    expiring_.reset();
    AnswerWaiters(status);
    return;
  }
  for (const std::string& key : touched_) {
    const auto found = slots_.find(key);
    Slot& slot = found->second;
    slot.touched = false;
    if (slot.stream) {
      slot.stream->Settle();
      memory_ += slot.stream->memory();
    } else {
      DropSlot(found);
    }
  }
  touched_.clear();
  Evict();
  AnswerWaiters(status);
}

void StreamEngine::DropSlot(Slots::iterator slot) {
  uses_.erase(slot->second.use);
  slots_.erase(slot);
}

void StreamEngine::Evict() {
  while (memory_ > options_.memory_bytes && slots_.size() > 1) {
    const auto oldest = slots_.find(*uses_.back());
    memory_ -= std::min(memory_, oldest->second.stream->memory());
    DropSlot(oldest);
  }
}

}  // namespace tocsin::streams
