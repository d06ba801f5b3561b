#include "redis/cluster.h"

#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "redis/client_fixture.h"

namespace tocsin::redis {
namespace {

using fixture::Cluster;
using fixture::Eventually;
using fixture::Server;
using fixture::TestClient;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr CallOptions kPatient = {.patience_ms = 60'000};

wire::RespReply Whole(int64_t value) {
  wire::RespReply reply;
  reply.type = wire::RespReply::Type::kInteger;
  reply.integer = value;
  return reply;
}
wire::RespReply Text(std::string text) {
  wire::RespReply reply;
  reply.type = wire::RespReply::Type::kBulk;
  reply.text = std::move(text);
  return reply;
}
wire::RespReply List(std::vector<wire::RespReply> elements) {
  wire::RespReply reply;
  reply.type = wire::RespReply::Type::kArray;
  reply.elements = std::move(elements);
  return reply;
}

TEST(ClusterTest, ReadsAMapAndLeavesOutWhatMakesNoSense) {
  const SlotMap map = ReadSlots(
      List({List({Whole(0), Whole(5), List({Text("a"), Whole(1)}), List({Text(""), Whole(2), Text("id")})}),
            List({Whole(6), Whole(6), List({Text("?"), Whole(3)})}), List({Whole(7), Whole(16'384), List({})}),
            List({Whole(9), Whole(8), List({Text("b"), Whole(1)})}), List({Whole(10), Whole(11), List({Text("c")})}),
            List({Whole(10), Whole(11), List({Text("c"), Whole(70'000)})}), Text("x"), List({Whole(1)})}),
      "asked");
  ASSERT_THAT(map.ranges, SizeIs(2));
  EXPECT_EQ(map.ranges[0].last, 5);
  EXPECT_EQ(map.ranges[0].primary, (Endpoint{"a", 1}));
  EXPECT_EQ(map.ranges[1].primary, (Endpoint{"asked", 3}));
  EXPECT_THAT(map.nodes, ElementsAre(Endpoint{"a", 1}, Endpoint{"asked", 2}, Endpoint{"asked", 3}));
  EXPECT_THAT(ReadSlots(Text("OK"), "asked").ranges, IsEmpty());
}

TEST(ClusterTest, EveryKeyGoesWhereItsSlotIs) {
  Cluster cluster;
  TestClient client(cluster.url());
  for (int i = 0; i < 100; ++i) {
    const std::string key = "k" + std::to_string(i);
    ASSERT_EQ(client.Say(key, {"SET", key, "v"}), "OK");
  }
  for (const auto& node : cluster.nodes) EXPECT_GT(node->Ask({"DBSIZE"}).integer, 10);
  EXPECT_TRUE(Eventually([&] { return client.Connected(); }));
  EXPECT_THAT(client.RunIds(), SizeIs(3));
  const Script script("return redis.call('GET', KEYS[1])");
  for (int i = 0; i < 100; ++i) EXPECT_EQ(TestClient::Text(client.Eval(script, {"k" + std::to_string(i)}, {})), "v");

  std::promise<size_t> answered;
  client.Run([&](Client& c) {
    c.CallEveryPrimary({"DBSIZE"}, [&](const base::Result<std::vector<Client::PrimaryReply>>& replies) {
      size_t keys = 0;
      for (const auto& one : replies.value()) keys += static_cast<size_t>(one.reply.integer);
      answered.set_value(keys);
    });
  });
  EXPECT_EQ(answered.get_future().get(), 100U);
  std::string address;
  client.Run([&](Client& c) { address = c.AddressOf("foo"); });  // slot 12182
  EXPECT_EQ(address, cluster.nodes[2]->address());
  // Redirects would have been counted.
  for (const auto& node : cluster.nodes) EXPECT_EQ(node->Info("errorstats", "errorstat_MOVED"), "");
}

TEST(ClusterTest, ASlotMovesUnderLoad) {
  Cluster cluster(2);
  Server& from = *cluster.nodes[0];
  Server& to = *cluster.nodes[1];
  const std::string tag = "{a1}";  // of the first half
  const int slot = SlotOf(tag);
  ASSERT_LT(slot, 8192);
  TestClient client(cluster.url());
  constexpr int kKeys = 20;
  for (int i = 0; i < kKeys; ++i) ASSERT_EQ(client.Say(tag, {"SET", tag + std::to_string(i), "0"}), "OK");

  std::atomic<bool> stop = false;
  std::atomic<int> done = 0;
  std::map<std::string, int> expected;
  std::thread load([&] {
    for (int i = 0; !stop || i % kKeys != 0; ++i) {
      const std::string key = tag + std::to_string(i % kKeys);
      const std::string said = client.Say(tag, {"INCR", key}, kPatient);
      EXPECT_EQ(said, std::to_string(++expected[key])) << key;
      ++done;
    }
  });
  for (int round = 0; round < 3; ++round) {
    Server& a = round % 2 == 0 ? from : to;
    Server& b = round % 2 == 0 ? to : from;
    cluster.MoveSlot(slot, a, b, [&] {
      const int before = done;
      EXPECT_TRUE(Eventually([&] { return done > before + 2 * kKeys; }));
    });
    const int before = done;
    EXPECT_TRUE(Eventually([&] { return done > before + 2 * kKeys; }));
  }
  stop = true;
  load.join();
  EXPECT_NE(from.Info("errorstats", "errorstat_ASK"), "") << "the move was seen by calls";
  std::string address;
  client.Run([&](Client& c) { address = c.AddressOf(tag); });
  EXPECT_EQ(address, to.address());
}

TEST(ClusterTest, KeysOnBothSidesOfAMoveWaitForItsEnd) {
  Cluster cluster(2);
  Server& from = *cluster.nodes[0];
  Server& to = *cluster.nodes[1];
  TestClient client(cluster.url());
  ASSERT_EQ(client.Say("{a1}", {"MSET", "{a1}x", "1", "{a1}y", "2"}), "OK");
  std::future<TestClient::Reply> both;
  cluster.MoveSlot(SlotOf("a1"), from, to, [&] {
    both = client.Begin("{a1}", {"MGET", "{a1}x", "{a1}y"}, kPatient);
    EXPECT_TRUE(Eventually([&] { return !from.Info("errorstats", "errorstat_TRYAGAIN").empty(); }));
  });
  EXPECT_EQ(TestClient::Text(both.get()), "[1, 2]");
}

TEST(ClusterTest, ANewNodeIsLearnedAndAnEmptyOneLeft) {
  Cluster cluster(2);
  Server& third = cluster.Add();
  cluster.Meet(third);
  ASSERT_TRUE(Eventually([&] { return cluster.Agree(); }));
  TestClient client(cluster.url());
  ASSERT_EQ(client.Say("a1", {"SET", "a1", "v"}), "OK");
  cluster.MoveSlot(SlotOf("a1"), *cluster.nodes[0], third);
  EXPECT_EQ(client.Say("a1", {"GET", "a1"}, kPatient), "v");
  EXPECT_TRUE(Eventually([&] { return client.RunIds().size() == 3; }));
  // The named node is not needed any more.
  cluster.nodes[0]->Kill();
  EXPECT_EQ(client.Say("a1", {"GET", "a1"}, kPatient), "v");
}

TEST(ClusterTest, AReplicaTakesOverFromAPrimaryThatDied) {
  Cluster cluster(3, 1);
  TestClient client(cluster.url());
  ASSERT_EQ(client.Say("a1", {"SET", "a1", "v"}), "OK");
  ASSERT_TRUE(Eventually([&] { return client.Say("a1", {"WAIT", "1", "1000"}) == "1"; }));
  ASSERT_TRUE(Eventually([&] { return client.RunIds().size() == 3; }));
  std::string address;
  client.Run([&](Client& c) { address = c.AddressOf("a1"); });
  Server* primary = nullptr;
  for (const auto& node : cluster.nodes) {
    if (node->address() == address) primary = node.get();
  }
  ASSERT_NE(primary, nullptr);
  primary->Kill();
  EXPECT_EQ(client.Say("a1", {"GET", "a1"}, kPatient), "v");
  EXPECT_EQ(client.Say("a1", {"SET", "a1", "w"}, kPatient), "OK");
  std::string next;
  client.Run([&](Client& c) { next = c.AddressOf("a1"); });
  EXPECT_NE(next, address);
  EXPECT_EQ(client.RunIds().size(), 4U);
  primary->Start();
  EXPECT_TRUE(Eventually([&] { return primary->Info("replication", "role") == "slave"; }));
  EXPECT_EQ(client.Say("a1", {"GET", "a1"}, kPatient), "w");
  EXPECT_TRUE(Eventually([&] { return client.Connected(); }));
}

TEST(ClusterTest, BlockingCallsFollowTheirSlot) {
  Cluster cluster(2);
  TestClient client(cluster.url());
  ASSERT_TRUE(Eventually([&] { return client.Connected(); }));
  std::promise<TestClient::Reply> popped;
  client.Run([&](Client& c) {
    c.CallBlocking(
        "a1", {"BLPOP", "a1", "0"}, [&](TestClient::Reply reply) { popped.set_value(std::move(reply)); }, kPatient);
  });
  ASSERT_TRUE(Eventually([&] { return cluster.nodes[0]->Info("clients", "blocked_clients") == "1"; }));
  // The server lets go of who waits in a slot that leaves, and says where it went.
  cluster.MoveSlot(SlotOf("a1"), *cluster.nodes[0], *cluster.nodes[1]);
  ASSERT_TRUE(Eventually([&] { return cluster.nodes[1]->Info("clients", "blocked_clients") == "1"; }));
  EXPECT_EQ(client.Say("a1", {"RPUSH", "a1", "x"}, kPatient), "1");
  EXPECT_EQ(TestClient::Text(popped.get_future().get()), "[a1, x]");
}

TEST(ClusterTest, Tls) {
  const fixture::TlsFiles files;
  std::vector<std::string> settings = files.Settings();
  settings.push_back("tls-cluster yes");
  Cluster cluster(2, 0, settings);
  std::string url = cluster.url();
  url.replace(0, 5, "rediss");
  TestClient client(url + files.trust());
  for (const char* key : {"a1", "foo", "bar", "zap"}) EXPECT_EQ(client.Say(key, {"SET", key, "v"}, kPatient), "OK");
  for (const auto& node : cluster.nodes) EXPECT_GT(node->Ask({"DBSIZE"}).integer, 0);
}

TEST(ClusterTest, SaysWhatIsWrong) {
  Server alone;
  Server unmade({"cluster-enabled yes"});
  EXPECT_THAT(TestClient("redis-cluster://" + alone.address()).WhyNot(),
              HasSubstr("is no node of a Cluster: write redis://"));
  EXPECT_THAT(TestClient("redis-cluster://" + unmade.address()).WhyNot(), HasSubstr("knows of no slots"));
  EXPECT_THAT(TestClient("redis://" + unmade.address()).WhyNot(), HasSubstr("write redis-cluster://"));
}

}  // namespace
}  // namespace tocsin::redis
