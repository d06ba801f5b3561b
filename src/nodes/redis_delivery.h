// RedisDelivery: takes notifications into the logs of users on a Redis. Everything that becomes one there comes through
// here, whatever brought it: the router entries of its stream, the schedule what was to be delivered later. So what
// decides whether and how a user gets it has this one home (on the embedded store: notifier/delivery.h).
//
// 1. What is delivered together is a Load: grouped by user, one script call for each, side by side. One log sees its
//    items in the order in which they were added.
// 2. It can be done again, whole, after any failure: the logs pass over what they have. What is decided is decided by
//    `at_ms`, never by the clock: done again, it comes out the same. (Windows of rate limits go by the clock: what was
//    counted in one is not counted again.)
// 3. At most kWindowBytes are under way.
// 4. As notifier/delivery.h: what the user mutes is passed over; what comes in quiet hours is held until they end, and
//    comes here again then; what is beyond a rate limit is summed up. The append is told which preferences were asked
//    (none, to begin with) and refuses where the log's head says that the user has others. So who has none costs
//    nothing, and who has some costs one more look at the first time.
// 5. What is held is in the schedule before the log passes it over: a crash between the two repeats a step that changes
//    nothing. So before anything is held, preferences that were known are looked up anew; and what was held stays held
//    where they change in just this moment.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "logs/redis_logs.h"
#include "logs/text_map.h"
#include "model/notification.h"
#include "nodes/redis_expiry.h"
#include "runtime/core.h"
#include "state/delivery_decision.h"
#include "state/rate_limit.h"

namespace tocsin::nodes {

class RedisDelivery {
 public:
  // What it has done to logs, to be told to who follows them.
  using Appended = std::function<void(std::vector<logs::Appended>)>;
  // Puts a notification for one user into the schedule, once however often it is asked. `then` inside the call or
  // later.
  using Hold =
      std::function<void(const std::string& nid, const std::string& user, const model::Notification& notification,
                         int64_t until_ms, std::function<void(const base::Status&)> then)>;
  struct Parcel {
    std::string nid;
    std::shared_ptr<const model::Notification> notification;
    std::span<const std::string> users;  // who is to get it: all of the notification's, or some of them
    int64_t at_ms = 0;                   // when it is delivered; the item's `ts`
    model::EntryId source;               // what the logs take it for; these only grow
    state::Held held = state::Held::kNo;
  };
  class Load {
   public:
    void Add(Parcel parcel);
    size_t notifications() const { return items_.size(); }
    size_t users() const { return users_.size(); }
    size_t bytes() const { return bytes_; }
    // Nothing more is sent; what is under way is answered, and then the load.
    void Abandon() { abandoned_ = true; }

   private:
    friend class RedisDelivery;
    struct Item {
      logs::AppendRequest::Item item;
      std::shared_ptr<const model::Notification> notification;
      int64_t at_ms = 0;
      state::Held held = state::Held::kNo;
    };
    std::vector<Item> items_;
    std::vector<std::pair<std::string, std::vector<size_t>>> users_;  // with their items, in order
    std::unordered_map<std::string, size_t> user_at_;
    size_t bytes_ = 0;
    std::vector<notifier::Timer> ends_;  // of those that expire
    // Meaningful while it is delivered.
    std::function<void(const base::Status&)> then_;
    uint64_t fence_ = 0;
    size_t next_user_ = 0;  // the first whose append was not sent
    size_t under_way_ = 0;  // bytes
    size_t waiting_ = 0;    // answers
    bool abandoned_ = false;
    std::vector<logs::Appended> appended_;
    base::Status failure_;
  };

  // Nothing is owned. On the store Core, as `logs` is. `stream` is the one whose fencing number counts, `source` the
  // one that the logs take the items for; `expiry` is of the same stream. Without `hold` there are no quiet hours.
  RedisDelivery(logs::RedisLogs& logs, RedisExpiry& expiry, std::string stream, std::string source, Appended appended,
                const state::RateLimits& limits = kNoLimits, Hold hold = nullptr)
      : logs_(logs),
        expiry_(expiry),
        stream_(std::move(stream)),
        source_(std::move(source)),
        appended_(std::move(appended)),
        limits_(limits),
        hold_(std::move(hold)) {}

  // `then` exactly once, inside the call or later. kConflict: a later owner of the stream is at work. Other failures
  // are the store's, and some of it may be done.
  void Deliver(const std::shared_ptr<Load>& load, uint64_t fence, std::function<void(const base::Status&)> then);

  static const state::RateLimits kNoLimits;

  // What is to be asked where a log's head has `tag`, as far as it was found. A record that cannot be read, or is not
  // there, must not stop a stream: then nothing is preferred. A failure is the store's.
  static base::Result<logs::TaggedPreferences> Readable(uint64_t tag,
                                                        const base::Result<logs::TaggedPreferences>& found);

 private:
  static constexpr size_t kMaxKnown = 10'000;
  static constexpr int kMostRounds = 5;
  struct Errand;  // what one log is to get
  void Append(const std::shared_ptr<Load>& load);
  void Decide(const std::shared_ptr<Errand>& errand);
  void Look(const std::shared_ptr<Errand>& errand, uint64_t tag);
  void Send(const std::shared_ptr<Errand>& errand);
  void AskAgain(const std::shared_ptr<Errand>& errand, uint64_t tag);
  void End(const std::shared_ptr<Errand>& errand, const base::Status& status);
  void Tell(Load& load);
  void Close(const std::shared_ptr<Load>& load);

  logs::RedisLogs& logs_;
  RedisExpiry& expiry_;
  const std::string stream_, source_;
  const Appended appended_;
  const state::RateLimits& limits_;
  const Hold hold_;
  logs::TextMap<logs::TaggedPreferences> known_;  // of users, as far as they were asked
};

}  // namespace tocsin::nodes
