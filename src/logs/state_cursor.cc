#include "logs/state_cursor.h"

#include <utility>

#include "logs/keys.h"
#include "model/bytes.h"

namespace tocsin::logs {

using model::EntryId;

StateCursor::StateCursor(const storage::Store& store, std::string_view user, storage::Tier tier)
    : prefix_(TagPrefix(user, kStateTag)),
      states_(store.Iterate(storage::Family::kHeads, prefix_, model::PrefixSuccessor(prefix_), tier)) {}

ItemState StateCursor::Ascending(EntryId id) {
  if (!std::exchange(placed_, true)) states_->Seek(Key(id));
  while (ReadKey() && at_ < id) states_->Next();
  return At(id);
}

ItemState StateCursor::Descending(EntryId id) {
  if (!std::exchange(placed_, true)) states_->SeekForPrev(Key(id));
  while (ReadKey() && at_ > id) states_->Prev();
  return At(id);
}

std::string StateCursor::Key(EntryId id) const {
  std::string key = prefix_;
  id.EncodeTo(key);
  return key;
}

bool StateCursor::ReadKey() {
  if (!damage_.ok() || !states_->Valid()) return false;
  auto id = KeyId(states_->key(), prefix_.size());
  damage_ = id.status();
  if (id.ok()) at_ = *id;
  return id.ok();
}

ItemState StateCursor::At(EntryId id) {
  if (!damage_.ok() || !states_->Valid() || at_ != id) return ItemState::kUnread;
  auto state = DecodeState(states_->value());
  damage_ = state.status();
  return state.ok() ? *state : ItemState::kUnread;
}

}  // namespace tocsin::logs
