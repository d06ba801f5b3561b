// LogIndex: the newest items of one log with their states, in memory while marks work on it. It reaches down only as
// far as it has to: a mark is nearly always about what came last, and a full log is 10,000 entries.
//
// 1. It covers all entries from some id on: an item there that it does not have was deleted.
// 2. Its owner (UserLogs) adds what it appends and takes out what it deletes or trims; below, the store is right.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "logs/log_entry.h"
#include "logs/text_map.h"
#include "storage/store.h"

namespace tocsin::logs {

class LogIndex {
 public:
  struct Item {
    std::string nid;
    model::Priority priority = model::Priority::kNormal;
    ItemState state = ItemState::kUnread;
    std::string category{}, collapse_key{};
  };
  using Items = std::map<model::EntryId, Item>;

  // Covers what is appended from now on, with ids from `from`. The store outlives the index.
  LogIndex(const storage::Store& store, std::string user, model::EntryId from)
      : store_(store), user_(std::move(user)), low_(from) {}
  LogIndex(const LogIndex&) = delete;  // keys refer to the items
  LogIndex& operator=(const LogIndex&) = delete;

  void Add(const LogEntry& item);
  void Erase(Items::iterator item);

  // These reach down as far as needed, never to `floor` or below. A failure is the store's; what was covered stays.
  // The item of that nid; items().end() when there is none.
  base::Result<Items::iterator> Find(std::string_view nid, model::EntryId floor);
  // The item of that id; items().end() when it is not there any more.
  base::Result<Items::iterator> At(model::EntryId id, model::EntryId floor);
  // All items whose state is below `state`, of which there are `count`.
  base::Status CoverBelow(ItemState state, size_t count, model::EntryId floor);
  base::Status CoverAll(model::EntryId floor);

  bool Covers(model::EntryId id) const { return id >= low_; }
  Items& items() { return items_; }

 private:
  base::Status Extend(model::EntryId floor);

  const storage::Store& store_;
  const std::string user_;
  model::EntryId low_;
  bool complete_ = false;
  size_t step_ = 64;  // entries that the next reach looks at
  Items items_;
  // Keys refer to the nids in items_, whose nodes do not move.
  TextMap<model::EntryId, std::string_view> by_nid_;
};

}  // namespace tocsin::logs
