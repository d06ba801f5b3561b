#include "nodes/redis_engine.h"

#include <future>
#include <mutex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/metrics.h"
#include "nodes/keys.h"
#include "nodes/nodes_fixture.h"

namespace tocsin::nodes {
namespace {

using base::Code;
using fixture::Eventually;
using fixture::Server;
using fixture::Text;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Nids = base::Result<std::vector<std::string>>;

constexpr char kLease[] = "tocsin:{s}:s:lease";
const std::vector<std::string> kSync = {"appendonly yes", "appendfsync always"};

// One node, and what it hears.
class Engine final : public logs::LogListener {
 public:
  explicit Engine(const std::string& url, int64_t start_patience_ms = 60'000, int partitions = 0) {
    auto deployment = redis::ParseDeployment(url);
    CHECK_MSG(deployment.ok(), deployment.status().message());
    RedisEngineOptions options;
    options.deployment = *deployment;
    options.ingest_streams = {"s"};
    options.start_patience_ms = start_patience_ms;
    options.partitions = partitions;
    engine_ = std::make_unique<RedisEngine>(std::move(options), base::SystemClock(), base::SystemRandom(), *this);
  }
  RedisEngine* operator->() { return engine_.get(); }
  void Started() {
    const base::Status status = engine_->Start();
    CHECK_MSG(status.ok(), status.message());
  }
  std::future<Nids> Begin(const std::string& user) {
    auto promise = std::make_shared<std::promise<Nids>>();
    const std::vector<model::StreamFields> entries = {{{"user_id", user}, {"message", "m"}}};
    engine_->publisher().Publish(entries, [promise](const Nids& nids) { promise->set_value(nids); });
    return promise->get_future();
  }
  // Until it is taken: the nid.
  std::string Publish(const std::string& user) {
    std::string nid;
    CHECK(Eventually([&] {
      const Nids nids = Begin(user).get();
      if (nids.ok()) nid = nids->front();
      return nids.ok();
    }));
    return nid;
  }
  std::vector<std::string> LogOf(const std::string& user) {
    auto promise = std::make_shared<std::promise<std::vector<std::string>>>();
    engine_->logs().Read(user, {}, 10'000, 1 << 20, [promise](const base::Result<logs::LogPiece>& piece) {
      std::vector<std::string> nids;
      if (piece.ok()) {
        for (const logs::LogLine& line : piece->lines) nids.push_back(line.entry->nid);
      }
      promise->set_value(std::move(nids));
    });
    return promise->get_future().get();
  }
  // The end of the user's log, as far as it was told of.
  model::EntryId Heard(const std::string& user) {
    std::lock_guard lock(mutex_);
    return heard_[user];
  }
  int lost() const { return lost_; }

 private:
  void OnCommitted(std::vector<logs::LogUpdate> updates) override {
    std::lock_guard lock(mutex_);
    for (const logs::LogUpdate& update : updates) {
      model::EntryId& last = heard_[update.user];
      last = std::max(last, update.entries.empty() ? update.last : update.entries.back()->id);
    }
  }
  void OnLogsLost(std::function<bool(std::string_view user)> which) override {
    if (which("ada")) ++lost_;
  }

