// UserPreferences: what users have said about deliveries, on the embedded store and the commit thread. The record lies
// beside the user's log, whose head says whether there is one: who has none costs no look at the store.
//
// 1. The record and the head's flag change in one batch. A failed turn leaves no trace.
// 2. What this turn has changed is seen by who asks later in the turn.
#pragma once

#include <memory>
#include <string_view>

#include "logs/text_map.h"
#include "logs/user_logs.h"
#include "state/preferences.h"
#include "storage/committer.h"
#include "storage/store.h"

namespace tocsin::logs {

class UserPreferences final : public storage::Participant {
 public:
  // Nothing is owned.
  UserPreferences(const storage::Store& store, UserLogs& user_logs) : store_(store), user_logs_(user_logs) {}

  // Replaces the record; an empty one removes it. A failure is the store's, and leaves nothing behind.
  base::Status Set(std::string_view user, const state::Preferences& preferences, storage::Batch& batch);
  // Null: there are none. A failure is the store's.
  base::Result<std::shared_ptr<const state::Preferences>> Of(std::string_view user);

  base::Status BeforeCommit(storage::Batch&) override { return base::Ok(); }
  void AfterCommit(const base::Status& status) override;
  bool lazy() const override { return true; }  // what is to be synced says so itself

 private:
  static constexpr size_t kMaxInMemory = 10'000;

  const storage::Store& store_;
  UserLogs& user_logs_;
  TextMap<std::shared_ptr<const state::Preferences>> known_;
};

}  // namespace tocsin::logs
