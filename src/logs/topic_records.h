// TopicRecords: what a user's own records say of topics: which are followed, and where a device stands in them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/entry_id.h"
#include "model/mark.h"
#include "model/notification.h"

namespace tocsin::logs {

struct TopicFollow {
  // Who made it: what a user did needs the right of the user's token, what a back-end did is its own decision.
  enum class By : uint8_t { kBackEnd, kUser };  // stored: never renumber

  std::string topic;
  model::EntryId from;  // the topic's head when it was made
  By by = By::kBackEnd;
};

struct TopicRecords {
  std::vector<TopicFollow> follows;                            // by name
  std::map<std::string, model::EntryId, std::less<>> cursors;  // of one device, by topic
};

// What a user has done with items of a topic: a state, or that they are deleted.
using TopicItemState = uint8_t;  // stored: an ItemState, or
inline constexpr TopicItemState kTopicItemDeleted = 4;
inline constexpr TopicItemState kUntouched = 0;  // as ItemState::kUnread

struct TopicStates {
  // Changes of the user's own log up to here are in them.
  model::EntryId as_of;
  std::map<model::EntryId, TopicItemState> states;  // by the topic's entries; those that are kUntouched are missing
};

// The newest items of a topic, oldest first: those that are counted for who follows it.
inline constexpr size_t kTopicWindow = 1'000;
struct TopicItem {
  model::EntryId id;
  std::string nid;
  model::Priority priority = model::Priority::kNormal;
  std::string category{};
};
struct TopicWindow {
  model::EntryId last;  // of the topic's log when it was read
  std::vector<TopicItem> items;
};

// A mark on a topic's items, which were looked up in its window.
struct TopicMark {
  std::string user, device, topic;
  model::MarkOp op = model::MarkOp::kRead;
  std::optional<model::EntryId> upto;
  std::string mid;
  model::EntryId oldest;        // of the window: what was done with older items is forgotten
  model::EntryId counted_from;  // items above it count for the user
  std::vector<TopicItem> items;
};

// The state after `op`.
TopicItemState ApplyToTopicItem(model::MarkOp op, TopicItemState state);

}  // namespace tocsin::logs
