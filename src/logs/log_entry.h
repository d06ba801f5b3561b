// LogEntry: one entry of a user's log. A log is event-sourced: a notification is an entry (an item), and so is a state
// change. Every device replays the same entries, so all of them agree.
//
// 1. Entries never change once they are committed; sessions of several devices share one by shared_ptr<const LogEntry>.
// 2. An item's state (read, archived, ...) is not in its entry: it is what the state changes after it made of it.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "model/bytes.h"
#include "model/entry_id.h"
#include "model/mark.h"
#include "model/notification.h"

namespace tocsin::logs {

// How far an item has come with its user; the order matters: each implies those before it.
enum class ItemState : uint8_t { kUnread, kSeen, kRead, kArchived };
std::string_view ItemStateName(ItemState state);  // "unread", "seen", "read", "archived"

using model::MarkOp;

// The state after `op`; delete leaves none, which is the caller's business.
ItemState Apply(MarkOp op, ItemState state);

// What the bell shows. Derived from the entries, stored beside the log, absolute.
struct Counts {
  uint32_t unread = 0;  // items below kRead
  uint32_t unseen = 0;  // items still kUnread
  std::array<uint32_t, model::kPriorities> unread_by_priority{};
  // By category, sorted, none of them 0. Items without one are in none. At most kMaxCountedCategories at once: what
  // comes when there are so many is counted under kOtherCategories.
  std::vector<std::pair<std::string, uint32_t>> unread_by_category{};

  void Add(model::Priority priority, ItemState state, std::string_view category);
  void Remove(model::Priority priority, ItemState state, std::string_view category);
  friend bool operator==(const Counts&, const Counts&) = default;
};

inline constexpr std::string_view kOtherCategories = "*";

// What an item has beside its text that the log itself acts on.
struct ItemTraits {
  std::string category{};      // empty: none
  std::string collapse_key{};  // empty: none
  int64_t expires_ms = 0;      // ms since 1970; 0: never
  // The nids of the older items that it took the place of. Set by the log, when it appends.
  std::vector<std::string> replaces{};

  bool none() const { return category.empty() && collapse_key.empty() && expires_ms == 0 && replaces.empty(); }
  friend bool operator==(const ItemTraits&, const ItemTraits&) = default;
};

// By how much counts have changed.
struct CountsDelta {
  int32_t unread = 0, unseen = 0;
  std::array<int32_t, model::kPriorities> unread_by_priority{};
  std::map<std::string, int32_t> unread_by_category{};

  // An item of that state more, or less.
  void Add(model::Priority priority, ItemState state, std::string_view category, int32_t by);
  void ApplyTo(Counts& counts) const;  // never below zero
  friend bool operator==(const CountsDelta&, const CountsDelta&) = default;
};

// Two logs' counts together.
Counts Sum(Counts counts, const Counts& more);

struct StateChange {
  MarkOp op = MarkOp::kRead;
  std::vector<std::string> nids;       // the items it changed; empty when `upto` says which
  std::optional<model::EntryId> upto;  // every item up to this id of the log
  std::string by;                      // the device that made it; empty: none
  Counts counts;                       // after it, of the items of the log
  // The topic whose items they are, `upto` being an id of its log; empty: this log's. And what it changed of the user's
  // counts of it.
  std::string topic{};
  CountsDelta topic_delta{};
};

struct LogEntry {
  model::EntryId id;
  // An item:
  std::string nid;  // names the notification in every log
  model::Priority priority = model::Priority::kNormal;
  std::string json;  // the members of the item's JSON object after `id`, without braces
  ItemTraits traits;
  // A state change, instead:
  std::optional<StateChange> change;

  bool is_item() const { return !change; }
  // Nobody is to be shown it any more, whether its end is in the log already or not.
  bool Expired(int64_t now_ms) const { return traits.expires_ms != 0 && traits.expires_ms <= now_ms; }
  // What it costs in memory, about.
  size_t bytes() const;
};
using LogEntryPtr = std::shared_ptr<const LogEntry>;

// The stored form without the id, which is in the key (docs/format.md).
std::string EncodeLogEntry(const LogEntry& entry);
base::Result<LogEntry> DecodeLogEntry(model::EntryId id, std::string_view value);

void EncodeCounts(const Counts& counts, std::string& out);
bool DecodeCounts(model::ByteReader& in, Counts& counts);
// Those by category are apart: they came later.
void EncodeCategories(const Counts& counts, std::string& out);
bool DecodeCategories(model::ByteReader& in, Counts& counts);

}  // namespace tocsin::logs
