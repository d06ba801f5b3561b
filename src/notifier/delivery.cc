#include "notifier/delivery.h"

#include "model/topic.h"
#include "notifier/counters.h"
#include "notifier/digest.h"
#include "notifier/expiry_timer.h"
#include "notifier/rate_limiter.h"
#include "notifier/rendered_item.h"
#include "notifier/schedule.h"
#include "state/delivery_decision.h"

namespace tocsin::notifier {

using base::Result;
using base::Status;
using storage::Batch;

Status Delivery::Deliver(const Parcel& parcel, Batch& batch) {
  const std::string json = RenderItem(parcel.nid, static_cast<uint64_t>(parcel.at_ms), parcel.notification);
  const logs::NewItem item{.nid = parcel.nid,
                           .priority = parcel.notification.priority,
                           .json = json,
                           .traits = TraitsOf(parcel.notification)};
  for (const std::string& user : parcel.users) {
    auto verdict = Decide(parcel, user, batch);
    if (!verdict.ok()) return verdict.status();
    if (*verdict == Verdict::kDone) continue;
    RETURN_IF_ERROR(user_logs_.Append(user, item, parcel.source, batch));
  }
  if (item.traits.expires_ms == 0 || parcel.users.empty()) return base::Ok();
  const size_t everybody = parcel.notification.users.size();
  return expiry_.Put(ExpiryTimer(parcel.nid, parcel.users, everybody, item.traits.expires_ms), batch);
}

// A repeat is not asked about: it would be held, or counted, a second time.
Result<Delivery::Verdict> Delivery::Decide(const Parcel& parcel, const std::string& user, Batch& batch) {
  if (preferences_ == nullptr) return Verdict::kAppend;
  const model::Notification& notification = parcel.notification;
  auto preferences = preferences_->Of(user);
  if (!preferences.ok()) return preferences.status();
  // A topic is no user: what is published there once is told once.
  const bool limited = limiter_->Limits(notification) && !IsDigest(parcel.nid) && !model::IsTopicLog(user);
  if (*preferences == nullptr && !limited) return Verdict::kAppend;
  auto has = user_logs_.Has(user, notification.priority, parcel.source);
  if (!has.ok()) return has.status();
  if (*has) return Verdict::kAppend;

  using What = state::Decision::What;
  state::Decision decision;
  if (*preferences != nullptr) {
    decision = state::Decide(**preferences, notification.category, notification.priority, parcel.at_ms, parcel.held);
  }
  if (decision.what == What::kHold) {
    RETURN_IF_ERROR(schedule_->Hold(parcel.nid, user, notification, decision.until_ms, batch));
    ++held_;
  } else if (decision.what == What::kMute) {
    ++muted_;
  } else {
    if (!limited) return Verdict::kAppend;
    auto passage = limiter_->Pass(user, parcel.nid, notification, parcel.at_ms, batch);
    if (!passage.ok()) return passage.status();
    if (*passage == state::Passage::kDeliver) return Verdict::kAppend;
  }
  RETURN_IF_ERROR(user_logs_.PassOver(user, notification.priority, parcel.source));
  return Verdict::kDone;
}

void Delivery::AfterCommit(const Status& status) {
  if (status.ok()) {
    ended_muted.Add(muted_);
    held_quiet.Add(held_);
  }
  muted_ = held_ = 0;
}

}  // namespace tocsin::notifier
