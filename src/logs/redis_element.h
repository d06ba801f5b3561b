// An element of a log on Redis: state, id, entry. Redis has 13 bytes of overhead for each entry and the log's head for
// each user, so what every item repeats is left out here: `"nid":"<nid>","ts":<ms of the nid>,"prio":"<name>"`, with
// which an item's JSON begins, is one byte.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "logs/log_entry.h"
#include "logs/log_reader.h"

namespace tocsin::logs {

// Ids on Redis: 6 bytes of milliseconds and 2 of the number, which is enough for what the scripts give.
inline constexpr size_t kShortIdBytes = 8;
inline constexpr uint64_t kMaxLogMs = (uint64_t{1} << 48) - 1;
inline constexpr uint64_t kMaxLogSeq = 65'535;
model::EntryId DecodeShortId(std::string_view bytes);  // kShortIdBytes of them

// What follows the id; for an item.
std::string EncodeElementEntry(const LogEntry& entry);
// kCorruption: it is no element.
base::Result<LogLine> DecodeElement(std::string_view element);

}  // namespace tocsin::logs
