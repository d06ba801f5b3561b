#include "wire/publish.h"

#include <algorithm>
#include <utility>

#include "model/limits.h"
#include "wire/http.h"
#include "wire/instant.h"
#include "wire/json.h"
#include "wire/notification_rules.h"

namespace tocsin::wire {
namespace {

using model::Notification;

// Fields whose value is a plain string.
MaybeError SetTextField(std::string_view name, std::string_view text, Notification& out) {
  if (name == "message") return SetMessage(text, out);
  if (name == "title") return SetTitle(text, out);
  if (name == "url") return SetLink(name, text, out.url);
  if (name == "icon") return SetLink(name, text, out.icon);
  if (name == "lang") return SetLang(text, out);
  if (name == "category") return SetCategory(text, out);
  if (name == "collapse_key") return SetCollapseKey(text, out);
  const std::optional<model::Priority> priority = model::ParsePriority(text);
  if (!priority) return FieldError{"priority", "expected one of `low`, `normal`, `high`, `critical`"};
  out.priority = *priority;
  return std::nullopt;
}

std::optional<int64_t> InstantOf(JsonValue value) {
  if (value.is_number()) return Integer(value);
  std::string scratch;
  return value.is_string() ? ParseRfc3339(TextView(value, scratch)) : std::nullopt;
}

MaybeError SetField(std::string_view name, JsonValue value, Notification& out) {
  if (name == "user_id") {
    if (!out.users.empty()) return FieldError{"user_id", std::string(kOneRecipientField)};
    const std::optional<std::string> id = UserIdOf(value);
    if (!id) return FieldError{"user_id", "expected a string or an integer"};
    return SetUser(name, *id, out);
  }
  if (name == "user_ids") {
    if (!out.users.empty()) return FieldError{"user_ids", std::string(kOneRecipientField)};
    return SetUsers(name, value, out);
  }
  if (name == "topic") {
    if (!out.users.empty()) return FieldError{"topic", std::string(kOneRecipientField)};
    if (!value.is_string()) return FieldError{"topic", "expected a string"};
    return SetTopic(Text(value), out);
  }
  if (name == "message" || name == "title" || name == "url" || name == "icon" || name == "lang" || name == "priority" ||
      name == "category" || name == "collapse_key") {
    if (!value.is_string()) return FieldError{std::string(name), "expected a string"};
    std::string scratch;
    return SetTextField(name, TextView(value, scratch), out);
  }
  if (name == "actions") return SetActions(value, out);
  if (name == "data") {
    if (MaybeError error = CheckData(value)) return error;
    out.data = value.raw;
    return std::nullopt;
  }
  if (name == "deliver_at") return SetDeliverAt(InstantOf(value), out);
  if (name == "expires_at") return SetExpiresAt(InstantOf(value), out);
  if (name == "ttl_s") return SetTtl(value.is_number() ? Integer(value) : std::nullopt, out);
  if (IsLaterField(name)) return FieldError{std::string(name), std::string(kNotSupportedYet)};
  return FieldError{std::string(name),
                    "unknown field; known are user_id, user_ids, topic, message, title, url, icon, actions, lang, "
                    "priority, data, category, collapse_key, ttl_s, expires_at, deliver_at"};
}

MaybeError ParseOne(JsonValue value, int64_t now_ms, Notification& out) {
  if (!value.is_object()) {
    return FieldError{"", "expected a notification as a JSON object, not " + std::string(JsonKindName(value.kind))};
  }
  for (MemberReader m(value); m.Next();) {
    if (m.value().is_null()) continue;
    if (MaybeError error = SetField(m.key(), m.value(), out)) return error;
  }
  if (out.users.empty()) return FieldError{"user_id", std::string(kNoRecipient)};
  if (MaybeError error = CheckTimes(out, now_ms)) return error;
  return CheckWhole(out);
}

class Parser {
 public:
  Parser(int64_t now_ms, std::vector<Notification>& out) : now_ms_(now_ms), out_(out), first_(out.size()) {}

  std::optional<InputError> Json(std::string_view body) {
    const base::Result<JsonValue> value = ParseJson(body);
    if (!value.ok()) return Whole(value.status().message());
    if (!value->is_array()) return Add(*value, -1);
    for (ElementReader e(*value); e.Next();) {
      if (auto error = AddNext(e.value())) return error;
    }
    return NotEmpty();
  }

  std::optional<InputError> Lines(std::string_view body) {
    while (!body.empty()) {
      const size_t end = std::min(body.find('\n'), body.size());
      const std::string_view line = body.substr(0, end);
      body.remove_prefix(std::min(end + 1, body.size()));
      if (line.find_first_not_of(" \t\r") == line.npos) continue;
      const base::Result<JsonValue> value = ParseJson(line);
      if (!value.ok()) return Fail({index(), "", std::string(value.status().message()) + " (in its line)"});
      if (auto error = AddNext(*value)) return error;
    }
    return NotEmpty();
  }

 private:
  int64_t index() const { return static_cast<int64_t>(out_.size() - first_); }

  std::optional<InputError> AddNext(JsonValue value) {
    if (out_.size() - first_ == model::kMaxNotificationsPerRequest) {
      return Whole("expected at most " + std::to_string(model::kMaxNotificationsPerRequest) + " notifications");
    }
    return Add(value, index());
  }

  std::optional<InputError> Add(JsonValue value, int64_t index) {
    if (MaybeError error = ParseOne(value, now_ms_, out_.emplace_back())) {
      return Fail({index, std::move(error->field), std::move(error->message)});
    }
    return std::nullopt;
  }

  std::optional<InputError> NotEmpty() {
    if (out_.size() > first_) return std::nullopt;
    return Whole("expected at least one notification");
  }
  std::optional<InputError> Whole(std::string_view message) { return Fail({-1, "", std::string(message)}); }
  InputError Fail(InputError error) {
    out_.resize(first_);
    return error;
  }

  const int64_t now_ms_;
  std::vector<Notification>& out_;
  const size_t first_;
};

}  // namespace

std::optional<PublishType> ParsePublishType(std::string_view content_type) {
  const auto trim = [](std::string_view text) {
    const size_t first = text.find_first_not_of(" \t");
    if (first == text.npos) return std::string_view();
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
  };
  const size_t semicolon = std::min(content_type.find(';'), content_type.size());
  const std::string_view type = trim(content_type.substr(0, semicolon));
  std::string_view parameters = content_type.substr(semicolon);
  while (!parameters.empty()) {
    parameters.remove_prefix(1);
    const size_t end = std::min(parameters.find(';'), parameters.size());
    const std::string_view parameter = trim(parameters.substr(0, end));
    parameters.remove_prefix(end);
    if (!parameter.empty() && !EqualsIgnoreCase(parameter, "charset=utf-8") &&
        !EqualsIgnoreCase(parameter, "charset=\"utf-8\"")) {
      return std::nullopt;
    }
  }
  if (type.empty() || EqualsIgnoreCase(type, "application/json")) return PublishType::kJson;
  if (EqualsIgnoreCase(type, "application/x-ndjson")) return PublishType::kNdjson;
  return std::nullopt;
}

std::optional<InputError> ParsePublish(PublishType type, std::string_view body, int64_t now_ms,
                                       std::vector<Notification>& out) {
  Parser parser(now_ms, out);
  return type == PublishType::kJson ? parser.Json(body) : parser.Lines(body);
}

}  // namespace tocsin::wire
