#include "wire/notification_rules.h"

#include <algorithm>
#include <array>
#include <functional>
#include <string>
#include <unordered_set>

#include "model/limits.h"
#include "model/topic.h"

namespace tocsin::wire {
namespace {

using model::Notification;

constexpr std::string_view kInstantRule =
    "expected milliseconds since 1970, or RFC 3339 text with a zone such as `2030-01-01T09:00:00Z`";
constexpr std::string_view kLinkRule =
    "expected an http or https address, or a path that starts with a single `/`; no spaces or control characters";

constexpr std::array<std::string_view, 3> kLaterFields = {"template", "params", "idempotency_key"};

FieldError Wrong(std::string_view field, std::string_view message) {
  return {std::string(field), std::string(message)};
}

std::string AtMost(size_t bytes) { return "expected at most " + std::to_string(bytes) + " bytes of UTF-8"; }

std::string Indexed(std::string_view field, size_t index) {
  return std::string(field) + "[" + std::to_string(index) + "]";
}

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// C0 and C1 control characters, in UTF-8.
bool HasControl(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x20 || c == 0x7f) return true;
    if (c == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0) return true;
  }
  return false;
}

// The deepest nesting in a validated value: 0 for a scalar.
int Depth(JsonValue value) {
  int depth = 0, deepest = 0;
  bool in_string = false;
  for (size_t i = 0; i < value.raw.size(); ++i) {
    const char c = value.raw[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      deepest = std::max(deepest, ++depth);
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return deepest;
}

MaybeError SetActionMember(const std::string& field, std::string_view name, JsonValue value, model::Action& action) {
  const std::string path = field + "." + std::string(name);
  const bool known = name == "id" || name == "title" || name == "url";
  if (!known) return Wrong(path, "unknown field; an action has `id`, `title` and `url`");
  if (!value.is_string()) return Wrong(path, "expected a string");
  std::string text = Text(value);
  if (name == "url") return SetLink(path, text, action.url);
  const size_t max = name == "id" ? model::kMaxActionId : model::kMaxActionTitle;
  if (text.size() > max) return Wrong(path, AtMost(max));
  if (HasControl(text)) return Wrong(path, "expected no control characters");
  (name == "id" ? action.id : action.title) = std::move(text);
  return std::nullopt;
}

MaybeError SetAction(const std::string& field, JsonValue value, Notification& out) {
  if (!value.is_object()) return Wrong(field, "expected an object with `id`, `title` and `url`");
  model::Action action;
  for (MemberReader m(value); m.Next();) {
    if (m.value().is_null()) continue;
    if (MaybeError error = SetActionMember(field, m.key(), m.value(), action)) return error;
  }
  if (action.id.empty()) return Wrong(field + ".id", "required, 1 to 64 bytes of UTF-8");
  if (action.title.empty()) return Wrong(field + ".title", "required, 1 to 128 bytes of UTF-8");
  for (const model::Action& other : out.actions) {
    if (other.id == action.id) return Wrong(field + ".id", "used by an action before it");
  }
  out.actions.push_back(std::move(action));
  return std::nullopt;
}

MaybeError SetName(std::string_view field, std::string_view text, size_t max, std::string& out) {
  if (text.size() > max || !model::IsValidUtf8(text)) return Wrong(field, AtMost(max));
  if (HasControl(text)) return Wrong(field, "expected no control characters");
  out = text;
  return std::nullopt;
}

MaybeError CheckExpiry(const Notification& notification, int64_t accepted_ms) {
  if (notification.ttl_s && notification.expires_at_ms) return Wrong("ttl_s", "expected no `expires_at` beside it");
  if (!notification.expires_at_ms) return std::nullopt;
  const int64_t at = std::clamp<int64_t>(*notification.expires_at_ms, INT64_MIN / 4, INT64_MAX / 4);
  if (at <= std::max(accepted_ms, notification.deliver_at_ms.value_or(accepted_ms))) {
    return Wrong("expires_at", notification.deliver_at_ms
                                   ? "expected a moment after `deliver_at`"
                                   : "lies in the past (a number counts milliseconds since 1970)");
  }
  if (at - accepted_ms > model::kMaxTtlMs + model::kDeliverAtAheadMs) {
    return Wrong("expires_at", "lies too far ahead (a number counts milliseconds since 1970)");
  }
  return std::nullopt;
}

MaybeError CheckDeliverAt(const Notification& notification, int64_t accepted_ms) {
  if (!notification.deliver_at_ms) return std::nullopt;
  // Far from overflow: a moment that is text has four digits for its year, and a number may be any.
  const int64_t at = std::clamp<int64_t>(*notification.deliver_at_ms, INT64_MIN / 4, INT64_MAX / 4);
  const int64_t ahead = at - std::clamp<int64_t>(accepted_ms, INT64_MIN / 4, INT64_MAX / 4);
  if (ahead < -model::kDeliverAtPastMs) {
    return Wrong("deliver_at", "lies more than 60 seconds in the past (a number counts milliseconds since 1970)");
  }
  if (ahead > model::kDeliverAtAheadMs) {
    return Wrong("deliver_at", "lies more than 366 days ahead (a number counts milliseconds since 1970)");
  }
  return std::nullopt;
}

}  // namespace

bool IsLink(std::string_view text) {
  if (text.empty() || HasControl(text) || text.find_first_of(" \\") != text.npos) return false;
  if (text.front() == '/') return text.size() == 1 || text[1] != '/';
  const size_t colon = text.find("://");
  if (colon == text.npos) return false;
  std::string scheme(text.substr(0, colon));
  std::transform(scheme.begin(), scheme.end(), scheme.begin(), [](char c) { return IsLetter(c) ? c | 0x20 : c; });
  if (scheme != "http" && scheme != "https") return false;
  const std::string_view rest = text.substr(colon + 3);
  return !rest.empty() && std::string_view("/?#:@").find(rest.front()) == std::string_view::npos;
}

bool IsLanguageTag(std::string_view text) {
  if (text.empty() || text.size() > model::kMaxLang) return false;
  bool first = true;
  while (true) {
    const size_t end = std::min(text.find('-'), text.size());
    const std::string_view subtag = text.substr(0, end);
    if (subtag.empty() || subtag.size() > 8) return false;
    const bool good =
        std::all_of(subtag.begin(), subtag.end(), [first](char c) { return IsLetter(c) || (!first && IsDigit(c)); });
    if (!good) return false;
    if (end == text.size()) return true;
    text.remove_prefix(end + 1);
    first = false;
  }
}

std::optional<std::string> UserIdOf(JsonValue value) {
  if (value.is_string()) return Text(value);
  if (!value.is_number() || value.raw.find_first_of(".eE") != value.raw.npos) return std::nullopt;
  return value.raw == "-0" ? "0" : std::string(value.raw);
}

MaybeError SetUser(std::string_view field, std::string_view id, Notification& out) {
  if (!model::IsValidUserId(id)) return Wrong(field, "expected 1 to 256 bytes of UTF-8");
  out.users.assign(1, std::string(id));
  return std::nullopt;
}

MaybeError SetUsers(std::string_view field, JsonValue list, Notification& out) {
  const std::string expected = "expected an array of 1 to " + std::to_string(model::kMaxRecipients) + " user ids";
  if (!list.is_array()) return Wrong(field, expected);
  out.users.clear();
  size_t index = 0;
  for (ElementReader e(list); e.Next(); ++index) {
    if (index == model::kMaxRecipients) return Wrong(field, expected);
    std::optional<std::string> id = UserIdOf(e.value());
    if (!id) return Wrong(Indexed(field, index), "expected a string or an integer");
    if (!model::IsValidUserId(*id)) return Wrong(Indexed(field, index), "expected 1 to 256 bytes of UTF-8");
    out.users.push_back(*std::move(id));
  }
  if (out.users.empty()) return Wrong(field, expected);
  std::unordered_set<std::string_view> seen;
  seen.reserve(out.users.size());
  const std::vector<std::string> all = std::exchange(out.users, {});
  for (const std::string& id : all) {
    if (seen.insert(id).second) out.users.push_back(id);
  }
  return std::nullopt;
}

MaybeError SetTopic(std::string_view topic, Notification& out) {
  if (!model::IsValidTopic(topic)) return Wrong("topic", model::kTopicRule);
  out.users.assign(1, model::TopicLog(topic));
  return std::nullopt;
}

MaybeError SetMessage(std::string_view text, Notification& out) {
  if (text.empty() || text.size() > model::kMaxMessage || !model::IsValidUtf8(text)) {
    return Wrong("message", "expected 1 to " + std::to_string(model::kMaxMessage) + " bytes of UTF-8");
  }
  out.message = text;
  return std::nullopt;
}

MaybeError SetTitle(std::string_view text, Notification& out) {
  if (text.size() > model::kMaxTitle || !model::IsValidUtf8(text)) return Wrong("title", AtMost(model::kMaxTitle));
  out.title = text;
  return std::nullopt;
}

MaybeError SetLink(std::string_view field, std::string_view text, std::string& out) {
  if (text.size() > model::kMaxUrl || !model::IsValidUtf8(text)) return Wrong(field, AtMost(model::kMaxUrl));
  if (!text.empty() && !IsLink(text)) return Wrong(field, kLinkRule);
  out = text;
  return std::nullopt;
}

MaybeError SetLang(std::string_view text, Notification& out) {
  if (!text.empty() && !IsLanguageTag(text)) return Wrong("lang", "expected a language tag such as `en` or `pt-BR`");
  out.lang = text;
  return std::nullopt;
}

MaybeError SetActions(JsonValue list, Notification& out) {
  out.actions.clear();
  if (!list.is_array()) return Wrong("actions", "expected an array of at most 3 actions");
  size_t index = 0;
  for (ElementReader e(list); e.Next(); ++index) {
    if (index == model::kMaxActions) return Wrong("actions", "expected an array of at most 3 actions");
    if (MaybeError error = SetAction(Indexed("actions", index), e.value(), out)) return error;
  }
  return std::nullopt;
}

MaybeError CheckData(JsonValue data) {
  if (!data.is_object()) return Wrong("data", "expected a JSON object");
  if (data.raw.size() > model::kMaxJsonField) {
    return Wrong("data", "expected at most " + std::to_string(model::kMaxJsonField) + " bytes of JSON");
  }
  if (Depth(data) > model::kMaxDataDepth) {
    return Wrong("data", "expected at most " + std::to_string(model::kMaxDataDepth) + " levels");
  }
  return std::nullopt;
}

MaybeError SetCategory(std::string_view text, Notification& out) {
  if (text == "*") return Wrong("category", "expected a name; `*` stands for all the others");
  return SetName("category", text, model::kMaxCategory, out.category);
}

MaybeError SetCollapseKey(std::string_view text, Notification& out) {
  return SetName("collapse_key", text, model::kMaxCollapseKey, out.collapse_key);
}

MaybeError SetDeliverAt(std::optional<int64_t> ms, Notification& out) {
  if (!ms) return Wrong("deliver_at", kInstantRule);
  out.deliver_at_ms = ms;
  return std::nullopt;
}

MaybeError SetExpiresAt(std::optional<int64_t> ms, Notification& out) {
  if (!ms) return Wrong("expires_at", kInstantRule);
  out.expires_at_ms = ms;
  return std::nullopt;
}

MaybeError SetTtl(std::optional<int64_t> seconds, Notification& out) {
  constexpr int64_t kMost = model::kMaxTtlMs / 1'000;
  if (!seconds || *seconds < 1 || *seconds > kMost) {
    return Wrong("ttl_s", "expected whole seconds, 1 to " + std::to_string(kMost));
  }
  out.ttl_s = seconds;
  return std::nullopt;
}

MaybeError CheckTimes(const Notification& notification, int64_t accepted_ms) {
  if (MaybeError error = CheckDeliverAt(notification, accepted_ms)) return error;
  return CheckExpiry(notification, std::clamp<int64_t>(accepted_ms, INT64_MIN / 4, INT64_MAX / 4));
}

MaybeError CheckWhole(const Notification& notification) {
  if (notification.message.empty()) {
    return Wrong("message", "required, 1 to " + std::to_string(model::kMaxMessage) + " bytes of UTF-8");
  }
  return std::nullopt;
}

bool IsLaterField(std::string_view name) {
  return std::find(kLaterFields.begin(), kLaterFields.end(), name) != kLaterFields.end();
}

}  // namespace tocsin::wire
