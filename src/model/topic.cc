#include "model/topic.h"

#include <algorithm>

#include "model/limits.h"

namespace tocsin::model {

bool IsValidTopic(std::string_view topic) {
  if (topic.empty() || topic.size() > kMaxTopic) return false;
  return std::all_of(topic.begin(), topic.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-_.:@+=").find(c) != std::string_view::npos;
  });
}

std::string TopicLog(std::string_view topic) { return std::string(1, '\xff').append(topic); }

bool TopicRights::Name(std::string_view topic) const {
  if (topic == kBroadcast) return true;
  return std::any_of(patterns.begin(), patterns.end(), [topic](std::string_view pattern) {
    if (!pattern.ends_with('*')) return pattern == topic;
    return topic.starts_with(pattern.substr(0, pattern.size() - 1));
  });
}

}  // namespace tocsin::model
