// UserLogs: the writing side of all user logs, on the commit thread. Appends, marks, receipts and trims are staged into
// the turn's batch; what was committed is handed to a listener, which wakes the sessions.
//
// 1. A log's ids only grow: max(last + 1, clock, id floor of the store), whatever the clock does.
// 2. append(log, source) is idempotent: at or below the log's high-water mark of that stream and priority it is a
// no-op.
// 3. Counts are exact after every entry, and stored with it: the head is written once per log and turn.
// 4. `floor` is the id of the last entry that a limit took; it moves by limits alone.
// 5. An item with a collapse key takes the place of the newest older one with that key, while that is not read: the
//    older one leaves the log, and the newer names it.
// 6. A failed turn leaves no trace: everything held in memory is dropped and read from the store again. Receipts are
//    the exception: they are kept and staged again (they only grow, and a lost one costs a repeat).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "logs/collapse_keys.h"
#include "logs/keys.h"
#include "logs/log_entry.h"
#include "logs/log_index.h"
#include "logs/log_store.h"
#include "logs/text_map.h"
#include "logs/user_topics.h"
#include "storage/committer.h"
#include "storage/store.h"

namespace tocsin::logs {

struct NewItem {
  std::string_view nid;
  model::Priority priority = model::Priority::kNormal;
  std::string_view json;  // as LogEntry::json
  ItemTraits traits{};
};

// The ingest entry that an append comes from.
struct Source {
  std::string_view stream;
  model::EntryId id;
};

struct UserLogsOptions {
  size_t max_entries;  // of one log; limits.h
  model::EntryId id_floor;
};

class UserLogs final : public storage::Participant {
 public:
  // Nothing is owned. `listener` may be null.
  UserLogs(const storage::Store& store, const base::Clock& clock, UserLogsOptions options, LogListener* listener);
  ~UserLogs() override;

  // Appends the item unless the log has it already. A failure is the store's: the turn should fail with it.
  base::Status Append(std::string_view user, const NewItem& item, const Source& source, storage::Batch& batch);
  // Whether the log has taken that entry at that priority, or passed it over; and to pass it over: it is not appended,
  // now or ever. A failure is the store's.
  base::Result<bool> Has(std::string_view user, model::Priority priority, const Source& source);
  base::Status PassOver(std::string_view user, model::Priority priority, const Source& source);
  // Applies the mark and appends what it changed; unknown nids are passed over. Answers the counts after it. A failure
  // is the store's, and leaves nothing behind.
  base::Result<Counts> Mark(const MarkRequest& request, storage::Batch& batch);
  // Stores a device's cursor: clamped to the head, and it only grows. A new device makes room: those silent for
  // kDeviceSilenceMs are forgotten, and beyond kMaxDevicesPerUser the one silent longest.
  base::Status Ack(std::string_view user, std::string_view device, model::EntryId cursor, storage::Batch& batch);

  // Whether the user has said anything about deliveries: a flag in the log's head, for UserPreferences.
  base::Result<Preferred> GetPreferred(std::string_view user);
  base::Status SetPreferred(std::string_view user, Preferred preferred);

  // The same for a cursor in a topic, which was clamped to the topic's head.
  base::Status AckTopic(std::string_view user, std::string_view device, std::string_view topic, model::EntryId cursor,
                        storage::Batch& batch);
  // As Mark, of a topic's items: their states, and an entry of the user's own log that says so.
  base::Result<Counts> MarkTopic(const TopicMark& mark, storage::Batch& batch);
  UserTopics& topics() { return topics_; }

  base::Status BeforeCommit(storage::Batch& batch) override;
  void AfterCommit(const base::Status& status) override;
  // Receipts may wait for a later sync. Entries may not: what names their ids leaves the process after the turn.
  bool lazy() const override { return touched_.empty(); }

 private:
  struct Device;
  struct Log;  // one user's, while it is in memory
  struct Receipt {
    std::string user, device;
    model::EntryId cursor;
  };
  base::Result<Log*> Find(std::string_view user);
  LogIndex& IndexOf(Log& log);
  base::Result<std::vector<LogIndex::Items::iterator>> Targets(LogIndex& index, const LogHead& head,
                                                               const MarkRequest& request) const;
  std::optional<ItemState> TakeIndexed(LogIndex& index, model::EntryId id, ItemState stored);
  base::Result<Device*> FindDevice(Log& log, std::string_view name);
  base::Status LoadDevices(Log& log);
  void AppendEntry(Log& log, LogEntry entry, storage::Batch& batch);
  base::Status Collapse(Log& log, LogEntry& entry, storage::Batch& batch);
  void Touch(Log& log);
  base::Status Trim(Log& log, storage::Batch& batch);
  base::Status SetState(Log& log, LogIndex::Items::iterator item, MarkOp op, storage::Batch& batch);
  base::Status LoadMarkIds(Log& log);
  bool IsRepeat(const Log& log, std::string_view mid) const;
  void RememberMarkId(Log& log, const std::string& mid, storage::Batch& batch);
  base::Status ForgetDevices(Log& log, storage::Batch& batch);
  void ForgetUnused();

  const storage::Store& store_;
  const base::Clock& clock_;
  const UserLogsOptions options_;
  LogListener* const listener_;

  UserTopics topics_;
  CollapseKeys collapse_keys_;
  TextMap<std::unique_ptr<Log>> logs_;
  std::vector<Log*> touched_;      // changed by this turn
  std::vector<Receipt> receipts_;  // staged in this turn
  std::vector<Receipt> unsaved_;   // of turns that failed
  size_t indexed_ = 0;             // items and mark ids in the memory of all logs
  // Items, by this turn.
  int64_t trimmed_ = 0, collapsed_ = 0, expired_ = 0;
  uint64_t turn_ = 0;
};

}  // namespace tocsin::logs
