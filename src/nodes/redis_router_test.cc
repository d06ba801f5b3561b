#include "nodes/redis_router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/limits.h"
#include "nodes/nodes_fixture.h"
#include "notifier/counters.h"

namespace tocsin::nodes {
namespace {

using fixture::Eventually;
using fixture::Server;
using fixture::TestNode;
using fixture::Text;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kStream[] = "s";
constexpr char kRouted[] = "tocsin:{s}:s:routed";

class RouterNode final : public TestNode {
 public:
  RouterNode(const Server& server, const std::string& name, const std::string& start = "0")
      : TestNode(server.url(), name) {
    OnCore([&] {
      const auto appended = [this](std::vector<logs::Appended> more) { appended_ += more.size(); };
      schedule_ = std::make_unique<RedisSchedule>(core(), redis(), base::SystemClock(), logs(), kStream, appended);
      router_ = std::make_unique<RedisRouter>(core(), redis(), logs(), *schedule_, kStream, name, start, appended);
      core().Every(50, [this] {
        if (router_) router_->Tick();
      });
    });
  }
  ~RouterNode() override {
    End([this] {
      router_.reset();
      schedule_.reset();
    });
  }
  bool AtWork() {
    return Get<bool>([this] { return router_->at_work(); });
  }
  void RouteAgain() {
    OnCore([this] { router_->RouteAgain(); });
  }
  void Release() {
    OnCore([this] { router_->Release(); });
  }
  size_t appended() {
    return Get<size_t>([this] { return appended_; });
  }

 private:
  std::unique_ptr<RedisSchedule> schedule_;
  std::unique_ptr<RedisRouter> router_;
  size_t appended_ = 0;
};

wire::RespReply Lua(const Server& server, const std::string& script, std::vector<std::string> arguments = {}) {
  std::vector<std::string> command = {"EVAL", script, "1", kStream};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return server.Ask(command);
}
// Appends `entries`, to users u0, u1, ... in turn.
void Add(const Server& server, int entries, int users) {
  const auto reply = Lua(server, R"lua(
    for i = 1, tonumber(ARGV[1]) do
      redis.call('XADD', KEYS[1], '*', 'user_id', 'u' .. (i % tonumber(ARGV[2])), 'message', 'm' .. i)
    end
    return 'OK')lua",
                         {std::to_string(entries), std::to_string(users)});
  ASSERT_EQ(Text(reply), "OK");
}
std::string AddOne(const Server& server, const std::string& user) {
  return server.Ask({"XADD", kStream, "*", "user_id", user, "message", "m"}).text;
}

// What the stream says should be in a user's log: nids in order.
std::vector<std::string> InStream(const Server& server, const std::string& user) {
  std::vector<std::string> nids;
  for (const wire::RespReply& entry : server.Ask({"XRANGE", kStream, "-", "+"}).elements) {
    const std::vector<wire::RespReply>& fields = entry.elements[1].elements;
    for (size_t i = 0; i + 1 < fields.size(); i += 2) {
      if (fields[i].text == "user_id" && fields[i + 1].text == user) nids.push_back(entry.elements[0].text + "@s");
    }
  }
  return nids;
}
std::string Group(const Server& server, const std::string& field) {
  const wire::RespReply groups = server.Ask({"XINFO", "GROUPS", kStream});
  for (const wire::RespReply& group : groups.elements) {
    for (size_t i = 0; i + 1 < group.elements.size(); i += 2) {
      if (group.elements[i].text == field) return Text(group.elements[i + 1]);
    }
  }
  return "none";
}
bool AllRouted(const Server& server) {
  const std::string last = Text(server.Ask({"XREVRANGE", kStream, "+", "-", "COUNT", "1"}).elements[0].elements[0]);
  return Group(server, "last-delivered-id") == last && Group(server, "pending") == "0" &&
         Text(server.Ask({"GET", kRouted})) == last;
}

// Entries that arrive all the time, until the object goes. Remembers which were confirmed.
class Producer {
 public:
  Producer(const Server& server, int users)
      : client_(server.url()), thread_([this, users] {
          for (int i = 0; !stop_; ++i) {
            const std::string user = "u" + std::to_string(i % users);
            const auto reply = client_.Call(kStream, {"XADD", kStream, "*", "user_id", user, "message", "m"});
            poll(nullptr, 0, 1);
            if (!reply.ok() || reply->is_error()) continue;
            confirmed_.push_back({user, reply->text + "@s"});
            ++count_;
          }
        }) {}
  ~Producer() { Stop(); }
  void Stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  size_t count() const { return count_; }
  bool More(size_t entries) {
    const size_t wanted = count_ + entries;
    return Eventually([&] { return count_ >= wanted; });
  }
  // After Stop().
  std::vector<std::string> Confirmed(const std::string& user) const {
    std::vector<std::string> nids;
    for (const auto& [whose, nid] : confirmed_) {
      if (whose == user) nids.push_back(nid);
    }
    return nids;
  }

