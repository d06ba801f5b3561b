// Notification: what a back-end wants a user to be told. Validated once, whichever door it came through.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tocsin::model {

enum class Priority : uint8_t { kLow, kNormal, kHigh, kCritical };
inline constexpr size_t kPriorities = 4;
std::string_view PriorityName(Priority priority);  // "low", "normal", "high", "critical"
std::optional<Priority> ParsePriority(std::string_view name);
// High and critical: what may overtake a backlog.
inline bool IsUrgent(Priority priority) { return priority >= Priority::kHigh; }

struct Action {
  std::string id, title, url;
};

// Field and value of a stream entry, in the order given: what XADD takes.
using StreamFields = std::vector<std::pair<std::string, std::string>>;

struct Notification {
  // The logs it goes to: 1 to kMaxRecipients valid user ids, each once; or one TopicLog (model/topic.h).
  std::vector<std::string> users;
  std::string message;           // 1 to kMaxMessage bytes; the `body` of an item
  std::string title, url, icon;  // empty: not given
  std::string lang;              // BCP 47; empty: not given
  std::vector<Action> actions;
  Priority priority = Priority::kNormal;
  std::string data;                                     // raw JSON text of an object, exactly as sent; empty: not given
  std::optional<int64_t> deliver_at_ms = std::nullopt;  // when it is to be delivered, ms since 1970; none: at once
  std::string category;                                 // what it is about; empty: not given
  std::string collapse_key;                             // the newer of two with one key replaces the unread older one
  // When it means nothing any more: a moment, or seconds after it is to be delivered. At most one is given, and of what
  // an ingest stream has accepted only the moment (wire::FromEntry).
  std::optional<int64_t> expires_at_ms = std::nullopt;
  std::optional<int64_t> ttl_s = std::nullopt;
};

// 1 to kMaxUserId bytes of valid UTF-8; compared bytewise, and any character is allowed (NUL too).
bool IsValidUserId(std::string_view id);
// 1 to kMaxDeviceId bytes, printable ASCII.
bool IsValidDeviceId(std::string_view id);
// Well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms).
bool IsValidUtf8(std::string_view text);

}  // namespace tocsin::model
