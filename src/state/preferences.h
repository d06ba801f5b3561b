// Preferences: what a user has said about deliveries. The record that the API gives and takes, and that both stores
// keep, is the same JSON:
//   {"mute":["marketing"],"quiet_hours":{"tz":"Europe/Berlin","from":"22:00","to":"07:00"}}
// Members that say nothing are left out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tocsin::state {

// Every day from one time of the day until another, by the clocks of a zone; over midnight where `from` is later.
struct QuietHours {
  std::string tz{};      // a name of the IANA database
  int from = 0, to = 0;  // minutes of the day, never equal
  friend bool operator==(const QuietHours&, const QuietHours&) = default;
};

struct Preferences {
  std::vector<std::string> mute{};  // categories, sorted, each once
  std::optional<QuietHours> quiet_hours{};

  bool empty() const { return mute.empty() && !quiet_hours; }
  bool Mutes(std::string_view category) const;
  friend bool operator==(const Preferences&, const Preferences&) = default;
};

struct FieldError {
  std::string field;    // "quiet_hours.tz"; empty: the body as a whole
  std::string message;  // what is allowed
};

// From a client: everything is checked, that there is such a time zone too. A member that is null counts as not sent.
// `out` is set whole or not touched.
std::optional<FieldError> ParsePreferences(std::string_view json, Preferences& out);

std::string RenderPreferences(const Preferences& preferences);

// From a store: as RenderPreferences wrote it. Zones are not looked up: they may have gone since. Empty: none are
// stored. kCorruption: it cannot be read.
base::Result<Preferences> DecodePreferences(std::string_view stored);

}  // namespace tocsin::state
