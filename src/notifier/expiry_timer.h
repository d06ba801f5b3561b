// What a timer of the kind kExpire says, on either store: which notification ends in whose logs.
//
//   name    nid             for all its users            payload   the logs, each behind its length
//           nid '\0' user   for one of them              weight    how many
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "notifier/timer.h"

namespace tocsin::notifier {

// `everybody`: how many users its notification has.
Timer ExpiryTimer(std::string_view nid, std::span<const std::string> users, size_t everybody, int64_t expires_ms);
// The logs of a payload. kCorruption: it is none.
base::Result<std::vector<std::string>> LogsOfExpiry(std::string_view payload);

}  // namespace tocsin::notifier
