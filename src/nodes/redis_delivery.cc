#include "nodes/redis_delivery.h"

#include <utility>

#include "notifier/rendered_item.h"

namespace tocsin::nodes {
namespace {

using base::Code;
using base::Result;
using base::Status;

constexpr size_t kWindowBytes = 8 << 20;  // of a load's appends that are under way
constexpr size_t kAppendCost = 1'024;     // of what surrounds the items of one
constexpr size_t kTellAtOnce = 1'024;     // logs that have grown

}  // namespace

void RedisDelivery::Load::Add(Parcel parcel) {
  if (parcel.users.empty()) return;
  std::string json = notifier::RenderItem(parcel.nid, static_cast<uint64_t>(parcel.at_ms), parcel.notification);
  bytes_ += json.size();
  for (const std::string& user : parcel.users) {
    auto [found, is_new] = user_at_.try_emplace(user, users_.size());
    if (is_new) users_.push_back({user, {}});
    users_[found->second].second.push_back(items_.size());
  }
  items_.push_back({parcel.source, std::move(parcel.nid), parcel.notification.priority, std::move(json),
                    notifier::TraitsOf(parcel.notification)});
}

void RedisDelivery::Deliver(const std::shared_ptr<Load>& load, uint64_t fence,
                            std::function<void(const Status&)> then) {
  load->then_ = std::move(then);
  load->fence_ = fence;
  load->waiting_ = 1;  // this function's own share
  Append(load);
  Close(load);
}

// Side by side: each is of another user, so their order means nothing.
void RedisDelivery::Append(const std::shared_ptr<Load>& load) {
  while (load->next_user_ < load->users_.size() && load->under_way_ < kWindowBytes && load->failure_.ok() &&
         !load->abandoned_) {
    const auto& [user, items] = load->users_[load->next_user_++];
    logs::AppendRequest request{
        .user = user, .stream = stream_, .fence = load->fence_, .items = {}, .source_stream = source_};
    size_t bytes = kAppendCost;
    for (size_t at : items) {
      request.items.push_back(load->items_[at]);
      bytes += request.items.back().json.size();
    }
    load->under_way_ += bytes;
    ++load->waiting_;
    logs_.Append(std::move(request), [this, load, bytes](Result<logs::Appended> appended) {
      load->under_way_ -= bytes;
      if (appended.ok()) {
        load->appended_.push_back(std::move(*appended));
        if (load->appended_.size() >= kTellAtOnce) Tell(*load);
      } else if (load->failure_.ok() || appended.status().code() == Code::kConflict) {
        load->failure_ = appended.status();
      }
      Append(load);
      Close(load);
    });
  }
}

// What was appended is in the logs, whatever becomes of us: their followers may know.
void RedisDelivery::Tell(Load& load) {
  if (!load.appended_.empty()) appended_(std::exchange(load.appended_, {}));
}

void RedisDelivery::Close(const std::shared_ptr<Load>& load) {
  if (--load->waiting_ > 0) return;
  Tell(*load);
  if (load->failure_.ok() && load->abandoned_) load->failure_ = Status(Code::kCancelled, "abandoned");
  std::exchange(load->then_, nullptr)(load->failure_);
}

}  // namespace tocsin::nodes
