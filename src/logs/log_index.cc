#include "logs/log_index.h"

#include <algorithm>

#include "logs/keys.h"
#include "logs/state_cursor.h"

namespace tocsin::logs {

using base::Result;
using base::Status;
using model::EntryId;
using storage::Family;

constexpr size_t kMaxStep = 4'096;

void LogIndex::Add(const LogEntry& item) {
  auto at = items_.try_emplace(
      items_.end(), item.id,
      Item{item.nid, item.priority, ItemState::kUnread, item.traits.category, item.traits.collapse_key});
  by_nid_.erase(std::string_view(at->second.nid));  // of an older item: the key refers to its nid
  by_nid_.emplace(at->second.nid, item.id);
}

void LogIndex::Erase(Items::iterator item) {
  auto found = by_nid_.find(std::string_view(item->second.nid));
  if (found != by_nid_.end() && found->second == item->first) by_nid_.erase(found);
  items_.erase(item);
}

Result<LogIndex::Items::iterator> LogIndex::Find(std::string_view nid, EntryId floor) {
  for (;;) {
    auto found = by_nid_.find(nid);
    if (found != by_nid_.end()) return items_.find(found->second);
    if (complete_) return items_.end();
    RETURN_IF_ERROR(Extend(floor));
  }
}

Result<LogIndex::Items::iterator> LogIndex::At(EntryId id, EntryId floor) {
  while (!complete_ && !Covers(id)) RETURN_IF_ERROR(Extend(floor));
  return items_.find(id);
}

Status LogIndex::CoverBelow(ItemState state, size_t count, EntryId floor) {
  auto covered = [&] {
    return static_cast<size_t>(
        std::count_if(items_.begin(), items_.end(), [state](const auto& item) { return item.second.state < state; }));
  };
  while (!complete_ && covered() < count) RETURN_IF_ERROR(Extend(floor));
  return base::Ok();
}

Status LogIndex::CoverAll(EntryId floor) {
  while (!complete_) RETURN_IF_ERROR(Extend(floor));
  return base::Ok();
}

Status LogIndex::Extend(EntryId floor) {
  std::vector<std::pair<EntryId, Item>> found;
  EntryId low = low_;
  bool complete = true;
  if (const auto first = floor.Next(); first && *first < low_) {
    const size_t prefix = UserPrefix(user_).size();
    auto entries = store_.Iterate(Family::kLogs, EntryKey(user_, *first), EntryKey(user_, low_));
    StateCursor states(store_, user_, storage::Tier::kDisk);
    size_t looked_at = 0;
    for (entries->SeekToLast(); entries->Valid() && looked_at < step_; entries->Prev(), ++looked_at) {
      auto entry = DecodeStoredEntry(entries->key(), prefix, entries->value());
      if (!entry.ok()) return entry.status();
      low = entry->id;
      if (!entry->is_item()) continue;
      found.push_back({low,
                       {std::move(entry->nid), entry->priority, states.Descending(low),
                        std::move(entry->traits.category), std::move(entry->traits.collapse_key)}});
    }
    RETURN_IF_ERROR(entries->status());
    RETURN_IF_ERROR(states.status());
    complete = !entries->Valid();
  }
  for (auto& [id, item] : found) {
    auto at = items_.try_emplace(items_.begin(), id, std::move(item));
    by_nid_.try_emplace(at->second.nid, id);
  }
  complete_ = complete;
  low_ = low;
  step_ = std::min(step_ * 2, kMaxStep);
  return base::Ok();
}

}  // namespace tocsin::logs
