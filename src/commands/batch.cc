#include "commands/batch.h"

#include <algorithm>

#include "commands/arguments.h"
#include "commands/database.h"

namespace tocsin::commands {
namespace {

// Changes the store, or may: everything that does not only read.
bool Writes(const Command& command) { return command.Has(kWrite); }

}  // namespace

std::string& Batch::ReadyReplies() {
  if (steps_.empty() || steps_.back().command != nullptr || steps_.back().transaction) {
    steps_.push_back({.first = ready_.size()});
  }
  return ready_;
}

// A ready reply ends where another step begins.
void Batch::Seal() {
  if (steps_.empty() || steps_.back().command != nullptr || steps_.back().transaction) return;
  steps_.back().count = ready_.size() - steps_.back().first;
}

void Batch::Add(const Command& command, Arguments args, wire::RespVersion version, auth::Scopes scopes) {
  Seal();
  steps_.push_back({.command = &command,
                    .first = slices_.size(),
                    .count = args.size(),
                    .version = version,
                    .scopes = scopes,
                    .muted = muted_});
  for (const std::string_view arg : args) {
    slices_.push_back({bytes_.size(), arg.size()});
    bytes_ += arg;
  }
  ++commands_;
  if (!Writes(command)) return;
  read_only_ = false;
  if (!command.Has(kUnsynced)) lazy_ = false;
}

void Batch::AddTransaction(std::unique_ptr<Batch> queued, size_t replies, wire::RespVersion version) {
  Seal();
  queued->Seal();
  commands_ += queued->commands_ + 1;  // also of ready replies only: WATCH decides
  nested_bytes_ += queued->bytes();
  lazy_ = lazy_ && queued->lazy_;
  read_only_ = read_only_ && queued->read_only_;
  steps_.push_back({.count = replies, .version = version, .muted = muted_, .transaction = std::move(queued)});
}

Batch::Stop Batch::Run(Database& db, StoreSession& session, storage::Batch& turn, std::string& out) {
  Seal();
  began_ = next_;
  const size_t start = out.size();
  const bool full = db.figures().held_replies.load(std::memory_order_relaxed) > kMaxHeldReplies;
  const size_t max_reply = full ? kMaxReplyWhenFull : kMaxReply;
  while (next_ < steps_.size()) {
    Step& step = steps_[next_++];
    const size_t before = out.size();
    if (step.transaction) {
      RunTransaction(db, session, step, turn, max_reply, out);
    } else if (step.command == nullptr) {
      out.append(ready_, step.first, step.count);
      continue;
    } else {
      RunCommand(db, session, step, turn, step.muted ? MayBlock::kNo : MayBlock::kYes, max_reply, out);
    }
    if (step.muted) out.resize(before);
    db.engine().EndCommand();
    if (blocking_) return Stop::kBlocked;
    if (out.size() - start >= kReplyWindow && next_ < steps_.size()) return Stop::kWindow;
  }
  return Stop::kEnd;
}

void Batch::RunCommand(Database& db, StoreSession& session, const Step& step, storage::Batch& turn, MayBlock may_block,
                       size_t max_reply, std::string& out) {
  args_.clear();
  for (size_t i = step.first; i < step.first + step.count; ++i) {
    args_.emplace_back(bytes_.data() + slices_[i].at, slices_[i].size);
  }
  wire::RespWriter reply(out, step.version);
  Call call{.db = db,
            .session = session,
            .turn = turn,
            .args = args_,
            .reply = reply,
            .scopes = step.scopes,
            .max_reply = max_reply,
            .may_block = may_block};
  const size_t before = out.size();
  step.command->run(call);
  blocking_ = std::move(call.blocking);
  if (out.size() > before && out[before] == '-') db.figures().errors.fetch_add(1, std::memory_order_relaxed);
}

void Batch::RunTransaction(Database& db, StoreSession& session, Step& step, storage::Batch& turn, size_t max_reply,
                           std::string& out) {
  wire::RespWriter reply(out, step.version);
  const bool changed = std::any_of(session.watched.begin(), session.watched.end(),
                                   [&](const auto& one) { return db.engine().ChangesOf(one.key) != one.changes; });
  session.Forget(db.engine());
  if (changed) return reply.NullArray();
  reply.ArrayHead(step.count);
  const size_t start = out.size();
  Batch& batch = *step.transaction;
  for (const Step& one : batch.steps_) {
    if (one.command == nullptr) {
      out.append(batch.ready_, one.first, one.count);
      continue;
    }
    const size_t used = out.size() - start;
    batch.RunCommand(db, session, one, turn, MayBlock::kNo, used < max_reply ? max_reply - used : 1, out);
  }
}

void Batch::Refuse(const base::Status& failure, std::string& out) {
  blocking_.reset();
  const std::string text = TurnFailureText(failure);
  for (size_t i = began_; i < next_; ++i) {
    const Step& step = steps_[i];
    if (step.command == nullptr && !step.transaction) {
      out.append(ready_, step.first, step.count);
    } else if (!step.muted) {
      wire::RespWriter(out, step.version).Error(text);
    }
  }
}

void Batch::RefuseRest(const base::Status& failure, std::string& out) {
  Seal();
  began_ = next_;
  next_ = steps_.size();
  Refuse(failure, out);
}

}  // namespace tocsin::commands
