// What time does to streams that lie in Redis: retention and delivery limits, with a real server.
#include <gtest/gtest.h>

#include "nodes/entries.h"
#include "nodes/nodes_fixture.h"
#include "nodes/redis_delivery_limit.h"
#include "nodes/redis_retention.h"

namespace tocsin::nodes {
namespace {

using fixture::Eventually;
using fixture::Server;
using fixture::Text;
using notifier::RetentionRule;

class UpkeepTest : public testing::Test {
 protected:
  ~UpkeepTest() override {
    node_.End([this] {
      retention_.reset();
      limit_.reset();
    });
  }
  // An entry with that id, and a body of so many bytes.
  void Add(int64_t ms, size_t bytes = 1, const std::string& stream = "s") {
    ASSERT_EQ(Text(server_.Ask({"XADD", stream, std::to_string(ms) + "-0", "f", std::string(bytes, 'x')})),
              std::to_string(ms) + "-0");
  }
  void AddMany(int64_t first, int64_t last) {
    for (int64_t ms = first; ms <= last; ++ms) Add(ms);
  }
  // Reads so many entries for a group, made where it is missing, and acknowledges all but the last `pending`.
  void Read(const std::string& group, int count, int pending = 0) {
    static_cast<void>(server_.Ask({"XGROUP", "CREATE", "s", group, "0"}));
    const auto read =
        server_.Ask({"XREADGROUP", "GROUP", group, "c", "COUNT", std::to_string(count), "STREAMS", "s", ">"});
    const auto entries = EntriesOf(*ListOf(read));
    for (size_t i = 0; i + static_cast<size_t>(pending) < entries.size(); ++i) {
      ASSERT_EQ(server_.Ask({"XACK", "s", group, entries[i].id.ToString()}).integer, 1);
    }
  }
  int64_t Length(const std::string& stream = "s") { return server_.Ask({"XLEN", stream}).integer; }
  std::string FirstId() { return Text(server_.Ask({"XRANGE", "s", "-", "+", "COUNT", "1"})); }
  void Keep(RetentionRule rule) {
    rule.stream = "s";
    node_.OnCore([&] {
      retention_ = std::make_unique<RedisRetention>(node_.core(), node_.redis(), std::vector<RetentionRule>{rule},
                                                    [this](const std::string&) { return owns_; });
      retention_->Look();
    });
    // The next call is answered after what the look has asked for; pieces follow each other.
    for (int i = 0; i < 3; ++i) node_.PrepareLogs();
  }

  Server server_;
  fixture::TestNode node_{server_.url(), "node"};
  bool owns_ = true;
  std::unique_ptr<RedisRetention> retention_;
  std::unique_ptr<RedisDeliveryLimit> limit_;
};

TEST_F(UpkeepTest, TrimsToLengthAndAge) {
  AddMany(1, 1'200);
  Keep({.entries = 1'000});
  EXPECT_TRUE(Eventually([this] { return Length() == 1'000; }));
  Keep({.age_ms = 1});  // by now all of them are old
  EXPECT_TRUE(Eventually([this] { return Length() == 0; }));
}

TEST_F(UpkeepTest, LeavesWhatAGroupNeeds) {
  AddMany(1, 100);
  Read("reads", 60, 10);  // 51 to 60 are pending, 61 and on unread
  Read("reads-more", 100);
  Keep({.entries = 5});
  EXPECT_TRUE(Eventually([this] { return Length() == 50; }));
  EXPECT_EQ(FirstId().substr(0, 8), "[[51-0, ") << "the first that is pending";
  Keep({.entries = 5});
  EXPECT_EQ(Length(), 50);
  Keep({.entries = 5, .needed = notifier::Needed::kDrop});
  EXPECT_TRUE(Eventually([this] { return Length() == 5; })) << "the rule says so";
}

TEST_F(UpkeepTest, AtTheCapWhatAGroupNeedsGoesButNotWhatWasNotRouted) {
  for (int64_t ms = 1; ms <= 100; ++ms) Add(ms, 1'000);
  Read("abandoned", 1, 1);
  Read("tocsin", 40);
  Keep({.cap_bytes = 10'000});
  EXPECT_TRUE(Eventually([this] { return Length() == 60; }));
  EXPECT_EQ(FirstId().substr(0, 8), "[[41-0, ");
}

TEST_F(UpkeepTest, OnlyTheNodeThatRoutesTrims) {
  AddMany(1, 10);
  owns_ = false;
  Keep({.entries = 1});
  EXPECT_EQ(Length(), 10);
}

TEST_F(UpkeepTest, WhatWasTriedOftenEnoughIsADeadLetter) {
  AddMany(1, 3);
  Read("g", 3, 3);
  for (int i = 0; i < 2; ++i) static_cast<void>(server_.Ask({"XCLAIM", "s", "g", "d", "0", "2-0"}));  // 3 deliveries
  const auto limit = [&](std::string group) {
    node_.OnCore([&] {
      streams::RedeliveryRule rule{.stream = "s", .group = std::move(group), .redelivery = {.after_ms = 1}};
      rule.redelivery.backoff = 1;
      rule.redelivery.max_deliveries = 3;
      limit_ =
          std::make_unique<RedisDeliveryLimit>(node_.core(), node_.redis(), std::vector<streams::RedeliveryRule>{rule},
                                               [this](const std::string&) { return owns_; });
      limit_->Tick();
    });
  };
  const auto eventually = [&](const std::function<bool()>& condition) {
    return Eventually([&] {
      node_.OnCore([&] { limit_->Tick(); });
      return condition();
    });
  };
  limit("*");
  EXPECT_TRUE(eventually([this] { return Length("s:dead") == 1; }));
  EXPECT_TRUE(eventually([this] { return server_.Ask({"XPENDING", "s", "g"}).elements[0].integer == 2; }));
  const std::string letter = Text(server_.Ask({"XRANGE", "s:dead", "-", "+"}));
  for (std::string_view part : {"tocsin_id, 2-0", "tocsin_group, g", "tocsin_attempts, 3", "f, x",
                                "not acknowledged after 3 deliveries, the last to the consumer `d`"}) {
    EXPECT_NE(letter.find(part), std::string::npos) << letter;
  }
  // One that is not in the stream any more is only acknowledged.
  for (int i = 0; i < 3; ++i) static_cast<void>(server_.Ask({"XCLAIM", "s", "g", "d", "0", "3-0"}));
  ASSERT_EQ(server_.Ask({"XDEL", "s", "3-0"}).integer, 1);
  limit("g");
  EXPECT_TRUE(eventually([this] { return server_.Ask({"XPENDING", "s", "g"}).elements[0].integer == 1; }));
  EXPECT_EQ(Length("s:dead"), 1);
}

}  // namespace
}  // namespace tocsin::nodes
