// StreamEngine: the embedded streams. A map of keys to streams with the commands of Redis Streams (7.2) as methods.
//
// 1. Lives on the commit thread, like Redis on its one thread: commands run one after the other, each whole. Nothing
//    here is thread-safe; what a read hands out (Entries) may travel to other threads.
// 2. A command changes memory only. BeforeCommit puts what the turn changed into the turn's batch, once per chunk,
//    group and stream; the caller holds its answers until AfterCommit. Commands and other participants that use the
//    engine in their own BeforeCommit come before the engine's: register the engine behind them.
// 3. Reads see what earlier commands of the same turn did. After a failed turn the engine forgets everything it holds
//    and reads the store again.
// 4. Nothing is loaded at the start. Streams come into memory when a command names them and leave it, the least
//    recently used first, above EngineOptions::memory_bytes.
// 5. What comes with time comes with the turns that NextTurnUs asks for: expired keys, which are hidden at once, are
//    deleted; entries that have become idle (CLAIM) or due (redelivery) go to those who wait for them.
//
// Failures that a client caused carry Redis' own error text, code word first ("ERR ...", "NOGROUP ..."), in the
// message; nothing was changed then. Failures of the store (kCorruption, kUnavailable, ...) carry a text for the
// operator.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "storage/committer.h"
#include "streams/commands.h"
#include "streams/redelivery.h"
#include "streams/stream.h"
#include "streams/waiters.h"

namespace tocsin::streams {

struct EngineOptions {
  NodeLimits nodes;
  size_t memory_bytes = 64u << 20;  // of streams held in memory that nobody changes now
};

class StreamEngine final : public storage::Participant {
 public:
  // Nothing is owned; store and clock outlive the engine.
  StreamEngine(storage::Store& store, const base::Clock& clock, EngineOptions options = {});
  ~StreamEngine() override;

  // Entries.

  // XADD. nullopt: no such key, and MakeStream::kNo.
  base::Result<std::optional<EntryId>> Append(std::string_view key, FieldSpan fields,
                                              const AppendOptions& options = {});
  base::Result<uint64_t> Length(std::string_view key);                                                       // XLEN
  base::Result<Entries> Range(std::string_view key, EntryId start, EntryId end, RangeOptions options = {});  // XRANGE
  base::Result<Entries> RevRange(std::string_view key, EntryId end, EntryId start,
                                 RangeOptions options = {});  // XREVRANGE
  // Entries with ids above `after`: one stream of an XREAD.
  base::Result<Entries> Read(std::string_view key, EntryId after, RangeOptions options = {});
  // Costs no read of its nodes. nullopt: no such key.
  base::Result<std::optional<StreamSize>> SizeOf(std::string_view key);
  // The first entry of the oldest node that a trim to so many bytes leaves; the newest node always stays. 0-0: nothing
  // would have to go.
  base::Result<EntryId> KeepsFrom(std::string_view key, uint64_t max_bytes);
  // Answers how many entries went.
  base::Result<uint64_t> TrimStream(std::string_view key, const Trim& trim);          // XTRIM
  base::Result<uint64_t> Delete(std::string_view key, std::span<const EntryId> ids);  // XDEL
  base::Status SetId(std::string_view key, const SetIdOptions& options);              // XSETID
  // 0-0 when there is no such key: what `$` means to XREAD.
  base::Result<EntryId> LastId(std::string_view key);

  // Groups.

  base::Status GroupCreate(std::string_view key, std::string_view group, const GroupCreateOptions& options);
  base::Status GroupSetId(std::string_view key, std::string_view group, const GroupCreateOptions& options);
  base::Result<bool> HasGroup(std::string_view key, std::string_view group);      // false: no such key or group
  base::Result<bool> GroupDestroy(std::string_view key, std::string_view group);  // false: no such group
  base::Result<bool> CreateConsumer(std::string_view key, std::string_view group, std::string_view consumer);
  // Answers how many entries were pending for it.
  base::Result<uint64_t> DeleteConsumer(std::string_view key, std::string_view group, std::string_view consumer);

  // XREADGROUP of one stream. The consumer is made when it is new. Entries of the history that the stream has no more
  // come as EntryView::Gone.
  base::Result<Entries> ReadGroup(std::string_view key, std::string_view group, std::string_view consumer,
                                  const ReadGroupOptions& options = {});
  // XREAD or XREADGROUP over several streams: every stream and group is checked before the first is changed.
  ReadAnswer ReadMany(const ReadRequest& request);

  // Waiting.

