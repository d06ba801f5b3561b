// Redelivery: what a group does with entries that were delivered and not acknowledged. A group without a rule leaves
// them where they are, as Redis does.
//
// 1. An entry that has been pending for its delay is due. Whoever reads the group's new entries (XREADGROUP with `>`)
//    gets what is due first, whose consumer it was before. Consumers need to know nothing of it.
// 2. The delay grows with each delivery: backoff. An entry that a consumer gave back (XNACK FAIL) waits for it, too;
//    one whose delivery did not count (XNACK SILENT) is due at once.
// 3. An entry that is due after its last delivery is delivered no more. StreamEngine::TakeExhausted names it, and the
//    notifier makes it a dead letter. So is one that must not be tried again (XNACK FATAL), at once.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tocsin::streams {

struct Pending;

struct Redelivery {
  int64_t after_ms = 60'000;
  uint32_t backoff = 2;            // by what each delay is longer than the one before; 1: all the same
  int64_t longest_ms = 3'600'000;  // no delay is longer
  uint64_t max_deliveries = 0;     // 0: as many as it takes

  // After so many deliveries.
  int64_t DelayMs(uint64_t deliveries) const;
  // Wall clock; INT64_MIN: at once.
  int64_t DueMs(const Pending& pending) const;
  bool IsExhausted(const Pending& pending) const;
};

// For the groups of this name, or of every name (`*`), of one stream.
struct RedeliveryRule {
  std::string stream;
  std::string group;
  Redelivery redelivery;

  bool Concerns(std::string_view key, std::string_view of_group) const {
    return stream == key && (group == "*" || group == of_group);
  }
};

}  // namespace tocsin::streams
