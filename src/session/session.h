// Session: one client's protocol state machine. No sockets, no threads, no clock: what it needs, its host gives it.
//
// 1. It pulls. A wake-up only makes it look at the log; live push, backlog and catch-up are the one Pull(). A session
//    whose client does not read or does not ack does not pull: nothing is queued for it.
// 2. `told()` is the cursor that the client was last told (`cur` of welcome, n, st): the next frame's `prev`. Items go
//    out in log order, each once per session; what is skipped is covered by the next `cur`. When a limit takes entries
//    that it has not sent yet, it ends (kSlow): the client comes back and is told of the gap.
// 3. At most `credit` items are un-acked. State changes cost none, but they stay in order behind items that wait.
// 4. Where items wait for credit, or a long backlog is under way, urgent ones behind them are sent at once as early
//    copies, at most kMaxEarly beside the credit. They move no cursor, and come again in their order.
// 5. A receipt is clamped to told(), and stored for the device that the hello named; without one nothing is stored.
// 6. After bye() nothing more is sent or stored.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "auth/jwt.h"
#include "base/result.h"
#include "logs/live_log.h"
#include "logs/log_reader.h"
#include "logs/mark_request.h"
#include "session/close_code.h"
#include "session/server_frame.h"
#include "wire/client_frame.h"

namespace tocsin::session {

// Where a session lives: a connection of the gateway, or a test. Answers may come at once, inside the call.
class SessionHost {
 public:
  virtual ~SessionHost() = default;
  // One frame, to be kept in order. `cur`: the client's cursor after it (an SSE event's id), if the frame moves it.
  virtual void Send(std::string_view frame, std::optional<model::EntryId> cur) = 0;
  // The peer does not read: the session does not pull until OnWritable(). Replies are sent all the same, so the host
  // takes no more messages of the peer while it is congested.
  virtual bool Congested() const = 0;
  // `bye` was sent; close with that code.
  virtual void End(CloseCode code, std::string_view message) = 0;

  virtual base::Result<auth::Identity> Verify(std::string_view token) = 0;
  // Answered by OnLogOpened, on the user's home Core.
  virtual void OpenLog(const std::string& user, const std::string& device) = 0;
  // Answered by OnLogRead.
  virtual void ReadLog(model::EntryId after, size_t max_entries, size_t max_bytes) = 0;
  // Answered by OnListed with the same `i`.
  virtual void ListLog(std::string i, model::EntryId before, size_t limit, logs::ListFilter filter) = 0;
  // Answered by OnUrgent: the newest urgent items that are not read.
  virtual void ListUrgent(size_t limit) = 0;
  // A device's receipt, on its way to the store.
  virtual void StoreReceipt(model::EntryId cursor) = 0;
  // Answered by OnMarked with the same `i`, after the sync.
  virtual void StoreMark(std::string i, logs::MarkRequest request) = 0;
};

struct SessionOptions {
  std::string sid;           // names this session in logs and welcome
  std::string header_token;  // came with the upgrade request; a hello without `tok` uses it
  // Whether the client answers pings (WebSocket) or is only written to (SSE, pull).
  enum class Liveness : uint8_t { kPing, kNone } liveness = Liveness::kPing;
  // What a hello that names no credit gets: the default, or no bound but the send window (SSE).
  enum class Credit : uint8_t { kDefault, kUnlimited } credit = Credit::kDefault;
};

// A moment by the host's clock, read once a turn.
struct Moment {
  int64_t wall_ms = 0;
  int64_t monotonic_ms = 0;
};

class Session final : public logs::LogFollower {
 public:
  Session(SessionHost& host, SessionOptions options, Moment now);
  ~Session() override;  // leaves the log

  // A text message of the client: one or more frames.
  void OnMessage(std::string_view text, Moment now);
  // Begins without a hello frame, for transports whose request says it all; instead of OnMessage.
  void Begin(const auth::Identity& identity, const wire::Hello& hello);
  // About once a second.
  void OnTick(Moment now);
  // The peer reads again.
  void OnWritable();
  // The server goes away: the client is told to come back after `after_ms`.
  void Drain(int64_t after_ms);
  // Ends it from outside with a bye.
  void Bye(CloseCode code, std::string_view message = {});

