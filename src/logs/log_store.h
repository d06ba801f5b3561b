// LogStore: the user logs as the Cores use them, wherever they are kept: on the embedded store (embedded_logs.h) or on
// Redis (redis_logs.h).
//
// 1. Called on a Core; `then` runs on that Core, inside the call or later, exactly once unless the process ends first.
// 2. What is read was confirmed: nothing that is answered here can be lost, at the level the store works at.
// 3. A failure is the store's. Reads wait out an outage of it for a while (kUnavailable after that); writes do not.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "logs/log_reader.h"
#include "logs/mark_request.h"
#include "state/preferences.h"

namespace tocsin::logs {

// When a receipt has to be durable.
enum class Urgency : uint8_t {
  kLater,  // it confirms nothing to anybody: within kLazySyncMs
  kNow,    // answered when it is
};

// What a log has gained: by one turn of the commit thread, or by one script on Redis.
struct LogUpdate {
  std::string user;
  std::vector<LogEntryPtr> entries;  // appended, in order; those at the end may be missing, `last` tells
  model::EntryId floor;
  Counts counts;
  // Where it begins: who has the log up to here has missed nothing. None: it follows the update before it, which came
  // from the same place.
  std::optional<model::EntryId> after{};
  model::EntryId last{};  // the log's last id with it, where that is not the last of `entries`
};

// Takes what was committed to the users' home Cores.
class LogListener {
 public:
  virtual ~LogListener() = default;
  // On the thread that commits, after the store has confirmed it.
  virtual void OnCommitted(std::vector<LogUpdate> updates) = 0;
  // These logs are not what they were (entries lost, another epoch): their sessions end, and come back to be told.
  // Only a store that can lose what it has confirmed calls it.
  virtual void OnLogsLost(std::function<bool(std::string_view user)>) {}
};

class TopicStore;

class LogStore {
 public:
  template <typename T>
  using Then = std::function<void(const base::Result<T>&)>;

  virtual ~LogStore() = default;

  // An empty `device` has no stored cursor. A user without a log has the empty head.
  virtual void Open(const std::string& user, const std::string& device, Then<LogOpening> then) = 0;
  // As LogReader::Read and List.
  virtual void Read(const std::string& user, model::EntryId after, size_t max_entries, size_t max_bytes,
                    Then<LogPiece> then) = 0;
  virtual void List(const std::string& user, model::EntryId before, size_t limit, ListFilter filter,
                    Then<ListPage> then) = 0;
  virtual void Trace(const std::string& user, const std::string& nid, Then<LogTrace> then) = 0;
  // As UserLogs::Ack and Mark.
  virtual void Ack(const std::string& user, const std::string& device, model::EntryId cursor, Urgency urgency,
                   std::function<void(const base::Status&)> then) = 0;
  virtual void Mark(MarkRequest request, Then<Counts> then) = 0;

  // What the user has said about deliveries; empty: nothing. Set replaces all of it, and is answered when it is stored.
  virtual void GetPreferences(const std::string& user, Then<state::Preferences> then) = 0;
  virtual void SetPreferences(const std::string& user, state::Preferences preferences,
                              std::function<void(const base::Status&)> then) = 0;

  // What is kept of topics for users, beside their logs.
  virtual TopicStore& topics() = 0;

  // Somebody of that user is connected here, and updates of the log are wanted; or nobody is any more. Each Core says
  // so of its own: a topic's log may be live on several.
  virtual void Watch(const std::string& user) = 0;
  virtual void Unwatch(const std::string& user) = 0;
};

}  // namespace tocsin::logs
