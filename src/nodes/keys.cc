#include "nodes/keys.h"

namespace tocsin::nodes {

std::string_view TagOf(std::string_view stream) {
  const size_t open = stream.find('{');
  if (open == std::string_view::npos) return stream;
  const size_t close = stream.find('}', open + 1);
  if (close == std::string_view::npos || close == open + 1) return stream;
  return stream.substr(open + 1, close - open - 1);
}

bool CanBeIngest(std::string_view stream) {
  const std::string_view tag = TagOf(stream);
  return !tag.empty() && tag.find_first_of("{}") == std::string_view::npos;
}

std::string StreamKey(std::string_view stream, std::string_view what) {
  std::string key = "tocsin:{";
  key.append(TagOf(stream)).append("}:").append(stream).append(":").append(what);
  return key;
}

std::string WakeKey(std::string_view node) {
  std::string key = "tocsin:{node-";
  key.append(node).append("}:wake");
  return key;
}

}  // namespace tocsin::nodes
