#include "logs/user_logs.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/metrics.h"
#include "logs/counters.h"
#include "logs/state_cursor.h"
#include "model/bytes.h"
#include "model/limits.h"

namespace tocsin::logs {
namespace {

using base::Result;
using base::Status;
using model::EntryId;
using storage::Batch;
using storage::Family;

// Memory of the commit thread: logs beyond these are forgotten, longest unused first, and read again when needed.
constexpr size_t kMaxLogsInMemory = 100'000;
constexpr size_t kMaxIndexed = 500'000;  // items and mark ids, about 150 bytes each
constexpr size_t kMaxUnsavedReceipts = 100'000;
// A trim takes a sixteenth of the limit at once, so that it is rare and long.
constexpr size_t kTrimShare = 16;
// That a device is alive is noted so often when it has nothing new to acknowledge.
constexpr int64_t kHeardNoteMs = 24LL * 3600 * 1000;

base::Counter appended("tocsin_log_entries_total", "Entries appended to user logs");
base::Counter repeated("tocsin_log_appends_repeated_total", "Appends that a log had already");
base::Counter trimmed("tocsin_notifications_ended_total", "Notifications by how they ended", "reason=\"trimmed\"");
base::Counter devices_forgotten("tocsin_devices_forgotten_total", "Devices forgotten: silent, or too many of one user");

}  // namespace

struct UserLogs::Device {
  std::string name;
  DeviceRecord record;
};

struct UserLogs::Log {
  struct MarkId {
    std::string mid;
    int64_t at_ms;
  };

