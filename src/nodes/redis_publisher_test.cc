#include "nodes/redis_publisher.h"

#include <future>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/metrics.h"
#include "nodes/nodes_fixture.h"
#include "nodes/redis_engine.h"
#include "redis/client.h"

namespace tocsin::nodes {
namespace {

using base::Code;
using fixture::Eventually;
using fixture::Server;
using fixture::Text;
using fixture::WatchNode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using Nids = base::Result<std::vector<std::string>>;

model::StreamFields Entry(const std::string& user, const std::string& message = "m") {
  return {{"user_id", user}, {"message", message}};
}

class Publishing {
 public:
  explicit Publishing(const Server& server, std::vector<std::string> streams = {"notifications_stream"},
                      int wait_replicas = 0)
      : node_(server.url()) {
    CHECK(Eventually([this] { return node_.healthy(); }));
    publisher_ =
        std::make_unique<RedisPublisher>(node_.core(), node_.redis(), node_.watch(), streams, streams, wait_replicas);
  }
  ~Publishing() {
    node_.OnCore([this] { node_.redis().Stop(); });
    node_.OnCore([this] { publisher_.reset(); });  // behind what that has posted
  }
  std::future<Nids> Begin(std::vector<model::StreamFields> entries) {
    auto promise = std::make_shared<std::promise<Nids>>();
    publisher_->Publish(std::move(entries), [promise](const Nids& nids) { promise->set_value(nids); });
    return promise->get_future();
  }
  Nids Publish(std::vector<model::StreamFields> entries) { return Begin(std::move(entries)).get(); }
  RedisPublisher& publisher() { return *publisher_; }
  WatchNode& node() { return node_; }

