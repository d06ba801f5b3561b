#include "logs/log_index.h"

#include "logs/keys.h"
#include "model/bytes.h"

namespace tocsin::logs {

using model::EntryId;
using storage::Family;

base::Result<LogIndex> LogIndex::Load(const storage::Store& store, std::string_view user, EntryId floor) {
  LogIndex index;
  auto first = floor.Next();
  if (!first) return index;
  const std::string prefix = UserPrefix(user);
  auto entries = store.Iterate(Family::kLogs, EntryKey(user, *first), model::PrefixSuccessor(prefix));
  for (entries->SeekToFirst(); entries->Valid(); entries->Next()) {
    auto entry = DecodeStoredEntry(entries->key(), prefix.size(), entries->value());
    if (!entry.ok()) return entry.status();
    if (entry->is_item()) index.Add(*entry);
  }
  RETURN_IF_ERROR(entries->status());

  const std::string states_prefix = TagPrefix(user, kStateTag);
  auto states = store.Iterate(Family::kHeads, states_prefix, model::PrefixSuccessor(states_prefix));
  for (states->SeekToFirst(); states->Valid(); states->Next()) {
    auto id = KeyId(states->key(), states_prefix.size());
    if (!id.ok()) return id.status();
    auto state = DecodeState(states->value());
    if (!state.ok()) return state.status();
    auto found = index.items_.find(*id);
    if (found != index.items_.end()) found->second.state = *state;
  }
  RETURN_IF_ERROR(states->status());
  return index;
}

void LogIndex::Add(const LogEntry& entry, ItemState state) {
  auto at = items_.try_emplace(items_.end(), entry.id, Item{entry.nid, entry.priority, state});
  by_nid_[at->second.nid] = entry.id;
}

void LogIndex::Erase(Items::iterator item) {
  auto found = by_nid_.find(std::string_view(item->second.nid));
  if (found != by_nid_.end() && found->second == item->first) by_nid_.erase(found);
  items_.erase(item);
}

LogIndex::Items::iterator LogIndex::Find(std::string_view nid) {
  auto found = by_nid_.find(nid);
  return found == by_nid_.end() ? items_.end() : items_.find(found->second);
}

}  // namespace tocsin::logs
