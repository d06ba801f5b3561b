#include "commands/glob.h"

#include <cstddef>
#include <utility>

namespace tocsin::commands {
namespace {

// One character class at `at` (on the `[`); moves `at` behind it. As in Redis, a class without an end ends with the
// pattern.
bool MatchClass(std::string_view pattern, size_t& at, char c) {
  ++at;
  const bool inverted = at < pattern.size() && pattern[at] == '^';
  if (inverted) ++at;
  bool found = false;
  while (at < pattern.size() && pattern[at] != ']') {
    if (pattern[at] == '\\' && at + 1 < pattern.size()) {
      ++at;
      found |= pattern[at] == c;
    } else if (at + 2 < pattern.size() && pattern[at + 1] == '-') {
      auto low = static_cast<unsigned char>(pattern[at]), high = static_cast<unsigned char>(pattern[at + 2]);
      if (low > high) std::swap(low, high);
      const auto byte = static_cast<unsigned char>(c);
      found |= byte >= low && byte <= high;
      at += 2;
    } else {
      found |= pattern[at] == c;
    }
    ++at;
  }
  if (at < pattern.size()) ++at;
  return found != inverted;
}

// One element that is no star; moves `at` behind it when it matches.
bool MatchOne(std::string_view pattern, size_t& at, char c) {
  switch (pattern[at]) {
    case '?':
      ++at;
      return true;
    case '[':
      return MatchClass(pattern, at, c);
    case '\\':
      if (at + 1 < pattern.size()) ++at;
      [[fallthrough]];
    default:
      return pattern[at++] == c;
  }
}

}  // namespace

bool Glob(std::string_view pattern, std::string_view text) {
  size_t at = 0, i = 0;
  size_t star = std::string_view::npos, resume = 0;  // where to go on after the last star
  while (i < text.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = ++at;
      resume = i;
      continue;
    }
    size_t next = at;
    if (at < pattern.size() && MatchOne(pattern, next, text[i])) {
      at = next;
      ++i;
      continue;
    }
    if (star == std::string_view::npos) return false;
    at = star;
    i = ++resume;
  }
  while (at < pattern.size() && pattern[at] == '*') ++at;
  return at == pattern.size();
}

}  // namespace tocsin::commands
