// The words that values of settings are made of.
#pragma once

#include <charconv>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tocsin::server {

// Without blanks at both ends.
std::string_view Trim(std::string_view text);
// The parts between commas, trimmed, without empty ones.
std::vector<std::string_view> SplitList(std::string_view list);
// The parts between blanks.
std::vector<std::string_view> SplitWords(std::string_view text);
// A whole number and nothing else.
template <typename T>
bool ParseNumber(std::string_view text, T& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}
// "90s", "15m", "12h", "7d", or a number of seconds; in milliseconds. At most ten years.
base::Result<int64_t> ParseDuration(std::string_view text);
// "1048576", "1MiB"
base::Result<uint64_t> ParseBytes(std::string_view text);

}  // namespace tocsin::server
