#include "nodes/redis_delivery.h"

#include <utility>

#include "base/log.h"
#include "model/topic.h"
#include "notifier/counters.h"
#include "notifier/digest.h"
#include "notifier/expiry_timer.h"
#include "notifier/rendered_item.h"
#include "state/delivery_decision.h"

namespace tocsin::nodes {
namespace {

using base::Code;
using base::Result;
using base::Status;
using state::Decision;
using What = Decision::What;

constexpr size_t kWindowBytes = 8 << 20;  // of a load's appends that are under way
constexpr size_t kAppendCost = 1'024;     // of what surrounds the items of one
constexpr size_t kTellAtOnce = 1'024;     // logs that have grown

}  // namespace

const state::RateLimits RedisDelivery::kNoLimits;

struct RedisDelivery::Errand {
  std::shared_ptr<Load> load;
  size_t at = 0;  // of the user in the load
  size_t bytes = 0;
  logs::TaggedPreferences said{};  // what is asked
  logs::AppendRequest request{};
  bool known = false;         // `said` was, and may be old
  std::vector<What> whats{};  // of the items
  std::vector<bool> held{};   // the items that are in the schedule
  size_t waiting = 0;         // answers of the schedule, and the decision's own share
  int rounds = 0;
  Status failure{};
};

void RedisDelivery::Load::Add(Parcel parcel) {
  if (parcel.users.empty()) return;
  std::string json = notifier::RenderItem(parcel.nid, static_cast<uint64_t>(parcel.at_ms), *parcel.notification);
  bytes_ += json.size();
  for (const std::string& user : parcel.users) {
    auto [found, is_new] = user_at_.try_emplace(user, users_.size());
    if (is_new) users_.push_back({user, {}});
    users_[found->second].second.push_back(items_.size());
  }
  if (parcel.notification->expires_at_ms) {
    ends_.push_back(notifier::ExpiryTimer(parcel.nid, parcel.users, parcel.notification->users.size(),
                                          *parcel.notification->expires_at_ms));
  }
  items_.push_back({{.source = parcel.source,
                     .nid = std::move(parcel.nid),
                     .priority = parcel.notification->priority,
                     .json = std::move(json),
                     .traits = notifier::TraitsOf(*parcel.notification)},
                    std::move(parcel.notification),
                    parcel.at_ms,
                    parcel.held});
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
    auto errand = std::make_shared<Errand>();
    errand->load = load;
    errand->at = load->next_user_++;
    errand->bytes = kAppendCost;
    const auto& [user, items] = load->users_[errand->at];
    for (size_t at : items) errand->bytes += load->items_[at].item.json.size();
    errand->held.resize(items.size());
    if (auto known = known_.find(user); known != known_.end()) {
      errand->said = known->second;
      errand->known = true;
    }
    load->under_way_ += errand->bytes;
    ++load->waiting_;
    Decide(errand);
  }
}

// What becomes of each item, as the preferences say that are known; then what is held goes into the schedule, and the
// rest follows.
void RedisDelivery::Decide(const std::shared_ptr<Errand>& errand) {
  const Load& load = *errand->load;
  const auto& [user, items] = load.users_[errand->at];
  errand->request = {.user = user,
                     .stream = stream_,
                     .fence = load.fence_,
                     .items = {},
                     .source_stream = source_,
                     .preferences_tag = errand->said.tag};
  errand->whats.clear();
  errand->waiting = 1;
  std::vector<std::pair<size_t, int64_t>> to_hold;  // items, and until when
  for (size_t n = 0; n < items.size(); ++n) {
    const Load::Item& asked = load.items_[items[n]];
    const model::Notification& notification = *asked.notification;
    logs::AppendRequest::Item& item = errand->request.items.emplace_back(asked.item);
    Decision decision;
    if (errand->held[n]) {
      decision.what = What::kHold;
    } else if (errand->said.tag != 0) {
      decision = state::Decide(*errand->said.preferences, notification.category, notification.priority, asked.at_ms,
                               hold_ ? asked.held : state::Held::kYes);
      if (decision.what == What::kHold) to_hold.emplace_back(n, decision.until_ms);
    }
    errand->whats.push_back(decision.what);
    if (decision.what != What::kDeliver) {
      item.way = logs::AppendRequest::Way::kPassOver;
      item.json.clear();
    } else if (!notifier::IsDigest(item.nid) && !model::IsTopicLog(user)) {  // a topic is no user
      item.limit = limits_.Of(notification.category, notification.priority);
    }
  }
  if (!to_hold.empty() && std::exchange(errand->known, false)) return Look(errand, 0);
  for (const auto& [n, until_ms] : to_hold) {
    ++errand->waiting;
    const Load::Item& asked = load.items_[items[n]];
    hold_(asked.item.nid, user, *asked.notification, until_ms, [this, errand, at = n](const Status& held) {
      if (held.ok()) errand->held[at] = true;
      if (!held.ok()) errand->failure = held;
      if (--errand->waiting == 0) Send(errand);
    });
  }
  if (--errand->waiting == 0) Send(errand);
}

