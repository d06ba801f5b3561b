#include "base/log.h"

#include <atomic>
#include <cmath>
#include <cstdio>
#include <ctime>

#include <unistd.h>

#include "base/utf8.h"

namespace tocsin::base {
namespace {

std::atomic<Level> threshold{Level::kInfo};

void AppendCodePoint(std::string& out, unsigned value) {
  char escape[8];
  std::snprintf(escape, sizeof escape, "\\u%04x", value);
  out += escape;
}

// What is not UTF-8 becomes U+FFFD, and control characters (C1 too) are escaped: a peer's bytes reach no terminal.
void AppendEscaped(std::string& out, std::string_view text) {
  out.push_back('"');
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    const auto byte = static_cast<unsigned char>(text[0]);
    if (length == 0) {
      AppendCodePoint(out, 0xfffd);
    } else if (byte < 0x20 || byte == 0x7f) {
      AppendCodePoint(out, byte);
    } else if (byte == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0) {
      AppendCodePoint(out, static_cast<unsigned char>(text[1]));
    } else {
      if (byte == '"' || byte == '\\') out.push_back('\\');
      out.append(text, 0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  out.push_back('"');
}

void AppendTime(std::string& out) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  tm utc{};
  gmtime_r(&now.tv_sec, &utc);
  char text[40];
  size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  std::snprintf(text + length, sizeof text - length, ".%03ldZ", now.tv_nsec / 1'000'000);
  out += text;
}

struct AppendValue {
  std::string& out;
  void operator()(int64_t v) const { out += std::to_string(v); }
  void operator()(bool v) const { out += v ? "true" : "false"; }
  void operator()(double v) const {
    char text[32];
    std::snprintf(text, sizeof text, "%.6g", v);
    out += std::isfinite(v) ? text : "null";
  }
  void operator()(std::string_view v) const { AppendEscaped(out, v); }
};

}  // namespace

void SetLogLevel(Level level) { threshold.store(level, std::memory_order_relaxed); }

void Log(Level level, std::string_view event, std::initializer_list<Field> fields) {
  if (level < threshold.load(std::memory_order_relaxed)) return;
  static constexpr std::string_view kNames[] = {"debug", "info", "warn", "error"};
  std::string line = "{\"ts\":\"";
  AppendTime(line);
  line += "\",\"level\":\"";
  line += kNames[static_cast<size_t>(level)];
  line += "\",\"event\":";
  AppendEscaped(line, event);
  for (const Field& field : fields) {
    line.push_back(',');
    AppendEscaped(line, field.name);
    line.push_back(':');
    std::visit(AppendValue{line}, field.value);
  }
  line += "}\n";
  ssize_t written = write(STDERR_FILENO, line.data(), line.size());
  static_cast<void>(written);  // when standard error is gone there is nowhere left to say so
}

}  // namespace tocsin::base
