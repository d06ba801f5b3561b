// What becomes of a notification for one user who has preferences, decided without a store and without a clock.
//
// 1. A category that the user mutes is not delivered, whatever its priority: the user has said so of just this
//    category.
// 2. Within quiet hours it is held until they end. Priority `critical` passes them.
// 3. It is held once: when the quiet hours end that it came in, it is delivered, whatever they are by then.
// 4. Quiet hours go by the clocks of the user's zone, day by day: from the moment that they show `from` until they next
//    show `to`. A change to summer time may shorten a window, a change back may lengthen it. A time that is skipped
//    counts as the moment of the change; of a time that is shown twice the first begins a window and the second ends
//    it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "model/notification.h"
#include "state/preferences.h"

namespace tocsin::state {

struct Decision {
  enum class What : uint8_t { kDeliver, kMute, kHold };
  What what = What::kDeliver;
  int64_t until_ms = 0;  // of kHold: when it is to be delivered, ms since 1970; later than now
  friend bool operator==(const Decision&, const Decision&) = default;
};

enum class Held : uint8_t { kNo, kYes };  // it was held before

// Where a zone cannot be found (any more) it delivers: to be told at night is better than never.
Decision Decide(const Preferences& preferences, std::string_view category, model::Priority priority, int64_t now_ms,
                Held held = Held::kNo);

// When the quiet hours end that `now_ms` lies in; nothing: it lies in none. A failure: as TimeZone::Find.
base::Result<std::optional<int64_t>> QuietUntil(const QuietHours& quiet, int64_t now_ms);

}  // namespace tocsin::state
