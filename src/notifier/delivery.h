// Delivery: takes a notification into the logs of users, on the embedded store. Everything that becomes one there comes
// through here, whatever brought it: the router an entry of an ingest stream, the schedule what was to be delivered
// later. So what decides whether and how a user gets it has this one home (on Redis: nodes/redis_delivery.h).
//
// What is decided is decided by `at_ms`, never by the clock: taken again after a crash, it comes out the same.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "logs/user_logs.h"
#include "model/notification.h"
#include "storage/store.h"

namespace tocsin::notifier {

// Nothing is owned.
struct Parcel {
  std::string_view nid;
  const model::Notification& notification;
  std::span<const std::string> users;  // who is to get it: all of the notification's, or some of them
  int64_t at_ms = 0;                   // when it is delivered: when it was accepted, or its time came; the item's `ts`
  logs::Source source;                 // what the logs take it for
};

class Delivery {
 public:
  // Not owned.
  explicit Delivery(logs::UserLogs& user_logs) : user_logs_(user_logs) {}

  // On the commit thread. A failure is the store's: the turn should fail with it.
  base::Status Deliver(const Parcel& parcel, storage::Batch& batch);

 private:
  logs::UserLogs& user_logs_;
};

}  // namespace tocsin::notifier
