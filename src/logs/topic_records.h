// TopicRecords: what a user's own records say of topics: which are followed, and where a device stands in them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "model/entry_id.h"

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

}  // namespace tocsin::logs
