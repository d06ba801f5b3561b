// What becomes of notifications on their way into the logs, counted by whichever router takes them there.
#pragma once

#include "base/metrics.h"

namespace tocsin::notifier {

extern base::Counter routed;
extern base::Counter unknown_priorities;
extern base::Counter dead_lettered;
// For one user each: what the user mutes; what was summed up in a digest.
extern base::Counter ended_muted, ended_digested;
// Held back until a user's quiet hours end.
extern base::Counter held_quiet;
// Of what was to be delivered later.
extern base::Counter scheduled_fired;
extern base::Counter scheduled_cancelled;
extern base::Gauge scheduled_pending;
// Taken out of the stream by somebody else while it was pending: nobody can be told of it any more.
extern base::Counter taken_away;

// The same for other groups.
extern base::Counter pending_gone;
// Entries that retention took from a stream; of them those that a group still needed.
extern base::Counter trimmed_entries;
extern base::Counter trimmed_needed;

}  // namespace tocsin::notifier
