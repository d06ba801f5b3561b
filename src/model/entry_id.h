// EntryId: `<ms>-<n>`, as Redis prints it. Names an entry of one stream or one log; compared numerically.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace tocsin::model {

struct EntryId {
  uint64_t ms = 0;
  uint64_t seq = 0;

  friend constexpr auto operator<=>(const EntryId&, const EntryId&) = default;
  constexpr bool IsZero() const { return ms == 0 && seq == 0; }

  // The next id in order; ms grows when seq overflows. Nothing after Max().
  std::optional<EntryId> Next() const;
  // The one before; nothing before 0-0.
  std::optional<EntryId> Previous() const;

  std::string ToString() const;
  void AppendTo(std::string& out) const;
  // `<ms>-<n>` only, both decimal without sign; anything else is nothing. (Ranges and partial ids: streams/ids.h.)
  static std::optional<EntryId> Parse(std::string_view text);

  // 16 bytes, big-endian, so that bytewise order is numeric order.
  static constexpr size_t kEncodedSize = 16;
  void EncodeTo(std::string& out) const;
  // `bytes` has at least kEncodedSize bytes.
  static EntryId Decode(std::string_view bytes);

  static constexpr EntryId Max() {
    return {std::numeric_limits<uint64_t>::max(), std::numeric_limits<uint64_t>::max()};
  }
};

// The next id of a log: max(last + 1, now, floor). Never Redis' `*`: also with the clock set back, an id is used once.
EntryId NextLogId(EntryId last, int64_t now_ms, EntryId floor);

}  // namespace tocsin::model
