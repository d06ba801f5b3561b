#include "notifier/expiry.h"

#include "base/log.h"
#include "notifier/expiry_timer.h"
#include "notifier/scheduled_row.h"

namespace tocsin::notifier {

base::Status Expiry::Put(const Timer& timer, storage::Batch& batch) {
  auto put = timers_.Put(timer, batch);
  return put.ok() ? base::Ok() : put.status();
}

base::Status Expiry::OnDue(const Timer& timer, uint64_t, storage::Batch& batch) {
  const std::string_view nid = PartsOfName(timer.name).nid;
  auto logs = LogsOfExpiry(timer.payload);
  if (!logs.ok()) {
    base::Log(base::Level::kError, "expiry_unreadable", {{"nid", nid}, {"why", logs.status().message()}});
    return base::Ok();  // the item stays hidden all the same
  }
  for (const std::string& log : *logs) {
    auto counts = user_logs_.Mark({.user = log, .op = model::MarkOp::kExpire, .nids = {std::string(nid)}}, batch);
    if (!counts.ok()) return counts.status();
  }
  return base::Ok();
}

}  // namespace tocsin::notifier
