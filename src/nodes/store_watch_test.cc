#include "nodes/store_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nodes/nodes_fixture.h"

namespace tocsin::nodes {
namespace {

using fixture::Eventually;
using fixture::Server;
using fixture::Text;
using fixture::WatchNode;
using ::testing::HasSubstr;

const std::vector<std::string> kSync = {"appendonly yes", "appendfsync always"};
const std::vector<std::string> kEverySecond = {"appendonly yes", "appendfsync everysec"};

std::string Field(const Server& server, int bucket, const std::string& field) {
  return Text(server.Ask({"HGET", logs::BucketKey(bucket), field}));
}
// Every bucket knows the primary that it is on.
bool Settled(const Server& server) {
  const std::string replid = server.Info("replication", "master_replid");
  for (int bucket = 0; bucket < logs::kBuckets; ++bucket) {
    if (Field(server, bucket, "replid") != replid) return false;
  }
  return true;
}
// With everysec Redis answers before it has written, while an fsync takes its time: a SIGKILL would take that.
void KillWritten(Server& server) {
  EXPECT_TRUE(Eventually([&] { return server.Info("persistence", "aof_buffer_length") == "0"; }));
  server.Kill();
}
void RestartWritten(Server& server) {
  KillWritten(server);
  server.Start();
}
int Marked(const Server& server) {
  int marked = 0;
  for (int bucket = 0; bucket < logs::kBuckets; ++bucket) marked += Field(server, bucket, "lost") != "(nil)";
  return marked;
}

TEST(StoreWatchTest, AStoreThatEvictsIsNotUsedUntilItIsMended) {
  Server server({"maxmemory 200mb", "maxmemory-policy allkeys-lru"});
  WatchNode node(server.url());
  ASSERT_TRUE(Eventually([&] { return node.assessed() > 0; }));
  EXPECT_THAT(node.watch().health().ToString(), HasSubstr("noeviction"));
  EXPECT_EQ(Text(server.Ask({"DBSIZE"})), "0") << "nothing was written";
  server.Ask({"CONFIG", "SET", "maxmemory-policy", "noeviction"});
  node.Look();
  ASSERT_TRUE(Eventually([&] { return node.healthy(); }));
  ASSERT_TRUE(Eventually([&] { return Settled(server); }));
  EXPECT_EQ(node.lost(), 0);
}

TEST(StoreWatchTest, TheLevelFollowsTheServersConfiguration) {
  Server server(kEverySecond);
  WatchNode node(server.url());
  ASSERT_TRUE(Eventually([&] { return node.healthy(); }));
  EXPECT_EQ(node.watch().level(), "interval");
  server.Ask({"CONFIG", "SET", "appendfsync", "always"});
  node.Look();
  ASSERT_TRUE(Eventually([&] { return node.watch().level() == "sync"; })) << node.watch().why();
  server.Ask({"CONFIG", "SET", "appendonly", "no"});
  node.Look();
  ASSERT_TRUE(Eventually([&] { return node.watch().level() == "memory"; }));
}

TEST(StoreWatchTest, SaysWhyTheStoreDoesNotAnswer) {
  Server server;
  server.Kill();
  WatchNode node(server.url());
  ASSERT_TRUE(Eventually([&] { return node.watch().health().ToString().find("refused") != std::string::npos; }))
      << node.watch().health().ToString();
  EXPECT_THAT(node.watch().health().ToString(), HasSubstr(server.address()));
  server.Start();
  ASSERT_TRUE(Eventually([&] { return node.healthy(); }));
  server.Kill();
  ASSERT_TRUE(Eventually([&] { return !node.healthy(); }));
  EXPECT_EQ(node.watch().health().code(), base::Code::kUnavailable);
}

TEST(StoreWatchTest, ARestartAtSyncLeavesNoMark) {
  Server server(kSync);
  WatchNode node(server.url());
  ASSERT_TRUE(Eventually([&] { return Settled(server); }));
  server.Restart();
  ASSERT_TRUE(Eventually([&] { return Settled(server); })) << "it is another process";
  EXPECT_EQ(Marked(server), 0);
  EXPECT_EQ(node.lost(), 0);
}

TEST(StoreWatchTest, ARestartThatMayHaveLostEntriesMarksEveryBucketOnce) {
  Server server(kEverySecond);
  WatchNode a(server.url()), b(server.url());
  ASSERT_TRUE(Eventually([&] { return Settled(server) && a.healthy() && b.healthy(); }));
  RestartWritten(server);
  ASSERT_TRUE(Eventually([&] { return a.lost() == 1 && b.lost() == 1; })) << "both hear of it";
  EXPECT_TRUE(a.lost_buckets().all());
  EXPECT_TRUE(b.lost_buckets().all());
  EXPECT_EQ(Marked(server), logs::kBuckets);
  const std::string mark = Field(server, 9, "lost"), floor = Field(server, 9, "floor");
  EXPECT_EQ(mark, floor + "-0");
  EXPECT_GT(std::stoll(floor), base::SystemClock().NowMs()) << "above the clocks";
  const int looks = a.assessed();
  a.Look();
  ASSERT_TRUE(Eventually([&] { return a.assessed() > looks; }));
  b.Look();
  WatchNode later(server.url());
  ASSERT_TRUE(Eventually([&] { return later.healthy(); }));
  ASSERT_TRUE(Eventually([&] { return later.assessed() > 0; }));
  EXPECT_EQ(Field(server, 9, "lost"), mark) << "once";
  EXPECT_EQ(a.lost(), 1);
  EXPECT_EQ(later.lost(), 0) << "it has nobody to tell";
  // Another one, while the clocks are still behind the first mark.
  RestartWritten(server);
  ASSERT_TRUE(Eventually([&] { return a.lost() == 2 && b.lost() == 2; }));
  EXPECT_GT(std::stoll(Field(server, 9, "floor")), std::stoll(floor));
}

// What counts is how the server worked before, not how it is configured after it.
TEST(StoreWatchTest, ARestartAtSyncOfWhatWasNotLeavesAMark) {
  Server server(kEverySecond);
  WatchNode node(server.url());
  ASSERT_TRUE(Eventually([&] { return Settled(server); }));
  KillWritten(server);
  server.SetSettings(kSync);
  server.Start();
  ASSERT_TRUE(Eventually([&] { return node.lost() == 1; }));
  EXPECT_EQ(Marked(server), logs::kBuckets);
}

TEST(StoreWatchTest, AFailoverMarksEveryBucketAndEveryNodeHears) {
  redis::fixture::SentinelGroup group(1, kSync);
  WatchNode a(group.url()), b(group.url());
  ASSERT_TRUE(Eventually([&] { return a.healthy() && b.healthy() && Settled(*group.servers[0]); }));
  // The marks that are to come are not to be taken for those that the replica has not seen yet.
  ASSERT_TRUE(
      Eventually([&] { return Settled(*group.servers[0]) && Field(*group.servers[1], 255, "replid").size() > 9; }));
  group.servers[0]->Kill();
  ASSERT_TRUE(Eventually([&] { return a.lost() == 1 && b.lost() == 1; }));
  EXPECT_TRUE(a.lost_buckets().all());
  EXPECT_EQ(Marked(*group.servers[1]), logs::kBuckets);
  EXPECT_EQ(Field(*group.servers[1], 0, "address"), group.servers[1]->address());
  ASSERT_TRUE(Eventually([&] { return a.healthy() && b.healthy(); }));
}

// A service that hides its failovers behind one name: the replication id tells, and a node that starts then hears too.
TEST(StoreWatchTest, APromotedReplicaAtTheSameAddress) {
  Server first(kSync);
  std::vector<std::string> settings = kSync;
  settings.push_back("replicaof 127.0.0.1 " + std::to_string(first.port()));
  Server second(settings);
  ASSERT_TRUE(Eventually([&] { return second.Info("replication", "master_link_status") == "up"; }));
  {
    WatchNode node(first.url());
    ASSERT_TRUE(Eventually([&] { return Settled(first); }));
  }
  for (int bucket = 0; bucket < logs::kBuckets; ++bucket) {
    first.Ask({"HSET", logs::BucketKey(bucket), "address", second.address()});
  }
  ASSERT_TRUE(Eventually([&] { return Field(second, 255, "address") == second.address(); }));
  first.Kill();
  second.Ask({"REPLICAOF", "NO", "ONE"});
  WatchNode node(second.url());
  ASSERT_TRUE(Eventually([&] { return node.lost() == 1; }));
  EXPECT_TRUE(node.lost_buckets().all());
  EXPECT_EQ(Marked(second), logs::kBuckets);
}

// The first replica that comes makes a new replication id: nothing was lost by it.
TEST(StoreWatchTest, AReplicaThatComesLeavesNoMark) {
  Server server(kEverySecond);
  WatchNode node(server.url());
  ASSERT_TRUE(Eventually([&] { return Settled(server); }));
  const std::string replid = server.Info("replication", "master_replid");
  Server replica({"replicaof 127.0.0.1 " + std::to_string(server.port())});
  ASSERT_TRUE(Eventually([&] { return replica.Info("replication", "master_link_status") == "up"; }));
  ASSERT_NE(server.Info("replication", "master_replid"), replid);
  node.Look();
  ASSERT_TRUE(Eventually([&] { return Settled(server); }));
  EXPECT_EQ(Marked(server), 0);
  EXPECT_EQ(node.lost(), 0);
  RestartWritten(server);
  ASSERT_TRUE(Eventually([&] { return node.lost() == 1; })) << "this does";
}

// The node of the Cluster that has a bucket.
Server* Holder(const redis::fixture::Cluster& cluster, int bucket) {
  for (const auto& node : cluster.nodes) {
    if (node->running() && Text(node->Ask({"HGET", logs::BucketKey(bucket), "epoch"})).size() == 16) return node.get();
  }
  return nullptr;
}
// Every bucket knows the node that it is on.
bool Settled(const redis::fixture::Cluster& cluster) {
  for (int bucket = 0; bucket < logs::kBuckets; ++bucket) {
    const Server* holder = Holder(cluster, bucket);
    if (holder == nullptr || Field(*holder, bucket, "address") != holder->address()) return false;
  }
  return true;
}

TEST(StoreWatchTest, ASlotThatMovedLeavesNoMark) {
  redis::fixture::Cluster cluster(2, 0, kEverySecond);
  WatchNode node(cluster.url());
  ASSERT_TRUE(Eventually([&] { return Settled(cluster); }));
  Server* const from = Holder(cluster, 77);
  Server* const to = from == cluster.nodes[0].get() ? cluster.nodes[1].get() : cluster.nodes[0].get();
  cluster.MoveSlot(redis::SlotOf(logs::BucketKey(77)), *from, *to);
  ASSERT_TRUE(Eventually([&] {
    node.Look();  // until the client has heard of it too
    return Field(*to, 77, "address") == to->address();
  }));
  EXPECT_EQ(Field(*to, 77, "lost"), "(nil)");
  EXPECT_EQ(node.lost(), 0);
}

TEST(StoreWatchTest, AFailoverOfAShardMarksItsBuckets) {
  redis::fixture::Cluster cluster(3, 1, kSync);
  WatchNode node(cluster.url());
  ASSERT_TRUE(Eventually([&] { return Settled(cluster); }));
  Buckets there;
  for (int bucket = 0; bucket < logs::kBuckets; ++bucket) {
    there[static_cast<size_t>(bucket)] = Holder(cluster, bucket) == cluster.nodes[0].get();
  }
  ASSERT_TRUE(there.any() && !there.all());
  ASSERT_TRUE(Eventually([&] {
    return cluster.nodes[3]->Info("replication", "slave_repl_offset") ==
           cluster.nodes[0]->Info("replication", "master_repl_offset");
  }));
  cluster.nodes[0]->Kill();
  ASSERT_TRUE(Eventually([&] { return node.lost() == 1 && node.healthy(); }));
  EXPECT_EQ(node.lost_buckets(), there);
  for (int bucket = 0; bucket < logs::kBuckets; ++bucket) {
    const Server* holder = Holder(cluster, bucket);
    ASSERT_NE(holder, nullptr);
    EXPECT_EQ(Field(*holder, bucket, "lost") != "(nil)", there[static_cast<size_t>(bucket)]) << bucket;
  }
}

TEST(StoreWatchTest, AnEmptyStoreGetsNewEpochs) {
  Server server(kSync);
  WatchNode node(server.url());
  ASSERT_TRUE(Eventually([&] { return Settled(server) && node.healthy(); }));
  const std::string epoch = Field(server, 5, "epoch");
  server.Ask({"FLUSHALL"});
  // Whoever meets it says so.
  node.logs().Open("ada", "", [](const base::Result<logs::LogOpening>&) {});
  ASSERT_TRUE(Eventually([&] { return node.lost() == 1; }));
  EXPECT_TRUE(node.lost_buckets().all());
  EXPECT_NE(Field(server, 5, "epoch"), epoch);
  EXPECT_EQ(Marked(server), 0) << "the epoch says it";
}

// A bucket that cannot be looked after is tried again, and not all the time.
TEST(StoreWatchTest, WhatCannotBeSettledIsTriedAgain) {
  Server server(kEverySecond);
  WatchNode node(server.url());
  ASSERT_TRUE(Eventually([&] { return Settled(server); }));
  const std::string record = Text(server.Ask({"DUMP", logs::BucketKey(3)}));
  server.Ask({"SET", logs::BucketKey(3), "in the way"});
  const int looks = node.assessed();
  node.Look();
  ASSERT_TRUE(Eventually([&] { return node.assessed() >= looks + 4; }));
  server.Ask({"RESTORE", logs::BucketKey(3), "0", record, "REPLACE"});
  RestartWritten(server);
  ASSERT_TRUE(Eventually([&] { return Settled(server); }));
  EXPECT_EQ(Marked(server), logs::kBuckets);
}

}  // namespace
}  // namespace tocsin::nodes
