#include "state/preferences.h"

#include <algorithm>

#include "model/limits.h"
#include "state/time_zone.h"
#include "wire/json.h"

namespace tocsin::state {
namespace {

using base::Code;
using wire::JsonValue;
using MaybeError = std::optional<FieldError>;

enum class Zones : uint8_t { kChecked, kTaken };

FieldError Wrong(std::string_view field, std::string_view message) {
  return {std::string(field), std::string(message)};
}

MaybeError SetMute(JsonValue list, Preferences& out) {
  const std::string expected = "expected an array of at most " + std::to_string(model::kMaxMutedCategories) +
                               " categories, each a string of 1 to " + std::to_string(model::kMaxCategory) +
                               " bytes of UTF-8";
  if (!list.is_array()) return Wrong("mute", expected);
  size_t index = 0;
  for (wire::ElementReader e(list); e.Next(); ++index) {
    if (index == model::kMaxMutedCategories) return Wrong("mute", expected);
    const std::string category = wire::Text(e.value());
    if (category.empty() || category.size() > model::kMaxCategory) {
      return Wrong("mute[" + std::to_string(index) + "]",
                   "expected a string of 1 to " + std::to_string(model::kMaxCategory) + " bytes of UTF-8");
    }
    out.mute.push_back(category);
  }
  std::sort(out.mute.begin(), out.mute.end());
  out.mute.erase(std::unique(out.mute.begin(), out.mute.end()), out.mute.end());
  return std::nullopt;
}

// "HH:MM" as minutes of the day.
std::optional<int> ParseTime(std::string_view text) {
  auto digit = [&](size_t at) { return text[at] >= '0' && text[at] <= '9' ? text[at] - '0' : 100; };
  if (text.size() != 5 || text[2] != ':') return std::nullopt;
  const int hours = digit(0) * 10 + digit(1), minutes = digit(3) * 10 + digit(4);
  if (hours > 23 || minutes > 59) return std::nullopt;
  return hours * 60 + minutes;
}

MaybeError SetTime(std::string_view field, JsonValue value, std::optional<int>& out) {
  std::string scratch;
  out = value.is_string() ? ParseTime(wire::TextView(value, scratch)) : std::nullopt;
  if (out) return std::nullopt;
  return Wrong(field, "expected a time of the day from `00:00` to `23:59`");
}

MaybeError SetZone(JsonValue value, Zones zones, std::string& out) {
  constexpr std::string_view kExpected = "expected a time zone of the IANA database, such as `Europe/Berlin` or `UTC`";
  out = wire::Text(value);
  if (!value.is_string() || out.empty()) return Wrong("quiet_hours.tz", kExpected);
  if (zones == Zones::kTaken) return std::nullopt;
  const auto zone = TimeZone::Find(out);
  if (zone.ok()) return std::nullopt;
  if (zone.status().code() == Code::kInvalidArgument) return Wrong("quiet_hours.tz", kExpected);
  return Wrong("quiet_hours.tz", zone.status().message());
}

MaybeError SetQuietHours(JsonValue value, Zones zones, Preferences& out) {
  constexpr std::string_view kExpected = "expected an object with `tz`, `from` and `to`";
  if (!value.is_object()) return Wrong("quiet_hours", kExpected);
  QuietHours quiet;
  std::optional<int> from, to;
  for (wire::MemberReader m(value); m.Next();) {
    MaybeError error;
    if (m.key() == "tz") {
      error = SetZone(m.value(), zones, quiet.tz);
    } else if (m.key() == "from") {
      error = SetTime("quiet_hours.from", m.value(), from);
    } else if (m.key() == "to") {
      error = SetTime("quiet_hours.to", m.value(), to);
    } else {
      error = Wrong("quiet_hours." + std::string(m.key()), "there is no such field; `tz`, `from` and `to` are known");
    }
    if (error) return error;
  }
  if (quiet.tz.empty() || !from || !to) return Wrong("quiet_hours", kExpected);
  if (*from == *to) return Wrong("quiet_hours.to", "expected another time than `from`; to be told nothing, mute");
  quiet.from = *from;
  quiet.to = *to;
  out.quiet_hours = std::move(quiet);
  return std::nullopt;
}

MaybeError Parse(std::string_view json, Zones zones, Preferences& out) {
  auto body = wire::ParseJson(json);
  if (!body.ok()) return Wrong({}, body.status().message());
  if (!body->is_object()) return Wrong({}, "expected an object with `mute` and `quiet_hours`, or one of them");
  Preferences parsed;
  for (wire::MemberReader m(*body); m.Next();) {
    MaybeError error;
    if (m.key() != "mute" && m.key() != "quiet_hours") {
      return Wrong(m.key(), "there is no such field; `mute` and `quiet_hours` are known");
    }
    if (m.value().is_null()) continue;
    error = m.key() == "mute" ? SetMute(m.value(), parsed) : SetQuietHours(m.value(), zones, parsed);
    if (error) return error;
  }
  out = std::move(parsed);
  return std::nullopt;
}

std::string TimeText(int minutes) {
  const std::string hour = std::to_string(100 + minutes / 60), minute = std::to_string(100 + minutes % 60);
  return hour.substr(1) + ":" + minute.substr(1);
}

}  // namespace

bool Preferences::Mutes(std::string_view category) const {
  return !category.empty() && std::binary_search(mute.begin(), mute.end(), category);
}

MaybeError ParsePreferences(std::string_view json, Preferences& out) { return Parse(json, Zones::kChecked, out); }

std::string RenderPreferences(const Preferences& preferences) {
  std::string out = "{";
  if (!preferences.mute.empty()) {
    out += "\"mute\":[";
    for (const std::string& category : preferences.mute) {
      if (out.back() != '[') out += ",";
      wire::AppendJsonString(out, category);
    }
    out += "]";
  }
  if (preferences.quiet_hours) {
    if (out.size() > 1) out += ",";
    out += "\"quiet_hours\":{\"tz\":";
    wire::AppendJsonString(out, preferences.quiet_hours->tz);
    out += ",\"from\":\"" + TimeText(preferences.quiet_hours->from) + "\"";
    out += ",\"to\":\"" + TimeText(preferences.quiet_hours->to) + "\"}";
  }
  return out + "}";
}

base::Result<Preferences> DecodePreferences(std::string_view stored) {
  Preferences preferences;
  if (stored.empty()) return preferences;
  if (MaybeError error = Parse(stored, Zones::kTaken, preferences)) {
    return base::Status(Code::kCorruption,
                        "stored preferences cannot be read: " + error->field + ": " + error->message);
  }
  return preferences;
}

}  // namespace tocsin::state
