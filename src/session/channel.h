// Channel: one log as a session delivers it: the user's own, or a topic's.
//
// 1. It pulls: a wake-up only makes it look at the log. Live push, backlog and catch-up are the one Pull().
// 2. told() is the cursor that the client was last told in this channel (`cur` of welcome, n, st): the next frame's
//    `prev`. Items go out in the order of the log, each once; what is skipped is covered by the next `cur`. When a
//    limit takes entries that were not sent yet, the session ends (kSlow): the client comes back and is told of the
//    gap.
// 3. At most `credit` items are un-acked, over all channels of the session. State changes cost none, but they stay in
//    order behind items that wait.
// 4. Where items wait for credit, or a long backlog is under way, urgent ones behind them are sent at once as early
//    copies, at most kMaxEarly beside the credit. They move no cursor, and come again in their order.
// 5. What the user did with a topic's items is not in the topic's log: a tally says so, and from then on the changes in
//    the user's own log. They are applied to items that are sent later, and to the topic's counts.
// 6. A receipt is clamped to told(), and stored where the session has a device.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "session/server_frame.h"
#include "session/session_host.h"
#include "wire/client_frame.h"

namespace tocsin::session {

// A session as its channels see it, and what they share.
class Carrier {
 public:
  explicit Carrier(SessionHost& its_host) : host(its_host) {}
  virtual void Bye(CloseCode code, std::string_view message) = 0;
  // The user's own log says what became of items of a topic. Each once, in order.
  virtual void OnTopicChange(const logs::LogEntryPtr& change) = 0;
  // The counts of what the user follows, beside those of the own log.
  virtual logs::Counts TopicCounts() const = 0;

  size_t room() const { return credit > unacked ? credit - unacked : 0; }
  bool unlimited() const { return credit == UINT32_MAX; }

  SessionHost& host;
  bool is_live = false;  // it was welcomed, and has not ended
  bool has_device = false;
  bool has_topics = false;
  uint32_t credit = 0;   // UINT32_MAX: no bound
  size_t unacked = 0;    // items; 0 where credit has no bound
  size_t early_out = 0;  // early copies

 protected:
  ~Carrier() = default;
};

// Where a client stands in a log, as far as it is known.
struct Position {
  std::optional<model::EntryId> cursor{};  // that of its hello
  bool same_epoch = true;                  // ... and whether that was of this log
  std::optional<model::EntryId> stored{};  // kept for its device
  // Without either: `from` if it is set, else by `since`.
  wire::Since since{};
  std::optional<model::EntryId> from{};
};

// The newest items of a topic, and what the user has done with them.
struct TopicTally {
  std::shared_ptr<const logs::TopicWindow> window;
  logs::TopicStates states;
};

class Channel final : public logs::LogFollower {
 public:
  // `topic`: empty for the user's own log. The carrier outlives it.
  Channel(Carrier& carrier, ChannelNumber number, std::string topic)
      : carrier_(carrier), number_(number), topic_(std::move(topic)) {}
  ~Channel() override;  // leaves the log

  // Takes the log. Answers where the client begins, which is what it is to be told; frames follow with the first
  // Advance().
  ChannelStart Open(logs::LiveLog& log, const logs::LogOpening& opening, const Position& position);
  bool open() const { return log_ != nullptr; }

  ChannelNumber number() const { return number_; }
  const std::string& topic() const { return topic_; }
  const logs::LiveLog* log() const { return log_; }
  model::EntryId told() const { return told_; }
  bool reading() const { return reading_; }
  // As of now, where the client stands.
  ChannelStart Now() const;

  // Sends what there is, as far as credit and the socket allow.
  void Advance();
  void OnLogRead(const base::Result<logs::LogPiece>& piece);
  void OnUrgent(const base::Result<logs::ListPage>& page);
  // The device has everything up to `cursor`.
  void Settle(model::EntryId cursor);
  void SettleEarly(const std::vector<std::string>& nids);

  // Of a topic. `counted_from`: items above it count for the user; none: nothing does.
  void SetTally(const TopicTally& tally, std::optional<model::EntryId> counted_from);
  void OnChange(const logs::LogEntryPtr& change);
  const logs::Counts& counts() const { return counts_; }

  void OnLogAdvanced() override;  // LiveLogs::Apply settles the log after all followers
  void OnLogLost() override { carrier_.Bye(CloseCode::kLogLost, {}); }
  model::EntryId position() const override { return told_; }

 private:
  Resume Place(const logs::LogOpening& opening, const Position& position);
  void Pull();
  void Account(const logs::LogLine& line);
  void Overlay(std::vector<logs::LogLine>& lines) const;
  void Deliver(const logs::LogPiece& piece, model::EntryId covered);
  void SendItems(std::span<const logs::LogLine> lines);
  void Overtake();
  void SendEarly(const std::vector<logs::LogLine>& lines, model::EntryId covered);
  template <typename Which>
  void DropEarly(Which which);

  struct Early {
    model::EntryId id;
    std::string nid;
  };

  Carrier& carrier_;
  const ChannelNumber number_;
  const std::string topic_;
  logs::LiveLog* log_ = nullptr;
  bool pulling_ = false;           // inside Pull()
  bool reading_ = false;           // a ReadLog is under way
  bool waits_for_credit_ = false;  // the next entry is an item, and there was no credit for it
  model::EntryId told_, receipt_, reading_to_;
  model::EntryId lost_;               // up to where the client knows that entries may have been lost
  std::vector<model::EntryId> sent_;  // items that are not acked; empty where credit has no bound
  std::vector<Early> early_;          // copies that are out
  model::EntryId accounted_to_;       // entries up to here are in what follows, or in the tally
  // Of a topic:
  bool tallied_ = false;
  std::optional<model::EntryId> counted_from_;
  logs::Counts counts_;
  model::EntryId changes_as_of_;                           // of the user's own log, in the tally
  std::map<model::EntryId, logs::TopicItemState> states_;  // of items that are still to be sent
  std::vector<logs::LogEntryPtr> changes_;                 // since the tally
  model::EntryId overtaken_to_;                            // the urgent up to here were sent early, or were not to be
  model::EntryId looking_to_;  // the end of the log when urgent ones were asked for; 0-0: none are
};

}  // namespace tocsin::session
