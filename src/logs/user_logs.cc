#include "logs/user_logs.h"

#include <algorithm>
#include <set>

#include "base/check.h"
#include "base/metrics.h"
#include "model/bytes.h"
#include "model/limits.h"

namespace tocsin::logs {
namespace {

using base::Code;
using base::Result;
using base::Status;
using model::EntryId;
using storage::Batch;
using storage::Family;

// Memory of the commit thread: logs beyond these are forgotten, longest unused first, and read again when needed.
constexpr size_t kMaxLogsInMemory = 100'000;
constexpr size_t kMaxIndexedItems = 2'000'000;
constexpr size_t kMaxUnsavedReceipts = 100'000;
// A trim takes a sixteenth of the limit at once, so that it is rare and long.
constexpr size_t kTrimShare = 16;

base::Counter appended("tocsin_log_entries_total", "Entries appended to user logs");
base::Counter repeated("tocsin_log_appends_repeated_total", "Appends that a log had already");
base::Counter trimmed_items("tocsin_notifications_ended_total", "Notifications by how they ended",
                            "reason=\"trimmed\"");
base::Counter devices_forgotten("tocsin_devices_forgotten_total", "Devices forgotten: silent, or too many of one user");

}  // namespace

struct UserLogs::Log {
  std::string user;
  LogHead head;
  std::unique_ptr<LogIndex> index;  // null: not loaded
  bool devices_loaded = false;
  std::vector<std::pair<std::string, DeviceRecord>> devices;
  // Of the turn that is being staged:
  bool touched = false;
  std::vector<LogEntryPtr> staged;
  std::set<std::string, std::less<>> staged_mids;
  uint64_t last_turn = 0;
};

UserLogs::UserLogs(const storage::Store& store, const base::Clock& clock, UserLogsOptions options,
                   LogListener* listener)
    : store_(store), clock_(clock), options_(options), listener_(listener) {
  CHECK(options_.max_entries > 0);
}

UserLogs::~UserLogs() = default;

Result<UserLogs::Log*> UserLogs::Find(std::string_view user) {
  auto found = logs_.find(std::string(user));
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

void UserLogs::Touch(Log& log) {
  if (log.touched) return;
  log.touched = true;
  touched_.push_back(&log);
}

Status UserLogs::LoadIndex(Log& log) {
  if (log.index) return base::Ok();
  auto index = LogIndex::Load(store_, log.user, log.head.floor);
  if (!index.ok()) return index.status();
  log.index = std::make_unique<LogIndex>(std::move(*index));
  for (const LogEntryPtr& entry : log.staged) {  // the store does not have this turn's yet
    if (entry->is_item()) log.index->Add(*entry);
  }
  indexed_items_ += log.index->items().size();
  return base::Ok();
}

Status UserLogs::LoadDevices(Log& log) {
  if (log.devices_loaded) return base::Ok();
  const std::string prefix = TagPrefix(log.user, kDeviceTag);
  auto devices = store_.Iterate(Family::kHeads, prefix, model::PrefixSuccessor(prefix));
  for (devices->SeekToFirst(); devices->Valid(); devices->Next()) {
    auto record = DecodeDevice(devices->value());
    if (!record.ok()) return record.status();
    log.devices.emplace_back(devices->key().substr(prefix.size()), *record);
  }
  RETURN_IF_ERROR(devices->status());
  log.devices_loaded = true;
  return base::Ok();
}

void UserLogs::AppendEntry(Log& log, LogEntry entry, Batch& batch) {
  entry.id = model::NextLogId(log.head.last, clock_.NowMs(), options_.id_floor);
  log.head.last = entry.id;
  ++log.head.entries;
  if (entry.is_item()) {
    log.head.counts.Add(entry.priority, ItemState::kUnread);
    if (log.index) {
      log.index->Add(entry);
      ++indexed_items_;
    }
  }
  batch.Put(Family::kLogs, EntryKey(log.user, entry.id), EncodeLogEntry(entry));
  log.staged.push_back(std::make_shared<const LogEntry>(std::move(entry)));
  Touch(log);
  appended.Add();
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
  AppendEntry(log, std::move(entry), batch);
  return base::Ok();
}

Result<bool> UserLogs::AlreadyApplied(Log& log, std::string_view mid, Batch& batch) {
  if (log.staged_mids.contains(mid)) return true;
  const std::string key = MarkKey(log.user, mid);
  auto stored = store_.Get(Family::kHeads, key);
  if (!stored.ok()) return stored.status();
  const int64_t now = clock_.NowMs();
  if (stored->has_value()) {
    model::ByteReader in(**stored);
    uint64_t at = 0;
    if (in.Varint(at) && now - static_cast<int64_t>(at) < model::kMarkIdMs) return true;
  } else {
    // A new one makes room: what is too old to matter goes, a few at a time.
    const std::string prefix = TagPrefix(log.user, kMarkTag);
    auto marks = store_.Iterate(Family::kHeads, prefix, model::PrefixSuccessor(prefix));
    int looked_at = 0;
    for (marks->SeekToFirst(); marks->Valid() && looked_at < 8; marks->Next(), ++looked_at) {
      model::ByteReader in(marks->value());
      uint64_t at = 0;
      if (!in.Varint(at) || now - static_cast<int64_t>(at) >= model::kMarkIdMs) {
        batch.Delete(Family::kHeads, marks->key());
      }
    }
  }
  std::string value;
  model::PutVarint(value, static_cast<uint64_t>(now));
  batch.Put(Family::kHeads, key, value);
  log.staged_mids.emplace(mid);
  Touch(log);
  return false;
}

void UserLogs::SetState(Log& log, LogIndex::Items::iterator item, MarkOp op, Batch& batch) {
  const EntryId id = item->first;
  LogIndex::Item& indexed = item->second;
  log.head.counts.Remove(indexed.priority, indexed.state);
  if (op == MarkOp::kDelete) {
    batch.Delete(Family::kLogs, EntryKey(log.user, id));
    if (indexed.state != ItemState::kUnread) batch.Delete(Family::kHeads, StateKey(log.user, id));
    --log.head.entries;
    --indexed_items_;
    log.index->Erase(item);
    return;
  }
  indexed.state = Apply(op, indexed.state);
  log.head.counts.Add(indexed.priority, indexed.state);
  batch.Put(Family::kHeads, StateKey(log.user, id), std::string(1, static_cast<char>(indexed.state)));
}

Result<Counts> UserLogs::Mark(const MarkRequest& request, Batch& batch) {
  auto found = Find(request.user);
  if (!found.ok()) return found.status();
  Log& log = **found;
  if (!request.mid.empty()) {
    auto repeat = AlreadyApplied(log, request.mid, batch);
    if (!repeat.ok()) return repeat.status();
    if (*repeat) return log.head.counts;
  }
  RETURN_IF_ERROR(LoadIndex(log));
  LogIndex& index = *log.index;

  std::vector<LogIndex::Items::iterator> targets;
  auto wants = [&](const LogIndex::Items::iterator& at) {
    return request.op == MarkOp::kDelete || Apply(request.op, at->second.state) != at->second.state;
  };
  for (const std::string& nid : request.nids) {
    auto at = index.Find(nid);
    if (at != index.items().end() && wants(at) && std::find(targets.begin(), targets.end(), at) == targets.end()) {
      targets.push_back(at);
    }
  }
  if (request.upto) {
    for (auto at = index.items().begin(); at != index.items().end() && at->first <= *request.upto; ++at) {
      if (wants(at)) targets.push_back(at);
    }
  }
  if (targets.empty()) return log.head.counts;

  LogEntry entry;
  StateChange& change = entry.change.emplace();
  change.op = request.op;
  change.by = request.device;
  if (request.upto) {
    change.upto = std::min(*request.upto, log.head.last);
  }
  for (auto at : targets) {
    if (!request.upto) change.nids.push_back(at->second.nid);
    SetState(log, at, request.op, batch);
  }
  change.counts = log.head.counts;
  AppendEntry(log, std::move(entry), batch);
  return log.head.counts;
}

Status UserLogs::Ack(std::string_view user, std::string_view device, EntryId cursor, Batch& batch) {
  auto found = Find(user);
  if (!found.ok()) return found.status();
  Log& log = **found;
  RETURN_IF_ERROR(LoadDevices(log));
  cursor = std::min(cursor, log.head.last);
  const int64_t now = clock_.NowMs();
  auto known = std::find_if(log.devices.begin(), log.devices.end(), [&](auto& d) { return d.first == device; });
  if (known == log.devices.end()) {
    auto forget = [&](size_t i) {
      batch.Delete(Family::kHeads, DeviceKey(log.user, log.devices[i].first));
      log.devices.erase(log.devices.begin() + static_cast<ptrdiff_t>(i));
      devices_forgotten.Add();
    };
    for (size_t i = log.devices.size(); i-- > 0;) {
      if (now - log.devices[i].second.heard_ms > model::kDeviceSilenceMs) forget(i);
    }
    while (log.devices.size() >= model::kMaxDevicesPerUser) {
      auto oldest = std::min_element(log.devices.begin(), log.devices.end(),
                                     [](auto& a, auto& b) { return a.second.heard_ms < b.second.heard_ms; });
      forget(static_cast<size_t>(oldest - log.devices.begin()));
    }
    log.devices.emplace_back(device, DeviceRecord{});
    known = std::prev(log.devices.end());
  } else if (cursor <= known->second.cursor && now - known->second.heard_ms < model::kDeviceSilenceMs / 30) {
    return base::Ok();  // nothing new; that it is alive is noted once a day
  }
  known->second.cursor = std::max(known->second.cursor, cursor);
  known->second.heard_ms = now;
  batch.Put(Family::kHeads, DeviceKey(log.user, device), EncodeDevice(known->second));
  receipts_.push_back({log.user, std::string(device), cursor});
  return base::Ok();
}

// Takes the oldest entries off a log that has grown over its limit. Only committed entries are that old: a turn
// appends fewer than the smallest sensible limit, and what it staged stays for the next one.
Status UserLogs::Trim(Log& log, Batch& batch) {
  if (log.head.entries <= options_.max_entries) return base::Ok();
  RETURN_IF_ERROR(LoadIndex(log));
  const uint64_t wanted = log.head.entries - options_.max_entries + options_.max_entries / kTrimShare;
  const std::string prefix = UserPrefix(log.user);
  auto first = log.head.floor.Next();
  CHECK(first);
  auto entries = store_.Iterate(Family::kLogs, EntryKey(log.user, *first), model::PrefixSuccessor(prefix));
  uint64_t taken = 0, items = 0;
  for (entries->SeekToFirst(); entries->Valid() && taken < wanted; entries->Next()) {
    const EntryId id = EntryId::Decode(entries->key().substr(prefix.size()));
    auto item = log.index->items().find(id);
    const bool is_item = !entries->value().empty() && entries->value()[0] == 1;
    if (is_item && item == log.index->items().end()) continue;  // deleted by this very turn
    batch.Delete(Family::kLogs, entries->key());
    log.head.floor = id;
    --log.head.entries;
    ++taken;
    if (!is_item) continue;
    ++items;
    log.head.counts.Remove(item->second.priority, item->second.state);
    if (item->second.state != ItemState::kUnread) batch.Delete(Family::kHeads, StateKey(log.user, id));
    --indexed_items_;
    log.index->Erase(item);
  }
  log.head.trimmed += items;
  trimmed_items.Add(static_cast<int64_t>(items));
  return entries->status();
}

Status UserLogs::BeforeCommit(Batch& batch) {
  if (!unsaved_.empty() && !batch.empty()) {
    std::vector<Receipt> again = std::move(unsaved_);
    unsaved_.clear();
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
  if (!status.ok()) {
    for (Receipt& receipt : receipts_) {
      if (unsaved_.size() < kMaxUnsavedReceipts) unsaved_.push_back(std::move(receipt));
    }
    receipts_.clear();
    touched_.clear();
    logs_.clear();
    indexed_items_ = 0;
    return;
  }
  receipts_.clear();
  std::vector<LogUpdate> updates;
  updates.reserve(touched_.size());
  for (Log* log : touched_) {
    updates.push_back({log->user, std::move(log->staged), log->head.floor, log->head.counts});
    log->staged.clear();
    log->staged_mids.clear();
    log->touched = false;
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
        if (at->second->index) indexed_items_ -= at->second->index->items().size();
        logs_.erase(at++);
      } else {
        ++at;
      }
    }
  }
  if (indexed_items_ > kMaxIndexedItems) {
    for (auto& [user, log] : logs_) log->index.reset();
    indexed_items_ = 0;
  }
}

}  // namespace tocsin::logs
