// TopicStore: what users follow and where their devices stand in topics, as the Cores use it, wherever it is kept. Part
// of a LogStore, whose rules hold: called on a Core, answered there.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "logs/log_store.h"
#include "logs/topic_records.h"

namespace tocsin::logs {

class TopicStore {
 public:
  template <typename T>
  using Then = LogStore::Then<T>;
  using Done = std::function<void(const base::Status&)>;

  virtual ~TopicStore() = default;

  // What the user follows, and the cursors of that device; empty: of none.
  virtual void Get(const std::string& user, const std::string& device, Then<TopicRecords> then) = 0;
  // As UserTopics; answered when it is stored.
  virtual void Follow(const std::string& user, TopicFollow follow, Done then) = 0;
  virtual void Unfollow(const std::string& user, const std::string& topic, Then<bool> then) = 0;
  // What the user has done with items of the topic.
  virtual void States(const std::string& user, const std::string& topic, Then<TopicStates> then) = 0;
  // As LogStore::Mark: what it changes is an entry of the user's own log, whose counts are answered.
  virtual void Mark(TopicMark mark, Then<Counts> then) = 0;
  // A device's receipt in a topic, which the caller has clamped to the topic's head. The device is one of the user's
  // from then on, as with LogStore::Ack.
  virtual void Ack(const std::string& user, const std::string& device, const std::string& topic, model::EntryId cursor,
                   Urgency urgency, Done then) = 0;
};

}  // namespace tocsin::logs
