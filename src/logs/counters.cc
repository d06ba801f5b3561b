#include "logs/counters.h"

namespace tocsin::logs {

base::Counter collapsed("tocsin_notifications_ended_total", "Notifications by how they ended", "reason=\"collapsed\"");
base::Counter expired("tocsin_notifications_ended_total", "Notifications by how they ended", "reason=\"expired\"");

}  // namespace tocsin::logs