  std::mutex mutex_;
  std::map<std::string, model::EntryId> heard_;
  std::atomic<int> lost_{0};
  std::unique_ptr<RedisEngine> engine_;  // ends first
};

// Publishes there, and waits until it is heard here. Within seconds: a comparison of all logs would take longer.
void ExpectHeard(Engine& from, Engine& to, const std::string& user) {
  const model::EntryId before = to.Heard(user);
  const std::string nid = from.Publish(user);
  ASSERT_TRUE(Eventually([&] { return to.Heard(user) > before; }, 20'000)) << nid;
  ASSERT_TRUE(Eventually([&] {
    const std::vector<std::string> nids = to.LogOf(user);
    return !nids.empty() && nids.back() == nid;
  }));
}

TEST(RedisEngineTest, WhatIsPublishedOnOneNodeIsHeardOnTheOther) {
  Server server(kSync);
  Engine a(server.url()), b(server.url());
  a.Started();
  b.Started();
  EXPECT_NE(a->node(), b->node());
  EXPECT_EQ(a->publisher().durability(), "sync");
  a->logs().Watch("ada");
  b->logs().Watch("ada");
  b->logs().Watch("bob");
  ExpectHeard(a, b, "ada");
  ExpectHeard(b, a, "ada");
  ExpectHeard(a, a, "ada");
  ExpectHeard(a, b, "bob");
  EXPECT_TRUE(a.Heard("bob").IsZero()) << "nobody there follows it";
  b->logs().Unwatch("ada");
  ASSERT_TRUE(Eventually([&] {
    return Text(server.Ask({"HKEYS", logs::WatchersKey("ada")})) == "[" + a->node() + "]";
  }));
}

TEST(RedisEngineTest, ReleaseMovesTheRouterAndTheRestGoesOn) {
  Server server;
  Engine a(server.url()), b(server.url());
  a.Started();
  ASSERT_TRUE(Eventually([&] { return Text(server.Ask({"GET", kLease})) == a->node(); }));
  b.Started();
  a->logs().Watch("ada");
  a->Release();
  a->Release();
  ASSERT_TRUE(Eventually([&] { return Text(server.Ask({"GET", kLease})) == b->node(); }));
  ExpectHeard(a, a, "ada");
  // It lives, as long as it has users.
  server.Ask({"PEXPIRE", WakeKey(a->node()), "15000"});
  ASSERT_TRUE(Eventually([&] { return server.Ask({"PTTL", WakeKey(a->node())}).integer > 15'000; }));
  a->Stop();
  a->Stop();
  EXPECT_EQ(Text(server.Ask({"EXISTS", WakeKey(a->node())})), "0") << "it says goodbye";
  EXPECT_EQ(a.Begin("ada").get().status().code(), Code::kUnavailable);
}

TEST(RedisEngineTest, AStoreThatIsNotThere) {
  Server server;
  server.Kill();
  Engine engine(server.url(), 3'000);
  const base::Status status = engine->Start();
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_THAT(status.ToString(), AllOf(HasSubstr(server.address()), HasSubstr("refused")));
}

TEST(RedisEngineTest, AStoreThatComesLater) {
  Server server;
  server.Kill();
  Engine engine(server.url());
  auto started = std::async(std::launch::async, [&] { return engine->Start(); });
  EXPECT_EQ(started.wait_for(std::chrono::milliseconds(300)), std::future_status::timeout);
  server.Start();
  EXPECT_TRUE(started.get().ok());
}

TEST(RedisEngineTest, AStoreThatMustNotBeUsed) {
  Server server({"maxmemory 200mb", "maxmemory-policy allkeys-lru"});
  Engine engine(server.url());
  const base::Status status = engine->Start();
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_THAT(status.ToString(), AllOf(HasSubstr(server.address()), HasSubstr("noeviction")));
}

TEST(RedisEngineTest, AStoreThatRefusesWhatANodeNeeds) {
  Server server;
  server.Ask({"SET", "s", "no stream"});
  Engine engine(server.url(), 3'000);
  EXPECT_THAT(engine->Start().ToString(), HasSubstr("the log says what"));
}

// In the middle of everything, with a server that does not answer: it ends, and everybody is answered.
TEST(RedisEngineTest, EndsWithAServerThatDoesNotAnswer) {
  Server server;
  Engine engine(server.url());
  engine.Started();
  engine.Publish("ada");
  server.Freeze();
  std::vector<std::future<Nids>> under_way;
  for (int i = 0; i < 100; ++i) under_way.push_back(engine.Begin("ada"));
  engine->Stop();
  for (auto& one : under_way) EXPECT_FALSE(one.get().ok());
}

TEST(RedisEngineTest, NeverStarted) {
  Server server;
  Engine engine(server.url());
  engine->Release();
  engine->Stop();
  EXPECT_FALSE(engine.Begin("ada").get().ok());
}

TEST(RedisEngineTest, TheServerIsKilledAndComesBack) {
  Server server(kSync);
  Engine a(server.url()), b(server.url());
  a.Started();
  b.Started();
  a->logs().Watch("ada");
  b->logs().Watch("ada");
  std::vector<std::string> nids;
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 20; ++j) nids.push_back(a.Publish("ada"));
    server.Restart();
    ExpectHeard(b, a, "ada");
    nids.push_back(a.LogOf("ada").back());
    ExpectHeard(a, b, "ada");
    nids.push_back(a.LogOf("ada").back());
  }
  EXPECT_EQ(a.LogOf("ada"), nids) << "each once, in order";
  EXPECT_EQ(a.lost(), 0);
}

TEST(RedisEngineTest, EverythingIsFlushed) {
  Server server(kSync);
  Engine a(server.url()), b(server.url());
  a.Started();
  b.Started();
  a->logs().Watch("ada");
  b->logs().Watch("ada");
  ExpectHeard(a, b, "ada");
  server.Ask({"FLUSHALL"});
  ASSERT_TRUE(Eventually([&] { return a.lost() == 1 && b.lost() == 1; }));
  ExpectHeard(a, b, "ada");
  ExpectHeard(b, a, "ada");
  EXPECT_EQ(a.LogOf("ada").size(), 2u);
}

TEST(RedisEngineTest, AFailoverIsToldAndSurvived) {
  redis::fixture::SentinelGroup group(1, kSync);
  Engine a(group.url()), b(group.url());
  a.Started();
  b.Started();
  a->logs().Watch("ada");
  b->logs().Watch("ada");
  ExpectHeard(a, b, "ada");
  const std::string first = a.LogOf("ada").front();
  ASSERT_TRUE(Eventually([&] { return Text(group.servers[1]->Ask({"EXISTS", logs::LogKey("ada")})) == "1"; }));
  group.servers[0]->Kill();
  ASSERT_TRUE(Eventually([&] { return a.lost() == 1 && b.lost() == 1; }));
  ExpectHeard(a, b, "ada");
  ExpectHeard(b, a, "ada");
  const std::vector<std::string> nids = a.LogOf("ada");
  EXPECT_EQ(nids.size(), 3u);
  EXPECT_EQ(nids.front(), first) << "what the replica had is there, once";
}

// Partitions on the nodes of a Cluster, and slots that move while all is at work.
TEST(RedisEngineTest, OnAClusterWhoseSlotsMove) {
  redis::fixture::Cluster cluster(3, 0, kSync);
  Engine a(cluster.url(), 60'000, 4), b(cluster.url(), 60'000, 4);
  a.Started();
  b.Started();
  const auto move = [&](const std::string& key) {
    const int slot = redis::SlotOf(key);
    Server* from = nullptr;
    for (const auto& node : cluster.nodes) {
      const auto count = node->Ask({"CLUSTER", "COUNTKEYSINSLOT", std::to_string(slot)});
      if (count.integer > 0) from = node.get();
    }
    ASSERT_NE(from, nullptr) << key;
    cluster.MoveSlot(slot, *from, from == cluster.nodes[0].get() ? *cluster.nodes[1] : *cluster.nodes[0]);
  };
  std::map<std::string, std::vector<std::string>> wanted;
  for (int i = 0; i < 8; ++i) b->logs().Watch("u" + std::to_string(i));
  const auto publish = [&](int count) {
    for (int i = 0; i < count; ++i) {
      const std::string user = "u" + std::to_string(i % 8);
      wanted[user].push_back(a.Publish(user));
    }
  };
  publish(80);
  move("s:{1}");
  publish(80);
  move(logs::BucketKey(logs::BucketOf("u3")));
  publish(80);
  move("s:{2}");
  publish(80);
  for (const auto& [user, nids] : wanted) {
    ASSERT_TRUE(Eventually([&, u = user, n = nids.size()] { return b.LogOf(u).size() >= n; })) << user;
    EXPECT_EQ(b.LogOf(user), nids) << user;
    ASSERT_TRUE(Eventually([&, u = user] { return !b.Heard(u).IsZero(); })) << user;
  }
  EXPECT_EQ(a.lost() + b.lost(), 0);
}

}  // namespace
}  // namespace tocsin::nodes
