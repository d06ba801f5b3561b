// What the commands of the engine take and answer, as types. The names and meanings are those of Redis 7.2; defaults
// are what a command without options means.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/limits.h"
#include "streams/chunk.h"
#include "streams/ids.h"

namespace tocsin::streams {

enum class MakeStream : uint8_t { kYes, kNo };

// What becomes of entries that somebody has pending, when they are to be removed.
enum class Refs : uint8_t {
  kKeep,    // KEEPREF: removed; the pending lists keep their ids
  kDelete,  // DELREF: removed, from the pending lists too
  kAcked,   // ACKED: only entries go that every group has read and acknowledged
};

// The numbers are those of the replies to XDELEX and XACKDEL.
enum class Removal : int8_t { kNoEntry = -1, kRemoved = 1, kStillNeeded = 2 };

struct Trim {
  enum class By : uint8_t { kNothing, kMaxLength, kMinId };
  enum class Exactness : uint8_t { kExact, kApproximate };  // `=`, `~`
  By by = By::kNothing;
  Exactness exactness = Exactness::kExact;
  uint64_t max_length = 0;
  EntryId min_id = {};
  // Entries that one approximate trim may take; 0: any number. Default: what 100 full nodes hold.
  std::optional<uint64_t> limit = {};
  Refs refs = Refs::kKeep;
};

// IDMP and IDMPAUTO: an entry that the producer has added before is not added again.
struct Once {
  std::string_view producer;
  std::optional<std::string_view> id = {};  // the producer's own; nullopt: made from the fields
};

struct AppendOptions {
  AddId id = {};
  MakeStream make_stream = MakeStream::kYes;
  Trim trim = {};
  // An explicit id further ahead of the clock is refused; nullopt: none is. Ingest streams: model::kMaxFutureIdMs.
  std::optional<uint64_t> max_future_ms = {};
  std::optional<Once> once = {};  // with AddId::Auto() only
};

struct RangeOptions {
  size_t count = SIZE_MAX;
  size_t max_bytes = SIZE_MAX;  // about; the answer then says `more`
};

struct GroupCreateOptions {
  EntryId start = {};
  bool from_end = false;  // `$`: start at the last id, whatever `start` says
  MakeStream make_stream = MakeStream::kNo;
  std::optional<int64_t> entries_read = {};
};

enum class Acks : uint8_t { kNeeded, kNone };  // kNone: NOACK, nothing becomes pending

struct ReadGroupOptions {
  size_t count = SIZE_MAX;
  Acks acks = Acks::kNeeded;
  size_t max_bytes = SIZE_MAX;
  // Instead of new entries (`>`): the consumer's own pending ones with ids above this.
  std::optional<EntryId> history_after = {};
};

// One XREAD or XREADGROUP over several streams.
struct ReadRequest {
  struct From {
    std::string key;
    // XREAD: entries above it (`$` is the caller's to resolve, with LastId). XREADGROUP: nullopt for `>`, or the
    // consumer's own pending entries above it.
    std::optional<EntryId> after = {};
  };
  std::vector<From> streams = {};
  std::optional<std::string> group = {};
  std::string consumer = {};
  size_t count = SIZE_MAX;      // per stream
  size_t max_bytes = SIZE_MAX;  // per stream, about
  Acks acks = Acks::kNeeded;
  // CLAIM: before new entries, those that have been pending for anybody for so long, the longest first.
  std::optional<int64_t> claim_min_idle_ms = {};
};

struct StreamEntries {
  struct Claimed {
    int64_t idle_ms;      // before this delivery
    uint64_t deliveries;  // before this one
  };
  size_t stream = 0;  // which of the request
  Entries entries;
  std::vector<Claimed> claimed;  // of the first entries, which CLAIM took over
};

// Those streams that have something, in the order of the request; none: nil.
using ReadAnswer = base::Result<std::vector<StreamEntries>>;

struct PendingSummary {
  uint64_t count = 0;
  EntryId smallest, largest;                                // of count > 0
  std::vector<std::pair<std::string, uint64_t>> consumers;  // those with pending entries, by name
};

struct PendingRangeOptions {
  EntryId start = {};
  EntryId end = EntryId::Max();
  size_t count = SIZE_MAX;
  int64_t min_idle_ms = 0;
  std::optional<std::string_view> consumer = {};
};

struct PendingEntry {
  EntryId id;
  std::string consumer;      // empty: released by XNACK, nobody's
  int64_t delivered_ms = 0;  // wall clock
  int64_t idle_ms = 0;       // -1: nobody's
  uint64_t deliveries = 0;
};

enum class Answer : uint8_t { kEntries, kIdsOnly };  // kIdsOnly: JUSTID, which counts no delivery

struct ClaimOptions {
  int64_t min_idle_ms = 0;
  std::optional<int64_t> idle_ms = {};  // IDLE: how long ago the last delivery shall have been
  std::optional<int64_t> time_ms = {};  // TIME: when; wins over IDLE
  std::optional<uint64_t> retry_count = {};
  bool force = false;  // entries that are not pending become so
  Answer answer = Answer::kEntries;
  std::optional<EntryId> last_id = {};  // LASTID: moves the group forward to it
};

struct AutoClaimOptions {
  int64_t min_idle_ms = 0;
  EntryId start = {};
  size_t count = 100;
  Answer answer = Answer::kEntries;
};

struct AutoClaimed {
  EntryId next;                  // 0-0: the whole list was looked at
  Entries entries;               // kIdsOnly: EntryView::Gone of each
  std::vector<EntryId> deleted;  // no longer in the stream, so no longer pending
};

struct NackOptions {
  enum class Mode : uint8_t {
    kSilent,  // the delivery did not count
    kFail,    // it did
    kFatal,   // there shall be no other: the count becomes the largest there is
  };
  Mode mode = Mode::kFail;
  std::optional<uint64_t> retry_count = {};  // wins over the mode
  bool force = false;                        // entries that are not pending become so
};

struct SetIdOptions {
  EntryId last_id = {};
  std::optional<uint64_t> entries_added = {};
  std::optional<EntryId> max_deleted = {};
  std::optional<uint64_t> max_future_ms = {};  // as AppendOptions
};

struct StreamSize {
  uint64_t length = 0;
  uint64_t bytes = 0;  // about what Redis would hold
  EntryId first_id;    // of length > 0
};

struct StreamReport {
  uint64_t length = 0, radix_keys = 0, radix_nodes = 0, entries_added = 0, groups = 0;
  struct ProducedReport {  // of IDMP
    int64_t duration_s = 0;
    uint64_t max_per_producer = 0, producers = 0, ids = 0, ids_added = 0, duplicates = 0;
  };
  ProducedReport produced;
  EntryId last_id, max_deleted, first_id;  // first_id: `recorded-first-entry-id`
  Entries first, last;                     // one entry each, or none
};

struct GroupReport {
  std::string name;
  uint64_t consumers = 0, pending = 0;
  EntryId last_id;
  std::optional<int64_t> entries_read, lag;  // nullopt: not known
};

struct ConsumerReport {
  std::string name;
  uint64_t pending = 0;
  int64_t idle_ms = 0;       // since the last attempt
  int64_t inactive_ms = -1;  // since the last success; -1: never
  int64_t seen_ms = 0;       // the same two, as times of the wall clock
  int64_t active_ms = -1;
};

// XINFO STREAM ... FULL.
struct FullReport {
  struct OfConsumer {
    ConsumerReport report;
    std::vector<PendingEntry> pending;
  };
  struct OfGroup {
    GroupReport report;
    std::vector<PendingEntry> pending;
    std::vector<OfConsumer> consumers;
  };
  StreamReport report;
  Entries entries;
  std::vector<OfGroup> groups;
};

}  // namespace tocsin::streams
