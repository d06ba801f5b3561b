#include "logs/user_topics.h"

#include "logs/keys.h"
#include "logs/log_entry.h"
#include "model/limits.h"

namespace tocsin::logs {

using base::Result;
using base::Status;
using model::EntryId;
using storage::Batch;
using storage::Family;

Status TooManyFollows() {
  return Status(base::Code::kTooLarge,
                "the user follows " + std::to_string(model::kMaxFollows) + " topics, which is the most there may be");
}

Result<std::optional<std::string>> UserTopics::Get(const std::string& key) const {
  if (auto staged = staged_.find(key); staged != staged_.end()) return staged->second;
  return store_.Get(Family::kHeads, key);
}

Result<size_t*> UserTopics::Follows(std::string_view user) {
  if (auto known = follows_.find(user); known != follows_.end()) return &known->second;
  const std::string prefix = TagPrefix(user, kFollowTag);
  size_t count = 0;
  auto rows = store_.Iterate(Family::kHeads, prefix, model::PrefixSuccessor(prefix));
  for (rows->SeekToFirst(); rows->Valid(); rows->Next()) ++count;
  RETURN_IF_ERROR(rows->status());
  return &follows_.emplace(std::string(user), count).first->second;
}

Status UserTopics::Follow(std::string_view user, const TopicFollow& follow, Batch& batch) {
  std::string key = FollowKey(user, follow.topic);
  auto known = Get(key);
  if (!known.ok()) return known.status();
  auto count = Follows(user);
  if (!count.ok()) return count.status();
  TopicFollow made = follow;
  if (known->has_value()) {
    auto before = DecodeFollow(follow.topic, **known);
    if (!before.ok()) return before.status();
    if (before->by == TopicFollow::By::kBackEnd || follow.by == before->by) return base::Ok();
    made.from = before->from;
  } else {
    if (**count >= model::kMaxFollows) return TooManyFollows();
    ++**count;
  }
  std::string row = EncodeFollow(made);
  batch.Put(Family::kHeads, key, row);
  staged_.insert_or_assign(std::move(key), std::move(row));
  return base::Ok();
}

Result<bool> UserTopics::Unfollow(std::string_view user, std::string_view topic, Batch& batch) {
  std::string key = FollowKey(user, topic);
  auto known = Get(key);
  if (!known.ok()) return known.status();
  if (!known->has_value()) return false;
  auto count = Follows(user);
  if (!count.ok()) return count.status();
  --**count;
  batch.Delete(Family::kHeads, key);
  staged_.insert_or_assign(std::move(key), std::nullopt);
  return true;
}

Status UserTopics::SetCursor(std::string_view user, std::string_view device, std::string_view topic, EntryId cursor,
                             Batch& batch) {
  std::string key = CursorKey(user, device, topic);
  auto known = Get(key);
  if (!known.ok()) return known.status();
  if (known->has_value()) {
    auto before = DecodeCursor(**known);
    if (!before.ok()) return before.status();
    if (cursor <= *before) return base::Ok();
  }
  std::string row;
  cursor.EncodeTo(row);
  batch.Put(Family::kHeads, key, row);
  staged_.insert_or_assign(std::move(key), std::move(row));
  return base::Ok();
}

Status UserTopics::ForgetDevice(std::string_view user, std::string_view device, Batch& batch) {
  const std::string prefix = CursorKey(user, device, {});
  auto rows = store_.Iterate(Family::kHeads, prefix, model::PrefixSuccessor(prefix));
  for (rows->SeekToFirst(); rows->Valid(); rows->Next()) {
    batch.Delete(Family::kHeads, rows->key());
    staged_.insert_or_assign(std::string(rows->key()), std::nullopt);
  }
  return rows->status();
}

TopicItemState ApplyToTopicItem(MarkOp op, TopicItemState state) {
  if (state == kTopicItemDeleted || op == MarkOp::kDelete) return kTopicItemDeleted;
  return static_cast<TopicItemState>(Apply(op, static_cast<ItemState>(state)));
}

Result<TopicItemState> UserTopics::State(std::string_view user, std::string_view topic, EntryId id) const {
  std::string key = TopicStatePrefix(user, topic);
  id.EncodeTo(key);
  auto row = Get(key);
  if (!row.ok()) return row.status();
  return row->has_value() && !(*row)->empty() ? static_cast<TopicItemState>((**row)[0]) : kUntouched;
}

void UserTopics::SetState(std::string_view user, std::string_view topic, EntryId id, TopicItemState state,
                          Batch& batch) {
  std::string key = TopicStatePrefix(user, topic);
  id.EncodeTo(key);
  std::string row(1, static_cast<char>(state));
  batch.Put(Family::kHeads, key, row);
  staged_.insert_or_assign(std::move(key), std::move(row));
}

Status UserTopics::ForgetStates(std::string_view user, std::string_view topic, EntryId oldest, Batch& batch) {
  const std::string prefix = TopicStatePrefix(user, topic);
  std::string end = prefix;
  oldest.EncodeTo(end);
  auto rows = store_.Iterate(Family::kHeads, prefix, end);
  for (rows->SeekToFirst(); rows->Valid(); rows->Next()) batch.Delete(Family::kHeads, rows->key());
  return rows->status();
}

void UserTopics::EndTurn() {
  staged_.clear();
  follows_.clear();
}

}  // namespace tocsin::logs
