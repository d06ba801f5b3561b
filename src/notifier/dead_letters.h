// Dead letters: entries that could not be processed, kept in the stream `<stream>:dead` with the reason until an
// operator has them tried again or drops them. The original fields follow those of ours.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "streams/engine.h"

namespace tocsin::notifier {

inline constexpr std::string_view kDeadSuffix = ":dead";

struct DeadLetter {
  std::string_view stream;
  std::string_view group;  // that gave it up
  std::string_view reason;
  uint64_t attempts = 1;
};

// Why a delivery limit has given an entry up. `consumer`: the last that had it; empty: nobody has.
std::string ReasonOf(uint64_t deliveries, std::string_view consumer, int64_t idle_ms);

// Appends it, counts it and tells the log. A failure is the store's.
base::Status AddDeadLetter(streams::StreamEngine& streams, const DeadLetter& letter, const streams::EntryView& entry);

}  // namespace tocsin::notifier
