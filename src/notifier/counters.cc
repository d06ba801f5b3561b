#include "notifier/counters.h"

namespace tocsin::notifier {

base::Counter routed("tocsin_notifications_routed_total", "Notifications routed to user logs");
base::Counter unknown_priorities("tocsin_unknown_priorities_total",
                                 "Entries whose priority is none of ours, taken as normal");
base::Counter dead_lettered("tocsin_notifications_ended_total", "Notifications by how they ended",
                            "reason=\"dead_lettered\"");
base::Counter taken_away("tocsin_notifications_ended_total", "Notifications by how they ended",
                         "reason=\"taken_away\"");

}  // namespace tocsin::notifier