  // To be called after a ReadMany that found nothing, in the same Stage: nothing comes between. `done` is called on the
  // commit thread, once, after the turn that brought an answer was synced (a failure is an answer, too: the group was
  // destroyed), perhaps before the Done of the change that began to wait. It must not call the engine. When that very
  // turn fails, the waiter is forgotten without a call. Never call it in MULTI.
  WaiterId Wait(ReadRequest request, std::function<void(ReadAnswer)> done);
  // For time-outs and lost connections. True: `done` will not be called. False: an answer is under way (or was given);
  // should the turn fail, it is an empty one.
  bool CancelWait(WaiterId id);
  // Gives waiters what the command (or the whole MULTI) brought. To be called after each; BeforeCommit does, too.
  void EndCommand();
  size_t waiting() const { return waiters_.size(); }

  // Answers how many were pending; 0 when there is no such key or group.
  base::Result<uint64_t> Ack(std::string_view key, std::string_view group, std::span<const EntryId> ids);
  base::Result<PendingSummary> PendingOf(std::string_view key, std::string_view group);

  base::Result<std::vector<PendingEntry>> PendingRange(std::string_view key, std::string_view group,
                                                       const PendingRangeOptions& options = {});
  // XCLAIM. With Answer::kIdsOnly, the entries are EntryView::Gone.
  base::Result<Entries> Claim(std::string_view key, std::string_view group, std::string_view consumer,
                              std::span<const EntryId> ids, const ClaimOptions& options);
  base::Result<AutoClaimed> AutoClaim(std::string_view key, std::string_view group, std::string_view consumer,
                                      const AutoClaimOptions& options);

  // Redelivery. Of the rules that concern a group the first counts. Set before the first command.
  void SetRedelivery(std::vector<RedeliveryRule> rules) { redelivery_ = std::move(rules); }
  const std::vector<RedeliveryRule>& redelivery() const { return redelivery_; }
  // Up to `count` entries of the group that are due and whose deliveries are used up. The caller acknowledges each of
  // them in this turn. Nothing when no rule concerns the group.
  base::Result<std::vector<PendingEntry>> TakeExhausted(std::string_view key, std::string_view group, size_t count);

  // XDELEX; one answer for each id. With Refs::kDelete, ids also leave the pending lists whose entries are gone.
  base::Result<std::vector<Removal>> DeleteEx(std::string_view key, std::span<const EntryId> ids, Refs refs);
  // XACKDEL; kNoEntry: it was not pending for the group.
  base::Result<std::vector<Removal>> AckDelete(std::string_view key, std::string_view group,
                                               std::span<const EntryId> ids, Refs refs);
  // XNACK: gives pending entries back to the group, for whoever claims next. Answers how many.
  base::Result<uint64_t> Nack(std::string_view key, std::string_view group, std::span<const EntryId> ids,
                              const NackOptions& options);
  // XCFGSET. Everything remembered is forgotten.
  base::Status ConfigureOnce(std::string_view key, std::optional<int64_t> duration_s,
                             std::optional<uint64_t> max_per_producer);

  // Reports.

  base::Result<StreamReport> ReportStream(std::string_view key);
  // At most `count` entries and pending entries of each list; 0: all.
  base::Result<FullReport> ReportFull(std::string_view key, size_t count = 10);
  base::Result<std::vector<GroupReport>> ReportGroups(std::string_view key);
  base::Result<std::vector<ConsumerReport>> ReportConsumers(std::string_view key, std::string_view group);

  // Keys.

  base::Result<bool> Exists(std::string_view key);
  base::Result<bool> DeleteKey(std::string_view key);
  // The key `to` is replaced. "ERR no such key".
  base::Status Rename(std::string_view from, std::string_view to);
  // FLUSHALL, at the cost of two range deletions.
  base::Status DeleteAll();
  base::Result<uint64_t> CountKeys();
  // Keys in bytewise order: up to `limit` of those behind `after` (all of them: from "").
  base::Result<std::vector<std::string>> Keys(std::string_view after, size_t limit);

  // About what Redis would say its entries take; nullopt: no such key.
  base::Result<std::optional<uint64_t>> MemoryUsage(std::string_view key);

  // WATCH: from Watch until as many Unwatch, changes of the key are counted.
  void Watch(std::string_view key);
  void Unwatch(std::string_view key);
  uint64_t ChangesOf(std::string_view key) const;

  // stream-node-max-entries and -bytes, for appends to come.
  void SetNodeLimits(const NodeLimits& limits) { options_.nodes = limits; }
  const NodeLimits& node_limits() const { return options_.nodes; }

  // The key goes at this time of the wall clock (at once when it is past); nullopt: never. False: no such key.
  base::Result<bool> SetExpiry(std::string_view key, std::optional<int64_t> at_ms);
  // The outer nullopt: no such key; the inner one: it does not expire.
  base::Result<std::optional<std::optional<int64_t>>> ExpiryOf(std::string_view key);
  // Keys that expire some day. The first call after the start or a failed turn reads their index.
  base::Result<uint64_t> CountExpiring();

