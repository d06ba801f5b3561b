// Keys and records of user logs in the embedded store, as docs/format.md draws them.
//
// Every key starts with the user id behind its length (two bytes, big-endian): joined with a separator, one user's id
// could be made to look like another's key.
//
//   kLogs    <user> <id>              an entry
//   kHeads   <user> 'h'               the head
//            <user> 'c' <device> 00 <topic>   the cursor of a device in a topic
//            <user> 'd' <device>      a device: its cursor, when it was last heard of
//            <user> 'f' <topic>       a topic that is followed: by whom, from where
//            <user> 'm' <mid>         a mark that was applied: when
//            <user> 'p'               preferences (state/preferences.h), where there are any
//            <user> 's' <id>          the state of an item, unless it is kUnread
//            <user> 'k' <key>         the newest item with that collapse key
//            <user> 't' <topic> 00 <id>       the state of a topic's item, unless it is kUntouched
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "logs/log_entry.h"
#include "logs/topic_records.h"
#include "model/bytes.h"
#include "model/entry_id.h"

namespace tocsin::logs {

// The last ingest entry of a stream and priority that was appended to a log: at or below it an append is a repeat.
struct SourceMark {
  std::string stream;
  model::Priority priority = model::Priority::kNormal;
  model::EntryId id;
};

// Whether the user has said anything about deliveries.
enum class Preferred : uint8_t { kNo, kYes };

struct LogHead {
  model::EntryId last;   // 0-0: nothing was ever appended
  model::EntryId floor;  // the last entry that a limit has trimmed
  uint64_t entries = 0;  // items and state changes that are stored
  uint64_t trimmed = 0;  // items that limits have taken, ever
  // No item above it has a state but kUnread: who reads what is new need not look for states.
  model::EntryId stated;
  Counts counts;
  std::vector<SourceMark> sources;
  Preferred preferred = Preferred::kNo;
};

struct DeviceRecord {
  model::EntryId cursor;
  int64_t heard_ms = 0;  // when its cursor was last stored
};

std::string UserPrefix(std::string_view user);
std::string EntryKey(std::string_view user, model::EntryId id);
std::string HeadKey(std::string_view user);
std::string DeviceKey(std::string_view user, std::string_view device);
std::string MarkKey(std::string_view user, std::string_view mid);
std::string StateKey(std::string_view user, model::EntryId id);
std::string PreferencesKey(std::string_view user);
std::string CollapseKey(std::string_view user, std::string_view key);
std::string FollowKey(std::string_view user, std::string_view topic);
std::string CursorKey(std::string_view user, std::string_view device, std::string_view topic);
// All keys of a user under one tag of kHeads; the tag's end is PrefixSuccessor of it.
std::string TagPrefix(std::string_view user, char tag);
inline constexpr char kHeadTag = 'h', kDeviceTag = 'd', kMarkTag = 'm', kPreferencesTag = 'p', kStateTag = 's',
                      kCursorTag = 'c', kFollowTag = 'f', kCollapseTag = 'k', kTopicStateTag = 't';

std::string EncodeHead(const LogHead& head);
base::Result<LogHead> DecodeHead(std::string_view user, std::string_view value);
std::string EncodeDevice(const DeviceRecord& device);
base::Result<DeviceRecord> DecodeDevice(std::string_view value);
// All of a topic's for a user; followed by an id.
std::string TopicStatePrefix(std::string_view user, std::string_view topic);
std::string EncodeFollow(const TopicFollow& follow);
base::Result<TopicFollow> DecodeFollow(std::string_view topic, std::string_view value);
base::Result<model::EntryId> DecodeCursor(std::string_view value);  // in a topic
// When a mark was applied, by the wall clock.
std::string EncodeMarkTime(int64_t at_ms);
base::Result<int64_t> DecodeMarkTime(std::string_view value);
std::string EncodeState(ItemState state);
base::Result<ItemState> DecodeState(std::string_view value);

// The id that ends a key of kLogs or a state's key, behind `prefix` bytes. kCorruption: it is not one.
base::Result<model::EntryId> KeyId(std::string_view key, size_t prefix);
// An entry as kLogs has it.
base::Result<LogEntry> DecodeStoredEntry(std::string_view key, size_t prefix, std::string_view value);

}  // namespace tocsin::logs