  // Answers of the host. `log` is null with a failure.
  void OnLogOpened(logs::LiveLog* log, const base::Result<logs::LogOpening>& opened, Moment now);
  void OnLogRead(const base::Result<logs::LogPiece>& piece);
  void OnUrgent(const base::Result<logs::ListPage>& page);
  void OnListed(std::string_view i, const base::Result<logs::ListPage>& page);
  void OnMarked(std::string_view i, const base::Result<logs::Counts>& counts);

  void OnLogAdvanced() override { Pull(); }  // LiveLogs::Apply settles the log after all followers
  void OnLogLost() override;
  model::EntryId position() const override { return told_; }

  const std::string& user() const { return user_; }
  const std::string& device() const { return device_; }
  bool live() const { return state_ == State::kLive; }
  bool ended() const { return state_ == State::kEnded; }
  // A piece of the log was asked for and has not come yet.
  bool reading() const { return state_ == State::kLive && reading_; }
  model::EntryId told() const { return told_; }
  size_t in_flight() const { return sent_.size(); }

 private:
  enum class State : uint8_t { kAwaitHello, kOpening, kLive, kEnded };
  void OnFrame(std::string_view object, Moment now);
  void On(wire::Hello& hello);
  void On(wire::Ack& ack);
  void On(wire::Mark& mark);
  void On(wire::List& list);
  void On(wire::AuthToken& token, Moment now);
  Resume Place(const logs::LogOpening& opening, std::optional<model::EntryId> stored);
  model::EntryId Start(const logs::LogHead& head) const;
  void Advance();
  void Pull();
  void Deliver(const logs::LogPiece& piece, model::EntryId covered);
  void SendItems(std::span<const logs::LogLine> lines);
  void Overtake();
  void SendEarly(const std::vector<logs::LogLine>& lines, model::EntryId covered);
  void Settle(model::EntryId cursor);
  bool unlimited() const { return credit_ == UINT32_MAX; }
  void SendError(std::string_view i, std::string_view code, std::string_view message, Retry retry);
  void SendFailure(std::string_view i, const base::Status& status);
  void End(CloseCode code, std::string_view message, int64_t after_ms);

  SessionHost& host_;
  SessionOptions options_;
  State state_ = State::kAwaitHello;
  bool pulling_ = false;           // inside Pull()
  bool reading_ = false;           // a ReadLog is under way
  bool waits_for_credit_ = false;  // the next entry is an item, and there is no credit for it
  bool pinged_ = false;
  bool warned_ = false;
  uint8_t marks_due_ = 0;  // not answered by the host yet
  uint8_t lists_due_ = 0;
  uint32_t credit_ = 0;
  std::string user_, device_;
  std::unique_ptr<const wire::Hello> hello_;  // until the welcome
  // Monotonic: a clock that is set disconnects nobody.
  int64_t heard_ms_;  // the last message of the client; before a hello, when the session began
  int64_t pinged_ms_ = 0;
  int64_t expires_ms_ = 0;        // when the token ends
  int64_t token_expires_ms_ = 0;  // the same by the wall clock, until the welcome
  logs::LiveLog* log_ = nullptr;
  model::EntryId told_, receipt_, reading_to_;
  model::EntryId lost_;               // up to where the client knows that entries may have been lost
  std::vector<model::EntryId> sent_;  // items that are not acked; empty when credit has no bound
  struct Early {
    model::EntryId id;
    std::string nid;
  };
  std::vector<Early> early_;     // copies that are out
  model::EntryId overtaken_to_;  // the urgent up to here were sent early, or were not to be
  model::EntryId looking_to_;    // the end of the log when urgent ones were asked for; 0-0: none are
};

}  // namespace tocsin::session
