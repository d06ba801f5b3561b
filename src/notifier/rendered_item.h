// How a notification is written into a user's log: once, as the JSON that every device of the user will get.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "logs/log_entry.h"
#include "model/notification.h"

namespace tocsin::notifier {

// The members of an item's JSON object between `id` and `state`, which are added at sending:
//   "nid":"...","ts":...,"prio":"...","title":"...","body":"...",...
// Members that were not given are left out; `data` is the publisher's own bytes. `ts`: when it was accepted, ms.
std::string RenderItem(std::string_view nid, uint64_t ts_ms, const model::Notification& notification);
// What the log itself acts on.
logs::ItemTraits TraitsOf(const model::Notification& notification);

}  // namespace tocsin::notifier