  std::string user;
  LogHead head;
  std::unique_ptr<LogIndex> index;  // null: not loaded
  bool devices_loaded = false;      // all of them; else those that were asked for
  std::vector<Device> devices;
  bool mark_ids_loaded = false;
  std::vector<MarkId> mark_ids;
  std::vector<LogEntryPtr> staged;  // by this turn
  bool touched = false;             // the head is to be written
  uint64_t last_turn = 0;
};

UserLogs::UserLogs(const storage::Store& store, const base::Clock& clock, UserLogsOptions options,
                   LogListener* listener)
    : store_(store), clock_(clock), options_(options), listener_(listener), topics_(store), collapse_keys_(store) {
  CHECK(options_.max_entries > 0);
}

UserLogs::~UserLogs() = default;

Result<UserLogs::Log*> UserLogs::Find(std::string_view user) {
  auto found = logs_.find(user);
  if (found != logs_.end()) {
    found->second->last_turn = turn_;
    return found->second.get();
  }
  auto log = std::make_unique<Log>();
  log->user = user;
  log->last_turn = turn_;
  auto stored = store_.Get(Family::kHeads, HeadKey(user));
  if (!stored.ok()) return stored.status();
  if (stored->has_value()) {
    auto head = DecodeHead(user, **stored);
    if (!head.ok()) return head.status();
    log->head = std::move(*head);
  }
  return logs_.emplace(log->user, std::move(log)).first->second.get();
}

LogIndex& UserLogs::IndexOf(Log& log) {
  if (log.index) return *log.index;
  // Everything committed lies below what this turn has staged, if it has.
  const EntryId from = log.staged.empty() ? log.head.last.Next().value_or(EntryId::Max()) : log.staged.front()->id;
  log.index = std::make_unique<LogIndex>(store_, log.user, from);
  for (const LogEntryPtr& entry : log.staged) {
    if (entry->is_item()) log.index->Add(*entry);
  }
  indexed_ += log.index->items().size();
  return *log.index;
}

// One device of many is asked for by its key: when thousands return at once, a walk for each costs more than all else.
Result<UserLogs::Device*> UserLogs::FindDevice(Log& log, std::string_view name) {
  auto known = std::find_if(log.devices.begin(), log.devices.end(), [&](const auto& d) { return d.name == name; });
  if (known != log.devices.end()) return &*known;
  if (log.devices_loaded) return static_cast<Device*>(nullptr);
  auto stored = store_.Get(Family::kHeads, DeviceKey(log.user, name));
  if (!stored.ok()) return stored.status();
  if (!stored->has_value()) return static_cast<Device*>(nullptr);
  auto record = DecodeDevice(**stored);
  if (!record.ok()) return record.status();
  return &log.devices.emplace_back(Device{std::string(name), *record});
}

Status UserLogs::LoadDevices(Log& log) {
  if (log.devices_loaded) return base::Ok();
  const std::string prefix = TagPrefix(log.user, kDeviceTag);
  std::vector<Device> devices;
  auto stored = store_.Iterate(Family::kHeads, prefix, model::PrefixSuccessor(prefix));
  for (stored->SeekToFirst(); stored->Valid(); stored->Next()) {
    const std::string_view name = stored->key().substr(prefix.size());
    auto record = DecodeDevice(stored->value());
    if (!record.ok()) return record.status();
    devices.push_back({std::string(name), *record});
  }
  RETURN_IF_ERROR(stored->status());
  for (Device& known : log.devices) {  // this turn may have changed them
    auto same = std::find_if(devices.begin(), devices.end(), [&](const auto& d) { return d.name == known.name; });
    if (same != devices.end()) same->record = known.record;
  }
  log.devices = std::move(devices);
  log.devices_loaded = true;
  return base::Ok();
}

Status UserLogs::LoadMarkIds(Log& log) {
  if (log.mark_ids_loaded) return base::Ok();
  const std::string prefix = TagPrefix(log.user, kMarkTag);
  std::vector<Log::MarkId> mark_ids;
  auto stored = store_.Iterate(Family::kHeads, prefix, model::PrefixSuccessor(prefix));
  for (stored->SeekToFirst(); stored->Valid(); stored->Next()) {
    auto at_ms = DecodeMarkTime(stored->value());
    if (!at_ms.ok()) return at_ms.status();
    mark_ids.push_back({std::string(stored->key().substr(prefix.size())), *at_ms});
  }
  RETURN_IF_ERROR(stored->status());
  log.mark_ids = std::move(mark_ids);
  indexed_ += log.mark_ids.size();
  log.mark_ids_loaded = true;
  return base::Ok();
}

void UserLogs::Touch(Log& log) {
  if (!std::exchange(log.touched, true)) touched_.push_back(&log);
}

void UserLogs::AppendEntry(Log& log, LogEntry entry, Batch& batch) {
  entry.id = model::NextLogId(log.head.last, clock_.NowMs(), options_.id_floor);
  log.head.last = entry.id;
  ++log.head.entries;
  if (entry.is_item()) {
    log.head.counts.Add(entry.priority, ItemState::kUnread, entry.traits.category);
    if (!entry.traits.collapse_key.empty()) collapse_keys_.Set(log.user, entry.traits.collapse_key, entry.id, batch);
    if (log.index) {
      log.index->Add(entry);
      ++indexed_;
    }
  }
  batch.Put(Family::kLogs, EntryKey(log.user, entry.id), EncodeLogEntry(entry));
  Touch(log);
  log.staged.push_back(std::make_shared<const LogEntry>(std::move(entry)));
}

Status UserLogs::Append(std::string_view user, const NewItem& item, const Source& source, Batch& batch) {
  auto found = Find(user);
  if (!found.ok()) return found.status();
  Log& log = **found;
  auto mark = std::find_if(log.head.sources.begin(), log.head.sources.end(), [&](const SourceMark& m) {
    return m.priority == item.priority && m.stream == source.stream;
  });
  if (mark == log.head.sources.end()) {
    log.head.sources.push_back({std::string(source.stream), item.priority, {}});
    mark = std::prev(log.head.sources.end());
  }
  if (source.id <= mark->id) {
    repeated.Add();
    return base::Ok();
  }
  mark->id = source.id;
  LogEntry entry;
  entry.nid = item.nid;
  entry.priority = item.priority;
  entry.json = item.json;
  entry.traits = item.traits;
  if (!item.traits.collapse_key.empty()) RETURN_IF_ERROR(Collapse(log, entry, batch));
  AppendEntry(log, std::move(entry), batch);
  return base::Ok();
}

Result<bool> UserLogs::Has(std::string_view user, model::Priority priority, const Source& source) {
  auto found = Find(user);
  if (!found.ok()) return found.status();
  const auto& sources = (*found)->head.sources;
  return std::any_of(sources.begin(), sources.end(), [&](const SourceMark& mark) {
    return mark.priority == priority && mark.stream == source.stream && source.id <= mark.id;
  });
}

Status UserLogs::PassOver(std::string_view user, model::Priority priority, const Source& source) {
  auto found = Find(user);
  if (!found.ok()) return found.status();
  Log& log = **found;
  auto mark = std::find_if(log.head.sources.begin(), log.head.sources.end(),
                           [&](const SourceMark& m) { return m.priority == priority && m.stream == source.stream; });
  if (mark == log.head.sources.end()) {
    log.head.sources.push_back({std::string(source.stream), priority, source.id});
  } else {
    mark->id = std::max(mark->id, source.id);
  }
  Touch(log);
  return base::Ok();
}

Result<Preferred> UserLogs::GetPreferred(std::string_view user) {
  auto found = Find(user);
  if (!found.ok()) return found.status();
  return (*found)->head.preferred;
}

Status UserLogs::SetPreferred(std::string_view user, Preferred preferred) {
  auto found = Find(user);
  if (!found.ok()) return found.status();
  Log& log = **found;
  if (std::exchange(log.head.preferred, preferred) != preferred) Touch(log);
  return base::Ok();
}

// Takes the unread older item of the same key out of the log, in favour of `entry`, and says so in the log.
Status UserLogs::Collapse(Log& log, LogEntry& entry, Batch& batch) {
  auto newest = collapse_keys_.Newest(log.user, entry.traits.collapse_key);
  if (!newest.ok()) return newest.status();
  if (!*newest) return base::Ok();
  LogIndex& index = IndexOf(log);
  indexed_ -= index.items().size();
  auto older = index.At(**newest, log.head.floor);
  indexed_ += index.items().size();
  if (!older.ok()) return older.status();
  if (*older == index.items().end() || (*older)->second.state >= ItemState::kRead) return base::Ok();
  const std::string nid = (*older)->second.nid;
  entry.traits.replaces.push_back(nid);
  ++collapsed_;
  RETURN_IF_ERROR(SetState(log, *older, MarkOp::kDelete, batch));
  // The newer item's word alone would not do: who comes when that has been deleted would keep the older one.
  LogEntry gone;
  StateChange& change = gone.change.emplace();
  change.op = MarkOp::kDelete;
  change.nids.push_back(nid);
  change.counts = log.head.counts;
  AppendEntry(log, std::move(gone), batch);
  return base::Ok();
}

bool UserLogs::IsRepeat(const Log& log, std::string_view mid) const {
  const int64_t now = clock_.NowMs();
  return std::any_of(log.mark_ids.begin(), log.mark_ids.end(), [&](const Log::MarkId& known) {
    return known.mid == mid && now - known.at_ms < model::kMarkIdMs;
  });
}

void UserLogs::RememberMarkId(Log& log, const std::string& mid, Batch& batch) {
  const int64_t now = clock_.NowMs();
  indexed_ -= log.mark_ids.size();
  std::erase_if(log.mark_ids, [&](const Log::MarkId& known) {
    if (now - known.at_ms < model::kMarkIdMs) return false;
    batch.Delete(Family::kHeads, MarkKey(log.user, known.mid));
    return true;
  });
  if (log.mark_ids.size() >= model::kMaxMarkIdsKept) {
    auto oldest = std::min_element(log.mark_ids.begin(), log.mark_ids.end(),
                                   [](const auto& a, const auto& b) { return a.at_ms < b.at_ms; });
    batch.Delete(Family::kHeads, MarkKey(log.user, oldest->mid));
    log.mark_ids.erase(oldest);
  }
  batch.Put(Family::kHeads, MarkKey(log.user, mid), EncodeMarkTime(now));
  log.mark_ids.push_back({mid, now});
  indexed_ += log.mark_ids.size();
}

Status UserLogs::SetState(Log& log, LogIndex::Items::iterator item, MarkOp op, Batch& batch) {
  const EntryId id = item->first;
  LogIndex::Item& indexed = item->second;
  log.head.counts.Remove(indexed.priority, indexed.state, indexed.category);
  if (model::Removes(op)) {
    RETURN_IF_ERROR(collapse_keys_.Forget(log.user, indexed.collapse_key, id, batch));
    batch.Delete(Family::kLogs, EntryKey(log.user, id));
    if (indexed.state != ItemState::kUnread) batch.Delete(Family::kHeads, StateKey(log.user, id));
    --log.head.entries;
    --indexed_;
    log.index->Erase(item);
    return base::Ok();
  }
  indexed.state = Apply(op, indexed.state);
  log.head.counts.Add(indexed.priority, indexed.state, indexed.category);
  log.head.stated = std::max(log.head.stated, id);
  batch.Put(Family::kHeads, StateKey(log.user, id), EncodeState(indexed.state));
  return base::Ok();
}

// The items that a mark changes, each once.
Result<std::vector<LogIndex::Items::iterator>> UserLogs::Targets(LogIndex& index, const LogHead& head,
                                                                 const MarkRequest& request) const {
  std::vector<LogIndex::Items::iterator> targets;
  auto wants = [&](const LogIndex::Items::iterator& at) {
    if (request.spare == Spare::kRead && at->second.state >= ItemState::kRead) return false;
    return model::Removes(request.op) || Apply(request.op, at->second.state) != at->second.state;
  };
  if (!request.upto) {
    for (const std::string& nid : request.nids) {
      auto found = index.Find(nid, head.floor);
      if (!found.ok()) return found.status();
      const bool is_new = std::find(targets.begin(), targets.end(), *found) == targets.end();
      if (*found != index.items().end() && wants(*found) && is_new) targets.push_back(*found);
    }
    return targets;
  }
  if (request.op == MarkOp::kRead) {
    RETURN_IF_ERROR(index.CoverBelow(ItemState::kRead, head.counts.unread, head.floor));
  } else if (request.op == MarkOp::kSeen) {
    RETURN_IF_ERROR(index.CoverBelow(ItemState::kSeen, head.counts.unseen, head.floor));
  } else {
    RETURN_IF_ERROR(index.CoverAll(head.floor));
  }
  for (auto at = index.items().begin(); at != index.items().end() && at->first <= *request.upto; ++at) {
    if (wants(at)) targets.push_back(at);
  }
  return targets;
}

Result<Counts> UserLogs::Mark(const MarkRequest& request, Batch& batch) {
  auto found = Find(request.user);
  if (!found.ok()) return found.status();
  Log& log = **found;
  if (!request.mid.empty()) {
    RETURN_IF_ERROR(LoadMarkIds(log));
    if (IsRepeat(log, request.mid)) return log.head.counts;
  }
  LogIndex& index = IndexOf(log);
  indexed_ -= index.items().size();
  auto found_targets = Targets(index, log.head, request);
  indexed_ += index.items().size();
  if (!found_targets.ok()) return found_targets.status();
  if (!request.mid.empty()) RememberMarkId(log, request.mid, batch);
  const std::vector<LogIndex::Items::iterator>& targets = *found_targets;
  if (targets.empty()) return log.head.counts;

  LogEntry entry;
  StateChange& change = entry.change.emplace();
  change.op = request.op;
  change.by = request.device;
  if (request.upto) change.upto = std::min(*request.upto, log.head.last);
  for (auto at : targets) {
    if (!request.upto) change.nids.push_back(at->second.nid);
    RETURN_IF_ERROR(SetState(log, at, request.op, batch));
  }
  if (request.op == MarkOp::kExpire) expired_ += static_cast<int64_t>(targets.size());
  change.counts = log.head.counts;
  AppendEntry(log, std::move(entry), batch);
  return log.head.counts;
}

Status UserLogs::Ack(std::string_view user, std::string_view device, EntryId cursor, Batch& batch) {
  auto found = Find(user);
  if (!found.ok()) return found.status();
  Log& log = **found;
  auto asked = FindDevice(log, device);
  if (!asked.ok()) return asked.status();
  Device* known = *asked;
  cursor = std::min(cursor, log.head.last);
  const int64_t now = clock_.NowMs();
  if (known == nullptr) {
    RETURN_IF_ERROR(LoadDevices(log));
    RETURN_IF_ERROR(ForgetDevices(log, batch));
    known = &log.devices.emplace_back(Device{std::string(device), {}});
  } else if (cursor <= known->record.cursor && now - known->record.heard_ms < kHeardNoteMs) {
    return base::Ok();  // nothing new
  }
  known->record.cursor = std::max(known->record.cursor, cursor);
  known->record.heard_ms = now;
  batch.Put(Family::kHeads, DeviceKey(log.user, device), EncodeDevice(known->record));
  receipts_.push_back({log.user, std::string(device), cursor});
  return base::Ok();
}

Status UserLogs::AckTopic(std::string_view user, std::string_view device, std::string_view topic, EntryId cursor,
                          Batch& batch) {
  RETURN_IF_ERROR(Ack(user, device, {}, batch));  // one of the user's devices, heard of now
  return topics_.SetCursor(user, device, topic, cursor, batch);
}

Result<Counts> UserLogs::MarkTopic(const TopicMark& mark, Batch& batch) {
  auto found = Find(mark.user);
  if (!found.ok()) return found.status();
  Log& log = **found;
  if (!mark.mid.empty()) {
    RETURN_IF_ERROR(LoadMarkIds(log));
    if (IsRepeat(log, mark.mid)) return log.head.counts;
  }
  RETURN_IF_ERROR(topics_.ForgetStates(mark.user, mark.topic, mark.oldest, batch));
  LogEntry entry;
  StateChange& change = entry.change.emplace();
  size_t changed = 0;
  for (const TopicItem& item : mark.items) {
    auto state = topics_.State(mark.user, mark.topic, item.id);
    if (!state.ok()) return state.status();
    const TopicItemState after = ApplyToTopicItem(mark.op, *state);
    if (after == *state) continue;
    ++changed;
    topics_.SetState(mark.user, mark.topic, item.id, after, batch);
    if (!mark.upto) change.nids.push_back(item.nid);
    if (item.id <= mark.counted_from) continue;
    change.topic_delta.Add(item.priority, static_cast<ItemState>(*state), item.category, -1);
    if (after != kTopicItemDeleted)
      change.topic_delta.Add(item.priority, static_cast<ItemState>(after), item.category, 1);
  }
  if (!mark.mid.empty()) RememberMarkId(log, mark.mid, batch);
  if (changed == 0) return log.head.counts;
  change.op = mark.op;
  change.by = mark.device;
  change.upto = mark.upto;
  change.topic = mark.topic;
  change.counts = log.head.counts;
  AppendEntry(log, std::move(entry), batch);
  return log.head.counts;
}

// Makes room for one more device.
Status UserLogs::ForgetDevices(Log& log, Batch& batch) {
  const int64_t now = clock_.NowMs();
  const size_t before = log.devices.size();
  Status status;
  const auto forget = [&](const Device& device) {
    batch.Delete(Family::kHeads, DeviceKey(log.user, device.name));
    if (Status forgotten = topics_.ForgetDevice(log.user, device.name, batch); !forgotten.ok()) status = forgotten;
  };
  std::erase_if(log.devices, [&](const Device& device) {
    if (now - device.record.heard_ms <= model::kDeviceSilenceMs) return false;
    forget(device);
    return true;
  });
  while (log.devices.size() >= model::kMaxDevicesPerUser) {
    auto silent_longest = std::min_element(log.devices.begin(), log.devices.end(), [](const auto& a, const auto& b) {
      return a.record.heard_ms < b.record.heard_ms;
    });
    forget(*silent_longest);
    log.devices.erase(silent_longest);
  }
  devices_forgotten.Add(static_cast<int64_t>(before - log.devices.size()));
  return status;
}

// Takes the oldest entries off a log that has grown over its limit. Only committed entries are that old: a turn
// appends fewer than the smallest sensible limit, and what it staged stays for the next one.
Status UserLogs::Trim(Log& log, Batch& batch) {
  if (log.head.entries <= options_.max_entries) return base::Ok();
  const uint64_t wanted = log.head.entries - options_.max_entries + options_.max_entries / kTrimShare;
  const std::string prefix = UserPrefix(log.user);
  auto first = log.head.floor.Next();
  CHECK(first);
  auto entries = store_.Iterate(Family::kLogs, EntryKey(log.user, *first), model::PrefixSuccessor(prefix));
  StateCursor states(store_, log.user, storage::Tier::kDisk);
  uint64_t taken = 0, items = 0;
  for (entries->SeekToFirst(); entries->Valid() && taken < wanted; entries->Next()) {
    auto entry = DecodeStoredEntry(entries->key(), prefix.size(), entries->value());
    if (!entry.ok()) return entry.status();
    if (entry->is_item()) {
      const ItemState stored = states.Ascending(entry->id);
      const std::optional<ItemState> state = log.index ? TakeIndexed(*log.index, entry->id, stored) : stored;
      if (!state) continue;  // deleted by this very turn
      log.head.counts.Remove(entry->priority, *state, entry->traits.category);
      RETURN_IF_ERROR(collapse_keys_.Forget(log.user, entry->traits.collapse_key, entry->id, batch));
      if (*state != ItemState::kUnread) batch.Delete(Family::kHeads, StateKey(log.user, entry->id));
      ++items;
    }
    batch.Delete(Family::kLogs, entries->key());
    log.head.floor = entry->id;
    --log.head.entries;
    ++taken;
  }
  RETURN_IF_ERROR(entries->status());
  RETURN_IF_ERROR(states.status());
  log.head.trimmed += items;
  trimmed_ += static_cast<int64_t>(items);
  return base::Ok();
}

// Takes an item out of the index, and answers its state as this turn has it: nothing if the turn has deleted it.
std::optional<ItemState> UserLogs::TakeIndexed(LogIndex& index, EntryId id, ItemState stored) {
  auto item = index.items().find(id);
  if (item == index.items().end()) return index.Covers(id) ? std::nullopt : std::optional(stored);
  const ItemState state = item->second.state;
  index.Erase(item);
  --indexed_;
  return state;
}

Status UserLogs::BeforeCommit(Batch& batch) {
  // Not while the store says that it will fail: there may be many, and each turn would read all their logs in vain.
  if (!unsaved_.empty() && !batch.empty() && store_.health().ok()) {
    std::vector<Receipt> again = std::exchange(unsaved_, {});
    for (const Receipt& receipt : again) {
      if (!Ack(receipt.user, receipt.device, receipt.cursor, batch).ok()) unsaved_.push_back(receipt);
    }
  }
  for (Log* log : touched_) {
    RETURN_IF_ERROR(Trim(*log, batch));
    batch.Put(Family::kHeads, HeadKey(log->user), EncodeHead(log->head));
  }
  return base::Ok();
}

void UserLogs::AfterCommit(const Status& status) {
  ++turn_;
  topics_.EndTurn();
  collapse_keys_.EndTurn();
  if (!status.ok()) {
    for (Receipt& receipt : receipts_) {
      if (unsaved_.size() < kMaxUnsavedReceipts) unsaved_.push_back(std::move(receipt));
    }
    receipts_.clear();
    touched_.clear();
    logs_.clear();
    indexed_ = 0;
    trimmed_ = collapsed_ = expired_ = 0;
    return;
  }
  receipts_.clear();
  trimmed.Add(std::exchange(trimmed_, 0));
  collapsed.Add(std::exchange(collapsed_, 0));
  expired.Add(std::exchange(expired_, 0));
  std::vector<LogUpdate> updates;
  updates.reserve(touched_.size());
  for (Log* log : touched_) {
    log->touched = false;
    if (log->staged.empty()) continue;
    appended.Add(static_cast<int64_t>(log->staged.size()));
    updates.push_back({log->user, std::move(log->staged), log->head.floor, log->head.counts});
    log->staged.clear();
  }
  touched_.clear();
  if (listener_ != nullptr && !updates.empty()) listener_->OnCommitted(std::move(updates));
  ForgetUnused();
}

// Between turns: the half that was not used lately goes when there are too many.
void UserLogs::ForgetUnused() {
  if (logs_.size() > kMaxLogsInMemory) {
    std::vector<uint64_t> turns;
    turns.reserve(logs_.size());
    for (const auto& [user, log] : logs_) turns.push_back(log->last_turn);
    auto middle = turns.begin() + static_cast<ptrdiff_t>(turns.size() / 2);
    std::nth_element(turns.begin(), middle, turns.end());
    const uint64_t median = *middle;
    for (auto at = logs_.begin(); at != logs_.end();) {
      if (at->second->last_turn <= median && at->second->last_turn < turn_) {
        if (at->second->index) indexed_ -= at->second->index->items().size();
        indexed_ -= at->second->mark_ids.size();
        logs_.erase(at++);
      } else {
        ++at;
      }
    }
  }
  if (indexed_ > kMaxIndexed) {
    for (auto& [user, log] : logs_) {
      log->index.reset();
      log->mark_ids = {};
      log->mark_ids_loaded = false;
    }
    indexed_ = 0;
  }
}

}  // namespace tocsin::logs
