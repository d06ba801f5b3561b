// What a user's log is, said in the most obvious way: a map of entries, changed one committed operation at a time. The
// real one must agree with it in ids, order, states, counts and floor, whatever happened on the way.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "logs/user_logs.h"

namespace tocsin::tests {

using model::EntryId;

struct ReferenceLog {
  struct Item {
    std::string nid;
    int priority = 0;
    int state = 0;  // 0 unread, 1 seen, 2 read, 3 archived
    std::string category{}, collapse_key{};
  };
  struct Change {
    model::MarkOp op;
    std::vector<std::string> nids;
    std::optional<EntryId> upto;
    std::string by;
    logs::Counts counts;
  };

  std::map<EntryId, std::optional<Item>> entries;  // what is stored; no item: a state change
  EntryId last, floor;
  std::map<std::string, int64_t> mids;
  std::map<std::string, EntryId> newest;  // by collapse key: the newest item that has it, while that is stored

  // What ever was, for looking at frames:
  std::map<EntryId, std::string> undeleted;     // items that were never deleted or replaced, trimmed ones too
  std::map<std::string, std::string> replaced;  // by nid of the newer one
  std::map<EntryId, Change> changes;
  std::map<EntryId, logs::Counts> counts_at;  // by the last entry of a turn

  EntryId NextId(int64_t now_ms) {
    EntryId next = {last.ms, last.seq + 1};
    return last = std::max(next, EntryId{static_cast<uint64_t>(now_ms), 0});
  }

  // Answers whether it took the place of another.
  bool Append(const Item& item, int64_t now_ms) {
    bool took_place = false;
    if (!item.collapse_key.empty()) {
      auto older = newest.find(item.collapse_key);
      if (older != newest.end() && entries[older->second]->state < 2) {
        took_place = true;
        replaced[item.nid] = entries[older->second]->nid;
        undeleted.erase(older->second);
        Change change{model::MarkOp::kDelete, {entries[older->second]->nid}, std::nullopt, "", {}};
        entries.erase(older->second);
        change.counts = Counts();
        const EntryId at = NextId(now_ms);
        entries[at] = std::nullopt;
        changes[at] = change;
      }
    }
    const EntryId id = NextId(now_ms);
    if (!item.collapse_key.empty()) newest[item.collapse_key] = id;
    entries[id] = item;
    undeleted[id] = item.nid;
    return took_place;
  }

  void Forget(EntryId id) {
    if (const auto& item = entries[id]) {
      auto with_key = newest.find(item->collapse_key);
      if (with_key != newest.end() && with_key->second == id) newest.erase(with_key);
    }
    entries.erase(id);
  }

  void Mark(const logs::MarkRequest& mark, int64_t now_ms) {
    if (!mark.mid.empty()) {
      auto old = [now_ms](const auto& known) { return now_ms - known.second >= 24 * 3'600'000; };
      if (auto known = mids.find(mark.mid); known != mids.end() && !old(*known)) return;
      std::erase_if(mids, old);
      mids[mark.mid] = now_ms;
    }
    std::vector<EntryId> targets;
    for (const auto& [id, item] : entries) {
      if (!item || Moved(mark.op, item->state) == item->state) continue;
      if (mark.spare == logs::Spare::kRead && item->state >= 2) continue;
      if (mark.upto ? id <= *mark.upto : Contains(mark.nids, item->nid)) targets.push_back(id);
    }
    if (targets.empty()) return;
    Change change{mark.op, {}, mark.upto, mark.device, {}};
    if (change.upto) change.upto = std::min(*change.upto, last);
    for (EntryId id : targets) {
      if (!mark.upto) change.nids.push_back(entries[id]->nid);
      entries[id]->state = Moved(mark.op, entries[id]->state);
      if (!model::Removes(mark.op)) continue;
      Forget(id);
      undeleted.erase(id);
    }
    if (mark.upto && mark.op == model::MarkOp::kDelete) {  // of trimmed ones too, which a live tail may still hold
      undeleted.erase(undeleted.begin(), undeleted.upper_bound(*mark.upto));
    }
    change.counts = Counts();
    const EntryId id = NextId(now_ms);
    entries[id] = std::nullopt;
    changes[id] = change;
  }

  // The end of a turn that began when the log ended at `before`: the oldest go, but none that this turn has appended.
  void Trim(size_t max_entries, EntryId before) {
    if (last == before) return;
    if (entries.size() > max_entries) {
      size_t wanted = entries.size() - max_entries + max_entries / 16;
      while (wanted-- > 0 && !entries.empty() && entries.begin()->first <= before) {
        floor = entries.begin()->first;
        Forget(floor);
      }
    }
    counts_at[last] = Counts();
  }

  logs::Counts Counts() const {
    logs::Counts counts;
    std::map<std::string, uint32_t> by_category;
    for (const auto& [id, item] : entries) {
      if (!item) continue;
      counts.unseen += item->state == 0;
      counts.unread += item->state < 2;
      counts.unread_by_priority[static_cast<size_t>(item->priority)] += item->state < 2;
      if (item->state < 2 && !item->category.empty()) ++by_category[item->category];
    }
    counts.unread_by_category.assign(by_category.begin(), by_category.end());
    return counts;
  }

  // -1: deleted.
  static int Moved(model::MarkOp op, int state) {
    switch (op) {
      case model::MarkOp::kSeen:
        return std::max(state, 1);
      case model::MarkOp::kRead:
        return std::max(state, 2);
      case model::MarkOp::kArchive:
        return 3;
      case model::MarkOp::kUnread:
        return std::min(state, 1);
      case model::MarkOp::kDelete:
      case model::MarkOp::kExpire:
        return -1;
      case model::MarkOp::kUpdate:
        return state;
    }
    return state;
  }
  static bool Contains(const std::vector<std::string>& nids, const std::string& nid) {
    return std::find(nids.begin(), nids.end(), nid) != nids.end();
  }
};

}  // namespace tocsin::tests
