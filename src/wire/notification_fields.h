// A notification as the fields of an ingest entry: what HTTP publishing appends, and what producers XADD
// (docs: semantics, "XADD mapping").
//
//   user_id    one user id, or               actions    JSON array of {id, title, url}
//   user_ids   JSON array of user ids        data       JSON object
//   message, title, url, icon, lang, priority, category, collapse_key: their text
//   deliver_at, expires_at   ms since 1970, or RFC 3339      ttl_s      whole seconds
//
// 1. FromFields(ToFields(n)) is n, for every valid n.
// 2. An unknown field goes into `data` as a string; a field that a later version will know is refused until then.
// 3. An empty value counts as not given, and an unknown priority as `normal`. Anything else that is wrong is a
//    deterministic failure, whose message is the reason for the dead letter. It names the field, never the value.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "model/notification.h"

namespace tocsin::wire {

// Whether the entry had a priority that does not exist, to be counted.
enum class UnknownPriority : uint8_t { kNo, kYes };

model::StreamFields ToFields(const model::Notification& notification);

// What FromFields would make of the priority, whatever is wrong with the rest.
model::Priority PriorityOf(std::span<const std::pair<std::string_view, std::string_view>> fields);
bool HasCollapseKey(std::span<const std::pair<std::string_view, std::string_view>> fields);

// `fields` are names and values in the order given. kInvalidArgument with "`field`: what is allowed" otherwise.
// `unknown_priority` may be null.
base::Result<model::Notification> FromFields(std::span<const std::pair<std::string_view, std::string_view>> fields,
                                             UnknownPriority* unknown_priority = nullptr);
base::Result<model::Notification> FromFields(const model::StreamFields& fields,
                                             UnknownPriority* unknown_priority = nullptr);
// The same for the entry of an ingest stream: its times are held against its own, the ms of its id, and how long it
// lives becomes the moment at which it ends.
base::Result<model::Notification> FromEntry(std::span<const std::pair<std::string_view, std::string_view>> fields,
                                            uint64_t accepted_ms, UnknownPriority* unknown_priority = nullptr);

}  // namespace tocsin::wire
