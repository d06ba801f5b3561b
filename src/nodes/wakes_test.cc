#include "nodes/wakes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nodes/keys.h"
#include "nodes/nodes_fixture.h"

namespace tocsin::nodes {
namespace {

using fixture::Eventually;
using fixture::Server;
using fixture::TestNode;
using fixture::Text;
using logs::LogUpdate;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

LogUpdate Update(const std::string& user, uint64_t last = 7) {
  LogUpdate update;
  update.user = user;
  update.after = model::EntryId{last - 1, 3};
  update.last = {last, 0};
  update.floor = {2, 1};
  update.counts = {
      .unread = 10, .unseen = 4, .unread_by_priority = {1, 2, 3, 4}, .unread_by_category = {{"a b", 3}, {"news", 1}}};
  return update;
}

TEST(WakesTest, AHeadAsTextAndBack) {
  const std::string text = HeadText(Update("ada"));
  EXPECT_EQ(text, "6-3 7-0 2-1 10 4 1 2 3 4 3 612062 1 6e657773");
  LogUpdate read;
  ASSERT_TRUE(ParseHeadText(text, read));
  EXPECT_EQ(read.after, (model::EntryId{6, 3}));
  EXPECT_EQ(read.last, (model::EntryId{7, 0}));
  EXPECT_EQ(read.floor, (model::EntryId{2, 1}));
  EXPECT_EQ(read.counts, Update("ada").counts);
  LogUpdate largest = Update("ada");
  largest.last = model::EntryId::Max();
  largest.counts.unread = std::numeric_limits<uint32_t>::max();
  ASSERT_TRUE(ParseHeadText(HeadText(largest), read));
  EXPECT_EQ(read.last, largest.last);
  EXPECT_EQ(read.counts, largest.counts);
}

TEST(WakesTest, WhatIsNoHead) {
  const std::string text = HeadText(Update("ada"));
  LogUpdate read;
  const std::string numbers = text.substr(0, text.find(" 3 612062"));
  for (size_t size = 0; size < numbers.size(); ++size) {
    EXPECT_FALSE(ParseHeadText(text.substr(0, size), read)) << text.substr(0, size);
  }
  for (const std::string garbage :
       {"", " ", "node", "6-3 7-0 2-1 10 4 1 2 3 4 5", "6-3 7-0 2-1 10 4 1 2 3 4 5 6", "6-3 7-0 2-1 10 4 1 2 3 4 5 zz",
        "6-3 7-0 2-1 10 4 1 2 3 -4", "6-3 7-0 2-1 4294967296 4 1 2 3 4", "6-3 7-0 2 10 4 1 2 3 4",
        "6-3  7-0 2-1 10 4 1 2 3 4", "6-3 7-0 2-1 10 4 1 2 3 4x", "18446744073709551616-0 7-0 2-1 10 4 1 2 3 4"}) {
    EXPECT_FALSE(ParseHeadText(garbage, read)) << garbage;
  }
}

class WakingNode final : public TestNode {
 public:
  WakingNode(const Server& server, const std::string& name) : TestNode(server.url(), name) {
    OnCore([&] {
      wakes_ = std::make_unique<Wakes>(
          core(), redis(), name,
          Wakes::Events{.woken =
                            [this](std::vector<LogUpdate> updates) {
                              for (LogUpdate& update : updates) woken_.push_back(std::move(update));
                            },
                        .doubt = [this] { ++doubts_; },
                        .dead = [this](const std::string& user,
                                       const std::string& node) { dead_.push_back(user + " at " + node); }});
      wakes_->Start([this] { ready_ = true; });
    });
    CHECK(Eventually([this] { return Get<bool>([this] { return ready_; }); }));
  }
  ~WakingNode() override {
    End([this] { wakes_.reset(); });
  }
  void Add(const std::string& node, const std::vector<LogUpdate>& updates) {
    OnCore([&] {
      for (const LogUpdate& update : updates) wakes_->Add(node, update);
    });
  }
  void Run(const std::function<void(Wakes&)>& task) {
    OnCore([&] { task(*wakes_); });
  }
  std::vector<std::string> Woken() {
    return Get<std::vector<std::string>>([this] {
      std::vector<std::string> users;
      for (const LogUpdate& update : woken_) users.push_back(update.user + " " + HeadText(update));
      return users;
    });
  }
  std::vector<std::string> Dead() {
    return Get<std::vector<std::string>>([this] { return dead_; });
  }
  int Doubts() {
    return Get<int>([this] { return doubts_; });
  }

