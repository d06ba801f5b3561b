// RedisLogs on a Cluster: the buckets lie on all nodes, and move while logs are written.
#include <gtest/gtest.h>

#include "logs/redis_logs_fixture.h"

namespace tocsin::logs {
namespace {

using model::EntryId;

constexpr uint64_t kNow = 1'700'000'000'000;

std::string User(int n) { return "user-" + std::to_string(n); }

class RedisLogsClusterTest : public testing::Test {
 protected:
  RedisLogsClusterTest() { EXPECT_EQ(world_.Prepare(), kBuckets); }

  redis::fixture::Cluster cluster_;
  RedisWorld world_{cluster_.url()};
};

TEST_F(RedisLogsClusterTest, LogsLieOnAllNodes) {
  ASSERT_TRUE(world_.RaiseFence("s", 1).ok());
  for (int n = 0; n < 30; ++n) {
    world_.logs().Watch(User(n));
    for (const char* nid : {"a", "b"}) ASSERT_TRUE(world_.Append(User(n), nid).ok());
    EXPECT_EQ(world_.Mark({.user = User(n), .device = "phone", .nids = {"a"}, .mid = "m"}).unread, 1u);
    EXPECT_TRUE(world_.Ack(User(n), "phone", {kNow, 1}).ok());
  }
  for (int n = 0; n < 30; ++n) {
    EXPECT_EQ(world_.Shape(User(n)), "a:read b:unread <read>");
    EXPECT_EQ(world_.List(User(n)).lines.size(), 2u);
    EXPECT_EQ(world_.Open(User(n), "phone").device_cursor, (EntryId{kNow, 1}));
  }
  for (const auto& node : cluster_.nodes) EXPECT_GT(node->Ask({"DBSIZE"}).integer, kBuckets / 6);
}

// What a node loses, the others do not.
TEST_F(RedisLogsClusterTest, AnEmptyNodeIsNoticedByItsBuckets) {
  for (int n = 0; n < 30; ++n) ASSERT_TRUE(world_.Append(User(n), "a").ok());
  cluster_.nodes[1]->Ask({"FLUSHALL"});
  int refused = 0;
  for (int n = 0; n < 30; ++n) refused += world_.TryOpen(User(n)).ok() ? 0 : 1;
  EXPECT_GT(refused, 0);
  EXPECT_LT(refused, 30);
  EXPECT_EQ(world_.missing.size(), static_cast<size_t>(refused));
  const int made = world_.Prepare();
  EXPECT_GT(made, kBuckets / 6);
  EXPECT_LT(made, kBuckets / 2);
}

// While a slot moves its keys lie on two nodes, and a script that needs several of them has to wait: it is done once.
TEST_F(RedisLogsClusterTest, ALogIsWrittenWhileItsSlotMoves) {
  const std::string user = User(1);
  for (const char* nid : {"a", "b"}) ASSERT_TRUE(world_.Append(user, nid).ok());
  ASSERT_TRUE(world_.Ack(user, "phone", {kNow, 1}).ok());
  const std::string key = BucketKey(BucketOf(user));
  const int slot = redis::SlotOf(key);
  const auto& nodes = cluster_.nodes;
  const size_t home = static_cast<size_t>(slot) * nodes.size() / 16'384;
  const auto append = [&] {
    auto promise = std::make_shared<std::promise<base::Result<Appended>>>();
    world_.OnStore([&] {
      AppendRequest request{.user = user, .stream = "t", .fence = 0, .items = {}};
      request.items.push_back({{1, 0}, "c", model::Priority::kLow, "x"});
      world_.logs().Append(std::move(request), [promise](base::Result<Appended> done) { promise->set_value(done); });
    });
    return promise->get_future();
  };
  std::future<base::Result<Appended>> promised;
  cluster_.MoveSlot(slot, *nodes[home], *nodes[(home + 1) % nodes.size()], [&] { promised = append(); });
  auto appended = promised.get();
  // On a slow machine the move takes longer than its patience: then it may be repeated as it is.
  if (!appended.ok() && appended.status().code() == base::Code::kUnavailable) appended = append().get();
  ASSERT_TRUE(appended.ok()) << appended.status().ToString();
  EXPECT_EQ(appended->update.last, (EntryId{kNow, 2}));
  EXPECT_EQ(world_.Shape(user), "a:unread b:unread c:unread");
  EXPECT_EQ(world_.Open(user, "phone").device_cursor, (EntryId{kNow, 1}));
  EXPECT_EQ(nodes[(home + 1) % nodes.size()]->Ask({"EXISTS", LogKey(user)}).integer, 1);
}

}  // namespace
}  // namespace tocsin::logs
