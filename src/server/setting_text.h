// The words that values of settings are made of.
#pragma once

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
// "1048576", "1MiB"
base::Result<uint64_t> ParseBytes(std::string_view text);

}  // namespace tocsin::server
