// LogReader: what is committed of the user logs, read from the store. Const and thread-safe.
//
// With Tier::kMemory it never waits for the disk and answers kWouldBlock instead: a Core asks so, and goes to a read
// thread when it must.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "logs/keys.h"
#include "logs/log_entry.h"
#include "state/preferences.h"
#include "storage/store.h"

namespace tocsin::logs {

// An entry with what has become of it; the state of a change means nothing.
struct LogLine {
  LogEntryPtr entry;
  ItemState state = ItemState::kUnread;
};

// Items whose time has passed are in the log until their `expire` is appended; they are shown to nobody.
bool AnyExpired(std::span<const LogLine> lines, int64_t now_ms);
void DropExpired(std::vector<LogLine>& lines, int64_t now_ms);

// What a session needs to start.
struct LogOpening {
  LogHead head;
  std::optional<model::EntryId> device_cursor;  // stored for its device
  std::string epoch;                            // the log's identity: LogReader::Epoch
  // Entries up to here may have been lost, though they were confirmed; 0-0: none. `head.last` is not below it, so that
  // who was told of the loss goes on above it.
  model::EntryId lost;
};

// A piece of a log, oldest first.
struct LogPiece {
  std::vector<LogLine> lines;
  bool complete = false;  // nothing that was committed when it was read lies above it
  bool gap = false;       // a limit has taken entries above the id it was to start after: they are missing here
  model::EntryId lost{};  // as LogOpening::lost, when it was read
};

inline constexpr size_t kMaxListScan = 4'096;
inline constexpr size_t kMaxPageBytes = 256 << 10;

// kInbox: all but the archived. kUrgent: the unread of high and critical priority; for sessions, clients cannot ask.
enum class ListFilter : uint8_t { kInbox, kUnread, kArchived, kAll, kUrgent };
std::optional<ListFilter> ParseListFilter(std::string_view name);  // "inbox", "unread", "archived", "all"

struct ListPage {
  std::vector<LogLine> lines;            // items only, newest first
  std::optional<model::EntryId> before;  // where the next page starts; none: this was the last
};

// What has become of a notification in one user's log.
struct LogTrace {
  struct Device {
    std::string name;
    model::EntryId cursor;
    int64_t heard_ms = 0;  // when it was last stored
  };
  std::optional<model::EntryId> id;  // none: it is not in the log, or not any more
  ItemState state = ItemState::kUnread;
  std::vector<Device> devices;  // all of the user's; those whose cursor is not below `id` have acknowledged it
};

class LogReader {
 public:
  explicit LogReader(const storage::Store& store) : store_(store) {}

  // An empty `device` has no stored cursor. A user without a log has the empty head.
  base::Result<LogOpening> Open(std::string_view user, std::string_view device, storage::Tier tier) const;
  // Entries with id > after, oldest first, at most `max_entries`, ended after about `max_bytes`.
  base::Result<LogPiece> Read(std::string_view user, model::EntryId after, size_t max_entries, size_t max_bytes,
                              storage::Tier tier) const;
  // Items with id < before, newest first. A page ends after about kMaxPageBytes, and no more than kMaxListScan entries
  // are looked at for it: it may be short, even empty, and still have a `before`.
  base::Result<ListPage> List(std::string_view user, model::EntryId before, size_t limit, ListFilter filter,
                              storage::Tier tier) const;

  // What the user follows, and the cursors of that device in topics; empty: of none.
  base::Result<TopicRecords> Topics(std::string_view user, std::string_view device, storage::Tier tier) const;

  // What the user has done with items of the topic.
  base::Result<TopicStates> StatesInTopic(std::string_view user, std::string_view topic, storage::Tier tier) const;

  // Looks at the whole log, newest first.
  base::Result<LogTrace> Trace(std::string_view user, std::string_view nid, storage::Tier tier) const;

  // Empty: there are none.
  base::Result<state::Preferences> ReadPreferences(std::string_view user, storage::Tier tier) const;

  // The identity of a user's log: a cursor of another user or another store does not have it.
  std::string Epoch(std::string_view user) const;

 private:
  const storage::Store& store_;
};

}  // namespace tocsin::logs
