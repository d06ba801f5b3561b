#include "notifier/counters.h"

namespace tocsin::notifier {

base::Counter routed("tocsin_notifications_routed_total", "Notifications routed to user logs");
base::Counter unknown_priorities("tocsin_unknown_priorities_total",
                                 "Entries whose priority is none of ours, taken as normal");
base::Counter dead_lettered("tocsin_notifications_ended_total", "Notifications by how they ended",
                            "reason=\"dead_lettered\"");
base::Counter ended_muted("tocsin_notifications_ended_total", "Notifications by how they ended", "reason=\"muted\"");
base::Counter ended_digested("tocsin_notifications_ended_total", "Notifications by how they ended",
                             "reason=\"digested\"");
base::Counter held_quiet("tocsin_notifications_held_total", "Notifications held back for a user until quiet hours end");
base::Counter scheduled_fired("tocsin_notifications_fired_total", "Scheduled notifications delivered at their time");
base::Counter scheduled_cancelled("tocsin_notifications_ended_total", "Notifications by how they ended",
                                  "reason=\"cancelled\"");
base::Gauge scheduled_pending("tocsin_notifications_scheduled", "Notifications that wait for their time");
base::Counter taken_away("tocsin_notifications_ended_total", "Notifications by how they ended",
                         "reason=\"taken_away\"");

base::Counter pending_gone("tocsin_pending_gone_total", "Pending entries that were no longer in their stream");
base::Counter trimmed_entries("tocsin_trimmed_entries_total", "Stream entries that retention has trimmed");
base::Counter trimmed_needed("tocsin_trimmed_needed_total",
                             "Stream entries that retention has trimmed though a group had not acknowledged them");

}  // namespace tocsin::notifier
