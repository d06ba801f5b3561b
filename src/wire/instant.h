// A moment as callers write it: milliseconds since 1970, or RFC 3339 text with a zone ("2030-01-01T09:00:00.5+02:00").
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace tocsin::wire {

// Milliseconds since 1970 of RFC 3339 text, years 0001 to 9999; what is finer than that is cut off, and second 60 is
// the one that follows. Nothing for any other text, and for a day that does not exist.
std::optional<int64_t> ParseRfc3339(std::string_view text);

// The same, or a decimal integer: milliseconds since 1970.
std::optional<int64_t> ParseInstant(std::string_view text);

}  // namespace tocsin::wire
