// Session: one client's protocol state machine. No sockets, no threads, no clock: what it needs, its host gives it.
//
// 1. It has a channel (channel.h) for each log that it delivers: the user's own, and those of topics where the client
//    knows of them (topic_channels.h). The own log is served first, then the topics by name.
// 2. At most `credit` items are un-acked, over all channels.
// 3. Receipts are stored for the device that the hello named; without one nothing is stored.
// 4. After bye() nothing more is sent or stored.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "auth/jwt.h"
#include "base/result.h"
#include "session/channel.h"
#include "session/server_frame.h"
#include "session/session_host.h"
#include "session/topic_channels.h"
#include "wire/client_frame.h"

namespace tocsin::session {

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

class Session final : private Carrier {
 public:
  Session(SessionHost& host, SessionOptions options, Moment now);
  ~Session();  // leaves its logs

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
  void Bye(CloseCode code, std::string_view message) override;
  void Bye(CloseCode code) { Bye(code, {}); }

  // Answers of the host. `log` is null with a failure.
  void OnLogOpened(logs::LiveLog* log, const base::Result<logs::LogOpening>& opened, Moment now);
  void OnTopicsLoaded(const base::Result<logs::TopicRecords>& records);
  void OnTopicOpened(ChannelNumber channel, logs::LiveLog* log, const base::Result<logs::LogOpening>& opened);
  void OnTopicTallied(ChannelNumber channel, const base::Result<TopicTally>& tally);
  void OnLogRead(ChannelNumber channel, const base::Result<logs::LogPiece>& piece);
  void OnUrgent(ChannelNumber channel, const base::Result<logs::ListPage>& page);
  void OnListed(std::string_view i, const base::Result<logs::ListPage>& page);
  void OnMarked(std::string_view i, const base::Result<logs::Counts>& counts);

  const std::string& user() const { return user_; }
  const std::string& device() const { return device_; }
  bool live() const { return state_ == State::kLive; }
  bool ended() const { return state_ == State::kEnded; }
  // A piece of the log was asked for and has not come yet.
  bool reading() const { return state_ == State::kLive && (own_.reading() || (topics_ && topics_->reading())); }
  model::EntryId told() const { return own_.told(); }
  void ForEachTopic(const std::function<void(const Channel&)>& visit) const {
    if (topics_) topics_->ForEach(visit);
  }
  size_t in_flight() const { return unacked; }

 private:
  enum class State : uint8_t { kAwaitHello, kOpening, kLive, kEnded };
  void OnFrame(std::string_view object, Moment now);
  void On(wire::Hello& hello);
  void On(wire::Ack& ack);
  void On(wire::Mark& mark);
  void On(wire::List& list);
  void On(wire::AuthToken& token, Moment now);
  void On(wire::Subscribe& request);
  void On(wire::Unsubscribe& request);
  void SendWelcome(std::span<const ChannelStart> topics, std::span<const Refusal> refused);
  void MakeTopics();
  Channel* ChannelOf(ChannelNumber number);
  void OnTopicChange(const logs::LogEntryPtr& change) override {
    if (topics_) topics_->OnChange(change);
  }
  logs::Counts TopicCounts() const override { return topics_ ? topics_->counts() : logs::Counts(); }
  void Advance();
  void SendError(std::string_view i, std::string_view code, std::string_view message, Retry retry);
  void SendFailure(std::string_view i, const base::Status& status);
  void End(CloseCode code, std::string_view message, int64_t after_ms);

  // What is known of the session until the welcome.
  struct Opening {
    wire::Hello hello;
    int64_t token_expires_ms = 0;  // by the wall clock
    std::string epoch;
    ChannelStart own;
    Moment at;  // when the own log was opened
  };

  SessionOptions options_;
  State state_ = State::kAwaitHello;
  bool pinged_ = false;
  bool warned_ = false;
  uint8_t marks_due_ = 0;  // not answered by the host yet
  uint8_t lists_due_ = 0;
  std::string user_, device_;
  std::unique_ptr<Opening> opening_;
  model::TopicRights rights_;
  // Monotonic: a clock that is set disconnects nobody.
  int64_t heard_ms_;  // the last message of the client; before a hello, when the session began
  int64_t pinged_ms_ = 0;
  int64_t expires_ms_ = 0;  // when the token ends
  Channel own_;
  std::unique_ptr<TopicChannels> topics_;  // null: the client knows of none
};

}  // namespace tocsin::session
