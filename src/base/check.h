// CHECK: for what can only be false through a bug of ours. On in release: a wrong server stops, it does not go on
// lying. No input of a peer, a file or a clock may reach one; those failures are a Status (base/result.h).
#pragma once

#include <string_view>

namespace tocsin::base {

// Prints the failed condition and where it stands to standard error and aborts.
[[noreturn]] void CheckFailed(std::string_view condition, std::string_view file, int line, std::string_view message);

}  // namespace tocsin::base

#define CHECK(condition)                               \
  (static_cast<bool>(condition) ? static_cast<void>(0) \
                                : ::tocsin::base::CheckFailed(#condition, __FILE__, __LINE__, {}))
#define CHECK_MSG(condition, message)                  \
  (static_cast<bool>(condition) ? static_cast<void>(0) \
                                : ::tocsin::base::CheckFailed(#condition, __FILE__, __LINE__, message))
