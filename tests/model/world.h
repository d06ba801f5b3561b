// World: one simulated server with the real store, UserLogs, LogReader, LiveLogs and Sessions, and the clients of two
// users, driven step by step from one seed. What a server does on several threads (commit thread, read threads, mailbox
// of a Core) are queues here, from which the seed picks.
//
// 1. The reference log of a user changes only when a turn has been committed, by the same operations in the same order.
// 2. Everything a session sends is held against the reference when it is sent (Connection), everything a client ends up
//    with when all is quiet (Settle).
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "logs/live_log.h"
#include "logs/log_reader.h"
#include "logs/user_logs.h"
#include "reference_log.h"
#include "session/session.h"
#include "storage/committer.h"
#include "storage/store.h"
#include "storage/temp_dir.h"

namespace tocsin::tests {

class Client;
class Connection;

// How often what the test is about has happened.
struct Tally {
  std::map<std::string, int64_t, std::less<>> counts;
  void Add(std::string_view what) { ++counts.try_emplace(std::string(what), 0).first->second; }
};

// Says where and why, with the seed that shows it again, and ends the program.
[[noreturn]] void Fail(std::string_view condition, const std::string& why, const char* file, int line);
#define REQUIRE(condition, why) \
  (static_cast<bool>(condition) ? static_cast<void>(0) : ::tocsin::tests::Fail(#condition, why, __FILE__, __LINE__))

struct User {
  std::string name;
  ReferenceLog log;
  std::map<std::string, EntryId> confirmed;  // by device: a receipt that the store has confirmed
  std::map<std::string, EntryId> acked;      // by device: the furthest receipt that a session has sent
};

class World final : public logs::LogListener, public storage::FaultPoints, public storage::Participant {
 public:
  World(uint64_t seed, Tally& tally);
  ~World() override;

  void Step();
  // Ends all faults, lets every client catch up, and compares everything with the reference.
  void Settle();

  // For clients and connections.
  base::SeededRandom& random() { return random_; }
  bool Chance(uint64_t percent) { return random_.Below(100) < percent; }
  Tally& tally() { return tally_; }
  User& user(size_t index) { return users_[index]; }
  session::Moment now() const { return {clock_.NowMs(), clock_.MonotonicUs() / 1000}; }
  std::string Epoch(size_t user) const { return reader_->Epoch(users_[user].name); }
  bool calm() const { return calm_; }
  Connection& Connect(Client& client, size_t window);
  Connection* Find(uint64_t connection);
  void Disconnect(uint64_t connection);

  void OpenLog(uint64_t connection, const std::string& user, const std::string& device);
  void ReadLog(uint64_t connection, const std::string& user, EntryId after, size_t max_entries, size_t max_bytes);
  void ListLog(uint64_t connection, const std::string& user, std::string i, EntryId before, size_t limit,
               logs::ListFilter filter);
  void ListUrgent(uint64_t connection, const std::string& user, size_t limit);
  void StoreReceipt(size_t user, const std::string& device, EntryId cursor);
  void StoreMark(uint64_t connection, size_t user, std::string i, logs::MarkRequest request);

 private:
  struct Published {
    size_t user;
    std::string nid, json, stream;
    logs::ItemTraits traits;
    model::Priority priority;
    EntryId source;
  };
  class ReceiptChange;
  class MarkChange;

  // LogListener, FaultPoints, Participant (the router: what was published goes into the logs).
  void OnCommitted(std::vector<logs::LogUpdate> updates) override;
  base::Status Reach(std::string_view place) override;
  base::Status BeforeCommit(storage::Batch& batch) override;
  void AfterCommit(const base::Status& status) override;
  bool lazy() const override { return true; }

  void Open();
  void Close();
  void Restart();
  void Adopt();
  void ReplayTurn(const std::vector<std::function<void()>>& operations);
  void Publish();
  void Operate();
  void Turn();
  void Deliver();
  void ReadSomething();
  void AnswerSomething();
  void SetClock();
  void Tick();
  void OnReceiptStored(size_t user, const std::string& device, EntryId cursor, const base::Status& status);
  bool Idle() const;
  void CompareLogs();
  template <typename Answer>
  void Read(std::function<base::Result<Answer>(storage::Tier)> ask,
            std::function<void(const base::Result<Answer>&)> then);

  base::SeededRandom random_;
  Tally& tally_;
  storage::TempDir dir_;
  base::ManualClock clock_;
  int64_t wall_offset_ms_ = 0;
  const int64_t epoch_ms_;  // the wall clock when the world began
  logs::UserLogsOptions log_options_{};

  std::unique_ptr<storage::Store> store_;
  std::unique_ptr<logs::UserLogs> user_logs_;
  std::unique_ptr<storage::Committer> committer_;
  std::unique_ptr<logs::LogReader> reader_;
  std::unique_ptr<logs::LiveLogs> live_;

  std::vector<User> users_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::map<uint64_t, std::unique_ptr<Connection>> connections_;
  uint64_t next_connection_ = 1;

  std::vector<Published> ingest_;
  size_t routed_ = 0;
  std::vector<std::function<void()>> turn_;       // on the reference, once the turn is committed
  std::vector<std::function<void()>> uncertain_;  // of a turn whose sync failed: a restart will show
  std::deque<std::function<void()>> mailbox_;     // commit thread to Core, in order
  std::vector<std::function<void()>> reads_;      // waiting for a read thread
  std::vector<std::function<void()>> answers_;    // read, on the way back
  std::vector<std::function<void()>> retries_;
  bool calm_ = false;
  bool fail_write_ = false, fail_sync_ = false, broken_ = false;
};

}  // namespace tocsin::tests