void RedisDelivery::Send(const std::shared_ptr<Errand>& errand) {
  if (!errand->failure.ok()) return End(errand, errand->failure);
  logs_.Append(std::move(errand->request), [this, errand](Result<logs::Appended> appended) {
    if (!appended.ok()) return End(errand, appended.status());
    if (appended->other_preferences) return AskAgain(errand, *appended->other_preferences);
    for (size_t at = 0; at < appended->fates.size(); ++at) {
      if (appended->fates[at] != logs::Fate::kPassedOver) continue;
      (errand->whats[at] == What::kHold ? notifier::held_quiet : notifier::ended_muted).Add();
    }
    errand->load->appended_.push_back(std::move(*appended));
    End(errand, base::Ok());
  });
}

// The user has said something else than was asked.
void RedisDelivery::AskAgain(const std::shared_ptr<Errand>& errand, uint64_t tag) {
  const std::string& user = errand->load->users_[errand->at].first;
  if (++errand->rounds > kMostRounds) return End(errand, Status(Code::kUnavailable, "preferences change too often"));
  if (tag == 0) {
    known_.erase(user);
    errand->said = {};
    return Decide(errand);
  }
  Look(errand, tag);
}

// `tag`: of the log's head, as the append was refused; 0: it was not asked yet.
void RedisDelivery::Look(const std::shared_ptr<Errand>& errand, uint64_t tag) {
  const std::string& user = errand->load->users_[errand->at].first;
  errand->known = false;
  logs_.FindPreferences(user, [this, errand, user, tag](const Result<logs::TaggedPreferences>& found) {
    auto said = Readable(tag, found);
    if (!said.ok()) return End(errand, said.status());
    if (known_.size() >= kMaxKnown) known_.clear();
    known_.insert_or_assign(user, *said);
    errand->said = *said;
    Decide(errand);
  });
}

Result<logs::TaggedPreferences> RedisDelivery::Readable(uint64_t tag, const Result<logs::TaggedPreferences>& found) {
  if (found.ok() && (found->tag != 0 || tag == 0)) return *found;
  if (!found.ok() && found.status().code() != Code::kCorruption) return found.status();
  base::Log(base::Level::kError, "preferences_unreadable",
            {{"why", found.ok() ? "they are gone" : found.status().message()}});
  return logs::TaggedPreferences{tag, std::make_shared<const state::Preferences>()};
}

void RedisDelivery::End(const std::shared_ptr<Errand>& errand, const Status& status) {
  const std::shared_ptr<Load> load = errand->load;
  load->under_way_ -= errand->bytes;
  if (!status.ok() && (load->failure_.ok() || status.code() == Code::kConflict)) load->failure_ = status;
  if (load->appended_.size() >= kTellAtOnce) Tell(*load);
  Append(load);
  Close(load);
}

// What was appended is in the logs, whatever becomes of us: their followers may know.
void RedisDelivery::Tell(Load& load) {
  if (!load.appended_.empty()) appended_(std::exchange(load.appended_, {}));
}

void RedisDelivery::Close(const std::shared_ptr<Load>& load) {
  if (--load->waiting_ > 0) return;
  Tell(*load);
  if (load->failure_.ok() && load->abandoned_) load->failure_ = Status(Code::kCancelled, "abandoned");
  if (!load->failure_.ok() || load->ends_.empty()) return std::exchange(load->then_, nullptr)(load->failure_);
  // Before the load counts as delivered: done again, it puts what is missing.
  expiry_.Put(load->ends_, [load](const Status& put) { std::exchange(load->then_, nullptr)(put); });
}

}  // namespace tocsin::nodes
