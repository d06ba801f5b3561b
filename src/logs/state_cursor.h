// StateCursor: the states of a user's items, read beside a walk over the items themselves in one direction.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "logs/log_entry.h"
#include "storage/store.h"

namespace tocsin::logs {

class StateCursor {
 public:
  StateCursor(const storage::Store& store, std::string_view user, storage::Tier tier);

  // The state of the item of that id, for ids that only grow, or only fall. After the walk look at status().
  ItemState Ascending(model::EntryId id);
  ItemState Descending(model::EntryId id);
  base::Status status() const { return damage_.ok() ? states_->status() : damage_; }

 private:
  std::string Key(model::EntryId id) const;
  bool ReadKey();
  ItemState At(model::EntryId id);

  const std::string prefix_;
  const std::unique_ptr<storage::Iterator> states_;
  bool placed_ = false;
  model::EntryId at_;  // of the key that states_ stands on
  base::Status damage_;
};

}  // namespace tocsin::logs
