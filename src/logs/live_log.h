// LiveLog: a user's log as its home Core sees it while somebody of that user is connected: the committed head, and the
// entries that the followers have not taken yet. A Core owns one LiveLogs; nothing here is thread-safe.
//
// 1. It holds committed entries only, contiguous above tail_after_; what lies below is read from the store. An update
//    that does not follow what it has (another node has appended between) leaves it with the new head and no tail.
// 2. The tail is bounded (kLogTailEntries, kTailBytes), and empty again once every follower has taken it: a follower
//    that lags falls back to the store. The log itself is the queue.
// 3. It remembers the receipts that are on their way to the store, so a device that returns at once does not get again
//    what it has just acknowledged. It stays for as long as one is.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "logs/log_reader.h"
#include "logs/log_store.h"
#include "logs/text_map.h"

namespace tocsin::logs {

class LogFollower {
 public:
  virtual ~LogFollower() = default;
  // Something was appended. Only a hint: it looks at the log when it is ready to. Must not leave the log inside.
  virtual void OnLogAdvanced() = 0;
  // The store has lost entries of the log, or the log itself. Must not leave the log inside.
  virtual void OnLogLost() = 0;
  // The last entry it has taken, so that the tail can let go of it.
  virtual model::EntryId position() const = 0;
};

class LiveLog {
 public:
  explicit LiveLog(std::string user) : user_(std::move(user)) {}

  const std::string& user() const { return user_; }
  // False until the head was read from the store: then nothing below means anything.
  bool open() const { return open_; }
  model::EntryId last() const { return last_; }
  model::EntryId floor() const { return floor_; }
  const Counts& counts() const { return counts_; }
  const std::vector<LogFollower*>& followers() const { return followers_; }

  // What the store said of the log, at some moment after this object was made.
  void Open(const LogHead& head);
  void Apply(LogUpdate update);
  // Nothing that is held of it is true any more: as if new, but for followers and receipts.
  void Close();

  bool TailCovers(model::EntryId after) const { return open_ && after >= tail_after_; }
  // Entries with id > after; only when TailCovers(after).
  LogPiece Tail(model::EntryId after, size_t max_entries) const;

  void Follow(LogFollower& follower) { followers_.push_back(&follower); }
  void Leave(LogFollower& follower);
  // Drops the entries that every follower has taken.
  void Settle();

  // A receipt on its way to the store; Stored() when it is there.
  void Sent(std::string_view device, model::EntryId cursor);
  void Stored(std::string_view device, model::EntryId cursor);
  std::optional<model::EntryId> SentCursor(std::string_view device) const;
  // Those of a device in topics, by topic: sent as SentName(device, topic).
  std::map<std::string, model::EntryId, std::less<>> SentInTopics(std::string_view device) const;
  static std::string SentName(std::string_view device, std::string_view topic);

  // While an opening reads the store: updates must not be missed.
  void Pin() { ++pins_; }
  void Unpin() { --pins_; }
  bool unused() const { return followers_.empty() && sent_.empty() && pins_ == 0; }

 private:
  struct Receipt {
    std::string device;
    model::EntryId cursor;
  };
  void Replay(const StateChange& change);
  void DropFront(size_t lines);
  void DropTail(model::EntryId last);

  const std::string user_;
  bool open_ = false;
  model::EntryId last_, floor_, tail_after_;
  Counts counts_;
  std::vector<LogLine> tail_;  // holds no memory while it is empty: most logs are idle
  size_t tail_bytes_ = 0;
  int pins_ = 0;
  std::vector<LogFollower*> followers_;
  std::vector<Receipt> sent_;
};

class LiveLogs {
 public:
  // The live log of a user, made if there is none.
  LiveLog& Get(std::string_view user);
  // Null when nobody needs it.
  LiveLog* Find(std::string_view user);
  // Forgets it, if it is unused. The reference is dead after it.
  void Release(LiveLog& log);
  // Hands an update to the log it is for, if that is live, and tells its followers.
  void Apply(LogUpdate update);
  // Forgets what is held of these logs, and tells their followers.
  void Lose(const std::function<bool(std::string_view user)>& which);
  size_t size() const { return logs_.size(); }

 private:
  TextMap<std::unique_ptr<LiveLog>> logs_;
};

}  // namespace tocsin::logs
