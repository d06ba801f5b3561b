// LogIndex: the items of one log with their states, in memory while marks or trims work on it. Built from the store by
// one walk over the log; kept up to date by its owner (UserLogs).
#pragma once

#include <map>
#include <string>
#include <string_view>

#include <boost/unordered/unordered_flat_map.hpp>

#include "logs/keys.h"
#include "logs/log_entry.h"
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

  // Everything committed of the user's log above `floor`.
  static base::Result<LogIndex> Load(const storage::Store& store, std::string_view user, model::EntryId floor);

  void Add(const LogEntry& entry, ItemState state = ItemState::kUnread);
  void Erase(Items::iterator item);
  // items().end() when there is none.
  Items::iterator Find(std::string_view nid);
  Items& items() { return items_; }

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  Items items_;
  // Keys refer to the nids in items_, whose nodes do not move.
  boost::unordered_flat_map<std::string_view, model::EntryId, Hash, std::equal_to<>> by_nid_;
};

}  // namespace tocsin::logs
