// The rules for a notification's fields, the same through every door (HTTP publish, XADD). For publish.cc and
// notification_fields.cc; others call those.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/notification.h"
#include "wire/json.h"

namespace tocsin::wire {

// Which field is wrong ("actions[1].url") and what is allowed there. Never holds the value: it may be private.
struct FieldError {
  std::string field;
  std::string message;
};
using MaybeError = std::optional<FieldError>;

// Each reads one field's value into the notification, or says what is wrong with it. Texts are valid UTF-8 already
// where they come from JSON; CheckText is for those that do not.
MaybeError SetUser(std::string_view field, std::string_view id, model::Notification& out);
MaybeError SetUsers(std::string_view field, JsonValue list, model::Notification& out);
// A topic's log in place of users.
MaybeError SetTopic(std::string_view topic, model::Notification& out);
MaybeError SetMessage(std::string_view text, model::Notification& out);
MaybeError SetTitle(std::string_view text, model::Notification& out);
MaybeError SetLink(std::string_view field, std::string_view text, std::string& out);
MaybeError SetLang(std::string_view text, model::Notification& out);
MaybeError SetActions(JsonValue list, model::Notification& out);
MaybeError CheckData(JsonValue data);
MaybeError SetCategory(std::string_view text, model::Notification& out);
MaybeError SetCollapseKey(std::string_view text, model::Notification& out);
// Nothing: it could not be read.
MaybeError SetDeliverAt(std::optional<int64_t> ms, model::Notification& out);
MaybeError SetExpiresAt(std::optional<int64_t> ms, model::Notification& out);
MaybeError SetTtl(std::optional<int64_t> seconds, model::Notification& out);

// A user id as JSON: a string, or an integer for its decimal text.
std::optional<std::string> UserIdOf(JsonValue value);

// What only the notification as a whole shows: it has a message.
MaybeError CheckWhole(const model::Notification& notification);

// Its times, against when it was accepted, ms since 1970: neither long past nor too far ahead, and it does not expire
// before it is to be delivered.
MaybeError CheckTimes(const model::Notification& notification, int64_t accepted_ms);

inline constexpr std::string_view kOneRecipientField = "expected exactly one of `user_id`, `user_ids` and `topic`";
inline constexpr std::string_view kNoRecipient = "required: `user_id`, `user_ids` for several, or `topic`";

// A field that a later version will know; it is refused until then, so that its meaning cannot change silently.
bool IsLaterField(std::string_view name);
inline constexpr std::string_view kNotSupportedYet = "not supported yet";

// An absolute http or https address, or a path that starts with a single `/`; no white space, control characters or
// backslashes (which browsers read as `/`). So never `javascript:`, and never another host by `//host`.
bool IsLink(std::string_view text);
// Letters, digits and `-`, in subtags of 1 to 8 as RFC 5646 has them, the first of letters only.
bool IsLanguageTag(std::string_view text);

}  // namespace tocsin::wire
