// CollapseKeys: which item of a log is the newest with a collapse key, in the embedded store. On the commit thread.
//
// 1. It answers as if what this turn has staged were stored.
// 2. A key is kept as long as that item is in its log.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "logs/text_map.h"
#include "model/entry_id.h"
#include "storage/store.h"

namespace tocsin::logs {

class CollapseKeys {
 public:
  explicit CollapseKeys(const storage::Store& store) : store_(store) {}  // which outlives it

  // A failure is the store's. Nothing: none has it.
  base::Result<std::optional<model::EntryId>> Newest(std::string_view user, std::string_view key) const;
  void Set(std::string_view user, std::string_view key, model::EntryId id, storage::Batch& batch);
  // The item leaves the log. An empty key is none.
  base::Status Forget(std::string_view user, std::string_view key, model::EntryId id, storage::Batch& batch);
  // The turn is stored, or has failed.
  void EndTurn() { staged_.clear(); }

 private:
  const storage::Store& store_;
  TextMap<std::optional<model::EntryId>> staged_;  // by the row's key
};

}  // namespace tocsin::logs
