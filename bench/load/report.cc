#include "load/report.h"

#include <cstdio>

namespace tocsin::bench {

void Report::Number(std::string_view name, double value) {
  char text[64];
  std::snprintf(text, sizeof text, "%.6g", value);
  fields_ += ",\"" + std::string(name) + "\":" + text;
}

void Report::Text(std::string_view name, std::string_view value) {
  fields_ += ",\"" + std::string(name) + "\":\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') {
      fields_ += '\\';
    }
    fields_ += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  fields_ += '"';
}

void Report::Invalid(std::string_view reason) {
  if (invalid_.empty()) {
    invalid_ = reason;
  }
}

void Report::Print() const {
  Report whole;
  if (!invalid_.empty()) {
    whole.Text("invalid", invalid_);
  }
  std::printf("{\"valid\":%s%s%s}\n", invalid_.empty() ? "true" : "false", whole.fields_.c_str(), fields_.c_str());
}

}  // namespace tocsin::bench
