// What users prefer and what is limited, on a real redis-server: what is asked when, and digests that several nodes
// would tell.
#include "nodes/redis_delivery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nodes/nodes_fixture.h"
#include "nodes/redis_digests.h"
#include "nodes/redis_expiry.h"
#include "notifier/digest.h"

namespace tocsin::nodes {
namespace {

using base::Status;
using fixture::Eventually;
using fixture::Server;
using fixture::TestNode;
using model::Priority;
using state::Preferences;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class DeliveryNode final : public TestNode {
 public:
  DeliveryNode(const Server& server, const std::string& name) : TestNode(server.url(), name) {
    OnCore([&] {
      timed_logs_ = std::make_unique<logs::RedisLogs>(
          redis(), core(), logs::RedisLogsOptions{.clock = &wall_, .node = name, .listener = nullptr});
      const auto hold = [this](const std::string& nid, const std::string& user, const model::Notification&, int64_t,
                               std::function<void(const Status&)> then) {
        held_.push_back(nid + " " + user);
        then(hold_fails_ ? Status(base::Code::kUnavailable, "planted") : base::Ok());
      };
      const auto appended = [](const std::vector<logs::Appended>&) {};
      expiry_ = std::make_unique<RedisExpiry>(core(), redis(), wall_, *timed_logs_, "s");
      delivery_ = std::make_unique<RedisDelivery>(*timed_logs_, *expiry_, "s", "s", appended, limits_, hold);
      digests_ = std::make_unique<RedisDigests>(
          core(), *timed_logs_, limits_, [] { return true; }, hold, appended);
    });
    PrepareLogs();
  }
  ~DeliveryNode() override {
    End([this] {
      digests_.reset();
      delivery_.reset();
      expiry_.reset();
      timed_logs_.reset();
    });
  }

  // The entry of that number, with that nid.
  Status Deliver(uint64_t entry, std::vector<std::string> users, const std::string& category = "",
                 Priority priority = Priority::kNormal) {
    auto notification = std::make_shared<model::Notification>();
    notification->users = std::move(users);
    notification->message = "m";
    notification->category = category;
    notification->priority = priority;
    auto done = std::make_shared<std::promise<Status>>();
    OnCore([&] {
      auto load = std::make_shared<RedisDelivery::Load>();
      load->Add({.nid = std::to_string(entry) + "-0",
                 .notification = notification,
                 .users = notification->users,
                 .at_ms = base::SystemClock().NowMs(),
                 .source = {entry, 0}});
      delivery_->Deliver(load, 1, [done](const Status& status) { done->set_value(status); });
    });
    return done->get_future().get();
  }
  Status Prefer(const std::string& user, const Preferences& wanted) {
    auto done = std::make_shared<std::promise<Status>>();
    logs().SetPreferences(user, wanted, [done](const Status& status) { done->set_value(status); });
    return done->get_future().get();
  }
  void Tick() {
    OnCore([this] { digests_->Tick(); });
  }
  void Advance(int64_t ms) {
    OnCore([&] { wall_.Advance(ms); });
  }
  void FailHolds(bool fail) {
    OnCore([&] { hold_fails_ = fail; });
  }
  std::vector<std::string> Held() {
    return Get<std::vector<std::string>>([this] { return held_; });
  }

 private:
  const state::RateLimits limits_{{{"ads", 2, 10'000}}};
  base::ManualClock wall_;
  bool hold_fails_ = false;
  std::vector<std::string> held_;
  std::unique_ptr<logs::RedisLogs> timed_logs_;
  std::unique_ptr<RedisExpiry> expiry_;
  std::unique_ptr<RedisDelivery> delivery_;
  std::unique_ptr<RedisDigests> digests_;
};

// Quiet hours that it is in the midst of.
Preferences QuietNow() {
  const int hour = static_cast<int>(base::SystemClock().NowMs() / 3'600'000 % 24);
  return {.quiet_hours = state::QuietHours{"UTC", (hour + 22) % 24 * 60, (hour + 2) % 24 * 60}};
}

TEST(RedisDeliveryTest, AsksAgainAfterEachChange) {
  Server server;
  DeliveryNode node(server, "a"), other(server, "b");
  EXPECT_TRUE(node.Deliver(1, {"ann", "bob"}, "news").ok());
  ASSERT_TRUE(node.Prefer("ann", {.mute = {"news"}}).ok());
  EXPECT_TRUE(node.Deliver(2, {"ann", "bob"}, "news").ok());
  EXPECT_TRUE(node.Deliver(3, {"ann"}, "bills").ok());
  ASSERT_TRUE(other.Prefer("ann", {.mute = {"bills"}}).ok());
  EXPECT_TRUE(node.Deliver(4, {"ann"}, "bills").ok());
  EXPECT_TRUE(node.Deliver(5, {"ann"}, "news").ok());
  ASSERT_TRUE(other.Prefer("ann", {}).ok());
  EXPECT_TRUE(node.Deliver(6, {"ann"}, "bills").ok());
  EXPECT_TRUE(node.Deliver(4, {"ann"}, "bills").ok()) << "passed over for good";
  EXPECT_THAT(node.Nids("ann"), ElementsAre("1-0", "3-0", "5-0", "6-0"));
  EXPECT_THAT(node.Nids("bob"), ElementsAre("1-0", "2-0"));
}

TEST(RedisDeliveryTest, ARecordThatCannotBeReadStopsNothing) {
  Server server;
  DeliveryNode node(server, "a");
  ASSERT_TRUE(node.Prefer("ann", {.mute = {"news"}}).ok());
  server.Ask({"SET", logs::UserPreferencesKey("ann"), "{\"mute\":"});
  EXPECT_TRUE(node.Deliver(1, {"ann"}, "news").ok());
  ASSERT_TRUE(node.Prefer("bob", {.mute = {"news"}}).ok());
  server.Ask({"DEL", logs::UserPreferencesKey("bob")});
  EXPECT_TRUE(node.Deliver(2, {"bob"}, "news").ok());
  EXPECT_THAT(node.Nids("ann"), ElementsAre("1-0"));
  EXPECT_THAT(node.Nids("bob"), ElementsAre("2-0"));
}

TEST(RedisDeliveryTest, IsHeldBeforeItIsPassedOver) {
  Server server;
  DeliveryNode node(server, "a");
  ASSERT_TRUE(node.Prefer("ann", QuietNow()).ok());
  node.FailHolds(true);
  EXPECT_FALSE(node.Deliver(1, {"ann", "bob"}).ok());
  EXPECT_THAT(node.Held(), ElementsAre("1-0 ann"));
  node.FailHolds(false);
  EXPECT_TRUE(node.Deliver(1, {"ann", "bob"}).ok());
  EXPECT_THAT(node.Held(), ElementsAre("1-0 ann", "1-0 ann")) << "it was not passed over";
  EXPECT_TRUE(node.Deliver(2, {"ann"}, "", Priority::kCritical).ok());
  ASSERT_TRUE(node.Prefer("ann", {}).ok());
  EXPECT_TRUE(node.Deliver(1, {"ann", "bob"}).ok());
  EXPECT_THAT(node.Nids("ann"), ElementsAre("2-0"));
  EXPECT_THAT(node.Nids("bob"), ElementsAre("1-0"));
}

// What was known of the user may be old: to hold by it would be to deliver twice.
TEST(RedisDeliveryTest, LooksAnewBeforeItHolds) {
  Server server;
  DeliveryNode node(server, "a");
  ASSERT_TRUE(node.Prefer("ann", QuietNow()).ok());
  EXPECT_TRUE(node.Deliver(1, {"ann"}).ok());
  EXPECT_TRUE(node.Deliver(2, {"ann"}).ok());
  EXPECT_THAT(node.Held(), ElementsAre("1-0 ann", "2-0 ann"));
  ASSERT_TRUE(node.Prefer("ann", {}).ok());
  EXPECT_TRUE(node.Deliver(3, {"ann"}).ok());
  ASSERT_TRUE(node.Prefer("ann", QuietNow()).ok());
  EXPECT_TRUE(node.Deliver(4, {"ann"}).ok());
  ASSERT_TRUE(node.Prefer("ann", {.mute = {"news"}}).ok());
  EXPECT_TRUE(node.Deliver(5, {"ann"}, "news").ok());
  EXPECT_TRUE(node.Deliver(6, {"ann"}).ok());
  EXPECT_THAT(node.Held(), ElementsAre("1-0 ann", "2-0 ann", "4-0 ann"));
  EXPECT_THAT(node.Nids("ann"), ElementsAre("3-0", "6-0"));
}

TEST(RedisDigestsTest, TwoNodesTellOnce) {
  constexpr int kUsers = 50;
  Server server;
  DeliveryNode one(server, "a"), other(server, "b");
  std::vector<std::string> users;
  for (int n = 0; n < kUsers; ++n) users.push_back("u" + std::to_string(n));
  for (uint64_t entry = 1; entry <= 5; ++entry) ASSERT_TRUE(one.Deliver(entry, users, "ads").ok());
  const std::string digest = notifier::DigestNid("3-0");
  const auto told = [&] {
    one.Tick();
    other.Tick();
    return std::all_of(users.begin(), users.end(), [&](const auto& user) { return one.Nids(user).size() >= 3; });
  };
  EXPECT_FALSE(told());
  one.Advance(10'000);
  other.Advance(10'000);
  ASSERT_TRUE(Eventually(told));
  ASSERT_TRUE(Eventually([&] {
    told();
    return server.Ask({"KEYS", "*:ends"}).elements.empty();
  }));
  for (const std::string& user : users) EXPECT_THAT(one.Nids(user), ElementsAre("1-0", "2-0", digest));
}

TEST(RedisDigestsTest, AskWhatTheUserPrefers) {
  Server server;
  DeliveryNode node(server, "a");
  for (uint64_t entry = 1; entry <= 4; ++entry) ASSERT_TRUE(node.Deliver(entry, {"ann", "bob"}, "ads").ok());
  ASSERT_TRUE(node.Prefer("ann", {.mute = {"ads"}}).ok());
  ASSERT_TRUE(node.Prefer("bob", QuietNow()).ok());
  node.Advance(10'000);
  ASSERT_TRUE(Eventually([&] {
    node.Tick();
    return server.Ask({"KEYS", "*:ends"}).elements.empty();
  }));
  EXPECT_THAT(node.Held(), ElementsAre(notifier::DigestNid("3-0") + " bob"));
  EXPECT_THAT(node.Nids("ann"), ElementsAre("1-0", "2-0"));
  EXPECT_THAT(node.Nids("bob"), ElementsAre("1-0", "2-0"));
}

}  // namespace
}  // namespace tocsin::nodes
