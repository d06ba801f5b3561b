#include "wire/notification_fields.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <vector>

#include "model/limits.h"
#include "model/topic.h"
#include "wire/instant.h"
#include "wire/json.h"
#include "wire/notification_rules.h"

namespace tocsin::wire {
namespace {

using base::Code;
using base::Status;
using model::Notification;

using FieldView = std::pair<std::string_view, std::string_view>;

std::string UsersJson(const std::vector<std::string>& users) {
  std::string out = "[";
  for (const std::string& user : users) {
    if (out.size() > 1) out.push_back(',');
    AppendJsonString(out, user);
  }
  out.push_back(']');
  return out;
}

std::string ActionsJson(const std::vector<model::Action>& actions) {
  std::string out = "[";
  for (const model::Action& action : actions) {
    out += out.size() > 1 ? ",{\"id\":" : "{\"id\":";
    AppendJsonString(out, action.id);
    out += ",\"title\":";
    AppendJsonString(out, action.title);
    if (!action.url.empty()) {
      out += ",\"url\":";
      AppendJsonString(out, action.url);
    }
    out.push_back('}');
  }
  out.push_back(']');
  return out;
}

// Field names come from anywhere: for a message they are cut, and what is not UTF-8 is not shown.
std::string Shown(std::string_view name) {
  if (!model::IsValidUtf8(name)) return "(not UTF-8)";
  size_t size = std::min<size_t>(name.size(), 64);
  while (size > 0 && size < name.size() && (static_cast<unsigned char>(name[size]) & 0xc0) == 0x80) --size;
  return std::string(name.substr(0, size));
}

Status Refused(const FieldError& error) {
  return Status(Code::kInvalidArgument, "`" + Shown(error.field) + "`: " + error.message);
}

std::optional<int64_t> ParseSeconds(std::string_view text) {
  int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return seconds;
}

// Collects an entry's fields; what belongs together (`data` and the unknown ones) is joined at the end.
class EntryReader {
 public:
  MaybeError Set(std::string_view name, std::string_view value) {
    if (value.empty() && IsKnown(name)) return std::nullopt;
    if (name == "message") return SetMessage(value, out_);
    if (name == "title") return SetTitle(value, out_);
    if (name == "url") return SetLink(name, value, out_.url);
    if (name == "icon") return SetLink(name, value, out_.icon);
    if (name == "lang") return SetLang(value, out_);
    if (name == "user_id" || name == "user_ids" || name == "topic") return SetRecipients(name, value);
    if (name == "priority") {
      const std::optional<model::Priority> priority = model::ParsePriority(value);
      out_.priority = priority.value_or(model::Priority::kNormal);
      if (!priority) unknown_priority_ = UnknownPriority::kYes;
      return std::nullopt;
    }
    if (name == "actions") {
      const base::Result<JsonValue> list = ParseJson(value);
      return list.ok() ? SetActions(*list, out_) : FieldError{"actions", std::string(list.status().message())};
    }
    if (name == "data") return SetData(value);
    if (name == "category") return SetCategory(value, out_);
    if (name == "collapse_key") return SetCollapseKey(value, out_);
    if (name == "deliver_at") return SetDeliverAt(ParseInstant(value), out_);
    if (name == "expires_at") return SetExpiresAt(ParseInstant(value), out_);
    if (name == "ttl_s") return SetTtl(ParseSeconds(value), out_);
    if (IsLaterField(name)) return FieldError{std::string(name), std::string(kNotSupportedYet)};
    return SetUnknown(name, value);
  }

  MaybeError Finish() {
    if (out_.users.empty()) return FieldError{"user_id", std::string(kNoRecipient)};
    if (MaybeError error = CheckWhole(out_)) return error;
    return JoinUnknown();
  }

  Notification& notification() { return out_; }
  UnknownPriority unknown_priority() const { return unknown_priority_; }

 private:
  static bool IsKnown(std::string_view name) {
    return name == "message" || name == "title" || name == "url" || name == "icon" || name == "lang" ||
           name == "user_id" || name == "user_ids" || name == "topic" || name == "priority" || name == "actions" ||
           name == "data" || name == "deliver_at" || name == "expires_at" || name == "ttl_s" || name == "category" ||
           name == "collapse_key" || IsLaterField(name);
  }

  MaybeError SetRecipients(std::string_view name, std::string_view value) {
    if (!out_.users.empty()) return FieldError{std::string(name), std::string(kOneRecipientField)};
    if (name == "user_id") return SetUser(name, value, out_);
    if (name == "topic") return SetTopic(value, out_);
    const base::Result<JsonValue> list = ParseJson(value);
    return list.ok() ? SetUsers(name, *list, out_) : FieldError{"user_ids", std::string(list.status().message())};
  }

  MaybeError SetData(std::string_view value) {
    const base::Result<JsonValue> data = ParseJson(value);
    if (!data.ok()) return FieldError{"data", std::string(data.status().message())};
    if (MaybeError error = CheckData(*data)) return error;
    out_.data = data->raw;
    return std::nullopt;
  }

