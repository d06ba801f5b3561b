// Hub: what one Core of the gateway owns: its connections, the live logs of the users whose home it is, its token
// verifier. Used on its Core's thread only; another Core reaches it by core().Post().
//
// Every user has one home (Gateway::HomeOf): the user's live log and all its sessions live there.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "auth/guess_limiter.h"
#include "auth/jwt.h"
#include "base/random.h"
#include "gateway/options.h"
#include "logs/live_log.h"
#include "logs/log_store.h"
#include "logs/text_map.h"
#include "logs/topic_store.h"
#include "notifier/publisher.h"
#include "runtime/core.h"
#include "session/session.h"
#include "storage/committer.h"
#include "streams/engine.h"

namespace tocsin::gateway {

class Connection;
class Hub;

// The embedded engine, for the Redis port; touched on the commit thread only.
struct EmbeddedEngine {
  storage::Committer& committer;
  streams::StreamEngine& streams;
};

// What all hubs share; immutable or thread-safe, and older than they are.
struct Backend {
  logs::LogStore& logs;
  notifier::Publisher& publisher;
  EmbeddedEngine* embedded;  // null: the store is not ours to open a port to
  auth::GuessLimiter& guesses;
  const GatewayOptions& options;
  std::vector<Hub*> hubs;
  uint64_t home_seed = 0;

  Hub& HomeOf(std::string_view user) const;
};

class Hub {
 public:
  Hub(runtime::Core& core, const Backend& backend);
  ~Hub();

  runtime::Core& core() { return core_; }
  const Backend& backend() const { return backend_; }
  auth::TokenVerifier& tokens() { return tokens_; }
  // The log of a session that has left it.
  void ReleaseLog(logs::LiveLog& log);
  session::Moment now() const;
  // "Tue, 24 Nov 2026 04:00:00 GMT", of this second.
  std::string_view HttpDate();

  // Connections. A number names one for as long as it lives, on whichever hub it is.
  void Adopt(std::unique_ptr<Connection> connection);
  std::unique_ptr<Connection> Release(Connection& connection);
  Connection* Find(uint64_t number);
  // Closes and destroys it at the end of the turn.
  void Discard(Connection& connection);
  // It has something to say at the end of the turn.
  void MarkDirty(Connection& connection);
  size_t connections() const { return connections_.size(); }
  void ForEachConnection(const std::function<void(Connection&)>& visit);
  // Tells every session to come back later and ends every wait; closes idle connections. What is adopted later is
  // told as well.
  void Drain();

  // Something here that waits without a connection that could be told of a drain: a long poll.
  class Waiter {
   public:
    virtual ~Waiter() = default;
    // Once; also when it is enlisted after the drain.
    virtual void OnDrain() = 0;
  };
  void Enlist(Waiter& waiter);
  void Dismiss(Waiter& waiter);

  // Logs, on the user's home hub. What is not here, sessions ask of backend().logs.
  // `then` runs here, now or later; the log is open and stays for the call.
  void OpenLog(const std::string& user, const std::string& device,
               std::function<void(logs::LiveLog&, const base::Result<logs::LogOpening>&)> then);
  // Stores a receipt without an answer; kept and tried again while the store cannot take it.
  // `topic`: empty for the user's own log.
  void StoreReceipt(const std::string& user, const std::string& device, const std::string& topic,
                    model::EntryId cursor);
  // What the user follows and where the device stands in topics, with the receipts that are on their way.
  void LoadTopics(const std::string& user, const std::string& device, logs::LogStore::Then<logs::TopicRecords> then);
  // The newest items of a topic, as of now: read once, for as long as nothing is appended and somebody has the topic
  // here.
  void LoadWindow(const std::string& topic, logs::LogStore::Then<std::shared_ptr<const logs::TopicWindow>> then);
  void Apply(std::vector<logs::LogUpdate> updates);
  // Ends the sessions of these users: they come back and are told what became of their logs.
  void EndSessions(const std::function<bool(std::string_view user)>& which);

  // 64 KiB that the connection which reads right now may use.
  std::vector<char>& scratch() { return scratch_; }

 private:
  void EndTurn();
  void Tick();
  void SendAway(Connection& connection);
  logs::LiveLog& GetLog(const std::string& user);
  struct WindowReading;
  void ReadWindow(std::shared_ptr<WindowReading> reading);
  struct Receipt {
    std::string user, device, topic;
    model::EntryId cursor;
  };
  void SubmitReceipt(const Receipt& receipt);
  void OnReceiptStored(const Receipt& receipt, const base::Status& status);

  runtime::Core& core_;
  const Backend& backend_;
  auth::TokenVerifier tokens_;
  logs::LiveLogs logs_;
  logs::TextMap<std::shared_ptr<const logs::TopicWindow>> windows_;  // by topic
  logs::TextMap<std::shared_ptr<WindowReading>> window_readings_;    // under way
  boost::unordered_flat_map<uint64_t, std::unique_ptr<Connection>> connections_;
  std::vector<uint64_t> dirty_;
  std::vector<uint64_t> discarded_;
  std::vector<Waiter*> waiters_;
  std::vector<char> scratch_;
  int64_t date_second_ = 0;
  std::string date_;
  bool draining_ = false;
};

}  // namespace tocsin::gateway
