// Stream: what is one place of it: construction, ids, groups, and what is written at the end of a turn. Reading entries
// is in stream_scan.cc, adding and removing them in stream_edit.cc.
#include "streams/stream.h"

#include <algorithm>

namespace tocsin::streams {
namespace {

// Newest chunks that stay in memory per stream, for readers that follow closely.
constexpr size_t kWindowBytes = 256u << 10;

// Up to so many rows go one by one. RocksDB looks at every range deletion in memory at each read that follows, so they
// are for what is large.
constexpr size_t kSingleDeletes = 512;

void DeleteRows(const storage::Store& store, storage::Batch& batch, storage::Family family, const std::string& begin,
                const std::string& end) {
  std::vector<std::string> keys;
  const auto rows = store.Iterate(family, begin, end);
  for (rows->SeekToFirst(); rows->Valid(); rows->Next()) {
    if (keys.size() == kSingleDeletes) break;
    keys.emplace_back(rows->key());
  }
  if (rows->Valid() || !rows->status().ok()) {
    batch.DeleteRange(family, begin, end);
  } else {
    for (const std::string& key : keys) batch.Delete(family, key);
  }
}

base::Status Damaged(const std::string& name, std::string_view what) {
  return {base::Code::kCorruption, "a stored " + std::string(what) + " of stream `" + name + "` is damaged"};
}

}  // namespace

Stream::Stream(storage::Store& store, std::string name, uint64_t number)
    : store_(store),
      name_(std::move(name)),
      stored_(false),
      record_staged_(true),
      nodes_complete_(true),
      groups_loaded_(true),
      produced_(number, true) {
  record_.number = number;
}

Stream::Stream(storage::Store& store, std::string name, const StreamRecord& record)
    : store_(store),
      name_(std::move(name)),
      record_(record),
      stored_(true),
      record_staged_(false),
      nodes_complete_(!record.has_nodes),
      groups_loaded_(false),
      produced_(record.number, false) {
  if (!record_.has_nodes) {
    if (record_.entries_added > 0) garbage_nodes_ = 1;  // perhaps
    return;
  }
  nodes_.push_back(record_.tail);
  nodes_complete_ = record_.head == record_.tail.first;
  if (record_.garbage != record_.head) garbage_nodes_ = 1;
}

void Stream::Rename(std::string name) {
  name_ = std::move(name);
  record_staged_ = true;
}

void Stream::SetIds(EntryId last_id, std::optional<uint64_t> entries_added, std::optional<EntryId> max_deleted) {
  // An empty stream may go back: then new chunks could get the keys of dead ones.
  if (last_id < record_.last_id && nodes_.empty()) garbage_urgent_ = true;
  record_staged_ = true;
  record_.last_id = last_id;
  if (entries_added) record_.entries_added = *entries_added;
  if (max_deleted) record_.max_deleted = *max_deleted;
}

void Stream::SetExpiry(int64_t at_ms) {
  record_staged_ = true;
  record_.expires_ms = at_ms;
}

base::Result<Stream::Groups*> Stream::LoadGroups() {
  if (groups_loaded_) return &groups_;
  const auto rows = store_.Iterate(storage::Family::kGroups, GroupsBegin(record_.number), GroupsEnd(record_.number));
  std::unique_ptr<Group> group;
  const auto keep = [&] {
    if (group) groups_.emplace(group->name(), std::move(group));
  };
  for (rows->SeekToFirst(); rows->Valid(); rows->Next()) {
    const std::string_view key = rows->key();
    bool good = key.size() > kGroupPrefix;
    if (good) {
      const uint32_t number = GetBig32(key.data() + kGroupPrefix - 4);
      if (!group || group->number() != number) {
        keep();
        group = std::make_unique<Group>(record_.number, number, std::string());
      }
      const std::string_view rest = key.substr(kGroupPrefix + 1);
      switch (static_cast<GroupRow>(key[kGroupPrefix])) {
        case GroupRow::kGroup:
          good = group->LoadGroupRow(rows->value());
          break;
        case GroupRow::kConsumer:
          good = rest.size() == 4 && group->LoadConsumerRow(GetBig32(rest.data()), rows->value());
          break;
        case GroupRow::kPending:
          good = rest.size() == EntryId::kEncodedSize && group->LoadPendingRow(EntryId::Decode(rest), rows->value());
          break;
        default:
          good = false;
      }
    }
    if (!good) {
      groups_.clear();
      return Damaged(name_, "group");
    }
  }
  if (auto status = rows->status(); !status.ok()) {
    groups_.clear();
    return status;
  }
  keep();
  groups_loaded_ = true;
  return &groups_;
}

base::Result<Group*> Stream::FindGroup(std::string_view name) {
  auto groups = LoadGroups();
  if (!groups.ok()) return groups.status();
  const auto found = (*groups)->find(name);
  return found == (*groups)->end() ? nullptr : found->second.get();
}

Group& Stream::AddGroup(std::string_view name, EntryId last_id, int64_t entries_read) {
  CHECK(groups_loaded_);
  record_staged_ = true;
  auto group = std::make_unique<Group>(record_.number, record_.next_group++, std::string(name));
  group->SetPosition(last_id, entries_read);
  Group& added = *group;
  groups_.emplace(added.name(), std::move(group));
  return added;
}

void Stream::RemoveGroup(std::string_view name) {
  const auto found = groups_.find(name);
  removed_groups_.push_back(found->second->number());
  groups_.erase(found);
}

base::Result<Produced*> Stream::LoadProduced() {
  RETURN_IF_ERROR(produced_.Load(store_, record_.produced));
  return &produced_;
}

void Stream::CountProduced(uint64_t added, uint64_t again) {
  record_staged_ = true;
  record_.produced_added += added;
  record_.produced_again += again;
}

base::Status Stream::ConfigureProduced(const ProducedSettings& settings) {
  auto produced = LoadProduced();
  if (!produced.ok()) return produced.status();
  record_staged_ = true;
  record_.produced = settings;
  produced_.Reset(settings);
  return base::Ok();
}

int64_t Stream::EstimateEntriesRead(EntryId id) const {
  const auto added = static_cast<int64_t>(record_.entries_added);
  const auto length = static_cast<int64_t>(record_.length);
  if (added == 0) return 0;
  if (length == 0 && id <= record_.last_id) return added;
  if (!id.IsZero() && id < record_.max_deleted) return Group::kUnknown;
  if (id == record_.last_id) return added;
  if (id > record_.last_id) return Group::kUnknown;
  if (record_.max_deleted.IsZero() || record_.max_deleted < record_.first_id) {
    if (id < record_.first_id) return added - length;
    if (id == record_.first_id) return added - length + 1;
  }
  return Group::kUnknown;
}

bool Stream::HasTombstonesFrom(EntryId start) const {
  return record_.length > 0 && !record_.max_deleted.IsZero() && start <= record_.max_deleted;
}

base::Result<const std::deque<Node>*> Stream::Nodes() {
  RETURN_IF_ERROR(LoadNodes());
  return &nodes_;
}

base::Status Stream::LoadNodes() {
  if (nodes_complete_) return base::Ok();
  const auto rows = store_.Iterate(storage::Family::kGroups, NodeKey(record_.number, record_.head),
                                   NodeKey(record_.number, nodes_.front().first));
  std::deque<Node> nodes;
  for (rows->SeekToFirst(); rows->Valid(); rows->Next()) {
    Node node;
    const std::string_view key = rows->key();
    if (key.size() != 9 + EntryId::kEncodedSize || !DecodeNode(EntryId::Decode(key.substr(9)), rows->value(), node)) {
      return Damaged(name_, "node");
    }
    nodes.push_back(node);
  }
  RETURN_IF_ERROR(rows->status());
  if (nodes.empty() || nodes.front().first != record_.head) return Damaged(name_, "list of nodes");
  nodes_.insert(nodes_.begin(), nodes.begin(), nodes.end());
  nodes_complete_ = true;
  uint64_t live = 0, bytes = 0;
  for (const Node& node : nodes_) {
    live += node.live;
    bytes += node.bytes;
  }
  return live == record_.length && bytes == record_.bytes ? base::Ok() : Damaged(name_, "list of nodes");
}

void Stream::FlushGarbage(storage::Batch& batch) {
  const uint64_t bound = std::clamp<uint64_t>(nodes_.size() / 2, 2, 64);
  if (!garbage_urgent_ && garbage_nodes_ < bound) return;
  const uint64_t number = record_.number;
  const bool all = garbage_urgent_ || nodes_.empty();
  DeleteRows(store_, batch, storage::Family::kEntries, EntryKey(number, all ? EntryId() : record_.garbage),
             all ? EntriesEnd(number) : EntryKey(number, Head()));
  DeleteRows(store_, batch, storage::Family::kGroups, NodeKey(number, all ? EntryId() : record_.garbage),
             all ? NodesEnd(number) : NodeKey(number, Head()));
  garbage_nodes_ = 0;
  garbage_urgent_ = false;
}

void Stream::Flush(storage::Batch& batch) {
  const uint64_t number = record_.number;
  // Garbage first: what follows may lie among it.
  FlushGarbage(batch);
  for (const auto& [base, chunk] : staged_) {
    if (chunk) {
      batch.Put(storage::Family::kEntries, EntryKey(number, base), chunk->value());
    } else {
      batch.Delete(storage::Family::kEntries, EntryKey(number, base));
    }
  }
  std::string value;
  for (const EntryId first : node_rows_staged_) {
    const auto node =
        std::lower_bound(nodes_.begin(), nodes_.end(), first, [](const Node& a, EntryId b) { return a.first < b; });
    if (node == nodes_.end() || node->first != first) {
      batch.Delete(storage::Family::kGroups, NodeKey(number, first));
    } else if (node + 1 != nodes_.end()) {  // the last one is part of the record
      value.clear();
      EncodeNode(*node, value);
      batch.Put(storage::Family::kGroups, NodeKey(number, first), value);
    }
  }
  node_rows_staged_.clear();
  for (const uint32_t group : removed_groups_) {
    DeleteRows(store_, batch, storage::Family::kGroups, GroupBegin(number, group), GroupEnd(number, group));
  }
  removed_groups_.clear();
  for (const auto& [name, group] : groups_) {
    if (group->staged()) group->Flush(batch);
  }
  if (produced_.staged()) produced_.Flush(batch);
  if (!record_staged_) return;
  record_staged_ = false;
  record_.has_nodes = !nodes_.empty();
  if (record_.has_nodes) {
    record_.head = Head();
    record_.tail = nodes_.back();
  }
  if (garbage_nodes_ == 0) record_.garbage = record_.head;
  value.clear();
  Encode(record_, value);
  batch.Put(storage::Family::kGroups, StreamKey(name_), value);
}

void Stream::Settle() {
  stored_ = true;
  for (const auto& [base, chunk] : staged_) {
    if (!chunk) continue;
    chunk->staged = false;
    chunk->stored = true;
  }
  staged_.clear();
  window_bytes_ = 0;
  for (const ChunkPtr& chunk : window_) window_bytes_ += chunk->memory();
  while (window_bytes_ > kWindowBytes && window_.size() > 1) {
    window_bytes_ -= window_.front()->memory();
    window_.pop_front();
  }
}

void Stream::Wipe(storage::Batch& batch) const {
  if (!stored_) return;
  const uint64_t number = record_.number;
  DeleteRows(store_, batch, storage::Family::kEntries, EntryKey(number, {}), EntriesEnd(number));
  DeleteRows(store_, batch, storage::Family::kGroups, NodeKey(number, {}), NodesEnd(number));
  DeleteRows(store_, batch, storage::Family::kGroups, GroupsBegin(number), GroupsEnd(number));
  DeleteRows(store_, batch, storage::Family::kGroups, ProducedKey(number, 0), ProducedEnd(number));
}

size_t Stream::memory() const {
  size_t bytes = sizeof(Stream) + name_.size() + window_bytes_ + nodes_.size() * sizeof(Node) + produced_.memory();
  for (const auto& [name, group] : groups_) bytes += group->memory();
  return bytes;
}

}  // namespace tocsin::streams