 private:
  std::atomic<bool> stop_{false};
  std::atomic<size_t> count_{0};
  redis::fixture::TestClient client_;
  std::vector<std::pair<std::string, std::string>> confirmed_;
  std::thread thread_;
};

TEST(RedisRouterTest, EachUserGetsTheEntriesInTheOrderOfTheStream) {
  Server server;
  RouterNode node(server, "a");
  node.PrepareLogs();
  Add(server, 3'000, 7);
  ASSERT_TRUE(Eventually([&] { return AllRouted(server); }));
  for (int i = 0; i < 7; ++i) {
    const std::string user = "u" + std::to_string(i);
    EXPECT_EQ(node.Nids(user), InStream(server, user));
  }
  const std::string id = AddOne(server, "u1");
  ASSERT_TRUE(Eventually([&] { return node.Nids("u1").back() == id + "@s"; }));
  EXPECT_GE(node.appended(), 7u);
}

// Entries of one user that are there before anybody reads.
void AddLowThenCritical(const Server& server, int low) {
  const auto reply = Lua(server, R"lua(
    for i = 1, tonumber(ARGV[1]) do
      redis.call('XADD', KEYS[1], '*', 'user_id', 'u', 'message', 'x', 'priority', 'low')
    end
    for i = 1, 2 do
      redis.call('XADD', KEYS[1], '*', 'user_id', 'u', 'message', '!', 'priority', 'critical')
    end
    return 'OK')lua",
                         {std::to_string(low)});
  ASSERT_EQ(Text(reply), "OK");
}
// What was added so, in the order in which it is routed.
std::vector<std::string> UrgentFirst(std::vector<std::string> stream) {
  std::rotate(stream.begin(), stream.end() - 2, stream.end());
  return stream;
}

TEST(RedisRouterTest, ACriticalOneBehindAReadAheadOfLowOnesIsRoutedFirst) {
  Server server;
  AddLowThenCritical(server, 4'000);
  RouterNode node(server, "a");
  node.PrepareLogs();
  ASSERT_TRUE(Eventually([&] { return AllRouted(server); }));
  EXPECT_EQ(node.Nids("u"), UrgentFirst(InStream(server, "u")));
}

// It dies when it has routed the critical ones and has acknowledged them, and holds the low ones.
TEST(RedisRouterTest, WhatWasPassedByIsPendingAndComesWithTheNextOne) {
  Server server;
  AddLowThenCritical(server, 1'000);
  server.Ask({"XGROUP", "CREATE", kStream, "tocsin", "0"});
  const auto read = server.Ask({"XREADGROUP", "GROUP", "tocsin", "dead", "COUNT", "2000", "STREAMS", kStream, ">"});
  const std::vector<wire::RespReply>& entries = read.elements[0].elements[1].elements;
  server.Ask({"XACK", kStream, "tocsin", entries[1'000].elements[0].text, entries[1'001].elements[0].text});
  RouterNode node(server, "a");
  node.PrepareLogs();
  std::vector<std::string> expected = InStream(server, "u");
  expected.resize(1'000);
  ASSERT_TRUE(Eventually([&] { return node.Nids("u").size() >= 1'000; }));
  EXPECT_EQ(node.Nids("u"), expected) << "the two it had acknowledged were never appended here";
}

// Urgent ones among many, from a producer that does not stop, and a server that is killed: of each priority every one
// is there once, in the order of the stream.
TEST(RedisRouterTest, EachPriorityKeepsItsOrderThroughCrashes) {
  Server server({"appendonly yes", "appendfsync always"});
  RouterNode node(server, "a");
  node.PrepareLogs();
  const std::array<std::string, 4> priorities = {"low", "normal", "high", "critical"};
  for (int round = 0; round < 4; ++round) {
    ASSERT_TRUE(Eventually([&] {  // it may be loading still
      const auto reply = Lua(server, R"lua(
        for i = 1, 2000 do
          redis.call('XADD', KEYS[1], '*', 'user_id', 'u', 'message', 'x', 'priority', ARGV[1 + math.floor(i * i / 7) % 4])
        end
        return 'OK')lua",
                             {priorities.begin(), priorities.end()});
      return Text(reply) == "OK";
    }));
    server.Restart();
  }
  ASSERT_TRUE(Eventually([&] { return Text(server.Ask({"XLEN", kStream})) == "8000"; }));
  ASSERT_TRUE(Eventually([&] { return AllRouted(server); }));
  const std::vector<std::string> routed = node.Nids("u");
  ASSERT_EQ(routed.size(), 8'000u);
  std::map<std::string, std::string> priority_of;
  for (const wire::RespReply& entry : server.Ask({"XRANGE", kStream, "-", "+"}).elements) {
    priority_of[entry.elements[0].text + "@s"] = entry.elements[1].elements[5].text;
  }
  std::map<std::string, model::EntryId> last;
  for (const std::string& nid : routed) {
    const model::EntryId id = *model::EntryId::Parse(nid.substr(0, nid.find('@')));
    model::EntryId& before = last[priority_of.at(nid)];
    ASSERT_LT(before, id) << nid;
    before = id;
  }
}

// More appends than the client takes at once: they wait for each other, and nothing stops.
TEST(RedisRouterTest, ManyRecipientsEach) {
  Server server;
  RouterNode node(server, "a");
  node.PrepareLogs();
  constexpr int kEntries = 100;
  Lua(server, R"lua(
    for entry = 1, tonumber(ARGV[1]) do
      local users = {'"all"'}
      for i = 2, 1000 do users[i] = '"' .. entry .. '-' .. i .. '"' end
      redis.call('XADD', KEYS[1], '*', 'user_ids', '[' .. table.concat(users, ',') .. ']', 'message',
                 string.rep('x', 300) .. entry)
    end)lua",
      {std::to_string(kEntries)});
  static_assert(kEntries * 1'000 * 700 > model::kMaxRedisQueuedBytes);
  const int64_t before = notifier::routed.Value();
  ASSERT_TRUE(Eventually([&] { return AllRouted(server); }));
  EXPECT_EQ(notifier::routed.Value() - before, kEntries);
  EXPECT_EQ(node.Nids("all").size(), static_cast<size_t>(kEntries));
  for (const std::string user : {"1-2", "50-500", "100-1000"}) EXPECT_EQ(node.Nids(user).size(), 1u);
}

TEST(RedisRouterTest, WhatAnotherHadPendingComesFirstAndInOrder) {
  Server server;
  Add(server, 1'000, 2);
  server.Ask({"XGROUP", "CREATE", kStream, "tocsin", "0"});
  // A router that died with 600 entries, of which it had acknowledged some in the middle... of which two are gone.
  const auto read =
      server.Ask({"XREADGROUP", "GROUP", "tocsin", "dead", "COUNT", "600", "STREAMS", kStream, ">"}).elements[0];
  const std::string gone = read.elements[1].elements[10].elements[0].text;
  server.Ask({"XDEL", kStream, gone, read.elements[1].elements[11].elements[0].text});
  const int64_t taken_away = notifier::taken_away.Value();
  RouterNode node(server, "a");
  node.PrepareLogs();
  ASSERT_TRUE(Eventually([&] { return AllRouted(server); }));
  EXPECT_EQ(node.Nids("u0"), InStream(server, "u0"));
  EXPECT_EQ(node.Nids("u1"), InStream(server, "u1"));
  EXPECT_EQ(node.Nids("u1").size() + node.Nids("u0").size(), 998u);
  EXPECT_EQ(notifier::taken_away.Value() - taken_away, 2);
}

// A router that has lost its lease may still have a read under way. What that takes is older than what comes after it,
// and the logs would not take it any more.
TEST(RedisRouterTest, WhatALateReaderTookIsNotPassedBy) {
  Server server;
  RouterNode node(server, "a");
  node.PrepareLogs();
  AddOne(server, "u");
  ASSERT_TRUE(Eventually([&] { return AllRouted(server); }));
  // In one step, so that the router's own read, which waits, does not get it.
  for (int i = 0; i < 5; ++i) {
    const auto stray = Lua(server, R"lua(
      redis.call('XADD', KEYS[1], '*', 'user_id', 'u', 'message', 'stray')
      return redis.call('XREADGROUP', 'GROUP', 'tocsin', 'late', 'STREAMS', KEYS[1], '>'))lua");
    ASSERT_EQ(stray.elements.size(), 1u) << Text(stray);
    AddOne(server, "u");
  }
  ASSERT_TRUE(Eventually([&] { return AllRouted(server); }));
  EXPECT_EQ(node.Nids("u"), InStream(server, "u"));
  EXPECT_EQ(node.Nids("u").size(), 11u);
  // Also when nothing comes after it.
  Lua(server, R"lua(
    redis.call('XADD', KEYS[1], '*', 'user_id', 'u', 'message', 'stray')
    return redis.call('XREADGROUP', 'GROUP', 'tocsin', 'late', 'STREAMS', KEYS[1], '>'))lua");
  ASSERT_TRUE(Eventually([&] { return node.Nids("u").size() == 12; }));
}

TEST(RedisRouterTest, AServerThatIsKilledLosesAndDoublesNothing) {
  Server server({"appendonly yes", "appendfsync always"});
  RouterNode node(server, "a");
  node.PrepareLogs();
  Producer producer(server, 3);
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(producer.More(300));
    server.Restart();
  }
  ASSERT_TRUE(producer.More(300));
  producer.Stop();
  ASSERT_TRUE(Eventually([&] { return AllRouted(server); }));
  for (const std::string user : {"u0", "u1", "u2"}) {
    const std::vector<std::string> nids = node.Nids(user);
    EXPECT_EQ(nids, InStream(server, user));
    for (const std::string& nid : producer.Confirmed(user)) {
      ASSERT_TRUE(std::binary_search(nids.begin(), nids.end(), nid)) << nid;
    }
  }
}

TEST(RedisRouterTest, ARouterThatWakesUpLateChangesNothing) {
  Server server;
  auto a = std::make_unique<RouterNode>(server, "a"), b = std::make_unique<RouterNode>(server, "b");
  a->PrepareLogs();
  Producer producer(server, 3);
  ASSERT_TRUE(producer.More(100));
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(Eventually([&] { return a->AtWork() || b->AtWork(); }));
    RouterNode& active = a->AtWork() ? *a : *b;
    RouterNode& other = a->AtWork() ? *b : *a;
    active.Freeze();  // in the middle of what it does
    ASSERT_TRUE(Eventually([&] { return other.AtWork(); }));
    ASSERT_TRUE(producer.More(500));
    active.Thaw();
    ASSERT_TRUE(producer.More(500));
    EXPECT_FALSE(active.AtWork());
  }
  producer.Stop();
  ASSERT_TRUE(Eventually([&] { return AllRouted(server); }));
  for (const std::string user : {"u0", "u1", "u2"}) {
    EXPECT_EQ(a->Nids(user), InStream(server, user));
    EXPECT_EQ(a->Nids(user), producer.Confirmed(user));
  }
}

TEST(RedisRouterTest, HandsOverAtOnceAndBack) {
  Server server;
  auto a = std::make_unique<RouterNode>(server, "a");
  a->PrepareLogs();
  ASSERT_TRUE(Eventually([&] { return a->AtWork(); }));
  RouterNode b(server, "b");
  Producer producer(server, 2);
  ASSERT_TRUE(producer.More(300));
  a->Release();
  EXPECT_FALSE(a->AtWork());
  ASSERT_TRUE(Eventually([&] { return b.AtWork(); }));
  ASSERT_TRUE(producer.More(300));
  a.reset();
  producer.Stop();
  ASSERT_TRUE(Eventually([&] { return AllRouted(server); }));
  for (const std::string user : {"u0", "u1"}) EXPECT_EQ(b.Nids(user), producer.Confirmed(user));
}

TEST(RedisRouterTest, WhatCannotBeRoutedGoesToTheDeadLettersAndTheRestGoesOn) {
  Server server;
  RouterNode node(server, "a");
  node.PrepareLogs();
  AddOne(server, "u");
  const std::string bad = server.Ask({"XADD", kStream, "*", "user_id", "u", "color", "red", "data", "{nonsense"}).text;
  const std::string none = server.Ask({"XADD", kStream, "*", "message", "m"}).text;
  AddOne(server, "u");
  ASSERT_TRUE(Eventually([&] { return AllRouted(server); }));
  EXPECT_EQ(node.Nids("u").size(), 2u);
  const auto dead = server.Ask({"XRANGE", "s:dead", "-", "+"});
  ASSERT_EQ(dead.elements.size(), 2u);
  const std::string first = Text(dead.elements[0].elements[1]), second = Text(dead.elements[1].elements[1]);
  EXPECT_THAT(first, HasSubstr("tocsin_stream, s, tocsin_id, " + bad + ", tocsin_group, tocsin, tocsin_attempts, 1"));
  EXPECT_THAT(first, HasSubstr("user_id, u, color, red, data, {nonsense")) << "as it was";
  EXPECT_THAT(first, HasSubstr("tocsin_reason, `"));
  EXPECT_THAT(second, HasSubstr("tocsin_id, " + none));
}

// Larger than what the client may hold, and several of them larger than a reply may be.
TEST(RedisRouterTest, NothingIsTooLargeToBePassed) {
  Server server;
  RouterNode node(server, "a");
  node.PrepareLogs();
  static_assert(4 * (70 << 20) > model::kMaxRedisReply && (70 << 20) > model::kMaxRedisQueuedBytes);
  const auto added = Lua(server, R"lua(
    local large = string.rep('x', 70 * 1024 * 1024)
    for i = 1, 4 do redis.call('XADD', KEYS[1], '*', 'user_id', 'u', 'message', large) end
    redis.call('XADD', KEYS[1], '*', 'user_id', 'u', 'message', 'small')
    return 'OK')lua");
  ASSERT_EQ(Text(added), "OK");
  ASSERT_TRUE(Eventually([&] { return AllRouted(server); }));
  EXPECT_EQ(node.Nids("u").size(), 1u);
  const auto dead = server.Ask({"XRANGE", "s:dead", "-", "+"});
  ASSERT_EQ(dead.elements.size(), 4u);
  EXPECT_THAT(Text(dead.elements[0].elements[1]), HasSubstr("fields are left out: 73400335 bytes"));
}

TEST(RedisRouterTest, AGroupThatIsDestroyedIsMadeAgainWhereItWas) {
  Server server;
  Add(server, 10, 1);  // before the first start, which is at `$`
  RouterNode node(server, "a", "$");
  node.PrepareLogs();
  ASSERT_TRUE(Eventually([&] { return Group(server, "name") == "tocsin"; }));
  // Before anything was routed: what came before the start does not come now.
  Lua(server, R"lua(
    redis.call('XGROUP', 'DESTROY', KEYS[1], 'tocsin')
    redis.call('XADD', KEYS[1], '*', 'user_id', 'u', 'message', 'm'))lua");
  ASSERT_TRUE(Eventually([&] { return AllRouted(server); }));
  EXPECT_EQ(node.Nids("u"), InStream(server, "u"));
  EXPECT_THAT(node.Nids("u0"), IsEmpty());
  for (int i = 0; i < 5; ++i) {
    Lua(server, R"lua(
      redis.call('XADD', KEYS[1], '*', 'user_id', 'u', 'message', 'm')
      redis.call('XGROUP', 'DESTROY', KEYS[1], 'tocsin')
      redis.call('XADD', KEYS[1], '*', 'user_id', 'u', 'message', 'm'))lua");
    AddOne(server, "u");
  }
  ASSERT_TRUE(Eventually([&] { return AllRouted(server); }));
  EXPECT_EQ(node.Nids("u"), InStream(server, "u"));
  EXPECT_EQ(node.Nids("u").size(), 16u);
}

TEST(RedisRouterTest, AStreamThatItsProducerTrims) {
  Server server;
  RouterNode node(server, "a");
  node.PrepareLogs();
  AddOne(server, "u");
  ASSERT_TRUE(Eventually([&] { return AllRouted(server); }));
  const std::string first = node.Nids("u").front();
  node.Freeze();
  Lua(server, R"lua(
    for i = 1, 50 do redis.call('XADD', KEYS[1], 'MAXLEN', '=', '5', '*', 'user_id', 'u', 'message', 'm') end)lua");
  node.Thaw();
  AddOne(server, "u");
  ASSERT_TRUE(Eventually([&] { return AllRouted(server); }));
  std::vector<std::string> wanted = InStream(server, "u");
  wanted.insert(wanted.begin(), first);
  EXPECT_EQ(node.Nids("u"), wanted) << "what is there is routed";
}

TEST(RedisRouterTest, WorksAgainAfterEverythingWasFlushed) {
  Server server;
  RouterNode node(server, "a", "$");
  node.PrepareLogs();
  ASSERT_TRUE(Eventually([&] { return Group(server, "name") == "tocsin"; }));
  AddOne(server, "u");
  ASSERT_TRUE(Eventually([&] { return AllRouted(server); }));
  const std::string epoch = server.Ask({"HGET", logs::BucketKey(0), "epoch"}).text;
  server.Ask({"FLUSHALL"});
  AddOne(server, "u");  // before the group is there again
  ASSERT_TRUE(Eventually([&] { return AllRouted(server); }));
  EXPECT_EQ(node.Nids("u"), InStream(server, "u"));
  EXPECT_EQ(node.Nids("u").size(), 1u);
  EXPECT_NE(server.Ask({"HGET", logs::BucketKey(0), "epoch"}).text, epoch);
}

TEST(RedisRouterTest, AFenceThatTheCounterForgotIsOvertaken) {
  Server server;
  RouterNode node(server, "a");
  node.PrepareLogs();
  server.Ask({"HSET", logs::BucketKey(7), "f:s", "4000000000000"});
  AddOne(server, "u");
  ASSERT_TRUE(Eventually([&] { return AllRouted(server); }));
  EXPECT_EQ(node.Nids("u").size(), 1u);
  EXPECT_EQ(server.Ask({"HGET", logs::BucketKey(7), "f:s"}).text, "4000000000001");
}

TEST(RedisRouterTest, RoutesTheLastMinutesAgain) {
  Server server;
  RouterNode node(server, "a");
  node.PrepareLogs();
  Add(server, 600, 2);
  ASSERT_TRUE(Eventually([&] { return AllRouted(server); }));
  server.Ask({"DEL", logs::LogKey("u1")});  // what a failover of its shard may take
  node.RouteAgain();
  ASSERT_TRUE(Eventually([&] { return node.Nids("u1").size() == 300; }));
  EXPECT_EQ(node.Nids("u1"), InStream(server, "u1"));
  EXPECT_EQ(node.Nids("u0"), InStream(server, "u0")) << "and nothing twice";
  AddOne(server, "u0");
  ASSERT_TRUE(Eventually([&] { return node.Nids("u0").size() == 301; })) << "then it goes on";
}

// A failure in the middle of it does not end it.
TEST(RedisRouterTest, RoutesTheLastMinutesAgainAlsoWhenItIsInterrupted) {
  Server server;
  RouterNode node(server, "a");
  node.PrepareLogs();
  Add(server, 600, 2);
  ASSERT_TRUE(Eventually([&] { return AllRouted(server); }));
  server.Ask({"DEL", logs::LogKey("u1")});
  server.Ask({"SET", logs::LogKey("u1"), "in the way"});
  node.RouteAgain();
  const auto errors = [&] { return server.Info("errorstats", "errorstat_WRONGTYPE"); };
  ASSERT_TRUE(Eventually([&] { return !errors().empty(); }));
  server.Ask({"DEL", logs::LogKey("u1")});
  ASSERT_TRUE(Eventually([&] { return node.Nids("u1").size() == 300; }));
  EXPECT_EQ(node.Nids("u0"), InStream(server, "u0"));
}

}  // namespace
}  // namespace tocsin::nodes
