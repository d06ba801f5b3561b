// Refusal: what a server says instead of running a command, where we know how to go on.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "redis/address.h"

namespace tocsin::redis {

struct Refusal {
  enum class Kind : uint8_t {
    kMoved,        // the slot is at `to` for good
    kAsk,          // this once, at `to`, behind ASKING
    kTryAgain,     // keys of the command are on both sides of a migration
    kLoading,      // the server reads its data
    kClusterDown,  // slots are not served
    kMasterDown,   // a replica without its primary
    kReadonly,     // a replica
    kNoScript,
  } kind;
  uint16_t slot = 0;  // kMoved, kAsk
  Endpoint to;        // kMoved, kAsk; an empty host is that of the server that said so
};

// Nothing: an error that the caller is to see.
std::optional<Refusal> ParseRefusal(std::string_view error);

}  // namespace tocsin::redis
