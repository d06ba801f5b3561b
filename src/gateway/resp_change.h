// RespChange: a batch of Redis commands on the commit thread, and what it leaves there when it waits.
#pragma once

#include <memory>
#include <string>

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

class RespChange final : public storage::Change {
 public:
  RespChange(RespAddress address, commands::Database& db, std::shared_ptr<commands::StoreSession> session,
             std::shared_ptr<commands::Batch> batch)
      : address_(address), db_(db), session_(std::move(session)), batch_(std::move(batch)) {}

  void Stage(storage::Batch& turn) override;
  void Done(const base::Status& status) override;
  bool lazy() const override { return batch_->lazy(); }
  size_t bytes() const override { return batch_->bytes(); }

 private:
  void Wait();
  bool TryAgain(const base::Status& status);

  const RespAddress address_;
  commands::Database& db_;
  const std::shared_ptr<commands::StoreSession> session_;
  std::shared_ptr<commands::Batch> batch_;
  std::string replies_;
  commands::Batch::Stop stop_ = commands::Batch::Stop::kEnd;
  std::shared_ptr<RespWait> wait_;
  int64_t timeout_ms_ = 0;
  int tries_ = 0;
};

// Takes the waiter away and answers `reply` for it, unless its answer is under way; an empty `reply`: nobody is there
// to be answered. Asked again until the committer takes it.
void CancelRespWait(Hub& hub, commands::Database& db, std::shared_ptr<RespWait> wait, std::string reply);
// The connection has ended.
void ForgetRespSession(Hub& hub, commands::Database& db, std::shared_ptr<commands::StoreSession> session);

}  // namespace tocsin::gateway
