// Batch: commands of one connection on their way through the commit thread, and ready replies between them, in order.
// Filled on the Core, run on the commit thread, read again on the Core.
//
// 1. It owns its bytes: the connection's input may go.
// 2. Replies come in the order of the commands. Run() stops when they have grown to kReplyWindow; the rest is run when
//    the peer has read them, so a pipeline of long answers costs a window, not the sum.
// 3. A command that waits is the last one.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "commands/command.h"

namespace tocsin::commands {

inline constexpr size_t kReplyWindow = 1 << 20;
// One reply with entries is cut (where its meaning allows) or refused beyond this; the second while clients leave
// kMaxHeldReplies unread.
inline constexpr size_t kMaxReply = 64 << 20;
inline constexpr size_t kMaxReplyWhenFull = 64 << 10;

class Batch {
 public:
  // On the Core.

  // Where ready replies are appended, behind everything that was added.
  std::string& ReadyReplies();
  // Takes back what was appended behind that many bytes of ready replies.
  void DropReadyReplies(size_t from) { ready_.resize(from); }
  // Whether the replies of what is added from now on are dropped (CLIENT REPLY).
  void SetMuted(bool muted) { muted_ = muted; }
  void Add(const Command& command, Arguments args, wire::RespVersion version, auth::Scopes scopes);
  // EXEC: the commands of `queued`, which give so many replies, without a stop between them.
  void AddTransaction(std::unique_ptr<Batch> queued, size_t replies, wire::RespVersion version);

  bool empty() const { return steps_.empty(); }
  // Only ready replies: no need of the commit thread.
  bool is_ready() const { return commands_ == 0; }
  const std::string& ready_replies() const { return ready_; }
  size_t commands() const { return commands_; }
  size_t bytes() const { return bytes_.size() + steps_.size() * sizeof(Step) + nested_bytes_; }
  // Reads only, or writes what no answer rests on.
  bool lazy() const { return lazy_; }
  bool read_only() const { return read_only_; }

  // On the commit thread.

  enum class Stop : uint8_t {
    kEnd,      // all have run
    kWindow,   // run the rest when `out` was sent
    kBlocked,  // all have run, the last one waits: blocking()
  };
  // Runs what has not run yet and appends the replies.
  Stop Run(Database& db, StoreSession& session, storage::Batch& turn, std::string& out);
  // Back to where the last Run() began: its turn has failed and it shall be tried again.
  void Rewind() { next_ = began_; }
  // Instead of Run()'s replies: the failure, once for each command that the last Run() ran. Ready replies stay.
  void Refuse(const base::Status& failure, std::string& out);
  // The same for all that has not run yet.
  void RefuseRest(const base::Status& failure, std::string& out);
  std::optional<Blocking>& blocking() { return blocking_; }
  wire::RespVersion blocking_version() const { return steps_.back().version; }

 private:
  struct Step {
    const Command* command = nullptr;  // null: a ready reply, or a transaction
    size_t first = 0, count = 0;       // arguments; of a ready reply, its bytes; of a transaction, its replies
    wire::RespVersion version = wire::RespVersion::k2;
    auth::Scopes scopes = {};
    bool muted = false;
    std::unique_ptr<Batch> transaction = {};
  };
  struct Slice {
    size_t at, size;
  };

  void Seal();
  void RunTransaction(Database& db, StoreSession& session, Step& step, storage::Batch& turn, size_t max_reply,
                      std::string& out);
  void RunCommand(Database& db, StoreSession& session, const Step& step, storage::Batch& turn, MayBlock may_block,
                  size_t max_reply, std::string& out);

  std::string bytes_;
  std::string ready_;  // of the ready replies
  std::vector<Slice> slices_;
  std::vector<Step> steps_;
  size_t commands_ = 0;
  size_t nested_bytes_ = 0;
  bool muted_ = false;
  bool lazy_ = true, read_only_ = true;
  size_t next_ = 0, began_ = 0;
  std::optional<Blocking> blocking_;
  std::vector<std::string_view> args_;  // of the command that runs
};

}  // namespace tocsin::commands
