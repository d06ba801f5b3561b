// EmbeddedLogs: the user logs on the embedded store, as the Cores use them. Reads come from memory where they can, else
// from a thread that may block; what changes a log goes to the commit thread.
#pragma once

#include <functional>
#include <string>

#include "logs/embedded_topics.h"
#include "logs/log_reader.h"
#include "logs/log_store.h"
#include "logs/user_logs.h"
#include "logs/user_preferences.h"
#include "runtime/worker_pool.h"
#include "storage/committer.h"

namespace tocsin::logs {

class EmbeddedLogs final : public LogStore {
 public:
  // Nothing is owned. `user_logs` and `preferences` are touched on the commit thread only.
  EmbeddedLogs(const storage::Store& store, storage::Committer& committer, UserLogs& user_logs,
               UserPreferences& preferences, runtime::WorkerPool& readers)
      : reader_(store),
        committer_(committer),
        user_logs_(user_logs),
        preferences_(preferences),
        readers_(readers),
        topics_(store, committer, user_logs, readers) {}

  void Open(const std::string& user, const std::string& device, Then<LogOpening> then) override;
  void Read(const std::string& user, model::EntryId after, size_t max_entries, size_t max_bytes,
            Then<LogPiece> then) override;
  void List(const std::string& user, model::EntryId before, size_t limit, ListFilter filter,
            Then<ListPage> then) override;
  void Trace(const std::string& user, const std::string& nid, Then<LogTrace> then) override;
  void Ack(const std::string& user, const std::string& device, model::EntryId cursor, Urgency urgency,
           std::function<void(const base::Status&)> then) override;
  void Mark(MarkRequest request, Then<Counts> then) override;
  void GetPreferences(const std::string& user, Then<state::Preferences> then) override;
  void SetPreferences(const std::string& user, state::Preferences preferences,
                      std::function<void(const base::Status&)> then) override;
  TopicStore& topics() override { return topics_; }
  // The commit thread tells of every log.
  void Watch(const std::string&) override {}
  void Unwatch(const std::string&) override {}

 private:
  template <typename Answer, typename Question>
  void Ask(Question ask, Then<Answer> then);

  const LogReader reader_;
  storage::Committer& committer_;
  UserLogs& user_logs_;
  UserPreferences& preferences_;
  runtime::WorkerPool& readers_;
  EmbeddedTopics topics_;
};

}  // namespace tocsin::logs