  base::Status BeforeCommit(storage::Batch& batch) override;
  void AfterCommit(const base::Status& status) override;
  // A turn that only handed entries to consumers confirms nothing: a power loss may hand them out again.
  bool lazy() const override { return !confirms_; }
  int64_t NextTurnUs() const override;

 private:
  struct Slot {
    std::unique_ptr<Stream> stream;  // null: deleted in this turn
    bool touched = false;
    std::list<const std::string*>::iterator use;
  };
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  using Slots = std::unordered_map<std::string, Slot, Hash, std::equal_to<>>;

  // nullptr: no such key.
  base::Result<Stream*> Find(std::string_view key);
  base::Result<Stream*> FindStored(std::string_view key);  // also when it has expired
  base::Result<Stream*> FindOrMake(std::string_view key);
  // The group, or the failure that `missing` makes of a missing key or group.
  struct StreamAndGroup {
    Stream* stream = nullptr;
    Group* group = nullptr;
  };
  base::Result<StreamAndGroup> FindGroup(std::string_view key, std::string_view group);
  Slot& SlotOf(std::string_view key);
  enum class Confirms : uint8_t { kYes, kNo };
  void Touch(std::string_view key, Confirms confirms = Confirms::kYes);
  base::Status LoadRow();
  void DropSlot(Slots::iterator slot);
  struct Served {
    WaiterId id;
    Waiter waiter;
    ReadAnswer answer;
    bool cancelled;
  };
  void Signal(std::string_view key);
  bool Serve(WaiterId id);
  void AnswerWaiters(const base::Status& status);
  void ServeSignalled();
  void SignalDue();
  // Asks again for waiters for whom time brings entries: those with CLAIM, and those of a group with redelivery.
  void RetryClaims();
  bool time_brings_entries() const { return waiters_.has_claimers() || (!redelivery_.empty() && waiting() > 0); }
  base::Result<bool> DeliverAgain(const StreamAndGroup& in, Pending pending, Consumer& to, Entries& out);
  base::Status ClaimIdle(std::string_view key, const ReadRequest& request, StreamEntries& out);
  const Redelivery* RedeliveryOf(std::string_view key, std::string_view group) const;
  base::Status ClaimDue(std::string_view key, const ReadRequest& request, const Redelivery& policy, Entries& out);
  static PendingEntry Describe(const Group& group, const Pending& pending, int64_t now_ms);
  base::Status Remove(std::string_view key);  // the key is there, perhaps expired
  void Doom(Slot& slot, std::string_view key);
  void StageExpiry(std::string_view key, int64_t before_ms, int64_t after_ms);
  base::Status DeleteExpired();
  base::Result<std::vector<std::string>> StoredKeys(std::string_view after, size_t limit);
  void Evict();
  base::Result<std::optional<EntryId>> AddedBefore(std::string_view key, Stream* stream, const Once& once,
                                                   std::string_view id);
  base::Result<uint64_t> TrimFound(Stream& stream, const Trim& trim);
  base::Result<uint64_t> TrimPlain(Stream& stream, const Trim& trim, EntryId barrier);
  base::Result<uint64_t> TrimDeletingRefs(Stream& stream, const Trim& trim);
  base::Result<uint64_t> TrimAcked(Stream& stream, const Trim& trim);
  base::Result<Removal> RemoveOne(Stream& stream, Stream::Groups& groups, EntryId id, Refs refs);

  storage::Store& store_;
  const base::Clock& clock_;
  EngineOptions options_;

  Slots slots_;
  std::list<const std::string*> uses_;  // most recent first
  size_t memory_ = 0;
  std::vector<std::string> touched_;
  bool confirms_ = false;
  std::vector<std::unique_ptr<Stream>> doomed_;

  // DeleteAll: nothing in the store counts any more. Until the turn is over.
  bool store_hidden_ = false;

  struct Watched {
    uint64_t watchers = 0, changes = 0;
  };
  std::unordered_map<std::string, Watched, Hash, std::equal_to<>> watched_;

  std::vector<RedeliveryRule> redelivery_;

  Waiters waiters_;
  std::vector<std::string> signalled_;  // keys that have something for those who wait
  bool retry_claims_ = false;           // entries were given back
  int64_t next_retry_us_ = 0;           // monotonic
  std::vector<Served> served_;
  std::vector<WaiterId> new_waiters_;  // of this turn, ascending

  // Rows of the index of expiries, in the order of the changes.
  std::vector<std::pair<std::string, bool>> expiry_rows_;  // key, put (or deleted)

  std::optional<uint64_t> expiring_;  // keys that expire; nullopt: count

  std::optional<int64_t> next_expiry_ms_;  // not before, INT64_MAX: none; nullopt: look

  bool row_loaded_ = false;
  bool row_staged_ = false;
  uint64_t next_number_ = 1;
  uint64_t keys_ = 0;
};

}  // namespace tocsin::streams
