#include "notifier/delivery.h"

#include "notifier/rendered_item.h"

namespace tocsin::notifier {

base::Status Delivery::Deliver(const Parcel& parcel, storage::Batch& batch) {
  const std::string json = RenderItem(parcel.nid, static_cast<uint64_t>(parcel.at_ms), parcel.notification);
  const logs::NewItem item{.nid = parcel.nid,
                           .priority = parcel.notification.priority,
                           .json = json,
                           .traits = TraitsOf(parcel.notification)};
  for (const std::string& user : parcel.users) {
    RETURN_IF_ERROR(user_logs_.Append(user, item, parcel.source, batch));
  }
  return base::Ok();
}

}  // namespace tocsin::notifier
