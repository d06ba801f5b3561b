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

struct Trim {
  enum class By : uint8_t { kNothing, kMaxLength, kMinId };
  enum class Exactness : uint8_t { kExact, kApproximate };  // `=`, `~`
  By by = By::kNothing;
  Exactness exactness = Exactness::kExact;
  uint64_t max_length = 0;
  EntryId min_id = {};
  // Entries that one approximate trim may take; 0: any number. Default: what 100 full nodes hold.
  std::optional<uint64_t> limit = {};
};

struct AppendOptions {
  AddId id = {};
  MakeStream make_stream = MakeStream::kYes;
  Trim trim = {};
  // An explicit id further ahead of the clock is refused; nullopt: none is. Ingest streams: model::kMaxFutureIdMs.
  std::optional<uint64_t> max_future_ms = {};
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

struct PendingSummary {
  uint64_t count = 0;
  EntryId smallest, largest;                                // of count > 0
  std::vector<std::pair<std::string, uint64_t>> consumers;  // those with pending entries, by name
};

struct StreamReport {
  uint64_t length = 0, radix_keys = 0, radix_nodes = 0, entries_added = 0, groups = 0;
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
};

}  // namespace tocsin::streams
