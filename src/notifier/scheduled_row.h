// What a timer of the kind kDeliver says, on either store: which notification, for whom. Its payload holds the fields
// of the notification as they are in an entry; its weight is the number of users.
//
//   name    nid             what is to be delivered later (`deliver_at`), for all its users
//           nid '\0' user   what is held back for one of them (quiet hours)
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/notification.h"
#include "notifier/timer.h"

namespace tocsin::notifier {

// Behind the name of a stream: what the logs take its firings for.
inline constexpr std::string_view kScheduledSuffix = "#scheduled";

struct TimerNameParts {
  std::string_view nid, user;  // user empty: all of them
};
TimerNameParts PartsOfName(std::string_view name);
std::string HeldName(std::string_view nid, std::string_view user);

// `nid` names an entry. Its own time is the timer's.
Timer ScheduledTimer(std::string_view nid, const model::Notification& notification);
Timer HeldTimer(std::string_view nid, const std::string& user, const model::Notification& notification,
                int64_t until_ms);

std::string EncodeFields(const model::StreamFields& fields);
// kCorruption when these are no fields.
base::Result<model::StreamFields> DecodeFields(std::string_view payload);
// Of a payload; its users are those of the timer. kCorruption, or kInvalidArgument when rules have changed since it was
// accepted.
base::Result<model::Notification> DecodeScheduled(std::string_view payload);

}  // namespace tocsin::notifier