 private:
  WatchNode node_;
  std::unique_ptr<RedisPublisher> publisher_;
};

// "[id, [field, value, ...]]" of an entry.
std::string EntryText(const Server& server, const std::string& stream, std::string id) {
  id = id.substr(0, id.find('@'));
  return Text(server.Ask({"XRANGE", stream, id, id}));
}

TEST(RedisPublisherTest, AnswersTheIdsInTheOrderOfTheEntries) {
  Server server;
  Publishing publishing(server);
  Nids one = publishing.Publish({Entry("ada", "x\r\n")});
  ASSERT_TRUE(one.ok()) << one.status().ToString();
  ASSERT_EQ(one->size(), 1u);
  EXPECT_THAT(one->front(), MatchesRegex("[0-9]+-[0-9]+"));
  EXPECT_THAT(EntryText(server, "notifications_stream", one->front()), HasSubstr("user_id, ada, message, x\r\n"));
  std::vector<model::StreamFields> entries;
  for (int i = 0; i < 1'000; ++i) entries.push_back(Entry("u" + std::to_string(i), "m" + std::to_string(i)));
  Nids many = publishing.Publish(entries);
  ASSERT_TRUE(many.ok()) << many.status().ToString();
  ASSERT_EQ(many->size(), 1'000u);
  EXPECT_THAT(EntryText(server, "notifications_stream", many->at(0)), HasSubstr("user_id, u0, message, m0]"));
  EXPECT_THAT(EntryText(server, "notifications_stream", many->at(999)), HasSubstr("user_id, u999, message, m999]"));
  EXPECT_EQ(publishing.publisher().queued(), 0u);
  EXPECT_EQ(Text(server.Ask({"XLEN", "notifications_stream"})), "1001");
}

TEST(RedisPublisherTest, APartitionForEachUser) {
  Server server;
  const std::vector<std::string> streams = PartitionsOf("s", 4);
  EXPECT_THAT(streams, ElementsAre("s:{0}", "s:{1}", "s:{2}", "s:{3}"));
  Publishing publishing(server, streams);
  std::vector<model::StreamFields> entries;
  for (int i = 0; i < 100; ++i) entries.push_back(Entry("u" + std::to_string(i % 10), std::to_string(i)));
  entries.push_back({{"user_ids", "[\"a\",\"b\"]"}, {"message", "100"}});
  Nids nids = publishing.Publish(entries);
  ASSERT_TRUE(nids.ok()) << nids.status().ToString();
  ASSERT_EQ(nids->size(), 101u);
  std::set<std::string> used;
  for (int i = 0; i < 101; ++i) {
    const std::string& nid = nids->at(static_cast<size_t>(i));
    const std::string stream = nid.substr(nid.find('@') + 1);
    const std::string user = "u" + std::to_string(i % 10);
    const std::string wanted = i == 100 ? streams[0] : streams[redis::SlotOf(user) % 4];
    EXPECT_EQ(stream, wanted) << user;
    EXPECT_THAT(EntryText(server, stream, nid), HasSubstr("message, " + std::to_string(i) + "]"));
    used.insert(stream);
  }
  EXPECT_GT(used.size(), 2u);
}

TEST(RedisPublisherTest, AFullStoreSaysSoAndStoresNothing) {
  Server server({"maxmemory-policy noeviction"});
  Publishing publishing(server);
  ASSERT_TRUE(publishing.Publish({Entry("ada")}).ok());
  server.Ask({"CONFIG", "SET", "maxmemory", "100kb"});
  EXPECT_EQ(publishing.Publish({Entry("ada")}).status().code(), Code::kNoSpace);
  EXPECT_EQ(publishing.Publish({Entry("ada"), Entry("bob")}).status().code(), Code::kNoSpace);
  EXPECT_EQ(Text(server.Ask({"XLEN", "notifications_stream"})), "1");
  server.Ask({"CONFIG", "SET", "maxmemory", "0"});
  EXPECT_TRUE(publishing.Publish({Entry("ada")}).ok());
}

TEST(RedisPublisherTest, WithoutTheServerItIsSaidAtOnce) {
  Server server;
  Publishing publishing(server);
  ASSERT_TRUE(publishing.Publish({Entry("ada")}).ok());
  server.Freeze();
  std::vector<std::future<Nids>> under_way;
  for (int i = 0; i < 10; ++i) under_way.push_back(publishing.Begin({Entry("ada"), Entry("bob")}));
  ASSERT_TRUE(Eventually([&] { return publishing.publisher().queued() == 10; }));
  server.Kill();
  for (auto& one : under_way) EXPECT_EQ(one.get().status().code(), Code::kUnavailable);
  ASSERT_TRUE(Eventually([&] { return !publishing.publisher().health().ok(); }));
  // Inside the call: nothing waits.
  bool answered = false;
  const std::vector<model::StreamFields> entries = {Entry("ada")};
  publishing.publisher().Publish(entries, [&answered](const Nids& nids) {
    EXPECT_EQ(nids.status().code(), Code::kUnavailable);
    answered = true;
  });
  EXPECT_TRUE(answered);
  server.Start();
  ASSERT_TRUE(Eventually([&] { return publishing.publisher().health().ok(); }));
  EXPECT_TRUE(publishing.Publish({Entry("ada")}).ok());
}

TEST(RedisPublisherTest, SomethingElseUnderTheStreamsName) {
  Server server;
  Publishing publishing(server);
  server.Ask({"SET", "notifications_stream", "x"});
  const base::Status one = publishing.Publish({Entry("ada")}).status();
  EXPECT_EQ(one.code(), Code::kInternal);
  EXPECT_THAT(one.ToString(), HasSubstr("holds something else"));
  EXPECT_EQ(publishing.Publish({Entry("ada"), Entry("bob")}).status().code(), Code::kInternal);
}

// A stopped client answers every publish, and none of them as stored.
TEST(RedisPublisherTest, WhatIsUnderWayWhenAllEndsIsNotConfirmed) {
  Server server;
  std::vector<std::future<Nids>> under_way;
  {
    Publishing publishing(server, {"a", "b"});
    server.Freeze();
    for (int i = 0; i < 20; ++i) under_way.push_back(publishing.Begin({Entry("ada"), Entry("bob"), Entry("eve")}));
    ASSERT_TRUE(Eventually([&] { return publishing.publisher().queued() == 20; }));
    publishing.node().OnCore([&] {
      publishing.node().watch().Stop();
      EXPECT_FALSE(publishing.publisher().health().ok());
    });
  }
  for (auto& one : under_way) EXPECT_EQ(one.get().status().code(), Code::kCancelled);
  server.Thaw();
}

TEST(RedisPublisherTest, ReplicasThatDoNotConfirm) {
  Server server;
  Publishing publishing(server, {"s"}, 1);
  const base::Status alone = publishing.Publish({Entry("ada")}).status();
  EXPECT_EQ(alone.code(), Code::kUnavailable);
  EXPECT_THAT(alone.ToString(), HasSubstr("wait_replicas"));
  Server replica({"replicaof 127.0.0.1 " + std::to_string(server.port())});
  ASSERT_TRUE(Eventually([&] { return replica.Info("replication", "master_link_status") == "up"; }));
  Nids stored = publishing.Publish({Entry("ada"), Entry("bob")});
  ASSERT_TRUE(stored.ok()) << stored.status().ToString();
  EXPECT_THAT(EntryText(replica, "s", stored->back()), HasSubstr("user_id, bob"));
}

// Publishes of many turns, while a replica is away: what else the node asks has its turn between them.
TEST(RedisPublisherTest, WaitingForAReplicaDoesNotStopTheRest) {
  Server server;
  Publishing publishing(server, {"s:{0}", "s:{1}"}, 1);
  std::vector<std::future<Nids>> under_way;
  for (int i = 0; i < 40; ++i) {
    under_way.push_back(publishing.Begin({Entry("u" + std::to_string(i))}));
    publishing.node().OnCore([] {});  // a turn
  }
  auto pong = std::make_shared<std::promise<bool>>();
  publishing.node().OnCore([&] {
    publishing.node().redis().Call("x", {"PING"},
                                   [pong](const base::Result<wire::RespReply>& reply) { pong->set_value(reply.ok()); },
                                   {.patience_ms = 10'000});
  });
  EXPECT_TRUE(pong->get_future().get());
  for (auto& one : under_way) EXPECT_EQ(one.get().status().code(), Code::kUnavailable);
  EXPECT_THAT(server.Info("commandstats", "cmdstat_wait"), ::testing::MatchesRegex("calls=[1-4],.*"));
}

int64_t LostCount() {
  const std::string name = "\ntocsin_confirmed_entries_lost_total ", text = base::MetricsText();
  const size_t at = text.find(name);
  return at == std::string::npos ? -1 : std::stoll(text.substr(at + name.size()));
}

TEST(RedisPublisherTest, CountsWhatWasConfirmedAndIsGone) {
  Server server;
  Publishing publishing(server, {"s"});
  std::vector<std::string> nids;
  for (int batch = 0; batch < 3; ++batch) {
    Nids more = publishing.Publish(std::vector<model::StreamFields>(800, Entry("ada")));
    ASSERT_TRUE(more.ok());
    nids.insert(nids.end(), more->begin(), more->end());
  }
  const int64_t before = LostCount();
  ASSERT_GE(before, 0);
  for (size_t at : {0u, 999u, 1'000u, 2'399u}) {
    server.Ask({"XDEL", "s", nids[at].substr(0, nids[at].find('@'))});
  }
  publishing.node().OnCore([&] { publishing.publisher().CountLost(); });
  ASSERT_TRUE(Eventually([&] { return LostCount() == before + 4; })) << LostCount() - before;
  // They were looked up once; what is published after it counts the next time.
  Nids later = publishing.Publish({Entry("bob")});
  ASSERT_TRUE(later.ok());
  server.Ask({"DEL", "s"});
  publishing.node().OnCore([&] { publishing.publisher().CountLost(); });
  ASSERT_TRUE(Eventually([&] { return LostCount() == before + 5; })) << LostCount() - before;
}

}  // namespace
}  // namespace tocsin::nodes
