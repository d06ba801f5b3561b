// Connection: the host of one Session, and the referee of what it sends.
#pragma once

#include <deque>
#include <optional>
#include <set>
#include <string>

#include "session/session.h"
#include "wire/json.h"
#include "world.h"

namespace tocsin::tests {

// What the client said in its hello, as far as the answer depends on it.
struct Claim {
  std::optional<EntryId> cursor;
  std::string epoch;
  std::string device;
  size_t credit = 64;
};

class Connection final : public session::SessionHost {
 public:
  Connection(World& world, size_t user, uint64_t number, size_t window);

  uint64_t number() const { return number_; }
  size_t user() const { return user_; }
  session::Session& session() { return session_; }
  void Hello(const std::string& frame, Claim claim);
  // The peer sends a receipt.
  void Ack(EntryId cursor);
  // ... and one for early copies.
  void AckEarly(const std::set<std::string>& nids);
  // The peer reads a frame; nothing when there is none.
  std::optional<std::string> Take();
  bool ended() const { return ended_; }
  int64_t NowMs() const override { return world_.now().wall_ms; }
  bool Congested() const override { return inbox_.size() >= window_; }

  void Send(std::string_view frame, std::optional<EntryId> cur) override;
  void End(session::CloseCode code, std::string_view message) override;
  base::Result<auth::Identity> Verify(std::string_view token) override;
  void OpenLog(const std::string& user, const std::string& device) override;
  // There are no topics in this world.
  void OpenTopic(session::ChannelNumber, const std::string&) override {}
  void LoadTopics() override {}
  void TallyTopic(session::ChannelNumber, const std::string&) override {}
  void StoreTopicMark(std::string, logs::MarkRequest, const std::string&, EntryId) override {}
  void CloseLog(logs::LiveLog&) override {}
  void ReadLog(session::ChannelNumber channel, const logs::LiveLog& log, EntryId after, size_t max_entries,
               size_t max_bytes) override;
  void ListLog(std::string i, EntryId before, size_t limit, logs::ListFilter filter) override;
  void ListUrgent(session::ChannelNumber channel, const logs::LiveLog& log, size_t limit) override;
  void StoreReceipt(const std::string& topic, EntryId cursor) override;
  void StoreMark(std::string i, logs::MarkRequest request) override;

 private:
  void CheckWelcome(wire::JsonValue frame);
  void CheckNotifications(wire::JsonValue frame);
  void CheckEarlyCopies(wire::JsonValue frame);
  void CheckChange(wire::JsonValue frame);
  void CheckNothingSkipped(EntryId prev, EntryId cur, const std::set<EntryId>& items, std::optional<EntryId> change);
  void CheckCounts(wire::JsonValue counts, const logs::Counts& expected);

  World& world_;
  const size_t user_;
  const uint64_t number_;
  const size_t window_;
  Claim claim_;
  std::deque<std::string> inbox_;
  bool ended_ = false;
  bool was_congested_ = false;
  std::optional<EntryId> told_;
  std::multiset<EntryId> unacked_;
  std::map<std::string, EntryId> early_;  // copies that are out
  std::set<std::string> overtook_;        // all that ever were
  session::Session session_;
};

// Of a frame: members that must be there.
EntryId IdOf(wire::JsonValue frame, std::string_view name);
std::string TextOf(wire::JsonValue frame, std::string_view name);
int64_t NumberOf(wire::JsonValue frame, std::string_view name);

}  // namespace tocsin::tests
