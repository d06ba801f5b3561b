// LogIndex: the items of one log with their states, in memory while marks or trims work on it. Built from the store by
// one walk over the log; kept up to date by its owner (UserLogs).
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
  };
  using Items = std::map<model::EntryId, Item>;

  LogIndex() = default;
  LogIndex(LogIndex&&) = default;  // a copy would refer to the nids of the original
  LogIndex& operator=(LogIndex&&) = default;

  // Everything committed of the user's log above `floor`.
  static base::Result<LogIndex> Load(const storage::Store& store, std::string_view user, model::EntryId floor);

  void Add(const LogEntry& entry, ItemState state = ItemState::kUnread);
  void Erase(Items::iterator item);
  // items().end() when there is none.
  Items::iterator Find(std::string_view nid);
  Items& items() { return items_; }

 private:
  Items items_;
  // Keys refer to the nids in items_, whose nodes do not move.
  TextMap<model::EntryId, std::string_view> by_nid_;
};

}  // namespace tocsin::logs
