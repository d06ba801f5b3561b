#include "server/setting_text.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

namespace tocsin::server {

std::string_view Trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

std::vector<std::string_view> SplitList(std::string_view list) {
  std::vector<std::string_view> parts;
  for (size_t start = 0; start <= list.size();) {
    const size_t end = std::min(list.find(',', start), list.size());
    if (std::string_view part = Trim(list.substr(start, end - start)); !part.empty()) parts.push_back(part);
    start = end + 1;
  }
  return parts;
}

std::vector<std::string_view> SplitWords(std::string_view text) {
  std::vector<std::string_view> words;
  while (!(text = Trim(text)).empty()) {
    const size_t end = std::min(text.find_first_of(" \t\r\n"), text.size());
    words.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return words;
}

base::Result<int64_t> ParseDuration(std::string_view text) {
  static constexpr std::array<std::pair<char, int64_t>, 4> kUnits = {{{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86'400}}};
  constexpr int64_t kMaxSeconds = 10LL * 366 * 24 * 3600;
  int64_t unit = 1;
  for (const auto& [letter, seconds] : kUnits) {
    if (!text.ends_with(letter)) continue;
    unit = seconds;
    text.remove_suffix(1);
    break;
  }
  int64_t number = 0;
  if (!ParseNumber(text, number) || number < 1 || number > kMaxSeconds / unit) {
    return base::Status(base::Code::kInvalidArgument, "a time is 90s, 15m, 12h or 7d, at most ten years");
  }
  return number * unit * 1000;
}

base::Result<uint64_t> ParseBytes(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, int>, 4> kUnits = {
      {{"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}}};
  int shift = 0;
  std::string_view digits = text;
  for (auto [unit, bits] : kUnits) {
    if (!text.ends_with(unit)) continue;
    shift = bits;
    digits = Trim(text.substr(0, text.size() - unit.size()));
  }
  uint64_t number = 0;
  if (!ParseNumber(digits, number) || number > (std::numeric_limits<uint64_t>::max() >> shift)) {
    return base::Status(base::Code::kInvalidArgument, "a number of bytes, also with KiB, MiB, GiB or TiB behind it");
  }
  return number << shift;
}

}  // namespace tocsin::server