 private:
  std::unique_ptr<Wakes> wakes_;
  bool ready_ = false;
  std::vector<LogUpdate> woken_;
  std::vector<std::string> dead_;
  int doubts_ = 0;
};

TEST(WakesTest, AHintArrives) {
  Server server;
  WakingNode a(server, "a"), b(server, "b");
  const std::string strange("\0} \r\n", 5);
  a.Add("b", {Update("ada", 7), Update(strange, 8), Update("ada", 9)});
  a.Add("a", {Update("ada", 7)});
  ASSERT_TRUE(Eventually([&] { return b.Woken().size() == 3; }));
  EXPECT_THAT(b.Woken(), ElementsAre("ada " + HeadText(Update("ada", 7)), strange + " " + HeadText(Update(strange, 8)),
                                     "ada " + HeadText(Update("ada", 9))));
  EXPECT_EQ(Text(server.Ask({"XLEN", WakeKey("b")})), "2") << "one for all of the turn, and its own first";
  EXPECT_EQ(Text(server.Ask({"XLEN", WakeKey("a")})), "1") << "not to itself";
  EXPECT_TRUE(a.Dead().empty());
  EXPECT_EQ(b.Doubts(), 0);
  // What is no hint is passed over.
  server.Ask({"XADD", WakeKey("b"), "*", "eve", "garbage", "bob", HeadText(Update("bob"))});
  ASSERT_TRUE(Eventually([&] { return b.Woken().size() == 4; }));
  EXPECT_EQ(b.Woken().back(), "bob " + HeadText(Update("bob")));
}

TEST(WakesTest, HintsForManyUsersAreDivided) {
  Server server;
  WakingNode a(server, "a"), b(server, "b");
  std::vector<LogUpdate> updates;
  std::vector<std::string> wanted;
  for (int i = 0; i < 1'000; ++i) {
    updates.push_back(Update("u" + std::to_string(i)));
    wanted.push_back(updates.back().user + " " + HeadText(updates.back()));
  }
  a.Add("b", updates);
  ASSERT_TRUE(Eventually([&] { return b.Woken().size() == 1'000; }));
  EXPECT_EQ(b.Woken(), wanted) << "in order";
  EXPECT_EQ(Text(server.Ask({"XLEN", WakeKey("b")})), "9") << "its own first, and 128 users each";
}

TEST(WakesTest, ANodeThatIsGoneIsReportedAndNotRaised) {
  Server server;
  WakingNode a(server, "a");
  a.Add("never-there", {Update("ada"), Update("bob")});
  ASSERT_TRUE(Eventually([&] { return a.Dead().size() == 2; }));
  EXPECT_THAT(a.Dead(), ElementsAre("ada at never-there", "bob at never-there"));
  EXPECT_EQ(Text(server.Ask({"EXISTS", WakeKey("never-there")})), "0");
  {
    WakingNode b(server, "b");
    b.Run([](Wakes& wakes) { wakes.Stop(); });
    ASSERT_TRUE(Eventually([&] { return Text(server.Ask({"EXISTS", WakeKey("b")})) == "0"; })) << "it says goodbye";
  }
  a.Add("b", {Update("eve")});
  ASSERT_TRUE(Eventually([&] { return a.Dead().size() == 3; }));
  // One that was killed: its stream expires.
  auto c = std::make_unique<WakingNode>(server, "c");
  c.reset();
  EXPECT_GT(server.Ask({"PTTL", WakeKey("c")}).integer, 0);
  EXPECT_LE(server.Ask({"PTTL", WakeKey("c")}).integer, Wakes::kNodeTtlMs);
  server.Ask({"PEXPIRE", WakeKey("c"), "1"});
  ASSERT_TRUE(Eventually([&] { return Text(server.Ask({"EXISTS", WakeKey("c")})) == "0"; }));
  a.Add("c", {Update("joe")});
  ASSERT_TRUE(Eventually([&] { return a.Dead().size() == 4; }));
  EXPECT_EQ(a.Dead().back(), "joe at c");
}

TEST(WakesTest, ALivingNodeKeepsItsStream) {
  Server server;
  WakingNode a(server, "a");
  server.Ask({"PEXPIRE", WakeKey("a"), "10000"});
  a.Run([](Wakes& wakes) { wakes.Tick(); });
  ASSERT_TRUE(Eventually([&] { return server.Ask({"PTTL", WakeKey("a")}).integer > 10'000; }));
}

TEST(WakesTest, AStreamThatVanishedIsADoubtAndMadeAgain) {
  Server server;
  WakingNode a(server, "a"), b(server, "b");
  for (const std::vector<std::string>& loss : {std::vector<std::string>{"DEL", WakeKey("b")}, {"FLUSHALL"}}) {
    const int doubts = b.Doubts();
    server.Ask(loss);
    ASSERT_TRUE(Eventually([&] { return Text(server.Ask({"EXISTS", WakeKey("b")})) == "1"; }));
    ASSERT_TRUE(Eventually([&] { return b.Doubts() > doubts; }));
    EXPECT_GT(server.Ask({"PTTL", WakeKey("b")}).integer, 0);
    const size_t woken = b.Woken().size();
    a.Add("b", {Update("ada")});
    ASSERT_TRUE(Eventually([&] { return b.Woken().size() > woken; }));
  }
}

TEST(WakesTest, ALostConnectionIsADoubt) {
  Server server({"appendonly yes", "appendfsync always"});
  WakingNode a(server, "a"), b(server, "b");
  a.Add("b", {Update("ada")});
  ASSERT_TRUE(Eventually([&] { return b.Woken().size() == 1; }));
  server.Restart();
  ASSERT_TRUE(Eventually([&] { return b.Doubts() > 0; }));
  a.Add("b", {Update("bob")});
  ASSERT_TRUE(Eventually([&] { return b.Woken().size() == 2; }));
  EXPECT_EQ(b.Woken().back(), "bob " + HeadText(Update("bob")));
}

// Nothing in between may leave a stream that never goes.
TEST(WakesTest, AStreamIsNeverThereWithoutAnExpiry) {
  Server server;
  WakingNode a(server, "a");
  a.Run([](Wakes& wakes) { wakes.Stop(); });
  ASSERT_TRUE(Eventually([&] { return Text(server.Ask({"EXISTS", WakeKey("a")})) == "0"; }));
  TestNode node(server.url(), "b");
  server.Freeze();
  auto wakes = std::make_unique<Wakes>(
      node.core(), node.redis(), "b",
      Wakes::Events{.woken = [](std::vector<LogUpdate>) {}, .doubt = [] {}, .dead = [](const auto&, const auto&) {}});
  node.OnCore([&] { wakes->Start([] {}); });
  node.OnCore([] {});  // it is sent
  node.OnCore([&] { wakes->Stop(); });
  server.Thaw();
  ASSERT_TRUE(Eventually([&] { return server.Ask({"EXISTS", WakeKey("b")}).integer == 1; }));
  EXPECT_GT(server.Ask({"PTTL", WakeKey("b")}).integer, 0);
  node.End([&] { wakes.reset(); });
}

}  // namespace
}  // namespace tocsin::nodes
