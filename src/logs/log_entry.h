// LogEntry: one entry of a user's log. A log is event-sourced: a notification is an entry (an item), and so is a state
// change. Every device replays the same entries, so all of them agree.
//
// 1. Entries never change once they are committed; sessions of several devices share one by shared_ptr<const LogEntry>.
// 2. An item's state (read, archived, ...) is not in its entry: it is what the state changes after it made of it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
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

  void Add(model::Priority priority, ItemState state);
  void Remove(model::Priority priority, ItemState state);
  friend bool operator==(const Counts&, const Counts&) = default;
};

struct StateChange {
  MarkOp op = MarkOp::kRead;
  std::vector<std::string> nids;       // the items it changed; empty when `upto` says which
  std::optional<model::EntryId> upto;  // every item up to this id of the log
  std::string by;                      // the device that made it; empty: none
  Counts counts;                       // after it
};

struct LogEntry {
  model::EntryId id;
  // An item:
  std::string nid;  // names the notification in every log
  model::Priority priority = model::Priority::kNormal;
  std::string json;  // the members of the item's JSON object after `id`, without braces
  // A state change, instead:
  std::optional<StateChange> change;

  bool is_item() const { return !change; }
  // What it costs in memory, about.
  size_t bytes() const;
};
using LogEntryPtr = std::shared_ptr<const LogEntry>;

// The stored form without the id, which is in the key (docs/format.md).
std::string EncodeLogEntry(const LogEntry& entry);
base::Result<LogEntry> DecodeLogEntry(model::EntryId id, std::string_view value);

void EncodeCounts(const Counts& counts, std::string& out);
bool DecodeCounts(model::ByteReader& in, Counts& counts);

}  // namespace tocsin::logs
