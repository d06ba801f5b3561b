// Ids as clients write them in commands: whole, partial, exclusive, automatic. The forms and their edge cases are those
// of Redis 7.2; a text that is none of them is nothing, and the caller answers kInvalidId.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "model/entry_id.h"

namespace tocsin::streams {

inline constexpr std::string_view kInvalidId = "ERR Invalid stream ID specified as stream command argument";

// `<ms>` or `<ms>-<n>`; a missing n is `missing_seq`. What XREAD, XACK, XDEL, XCLAIM and XGROUP take.
std::optional<model::EntryId> ParseId(std::string_view text, uint64_t missing_seq = 0);

// One end of a range: `-`, `+`, an id, or `(` and an id for an open end.
struct RangeEnd {
  model::EntryId id = {};
  bool open = false;
};
std::optional<RangeEnd> ParseRangeEnd(std::string_view text, uint64_t missing_seq);

// The id that XADD is to give: `*`, `<ms>-*`, `<ms>-<n>` or `<ms>` (which is `<ms>-0`).
struct AddId {
  enum class Kind : uint8_t { kAuto, kAutoSeq, kWhole };
  Kind kind = Kind::kAuto;
  model::EntryId id = {};  // kAutoSeq: only ms counts

  static AddId Auto() { return {}; }
  static AddId AutoSeq(uint64_t ms) { return {.kind = Kind::kAutoSeq, .id = {ms, 0}}; }
  static AddId Whole(model::EntryId id) { return {.kind = Kind::kWhole, .id = id}; }
};
std::optional<AddId> ParseAddId(std::string_view text);

}  // namespace tocsin::streams
