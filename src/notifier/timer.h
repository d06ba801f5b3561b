// Timer: something that is to be done at a time, kept in the store until it is done. Whichever store that is:
// notifier/timers.h and nodes/redis_timers.h keep them.
//
// What may rest on it, on both stores:
// 1. It is put only if there is none of that kind and name, so what is taken twice is put once.
// 2. It is done at its time or after it by the wall clock, never before; a removed one never, any other at least once.
//    Each doing has a number, higher than all before it of that kind, and given once: who does it a second time after a
//    crash (on Redis) is told the same number, and passes over what it has done by it. The number is no less than the
//    time in microseconds at which the timer began to fire.
// 3. In the order of their times, then of `order`, then of their names.
#pragma once

#include <cstdint>
#include <string>

#include "model/entry_id.h"

namespace tocsin::notifier {

// Each kind has names, numbers and an owner of its own. Stored.
enum class TimerKind : char {
  kDeliver = 'd',    // a notification for some users: notifier/schedule.h
  kCancelled = 'c',  // that a notification was cancelled is remembered until then
  kExpire = 'e',
  kDigest = 'g',
};

struct Timer {
  std::string name{};  // of any bytes, at least one
  int64_t due_ms = 0;
  model::EntryId order{};
  uint64_t weight = 1;    // about how many writes it takes to do it: bounds a turn
  std::string payload{};  // whatever its owner makes of it
};

}  // namespace tocsin::notifier
