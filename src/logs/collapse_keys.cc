#include "logs/collapse_keys.h"

#include "logs/keys.h"

namespace tocsin::logs {

using base::Result;
using base::Status;
using model::EntryId;
using storage::Family;

Result<std::optional<EntryId>> CollapseKeys::Newest(std::string_view user, std::string_view key) const {
  const std::string row = CollapseKey(user, key);
  const auto staged = staged_.find(row);
  if (staged != staged_.end()) return staged->second;
  auto stored = store_.Get(Family::kHeads, row);
  if (!stored.ok()) return stored.status();
  if (!stored->has_value()) return std::optional<EntryId>();
  auto id = KeyId(**stored, 0);
  if (!id.ok()) return id.status();
  return std::optional<EntryId>(*id);
}

void CollapseKeys::Set(std::string_view user, std::string_view key, EntryId id, storage::Batch& batch) {
  std::string row = CollapseKey(user, key), value;
  id.EncodeTo(value);
  batch.Put(Family::kHeads, row, value);
  staged_.insert_or_assign(std::move(row), id);
}

Status CollapseKeys::Forget(std::string_view user, std::string_view key, EntryId id, storage::Batch& batch) {
  if (key.empty()) return base::Ok();
  auto newest = Newest(user, key);
  if (!newest.ok()) return newest.status();
  if (*newest != id) return base::Ok();
  std::string row = CollapseKey(user, key);
  batch.Delete(Family::kHeads, row);
  staged_.insert_or_assign(std::move(row), std::nullopt);
  return base::Ok();
}

}  // namespace tocsin::logs
