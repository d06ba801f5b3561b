#include "gateway/resp_change.h"

#include "commands/database.h"
#include "commands/entries.h"
#include "gateway/connection.h"

namespace tocsin::gateway {
namespace {

using commands::Batch;

constexpr int kTries = 4;
constexpr int64_t kRetryMs = 100;

RespPeer* FindPeer(const RespAddress& address) {
  Connection* connection = address.hub->Find(address.connection);
  return connection == nullptr ? nullptr : dynamic_cast<RespPeer*>(connection->peer());
}

void PostUnblocked(const RespAddress& address, std::string reply) {
  address.hub->core().Post([address, reply = std::move(reply)] {
    if (RespPeer* peer = FindPeer(address)) peer->OnUnblocked(address.number, reply);
  });
}

void EndWait(RespWait& wait, std::string reply) {
  if (wait.ended) return;
  wait.ended = true;
  if (wait.begun) {
    PostUnblocked(wait.address, std::move(reply));
  } else {
    wait.reply = std::move(reply);
  }
}

class CancelChange final : public storage::Change {
 public:
  CancelChange(commands::Database& db, std::shared_ptr<RespWait> wait, std::string reply)
      : db_(db), wait_(std::move(wait)), reply_(std::move(reply)) {}
  void Stage(storage::Batch&) override { cancelled_ = !wait_->ended && db_.engine().CancelWait(wait_->id); }
  void Done(const base::Status&) override {
    if (!cancelled_) return;
    if (reply_.empty()) {
      wait_->ended = true;
    } else {
      EndWait(*wait_, std::move(reply_));
    }
  }
  bool lazy() const override { return true; }

 private:
  commands::Database& db_;
  const std::shared_ptr<RespWait> wait_;
  std::string reply_;
  bool cancelled_ = false;
};

class ForgetChange final : public storage::Change {
 public:
  ForgetChange(commands::Database& db, std::shared_ptr<commands::StoreSession> session)
      : db_(db), session_(std::move(session)) {}
  void Stage(storage::Batch&) override { session_->Forget(db_.engine()); }
  void Done(const base::Status&) override {}
  bool lazy() const override { return true; }

 private:
  commands::Database& db_;
  const std::shared_ptr<commands::StoreSession> session_;
};

}  // namespace

void RespChange::Stage(storage::Batch& turn) {
  ++tries_;
  stop_ = batch_->Run(db_, *session_, turn, replies_);
  if (stop_ == Batch::Stop::kBlocked) Wait();
}

void RespChange::Wait() {
  commands::Blocking blocking = std::move(*batch_->blocking());
  batch_->blocking().reset();
  timeout_ms_ = blocking.timeout_ms;
  wait_ = std::make_shared<RespWait>();
  wait_->address = address_;
  // The engine keeps the request; the names of its streams are needed to answer.
  auto request = std::make_shared<streams::ReadRequest>();
  request->streams = blocking.request.streams;
  request->claim_min_idle_ms = blocking.request.claim_min_idle_ms;
  const wire::RespVersion version = batch_->blocking_version();
  wait_->id =
      db_.engine().Wait(std::move(blocking.request), [wait = wait_, request, version](streams::ReadAnswer answer) {
        std::string reply;
        wire::RespWriter writer(reply, version);
        commands::WriteReadAnswer(writer, *request, answer);
        EndWait(*wait, std::move(reply));
      });
}

// A turn fails as a whole. What only reads has no part in that: it is read again, from what is left.
bool RespChange::TryAgain(const base::Status& status) {
  if (status.code() != base::Code::kNoSpace || !batch_->read_only() || tries_ >= kTries) return false;
  batch_->Rewind();
  auto again = std::make_unique<RespChange>(address_, db_, session_, batch_);
  again->tries_ = tries_;
  return address_.hub->backend().committer.Submit(std::move(again)).ok();
}

void RespChange::Done(const base::Status& status) {
  if (!status.ok()) {
    if (TryAgain(status)) return;
    replies_.clear();
    batch_->Refuse(status, replies_);
    if (stop_ == Batch::Stop::kBlocked) stop_ = Batch::Stop::kEnd;
    wait_.reset();
  } else if (wait_) {
    wait_->begun = true;
    if (wait_->ended) {
      replies_ += wait_->reply;
      stop_ = Batch::Stop::kEnd;
      wait_.reset();
    }
  }
  RespPeer::Answer answer{.batch = std::move(batch_),
                          .replies = std::move(replies_),
                          .stop = stop_,
                          .wait = std::move(wait_),
                          .timeout_ms = timeout_ms_};
  address_.hub->core().Post([address = address_, db = &db_, answer = std::move(answer)]() mutable {
    if (RespPeer* peer = FindPeer(address)) return peer->OnAnswer(address.number, std::move(answer));
    // The connection ended meanwhile.
    if (answer.wait) CancelRespWait(*address.hub, *db, std::move(answer.wait), {});
  });
}

void CancelRespWait(Hub& hub, commands::Database& db, std::shared_ptr<RespWait> wait, std::string reply) {
  const base::Status submitted = hub.backend().committer.Submit(std::make_unique<CancelChange>(db, wait, reply));
  if (submitted.ok() || submitted.code() == base::Code::kCancelled) return;
  hub.core().After(kRetryMs, [&hub, &db, wait = std::move(wait), reply = std::move(reply)]() mutable {
    CancelRespWait(hub, db, std::move(wait), std::move(reply));
  });
}

void ForgetRespSession(Hub& hub, commands::Database& db, std::shared_ptr<commands::StoreSession> session) {
  const base::Status submitted = hub.backend().committer.Submit(std::make_unique<ForgetChange>(db, session));
  if (submitted.ok() || submitted.code() == base::Code::kCancelled) return;
  hub.core().After(kRetryMs, [&hub, &db, session = std::move(session)]() mutable {
    ForgetRespSession(hub, db, std::move(session));
  });
}

}  // namespace tocsin::gateway