  MaybeError SetUnknown(std::string_view name, std::string_view value) {
    if (!model::IsValidUtf8(name) || !model::IsValidUtf8(value)) {
      return FieldError{std::string(name), "goes into `data`, which takes UTF-8 only"};
    }
    AppendJsonString(unknown_.emplace_back().second, value);
    unknown_.back().first = name;
    unknown_bytes_ += name.size() + value.size();
    if (unknown_bytes_ > model::kMaxJsonField) return TooMuch();
    return std::nullopt;
  }

  MaybeError JoinUnknown() {
    if (unknown_.empty()) return std::nullopt;
    std::string& data = out_.data;
    if (data.empty()) data = "{}";
    bool empty = Members({JsonKind::kObject, data}).empty();
    data.pop_back();  // `}`
    for (const auto& [name, json] : unknown_) {
      if (!empty) data.push_back(',');
      empty = false;
      AppendJsonString(data, name);
      data.push_back(':');
      data += json;
    }
    data.push_back('}');
    if (data.size() > model::kMaxJsonField) return TooMuch();
    // The one thing that joining can break.
    const base::Result<JsonValue> joined = ParseJson(data);
    if (!joined.ok()) return FieldError{"data", "has a key that is also a field of the entry"};
    return std::nullopt;
  }

  static FieldError TooMuch() {
    return {"data", "expected at most " + std::to_string(model::kMaxJsonField) +
                        " bytes of JSON, with the unknown fields in it"};
  }

  Notification out_;
  std::vector<std::pair<std::string, std::string>> unknown_;  // name, value as a JSON string
  size_t unknown_bytes_ = 0;
  UnknownPriority unknown_priority_ = UnknownPriority::kNo;
};

// A name that stands twice: which one counts would be anybody's guess.
std::optional<std::string_view> Twice(std::span<const FieldView> fields) {
  std::vector<std::string_view> names;
  names.reserve(fields.size());
  for (const FieldView& field : fields) names.push_back(field.first);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice == names.end()) return std::nullopt;
  return *twice;
}

}  // namespace

model::StreamFields ToFields(const Notification& notification) {
  model::StreamFields fields;
  fields.reserve(5);
  const auto add = [&fields](std::string_view name, std::string value) {
    if (!value.empty()) fields.emplace_back(name, std::move(value));
  };
  if (notification.users.size() == 1 && model::IsTopicLog(notification.users.front())) {
    add("topic", std::string(model::TopicOf(notification.users.front())));
  } else if (notification.users.size() == 1) {
    add("user_id", notification.users.front());
  } else {
    add("user_ids", UsersJson(notification.users));
  }
  add("message", notification.message);
  add("title", notification.title);
  add("url", notification.url);
  add("icon", notification.icon);
  add("lang", notification.lang);
  if (!notification.actions.empty()) add("actions", ActionsJson(notification.actions));
  add("priority", std::string(model::PriorityName(notification.priority)));
  add("data", notification.data);
  if (notification.deliver_at_ms) add("deliver_at", std::to_string(*notification.deliver_at_ms));
  if (notification.expires_at_ms) add("expires_at", std::to_string(*notification.expires_at_ms));
  if (notification.ttl_s) add("ttl_s", std::to_string(*notification.ttl_s));
  add("category", notification.category);
  add("collapse_key", notification.collapse_key);
  return fields;
}

model::Priority PriorityOf(std::span<const FieldView> fields) {
  const auto found =
      std::find_if(fields.begin(), fields.end(), [](const FieldView& f) { return f.first == "priority"; });
  if (found == fields.end()) return model::Priority::kNormal;
  return model::ParsePriority(found->second).value_or(model::Priority::kNormal);
}

bool HasCollapseKey(std::span<const FieldView> fields) {
  return std::any_of(fields.begin(), fields.end(),
                     [](const FieldView& f) { return f.first == "collapse_key" && !f.second.empty(); });
}

base::Result<Notification> FromFields(std::span<const FieldView> fields, UnknownPriority* unknown_priority) {
  if (const std::optional<std::string_view> name = Twice(fields)) {
    return Refused({std::string(*name), "given twice"});
  }
  EntryReader reader;
  for (const auto& [name, value] : fields) {
    if (MaybeError error = reader.Set(name, value)) return Refused(*error);
  }
  if (MaybeError error = reader.Finish()) return Refused(*error);
  if (unknown_priority != nullptr) *unknown_priority = reader.unknown_priority();
  return std::move(reader.notification());
}

base::Result<Notification> FromFields(const model::StreamFields& fields, UnknownPriority* unknown_priority) {
  const std::vector<FieldView> views(fields.begin(), fields.end());
  return FromFields(std::span<const FieldView>(views), unknown_priority);
}

base::Result<Notification> FromEntry(std::span<const FieldView> fields, uint64_t accepted_ms,
                                     UnknownPriority* unknown_priority) {
  auto notification = FromFields(fields, unknown_priority);
  if (!notification.ok()) return notification;
  const auto accepted = static_cast<int64_t>(std::min<uint64_t>(accepted_ms, INT64_MAX));
  if (MaybeError error = CheckTimes(*notification, accepted)) return Refused(*error);
  if (notification->ttl_s) {
    const int64_t from = std::max(accepted, notification->deliver_at_ms.value_or(accepted));
    notification->expires_at_ms = from + *std::exchange(notification->ttl_s, std::nullopt) * 1'000;
  }
  return notification;
}

}  // namespace tocsin::wire
