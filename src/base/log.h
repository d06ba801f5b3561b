// The log: one JSON object a line on standard error, written whole by one write(2). Thread-safe.
//
//   Log(Level::kInfo, "ready", {{"http", address}, {"ms", 12}});
//
// `event` is a stable snake_case name that an operator can search for; what varies goes into fields. Secrets and the
// text of notifications are never logged.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

namespace tocsin::base {

enum class Level : unsigned char { kDebug, kInfo, kWarn, kError };

struct Field {
  template <std::integral T>
  Field(std::string_view n, T v) : name(n) {
    if constexpr (std::is_same_v<T, bool>) {
      value = v;
    } else {
      value = static_cast<int64_t>(v);
    }
  }
  Field(std::string_view n, double v) : name(n), value(v) {}
  Field(std::string_view n, std::string_view v) : name(n), value(v) {}
  Field(std::string_view n, const char* v) : name(n), value(std::string_view(v)) {}
  Field(std::string_view n, const std::string& v) : name(n), value(std::string_view(v)) {}

  std::string_view name;
  std::variant<int64_t, double, bool, std::string_view> value;
};

void Log(Level level, std::string_view event, std::initializer_list<Field> fields = {});

// Lines below `level` are dropped. Default: kInfo.
void SetLogLevel(Level level);

}  // namespace tocsin::base
