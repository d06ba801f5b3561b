#include "gateway/resp_change.h"

#include "commands/database.h"
#include "commands/entries.h"
#include "gateway/connection.h"

namespace tocsin::gateway {
namespace {

using commands::Batch;

constexpr int kTries = 4;
constexpr int64_t kRetryMs = 100;
constexpr size_t kMaxChange = 4 << 20;  // bytes of commands that one change gathers

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

void PostAnswers(Hub& hub, commands::Database& db, std::vector<RespPart> parts) {
  if (parts.empty()) return;
  hub.core().Post([&hub, &db, parts = std::move(parts)]() mutable {
    for (RespPart& part : parts) {
      part.answer.batch = std::move(part.batch);
      if (RespPeer* peer = FindPeer({&hub, part.connection, part.number})) {
        peer->OnAnswer(part.number, std::move(part.answer));
      } else {
        // The connection has ended meanwhile.
        db.figures().held_replies.fetch_sub(part.answer.held, std::memory_order_relaxed);
        if (part.answer.wait) CancelRespWait(hub, db, std::move(part.answer.wait), {});
      }
    }
  });
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

RespChange::RespChange(Hub& hub, commands::Database& db, std::vector<RespPart> parts)
    : hub_(hub), db_(db), parts_(std::move(parts)) {
  for (const RespPart& part : parts_) {
    bytes_ += part.batch->bytes();
    lazy_ = lazy_ && part.batch->lazy();
  }
}

void RespChange::Stage(storage::Batch& turn) {
  for (RespPart& part : parts_) {
    ++part.tries;
    part.answer.stop = part.batch->Run(db_, *part.session, turn, part.answer.replies);
    if (part.answer.stop == Batch::Stop::kBlocked) Wait(part);
    Hold(part);
  }
}

// Counts the replies; whoever sends them, or drops them, counts them back.
void RespChange::Hold(RespPart& part) {
  auto& held = db_.figures().held_replies;
  held.fetch_add(part.answer.replies.size() - part.answer.held, std::memory_order_relaxed);
  part.answer.held = part.answer.replies.size();
}

void RespChange::Wait(RespPart& part) {
  commands::Blocking blocking = std::move(*part.batch->blocking());
  part.batch->blocking().reset();
  part.answer.timeout_ms = blocking.timeout_ms;
  auto wait = std::make_shared<RespWait>();
  wait->address = {&hub_, part.connection, part.number};
  // The engine keeps the request; what is needed to answer it are the names of its streams, and whether it claims.
  auto request = std::make_shared<streams::ReadRequest>();
  request->streams = blocking.request.streams;
  request->claim_min_idle_ms = blocking.request.claim_min_idle_ms;
  const wire::RespVersion version = part.batch->blocking_version();
  wait->id = db_.engine().Wait(std::move(blocking.request), [wait, request, version](streams::ReadAnswer answer) {
    std::string reply;
    wire::RespWriter writer(reply, version);
    commands::WriteReadAnswer(writer, *request, answer);
    EndWait(*wait, std::move(reply));
  });
  part.answer.wait = std::move(wait);
}

// A turn fails as a whole. What only reads has no part in that: it is read again, from what is left.
void RespChange::TryAgain(const base::Status& status) {
  if (status.code() != base::Code::kNoSpace) return;
  std::vector<RespPart> readers;
  for (const RespPart& part : parts_) {
    if (part.batch->read_only() && part.tries < kTries) readers.push_back(part);
  }
  if (readers.empty()) return;
  for (RespPart& part : readers) {
    part.batch->Rewind();
    const size_t held = part.answer.held;
    part.answer = {};
    part.answer.held = held;
  }
  if (!hub_.backend().embedded->committer.Submit(std::make_unique<RespChange>(hub_, db_, std::move(readers))).ok())
    return;
  std::erase_if(parts_, [](const RespPart& part) { return part.batch->read_only() && part.tries < kTries; });
}

void RespChange::Done(const base::Status& status) {
  if (!status.ok()) TryAgain(status);
  for (RespPart& part : parts_) {
    RespPeer::Answer& answer = part.answer;
    if (!status.ok()) {
      answer.replies.clear();
      part.batch->Refuse(status, answer.replies);
      if (answer.stop == Batch::Stop::kBlocked) answer.stop = Batch::Stop::kEnd;
      answer.wait.reset();
    } else if (answer.wait) {
      answer.wait->begun = true;
      if (answer.wait->ended) {
        answer.replies += answer.wait->reply;
        answer.stop = Batch::Stop::kEnd;
        answer.wait.reset();
      }
    }
    Hold(part);
  }
  PostAnswers(hub_, db_, std::move(parts_));
}

void RespQueue::Add(uint64_t connection, uint64_t number, std::shared_ptr<commands::StoreSession> session,
                    std::shared_ptr<commands::Batch> batch) {
  bytes_ += batch->bytes();
  parts_.push_back(
      {.connection = connection, .number = number, .session = std::move(session), .batch = std::move(batch)});
  if (bytes_ >= kMaxChange) Flush();
}

void RespQueue::Flush() {
  if (parts_.empty()) return;
  bytes_ = 0;
  std::vector<RespPart> parts = std::move(parts_);
  parts_.clear();
  const base::Status submitted =
      hub_->backend().embedded->committer.Submit(std::make_unique<RespChange>(*hub_, db_, parts));
  if (submitted.ok()) return;
  for (RespPart& part : parts) {
    part.answer.stop = Batch::Stop::kEnd;
    part.batch->RefuseRest(submitted, part.answer.replies);
  }
  PostAnswers(*hub_, db_, std::move(parts));
}

void CancelRespWait(Hub& hub, commands::Database& db, std::shared_ptr<RespWait> wait, std::string reply) {
  const base::Status submitted =
      hub.backend().embedded->committer.Submit(std::make_unique<CancelChange>(db, wait, reply));
  if (submitted.ok() || submitted.code() == base::Code::kCancelled) return;
  hub.core().After(kRetryMs, [&hub, &db, wait = std::move(wait), reply = std::move(reply)]() mutable {
    CancelRespWait(hub, db, std::move(wait), std::move(reply));
  });
}

void ForgetRespSession(Hub& hub, commands::Database& db, std::shared_ptr<commands::StoreSession> session) {
  const base::Status submitted = hub.backend().embedded->committer.Submit(std::make_unique<ForgetChange>(db, session));
  if (submitted.ok() || submitted.code() == base::Code::kCancelled) return;
  hub.core().After(kRetryMs, [&hub, &db, session = std::move(session)]() mutable {
    ForgetRespSession(hub, db, std::move(session));
  });
}

}  // namespace tocsin::gateway
