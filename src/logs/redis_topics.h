// RedisTopics: TopicStore on Redis. Two hashes beside the user's log: topic -> by(1) from(8), and device 00 topic ->
// cursor(8).
#pragma once

#include "logs/redis_logs.h"
#include "logs/topic_store.h"

namespace tocsin::logs {

class RedisTopics final : public TopicStore {
 public:
  // Not owned; older than this.
  explicit RedisTopics(RedisLogs& logs) : logs_(logs) {}

  void Get(const std::string& user, const std::string& device, Then<TopicRecords> then) override;
  void Follow(const std::string& user, TopicFollow follow, Done then) override;
  void Unfollow(const std::string& user, const std::string& topic, Then<bool> then) override;
  void States(const std::string& user, const std::string& topic, Then<TopicStates> then) override;
  void Mark(TopicMark mark, Then<Counts> then) override;
  void Ack(const std::string& user, const std::string& device, const std::string& topic, model::EntryId cursor,
           Urgency urgency, Done then) override;

 private:
  template <typename Answer>
  void Ask(RedisLogs::Question question, std::function<base::Result<Answer>(const wire::RespReply&)> decode,
           Then<Answer> then);

  RedisLogs& logs_;
};

}  // namespace tocsin::logs
