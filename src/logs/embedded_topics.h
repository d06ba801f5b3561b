// EmbeddedTopics: TopicStore on the embedded store. Reads come from memory where they can, else from a thread that may
// block; changes go to the commit thread.
#pragma once

#include "logs/log_reader.h"
#include "logs/topic_store.h"
#include "logs/user_logs.h"
#include "runtime/worker_pool.h"
#include "storage/committer.h"
#include "storage/store.h"

namespace tocsin::logs {

class EmbeddedTopics final : public TopicStore {
 public:
  // Nothing is owned. `user_logs` is touched on the commit thread only.
  EmbeddedTopics(const storage::Store& store, storage::Committer& committer, UserLogs& user_logs,
                 runtime::WorkerPool& readers)
      : reader_(store), committer_(committer), user_logs_(user_logs), readers_(readers) {}

  void Get(const std::string& user, const std::string& device, Then<TopicRecords> then) override;
  void Follow(const std::string& user, TopicFollow follow, Done then) override;
  void Unfollow(const std::string& user, const std::string& topic, Then<bool> then) override;
  void States(const std::string& user, const std::string& topic, Then<TopicStates> then) override;
  void Mark(TopicMark mark, Then<Counts> then) override;
  void Ack(const std::string& user, const std::string& device, const std::string& topic, model::EntryId cursor,
           Urgency urgency, Done then) override;

 private:
  template <typename Answer>
  void Change(std::function<base::Result<Answer>(storage::Batch&)> stage, Urgency urgency, Then<Answer> then);

  const LogReader reader_;
  storage::Committer& committer_;
  UserLogs& user_logs_;
  runtime::WorkerPool& readers_;
};

}  // namespace tocsin::logs
