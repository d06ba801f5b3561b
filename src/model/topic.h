// Topics: their names, who may have them, and what their logs are called.
//
// A topic's log lies among the users' logs. Its name there is the byte FF and the topic, which no user id can be: those
// are UTF-8.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tocsin::model {

// The topic that everybody follows, and that needs no right.
inline constexpr std::string_view kBroadcast = "broadcast";

// 1 to kMaxTopic of: ASCII letters and digits, `-`, `_`, `.`, `:`, `@`, `+`, `=`.
bool IsValidTopic(std::string_view topic);
inline constexpr std::string_view kTopicRule =
    "expected 1 to 128 of: letters and digits of ASCII, `-`, `_`, `.`, `:`, `@`, `+`, `=`";

std::string TopicLog(std::string_view topic);
inline bool IsTopicLog(std::string_view log) { return log.starts_with('\xff'); }
// Of a topic's log.
inline std::string_view TopicOf(std::string_view log) { return log.substr(1); }

// What the claim `topics` of a user's token says.
struct TopicRights {
  bool limited = false;               // the token has the claim
  std::vector<std::string> patterns;  // exact names, or `prefix*`

  // Whether one of the patterns names it, or it is kBroadcast.
  bool Name(std::string_view topic) const;
  friend bool operator==(const TopicRights&, const TopicRights&) = default;
};

}  // namespace tocsin::model
