// TextMap: a hash map keyed by text that can be asked with a string_view, without making a string of it.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <boost/unordered/unordered_flat_map.hpp>

namespace tocsin::logs {

struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

template <typename Value, typename Key = std::string>
using TextMap = boost::unordered_flat_map<Key, Value, TextHash, std::equal_to<>>;

}  // namespace tocsin::logs
