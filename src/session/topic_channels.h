// TopicChannels: the topics of one session: which it has and by what right, opened and ended while it lives.
//
// 1. A session has `broadcast`, what its user follows, and what it asked for (in its hello, by `sub`), at most
//    kMaxTopics; asked for one by one, so that one refusal never fails the rest.
// 2. Rights are looked at whenever a channel begins, and again with each new token: what it does not allow ends at
// once,
//    and the client is told (`end`).
// 3. Requests are worked on one after the other, at most kMaxWaiting.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "logs/topic_records.h"
#include "model/topic.h"
#include "session/channel.h"
#include "wire/client_frame.h"

namespace tocsin::session {

class TopicChannels {
 public:
  static constexpr size_t kMaxWaiting = 4;
  using Started = std::function<void(std::span<const ChannelStart>, std::span<const Refusal>)>;

  // The carrier outlives it.
  TopicChannels(Carrier& carrier, model::TopicRights rights) : carrier_(carrier), rights_(std::move(rights)) {}

  // Opens what a hello asks for; `started` is called when all of it stands. `same_epoch`: its cursors are of this
  // store. Once, before all else.
  void Start(const wire::Hello& hello, bool same_epoch, Started started);
  // Both are answered by a frame. False: too many wait already.
  bool Subscribe(wire::Subscribe request);
  void Unsubscribe(const wire::Unsubscribe& request);
  void SetRights(model::TopicRights rights);

  // Answers of the host.
  void OnLoaded(const base::Result<logs::TopicRecords>& records);
  void OnTallied(ChannelNumber channel, const base::Result<TopicTally>& tally);
  void OnOpened(ChannelNumber channel, logs::LiveLog* log, const base::Result<logs::LogOpening>& opened);

  // What the user's own log says of a topic's items.
  void OnChange(const logs::LogEntryPtr& change);
  // Of all topics that the user follows.
  logs::Counts counts() const;
  // Items above it count for the user; none: the topic is not followed.
  std::optional<model::EntryId> CountedFrom(std::string_view topic) const;

  // Null: there is none. One that is not open yet is there too.
  Channel* Find(std::string_view topic);
  Channel* Find(ChannelNumber channel);
  void Advance();
  void SettleEarly(const std::vector<std::string>& nids);
  bool reading() const;
  // Those that are open, in the order of their names.
  void ForEach(const std::function<void(const Channel&)>& visit) const;

 private:
  enum class Kind : uint8_t { kBroadcast, kFollowedByBackEnd, kFollowedByUser, kAskedFor };
  struct Topic {
    Topic(Carrier& carrier, ChannelNumber number, const std::string& name, Kind its_kind, model::EntryId its_from)
        : channel(carrier, number, name), kind(its_kind), from(its_from) {}
    Channel channel;
    Kind kind;
    model::EntryId from;  // where it was followed
  };
  // A hello or a `sub`, while its channels open.
  struct Opening {
    wire::Subscribe request;
    bool is_hello = false;
    bool same_epoch = true;
    bool loading = false;
    std::map<ChannelNumber, Position> waiting;
    std::vector<ChannelStart> started;
    std::vector<Refusal> refused;
  };

  void Load();
  // `from`: where it was followed.
  void Open(const std::string& topic, Kind kind, model::EntryId from, const logs::TopicRecords& records,
            Position position);
  void OpenIfDone();
  bool Allows(std::string_view topic, Kind kind) const;
  void Refuse(std::string_view topic, std::string_view code, std::string_view message);

  Carrier& carrier_;
  model::TopicRights rights_;
  ChannelNumber last_number_ = kOwnChannel;
  std::map<std::string, std::unique_ptr<Topic>, std::less<>> topics_;
  std::deque<Opening> openings_;  // the first is worked on
  Started started_;
};

}  // namespace tocsin::session
