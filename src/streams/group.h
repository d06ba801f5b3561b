// Group: a consumer group of one stream, with its consumers and its pending entries. Loaded from the store when first
// asked for, written back by Flush once per turn.
//
// 1. Every pending entry is in the group's list and in the list of its consumer (of none, when XNACK released it).
//    Counters are sizes of lists: they cannot drift or underflow.
// 2. What changed is written once per turn, in rows: the group, a consumer, a block of pending entries.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "storage/store.h"
#include "streams/id_blocks.h"
#include "streams/keys.h"

namespace tocsin::streams {

inline constexpr uint32_t kNobody = UINT32_MAX;  // in place of a consumer's number

struct Redelivery;

struct Pending {
  EntryId id;
  int64_t delivered_ms = 0;  // wall clock; of what nobody has: when it was given back, 0: its delivery did not count
  uint64_t deliveries = 0;
  uint32_t consumer = kNobody;

  // What nobody has is idle for ever.
  int64_t IdleFromMs() const { return consumer == kNobody ? 0 : delivered_ms; }
};

struct Consumer {
  struct Own {
    EntryId id;
  };

  uint32_t number = 0;
  std::string name;
  int64_t seen_ms = 0;     // last attempt
  int64_t active_ms = -1;  // last success; -1: never
  IdBlocks<Own> pending;
  bool staged = false;
  int64_t stored_ms = 0;  // seen_ms as the store has it
};

class Group {
 public:
  static constexpr int64_t kUnknown = -1;

  Group(uint64_t stream, uint32_t number, std::string name)
      : stream_(stream), number_(number), name_(std::move(name)) {}

  const std::string& name() const { return name_; }
  uint32_t number() const { return number_; }

  EntryId last_id() const { return last_id_; }
  int64_t entries_read() const { return entries_read_; }  // kUnknown, or how many entries were delivered ever
  void SetPosition(EntryId last_id, int64_t entries_read);

  // Consumers, in the order of their names.
  const std::map<std::string, std::unique_ptr<Consumer>, std::less<>>& consumers() const { return consumers_; }
  Consumer* FindConsumer(std::string_view name);
  // nullptr: nobody's.
  Consumer* ConsumerOf(const Pending& pending) const;
  Consumer& AddConsumer(std::string_view name, int64_t now_ms);
  // Its pending entries go with it; answers how many.
  size_t RemoveConsumer(Consumer& consumer);
  // An attempt alone is written at most once a second: it confirms nothing.
  void Seen(Consumer& consumer, int64_t now_ms);
  void Active(Consumer& consumer, int64_t now_ms);

  const IdBlocks<Pending, Tracked::kYes>& pending() const { return pending_; }
  // Good until the next change.
  const Pending* FindPending(EntryId id) { return pending_.Find(id); }
  // Makes the entry pending for the consumer, or moves it there.
  void Assign(EntryId id, Consumer& consumer, int64_t delivered_ms, uint64_t deliveries);
  // Makes the entry pending for nobody, and idle for ever. released_ms is for redelivery; 0: its delivery did not
  // count.
  void Release(EntryId id, uint64_t deliveries, int64_t released_ms);
  bool Unassign(EntryId id);

  // Entries that were delivered last at or before this time, the longest ago first.
  std::vector<Pending> IdleSince(int64_t ms);
  // Redelivery, always by the same policy. Looking costs the pending entries once; then each entry that is taken costs
  // itself. What is taken must be assigned again or unassigned.
  bool HasDue(const Redelivery& policy, int64_t now_ms);
  // The entry that has been due longest.
  std::optional<Pending> TakeDue(const Redelivery& policy, int64_t now_ms);
  // One whose deliveries are used up.
  std::optional<Pending> TakeExhausted(const Redelivery& policy, int64_t now_ms);

  bool staged() const { return staged_; }
  // Puts what changed into the batch.
  void Flush(storage::Batch& batch);
  size_t memory() const;

  // Reads one row of this group back. False: damaged.
  bool LoadGroupRow(std::string_view value);
  bool LoadConsumerRow(uint32_t number, std::string_view value);
  bool LoadPendingRow(EntryId name, std::string_view value);

 private:
  void Stage(Consumer& consumer);
  void LookForDue(const Redelivery& policy, int64_t now_ms);
  std::optional<Pending> TakeFrom(std::deque<EntryId>& found, const Redelivery& policy, int64_t now_ms);
  void SetPending(Pending pending);

  uint64_t stream_;
  uint32_t number_;
  std::string name_;
  EntryId last_id_;
  int64_t entries_read_ = kUnknown;
  uint32_t next_consumer_ = 0;
  std::map<std::string, std::unique_ptr<Consumer>, std::less<>> consumers_;
  std::unordered_map<uint32_t, Consumer*> by_number_;
  std::vector<Consumer*> staged_consumers_;
  std::vector<uint32_t> removed_;
  IdBlocks<Pending, Tracked::kYes> pending_;
  int64_t oldest_ms_ = INT64_MIN;  // no entry was delivered before

  // What the last look has found due, the longest first. Some of it may be gone by now, or delivered again.
  std::deque<EntryId> due_, exhausted_;
  int64_t due_ms_ = INT64_MIN;     // none of the others that it saw is due before ...
  int64_t unseen_ms_ = INT64_MAX;  // ... and none of those it did not see was delivered before
  bool staged_ = true;             // some row of it
  bool row_staged_ = true;
};

}  // namespace tocsin::streams
