// UserTopics: what users follow and where their devices stand in topics, on the embedded store and the commit thread:
// the part of UserLogs that is about topics, beside the users' own logs. A topic's log itself is a log like any other.
//
// 1. A follow that exists stays as it is, but for who made it: a back-end's counts more than the user's own.
// 2. A cursor only grows, and goes with its device.
// 3. What a turn has changed is seen later in the turn; a failed turn leaves no trace.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "logs/text_map.h"
#include "logs/topic_records.h"
#include "storage/store.h"

namespace tocsin::logs {

class UserTopics {
 public:
  explicit UserTopics(const storage::Store& store) : store_(store) {}

  // kTooLarge: the user follows kMaxFollows already. Any other failure is the store's.
  base::Status Follow(std::string_view user, const TopicFollow& follow, storage::Batch& batch);
  // False: it was not followed.
  base::Result<bool> Unfollow(std::string_view user, std::string_view topic, storage::Batch& batch);
  base::Status SetCursor(std::string_view user, std::string_view device, std::string_view topic, model::EntryId cursor,
                         storage::Batch& batch);
  base::Status ForgetDevice(std::string_view user, std::string_view device, storage::Batch& batch);
  // What the user did with an item of a topic.
  base::Result<TopicItemState> State(std::string_view user, std::string_view topic, model::EntryId id) const;
  void SetState(std::string_view user, std::string_view topic, model::EntryId id, TopicItemState state,
                storage::Batch& batch);
  // Of items below `oldest`.
  base::Status ForgetStates(std::string_view user, std::string_view topic, model::EntryId oldest,
                            storage::Batch& batch);
  // The turn has ended, however it did.
  void EndTurn();

 private:
  base::Result<std::optional<std::string>> Get(const std::string& key) const;
  base::Result<size_t*> Follows(std::string_view user);

  const storage::Store& store_;
  // Of this turn.
  TextMap<std::optional<std::string>> staged_;  // rows by key; nothing: deleted
  TextMap<size_t> follows_;                     // how many, by user
};

// kTooLarge, as Follow answers it.
base::Status TooManyFollows();

}  // namespace tocsin::logs
