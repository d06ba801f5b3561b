// Commands on keys: EXISTS, DEL, RENAME, KEYS, DBSIZE, FLUSHALL, EXPIRE and TTL.
#include <algorithm>
#include <iterator>
#include <set>

#include "streams/engine.h"
#include "streams/errors.h"

namespace tocsin::streams {
namespace {

constexpr size_t kExpiriesPerTurn = 256;

}  // namespace

base::Result<bool> StreamEngine::Exists(std::string_view key) {
  auto found = Find(key);
  if (!found.ok()) return found.status();
  return *found != nullptr;
}

void StreamEngine::Doom(Slot& slot, std::string_view key) {
  StageExpiry(key, slot.stream->record().expires_ms, 0);
  doomed_.push_back(std::move(slot.stream));
}

base::Result<bool> StreamEngine::DeleteKey(std::string_view key) {
  auto found = Find(key);
  if (!found.ok()) return found.status();
  if (*found == nullptr) return false;
  RETURN_IF_ERROR(Remove(key));
  return true;
}

base::Status StreamEngine::Remove(std::string_view key) {
  RETURN_IF_ERROR(LoadRow());
  Touch(key);
  Doom(SlotOf(key), key);
  --keys_;
  row_staged_ = true;
  Signal(key);
  return base::Ok();
}

base::Status StreamEngine::Rename(std::string_view from, std::string_view to) {
  auto source = Find(from);
  if (!source.ok()) return source.status();
  if (*source == nullptr) return NoSuchKey();
  if (from == to) return base::Ok();
  auto target = DeleteKey(to);
  if (!target.ok()) return target.status();
  Touch(from);
  Touch(to);
  Slot& before = SlotOf(from);
  Slot& after = SlotOf(to);
  const int64_t expires_ms = before.stream->record().expires_ms;
  after.stream = std::move(before.stream);
  after.stream->Rename(std::string(to));
  StageExpiry(from, expires_ms, 0);
  StageExpiry(to, 0, expires_ms);
  Signal(from);
  Signal(to);
  return base::Ok();
}

base::Status StreamEngine::DeleteAll() {
  RETURN_IF_ERROR(LoadRow());
  slots_.clear();
  uses_.clear();
  touched_.clear();
  doomed_.clear();
  expiry_rows_.clear();
  memory_ = 0;
  keys_ = 0;
  next_expiry_ms_ = INT64_MAX;
  expiring_ = 0;
  row_staged_ = store_hidden_ = confirms_ = true;
  for (auto& [key, watched] : watched_) ++watched.changes;
  for (const std::string& key : waiters_.Keys()) Signal(key);
  return base::Ok();
}

base::Result<std::optional<uint64_t>> StreamEngine::MemoryUsage(std::string_view key) {
  auto found = Find(key);
  if (!found.ok()) return found.status();
  if (*found == nullptr) return std::optional<uint64_t>();
  return std::optional<uint64_t>(sizeof(StreamRecord) + key.size() + (*found)->record().bytes);
}

void StreamEngine::Watch(std::string_view key) { ++watched_[std::string(key)].watchers; }

void StreamEngine::Unwatch(std::string_view key) {
  const auto found = watched_.find(key);
  if (found != watched_.end() && --found->second.watchers == 0) watched_.erase(found);
}

uint64_t StreamEngine::ChangesOf(std::string_view key) const {
  const auto found = watched_.find(key);
  return found == watched_.end() ? 0 : found->second.changes;
}

base::Result<uint64_t> StreamEngine::CountKeys() {
  RETURN_IF_ERROR(LoadRow());
  RETURN_IF_ERROR(DeleteExpired());
  return keys_;
}

base::Result<std::vector<std::string>> StreamEngine::StoredKeys(std::string_view after, size_t limit) {
  std::vector<std::string> keys;
  if (store_hidden_) return keys;
  std::string lower = StreamKey(after);
  if (!after.empty()) lower.push_back('\0');
  const auto rows = store_.Iterate(storage::Family::kGroups, lower, std::string(1, kStreamTag + 1));
  for (rows->SeekToFirst(); rows->Valid() && keys.size() < limit; rows->Next()) {
    const std::string_view key = rows->key().substr(1);
    const auto slot = slots_.find(key);
    if (slot != slots_.end() && slot->second.touched) continue;  // those come from memory
    keys.emplace_back(key);
  }
  RETURN_IF_ERROR(rows->status());
  return keys;
}

base::Result<std::vector<std::string>> StreamEngine::Keys(std::string_view after, size_t limit) {
  RETURN_IF_ERROR(DeleteExpired());
  auto keys = StoredKeys(after, limit);
  if (!keys.ok()) return keys;
  for (const std::string& key : touched_) {
    if ((key > after || (after.empty() && key.empty())) && slots_.find(key)->second.stream) keys->push_back(key);
  }
  std::sort(keys->begin(), keys->end());
  if (keys->size() > limit) keys->resize(limit);
  return keys;
}

void StreamEngine::StageExpiry(std::string_view key, int64_t before_ms, int64_t after_ms) {
  if (before_ms == after_ms) return;
  if (expiring_ && after_ms != 0) ++*expiring_;
  if (expiring_ && before_ms != 0) --*expiring_;
  if (before_ms != 0) expiry_rows_.emplace_back(ExpiryKey(before_ms, key), false);
  if (after_ms == 0) return;
  expiry_rows_.emplace_back(ExpiryKey(after_ms, key), true);
  if (next_expiry_ms_) next_expiry_ms_ = std::min(*next_expiry_ms_, after_ms);
}

base::Result<bool> StreamEngine::SetExpiry(std::string_view key, std::optional<int64_t> at_ms) {
  auto found = Find(key);
  if (!found.ok()) return found.status();
  if (*found == nullptr) return false;
  if (at_ms && *at_ms <= clock_.NowMs()) return DeleteKey(key);
  const int64_t after_ms = at_ms.value_or(0);
  const int64_t before_ms = (*found)->record().expires_ms;
  if (before_ms == after_ms) return true;
  Touch(key);
  StageExpiry(key, before_ms, after_ms);
  (*found)->SetExpiry(after_ms);
  return true;
}

base::Result<std::optional<std::optional<int64_t>>> StreamEngine::ExpiryOf(std::string_view key) {
  using Expiry = std::optional<int64_t>;
  auto found = Find(key);
  if (!found.ok()) return found.status();
  if (*found == nullptr) return std::optional<Expiry>();
  const int64_t at_ms = (*found)->record().expires_ms;
  return std::optional<Expiry>(at_ms == 0 ? Expiry() : Expiry(at_ms));
}

base::Result<uint64_t> StreamEngine::CountExpiring() {
  RETURN_IF_ERROR(DeleteExpired());
  if (expiring_) return *expiring_;
  std::set<std::string, std::less<>> found;
  if (!store_hidden_) {
    const auto rows = store_.Iterate(storage::Family::kGroups, ExpiryKey(0, {}), ExpiryEnd());
    for (rows->SeekToFirst(); rows->Valid(); rows->Next()) found.emplace(rows->key());
    RETURN_IF_ERROR(rows->status());
  }
  for (const auto& [key, put] : expiry_rows_) {
    if (put) {
      found.insert(key);
    } else {
      found.erase(key);
    }
  }
  expiring_ = found.size();
  return *expiring_;
}

base::Status StreamEngine::DeleteExpired() {
  const int64_t now_ms = clock_.NowMs();
  if (store_hidden_) return base::Ok();
  if (next_expiry_ms_ && now_ms < *next_expiry_ms_) return base::Ok();
  std::vector<std::string> due;
  const auto rows = store_.Iterate(storage::Family::kGroups, ExpiryKey(0, {}), ExpiryEnd());
  next_expiry_ms_ = INT64_MAX;
  for (rows->SeekToFirst(); rows->Valid(); rows->Next()) {
    const auto at_ms = static_cast<int64_t>(model::GetBig64(rows->key().data() + 1));
    if (at_ms > now_ms || due.size() == kExpiriesPerTurn) {
      next_expiry_ms_ = at_ms;
      break;
    }
    due.emplace_back(rows->key().substr(9));
  }
  RETURN_IF_ERROR(rows->status());
  for (const auto& [row, put] : expiry_rows_) {  // of this turn
    if (put) next_expiry_ms_ = std::min(*next_expiry_ms_, static_cast<int64_t>(model::GetBig64(row.data() + 1)));
  }
  for (const std::string& key : due) {
    // A row that this turn has made void finds a key with another time, or none.
    auto found = Find(key);
    if (!found.ok()) return found.status();
  }
  return base::Ok();
}

}  // namespace tocsin::streams
