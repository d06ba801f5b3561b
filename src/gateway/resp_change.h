// RespChange: batches of Redis commands on the commit thread, and what they leave there when they wait.
//
// What the connections of a hub have to run is gathered during a turn of its Core and goes as one change (RespQueue): a
// sync is shared by all of them, and their answers come back in one task.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "commands/batch.h"
#include "gateway/hub.h"
#include "gateway/resp_peer.h"
#include "storage/committer.h"

namespace tocsin::gateway {

// Where an answer belongs.
struct RespAddress {
  Hub* hub;
  uint64_t connection;
  uint64_t number;
};

// A command that waits. Touched on the commit thread only (Cores hold it to name it).
struct RespWait {
  RespAddress address{};
  streams::WaiterId id = 0;
  bool ended = false;
  bool begun = false;  // the change that began to wait was answered
  std::string reply;   // what came before that
};

// One connection's part of a change.
struct RespPart {
  uint64_t connection = 0, number = 0;
  std::shared_ptr<commands::StoreSession> session;
  std::shared_ptr<commands::Batch> batch;
  RespPeer::Answer answer = {};
  int tries = 0;
};

class RespChange final : public storage::Change {
 public:
  // All parts are of connections of `hub`.
  RespChange(Hub& hub, commands::Database& db, std::vector<RespPart> parts);

  void Stage(storage::Batch& turn) override;
  void Done(const base::Status& status) override;
  bool lazy() const override { return lazy_; }
  size_t bytes() const override { return bytes_; }

 private:
  void Wait(RespPart& part);
  void Hold(RespPart& part);
  void TryAgain(const base::Status& status);

  Hub& hub_;
  commands::Database& db_;
  std::vector<RespPart> parts_;
  size_t bytes_ = 0;
  bool lazy_ = true;
};

class RespQueue {
 public:
  explicit RespQueue(commands::Database& db) : db_(db) {}
  void SetHub(Hub& hub) { hub_ = &hub; }  // before the first Add

  // On the hub's Core.
  void Add(uint64_t connection, uint64_t number, std::shared_ptr<commands::StoreSession> session,
           std::shared_ptr<commands::Batch> batch);
  // Submits what was added.
  void Flush();

 private:
  commands::Database& db_;
  Hub* hub_ = nullptr;
  std::vector<RespPart> parts_;
  size_t bytes_ = 0;
};

// Takes the waiter away and answers `reply` for it, unless its answer is under way; an empty `reply`: nobody is there
// to be answered. Asked again until the committer takes it.
void CancelRespWait(Hub& hub, commands::Database& db, std::shared_ptr<RespWait> wait, std::string reply);
// The connection has ended.
void ForgetRespSession(Hub& hub, commands::Database& db, std::shared_ptr<commands::StoreSession> session);

}  // namespace tocsin::gateway
