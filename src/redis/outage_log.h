// OutageLog: a line for an outage, not for every try: where the reason is new, or a minute has passed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/log.h"

namespace tocsin::redis {

class OutageLog {
 public:
  explicit OutageLog(std::string_view event) : event_(event) {}  // a literal
  void Failed(std::string_view address, std::string_view why, int64_t now_ms) {
    if (why == logged_ && now_ms - logged_ms_ < kAgainMs) return;
    logged_ = why;
    logged_ms_ = now_ms;
    base::Log(base::Level::kWarn, event_, {{"address", address}, {"why", why}});
  }
  void Recovered() { logged_.clear(); }

 private:
  static constexpr int64_t kAgainMs = 60'000;
  const std::string_view event_;
  std::string logged_;
  int64_t logged_ms_ = 0;
};

}  // namespace tocsin::redis
