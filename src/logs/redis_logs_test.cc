// RedisLogs against a real redis-server: each rule of redis_logs.h and of the scripts.
#include "logs/redis_logs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "logs/redis_logs_fixture.h"

namespace tocsin::logs {
namespace {

using base::Code;
using model::EntryId;
using model::Priority;
using redis::fixture::Eventually;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

constexpr uint64_t kNow = 1'700'000'000'000;

class RedisLogsTest : public testing::Test {
 protected:
  RedisLogsTest() { EXPECT_EQ(world_.Prepare(), kBuckets); }

  AppendRequest Items(const std::string& user, std::vector<uint64_t> sources, uint64_t fence = 1) {
    AppendRequest request{.user = user, .stream = "s", .fence = fence, .items = {}};
    for (uint64_t source : sources) {
      request.items.push_back({{source, 0}, "n" + std::to_string(source), Priority::kNormal, "\"body\":\"x\""});
    }
    return request;
  }
  std::string Say(const std::string& key, redis::Arguments command) {
    return world_.client().Say(key, std::move(command));
  }

  RedisWorld world_;
};

TEST_F(RedisLogsTest, AUserWithoutALogHasTheEmptyOne) {
  const LogOpening opening = world_.Open("nobody", "phone");
  EXPECT_TRUE(opening.head.last.IsZero());
  EXPECT_EQ(opening.head.counts, Counts{});
  EXPECT_FALSE(opening.device_cursor);
  EXPECT_TRUE(opening.lost.IsZero());
  const LogPiece piece = world_.Read("nobody");
  EXPECT_TRUE(piece.lines.empty());
  EXPECT_TRUE(piece.complete);
  EXPECT_FALSE(piece.gap);
  EXPECT_FALSE(world_.List("nobody").before);
  EXPECT_EQ(world_.Mark({.user = "nobody", .nids = {"x"}}), Counts{});
}

TEST_F(RedisLogsTest, NothingIsDoneWithoutAnEpoch) {
  ASSERT_TRUE(world_.Append("u", "a").ok());
  const std::string epoch = world_.Open("u").epoch;
  EXPECT_EQ(epoch.size(), 16u);
  EXPECT_EQ(world_.Open("u").epoch, epoch);
  EXPECT_NE(world_.Open("v").epoch, epoch) << "keyed by user";
  EXPECT_EQ(world_.Prepare(), 0);
  EXPECT_EQ(world_.Open("u").epoch, epoch) << "to prepare again changes nothing";

  Say("x", {"FLUSHALL"});
  const auto appended = world_.Append("u", "b");
  EXPECT_EQ(appended.status().code(), Code::kUnavailable);
  EXPECT_EQ(world_.TryOpen("u").status().code(), Code::kUnavailable);
  EXPECT_EQ(world_.TryMark({.user = "u", .nids = {"a"}, .mid = "m"}).status().code(), Code::kUnavailable);
  EXPECT_EQ(world_.Ack("u", "phone", {1, 0}).code(), Code::kUnavailable);
  EXPECT_EQ(world_.RaiseFence("s", 5).code(), Code::kUnavailable);
  auto read = world_.Wait<base::Result<LogPiece>>([&](auto then) { world_.logs().Read("u", {}, 10, 10, then); });
  EXPECT_EQ(read.status().code(), Code::kUnavailable);
  EXPECT_EQ(Say("x", {"DBSIZE"}), "0") << "not even a part of it";
  ASSERT_FALSE(world_.missing.empty());
  EXPECT_EQ(world_.missing.front(), BucketOf("u"));

  EXPECT_EQ(world_.Prepare(), kBuckets);
  EXPECT_NE(world_.Open("u").epoch, epoch);
}

TEST_F(RedisLogsTest, OnlyMissingRecordsAreNew) {
  Say(BucketKey(7), {"DEL", BucketKey(7)});
  EXPECT_EQ(world_.Prepare(), 1);
}

TEST_F(RedisLogsTest, AppendsOnceAndInOrder) {
  world_.logs().Watch("u");
  auto first = world_.Append(Items("u", {1, 2}));
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first->update.user, "u");
  EXPECT_EQ(first->update.after, EntryId{});
  EXPECT_EQ(first->update.last, (EntryId{kNow, 1}));
  EXPECT_EQ(first->update.counts.unread, 2u);
  EXPECT_THAT(first->watchers, ElementsAre("node-a"));
  ASSERT_EQ(first->update.entries.size(), 2u);
  EXPECT_EQ(first->update.entries[0]->id, (EntryId{kNow, 0}));
  EXPECT_EQ(first->update.entries[1]->nid, "n2");
  EXPECT_EQ(first->update.entries[1]->json, "\"body\":\"x\"");

  auto again = world_.Append(Items("u", {1, 2, 3}));  // the answer was lost, and one more came
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->update.after, (EntryId{kNow, 1}));
  EXPECT_EQ(again->update.last, (EntryId{kNow, 2}));
  ASSERT_EQ(again->update.entries.size(), 1u);
  EXPECT_EQ(again->update.entries[0]->nid, "n3");
  EXPECT_EQ(again->update.entries[0]->id, again->update.last);

  auto repeat = world_.Append(Items("u", {3}));
  EXPECT_TRUE(repeat->update.entries.empty());
  EXPECT_EQ(repeat->update.last, repeat->update.after);
  EXPECT_EQ(world_.Shape("u"), "n1:unread n2:unread n3:unread");
  EXPECT_EQ(world_.Open("u").head.entries, 3u);
}

TEST_F(RedisLogsTest, EachStreamAndPriorityHasItsOwnMark) {
  auto append = [&](const std::string& stream, Priority priority, EntryId source) {
    AppendRequest request{.user = "u", .stream = stream, .fence = 0, .items = {}};
    request.items.push_back({source, source.ToString(), priority, "x"});
    return world_.Append(request)->update.last;
  };
  constexpr uint64_t kTop = UINT64_MAX, kExact = uint64_t{1} << 53;
  EntryId last;
  auto is_new = [&](const std::string& stream, Priority priority, EntryId source) {
    const EntryId before = std::exchange(last, append(stream, priority, source));
    return last > before;
  };
  EXPECT_TRUE(is_new("s", Priority::kNormal, {5, 0}));
  EXPECT_TRUE(is_new("s", Priority::kHigh, {4, 0}));
  EXPECT_TRUE(is_new("t", Priority::kNormal, {3, 0}));
  EXPECT_TRUE(is_new("s", Priority::kLow, {1, 0}));
  EXPECT_TRUE(is_new("t", Priority::kCritical, {1, 0}));
  EXPECT_FALSE(is_new("s", Priority::kNormal, {5, 0}));
  EXPECT_FALSE(is_new("s", Priority::kHigh, {4, 0}));
  EXPECT_FALSE(is_new("t", Priority::kNormal, {2, 9}));
  EXPECT_FALSE(is_new("s", Priority::kLow, {1, 0}));
  EXPECT_FALSE(is_new("t", Priority::kCritical, {1, 0}));
  // A producer may give an entry any id: numbers of scripts are exact up to 2^53 only.
  EXPECT_TRUE(is_new("s", Priority::kNormal, {kExact, kExact}));
  EXPECT_TRUE(is_new("s", Priority::kNormal, {kExact, kExact + 1}));
  EXPECT_TRUE(is_new("s", Priority::kNormal, {kExact + 1, 0}));
  EXPECT_FALSE(is_new("s", Priority::kNormal, {kExact, kTop}));
  EXPECT_TRUE(is_new("s", Priority::kNormal, {kTop, kTop - 1}));
  EXPECT_TRUE(is_new("s", Priority::kNormal, {kTop, kTop}));
  EXPECT_FALSE(is_new("s", Priority::kNormal, {kTop, kTop}));
}

TEST_F(RedisLogsTest, AnOlderOwnerOfAStreamIsFencedOff) {
  ASSERT_TRUE(world_.RaiseFence("s", 5).ok());
  EXPECT_EQ(world_.Append(Items("u", {1}, 4)).status().code(), Code::kConflict);
  EXPECT_TRUE(world_.Read("u").lines.empty());
  EXPECT_TRUE(world_.Append(Items("u", {1}, 5)).ok());
  EXPECT_TRUE(world_.Append(Items("u", {2}, 6)).ok());
  EXPECT_EQ(world_.RaiseFence("s", 4).code(), Code::kConflict) << "never lowered";
  EXPECT_TRUE(world_.RaiseFence("s", 5).ok());
  EXPECT_TRUE(world_.RaiseFence("other", 1).ok()) << "each stream has its own";
  EXPECT_EQ(world_.Append(Items("v", {1}, 4)).status().code(), Code::kConflict) << "in every bucket";
}

TEST_F(RedisLogsTest, IdsOnlyGrow) {
  world_.Append("u", "a").value();
  world_.clock().Set(kNow - 5'000);
  EXPECT_EQ(world_.Append("u", "b")->update.last, (EntryId{kNow, 1}));
  world_.clock().Set(-7);
  EXPECT_EQ(world_.Append("u", "c")->update.last, (EntryId{kNow, 2}));
  world_.clock().Set(kNow + 10);
  EXPECT_EQ(world_.Append("u", "d")->update.last, (EntryId{kNow + 10, 0}));
}

TEST_F(RedisLogsTest, ALossIsMarkedAndIdsGoOnAboveIt) {
  world_.Append("u", "a").value();
  const int bucket = BucketOf("u");
  const std::string mark = std::to_string(kNow + 100);  // as nodes::StoreWatch writes it
  Say(BucketKey(bucket), {"HSET", BucketKey(bucket), "lost", mark + "-0", "floor", mark});
  LogOpening opening = world_.Open("u");
  EXPECT_EQ(opening.lost, (EntryId{kNow + 100, 0}));
  EXPECT_EQ(opening.head.last, opening.lost);

  EXPECT_TRUE(world_.Ack("u", "phone", {kNow + 90, 0}).ok());
  EXPECT_EQ(world_.Open("u", "phone").device_cursor, (EntryId{kNow + 90, 0})) << "clamped to the loss mark only";
  EXPECT_TRUE(world_.Ack("u", "phone", {kNow + 9'000, 0}).ok());
  EXPECT_EQ(world_.Open("u", "phone").device_cursor, opening.lost);

  const auto appended = world_.Append("u", "b");
  EXPECT_EQ(appended->update.after, opening.lost);
  EXPECT_EQ(appended->update.last, (EntryId{kNow + 101, 0}));
  int other = 0;
  while (BucketOf("v" + std::to_string(other)) == bucket) ++other;
  EXPECT_TRUE(world_.Open("v" + std::to_string(other)).lost.IsZero());
}

TEST(RedisLogsTrimTest, TakesASixteenthMoreThanNeeded) {
  RedisWorld world(32);
  world.Prepare();
  for (int n = 0; n < 32; ++n) world.Append("u", "n" + std::to_string(n)).value();
  world.Mark({.user = "u", .nids = {"n0", "n9"}});  // the 33rd entry: 1 + 2 go
  const LogHead head = world.Open("u").head;
  EXPECT_EQ(head.entries, 30u);
  EXPECT_EQ(head.trimmed, 3u);
  EXPECT_EQ(head.counts.unread, 28u);
  EXPECT_EQ(head.counts.unseen, 28u);
  const LogPiece piece = world.Read("u");
  EXPECT_TRUE(piece.gap);
  EXPECT_EQ(piece.lines.size(), 30u);
  EXPECT_EQ(piece.lines.front().entry->nid, "n3");
  EXPECT_EQ(head.floor, (EntryId{kNow, 2}));
  EXPECT_FALSE(world.Read("u", head.floor).gap);
  // More at once than a log may have.
  AppendRequest many{.user = "v", .stream = "s", .fence = 0, .items = {}};
  for (uint64_t n = 1; n <= 256; ++n) many.items.push_back({{n, 0}, std::to_string(n), Priority::kLow, "x"});
  EXPECT_EQ(world.Append(many)->update.counts.unread, 30u);
  EXPECT_EQ(world.Read("v").lines.front().entry->nid, "227");
}

TEST_F(RedisLogsTest, MarksChangeStatesAndAreTold) {
  for (const char* nid : {"a", "b", "c"}) world_.Append("u", nid, Priority::kHigh).value();
  Say(WatchersKey("u"), {"HSET", WatchersKey("u"), "node-b", "1", "node-a", "1"});
  const Counts counts = world_.Mark({.user = "u", .device = "phone", .nids = {"c", "zz", "a", "c"}});
  EXPECT_EQ(counts.unread, 1u);
  EXPECT_EQ(counts.unread_by_priority, (std::array<uint32_t, 4>{0, 0, 1, 0}));
  EXPECT_THAT(world_.changed, ElementsAre("u to node-b"));
  ASSERT_EQ(world_.updates.size(), 1u);
  const LogUpdate& update = world_.updates[0];
  EXPECT_EQ(update.user, "u");
  EXPECT_EQ(update.after, (EntryId{kNow, 2}));
  EXPECT_EQ(update.last, (EntryId{kNow, 3}));
  EXPECT_EQ(update.counts, counts);
  ASSERT_EQ(update.entries.size(), 1u);
  ASSERT_TRUE(update.entries[0]->change);
  const StateChange& change = *update.entries[0]->change;
  EXPECT_EQ(change.op, MarkOp::kRead);
  EXPECT_EQ(change.by, "phone");
  EXPECT_THAT(change.nids, ElementsAre("c", "a"));
  EXPECT_EQ(change.counts, counts);
  EXPECT_EQ(world_.Shape("u"), "a:read b:unread c:read <read>");

  world_.Mark({.user = "u", .op = MarkOp::kArchive, .upto = EntryId::Max()});
  ASSERT_EQ(world_.updates.size(), 2u);
  EXPECT_EQ(world_.updates[1].entries[0]->change->upto, (EntryId{kNow, 3})) << "no further than the log";
  world_.Mark({.user = "u", .op = MarkOp::kUnread, .nids = {"b"}});
  world_.Mark({.user = "u", .op = MarkOp::kDelete, .nids = {"a", "c"}});
  EXPECT_EQ(world_.Shape("u"), "b:seen <read> <archive> <unread> <delete>");
  EXPECT_EQ(world_.Open("u").head.entries, 5u);
  world_.updates.clear();
  world_.Mark({.user = "u", .op = MarkOp::kSeen, .upto = EntryId::Max()});
  EXPECT_TRUE(world_.updates.empty()) << "nothing was left to change";
}

TEST_F(RedisLogsTest, AMarkIsNotDoneTwice) {
  world_.Append("u", "a").value();
  const MarkRequest read{.user = "u", .nids = {"a"}, .mid = "m"};
  world_.Mark(read);
  world_.Mark({.user = "u", .op = MarkOp::kUnread, .nids = {"a"}});
  EXPECT_EQ(world_.Mark(read).unread, 1u) << "a repeat";
  EXPECT_EQ(world_.Shape("u"), "a:seen <read> <unread>");
  world_.clock().Advance(model::kMarkIdMs - 1);
  EXPECT_EQ(world_.Mark(read).unread, 1u);
  world_.clock().Advance(1);
  EXPECT_EQ(world_.Mark(read).unread, 0u) << "forgotten by then";
  EXPECT_NE(Say(MarkIdsKey("u"), {"PTTL", MarkIdsKey("u")}), "-1") << "they go by themselves";
}

TEST_F(RedisLogsTest, SoManyMarkIdsAreKept) {
  world_.Append("u", "a").value();
  auto mark = [&](size_t n) {
    world_.clock().Advance(1);
    return world_.Mark({.user = "u",
                        .op = n % 2 == 0 ? MarkOp::kRead : MarkOp::kUnread,
                        .nids = {"a"},
                        .mid = "m" + std::to_string(n)});
  };
  for (size_t n = 0; n <= model::kMaxMarkIdsKept; ++n) mark(n);
  EXPECT_EQ(Say(MarkIdsKey("u"), {"HLEN", MarkIdsKey("u")}), std::to_string(model::kMaxMarkIdsKept));
  EXPECT_EQ(Say(MarkIdsKey("u"), {"HEXISTS", MarkIdsKey("u"), "m0"}), "0") << "the oldest went";
  EXPECT_EQ(Say(MarkIdsKey("u"), {"HEXISTS", MarkIdsKey("u"), "m1"}), "1");
}

TEST_F(RedisLogsTest, CursorsOnlyGrow) {
  world_.Append("u", "a").value();
  world_.Append("u", "b").value();
  EXPECT_TRUE(world_.Ack("u", "phone", {kNow, 0}).ok());
  EXPECT_EQ(world_.Open("u", "phone").device_cursor, (EntryId{kNow, 0}));
  EXPECT_FALSE(world_.Open("u", "tablet").device_cursor);
  EXPECT_TRUE(world_.Ack("u", "phone", EntryId::Max()).ok());
  EXPECT_EQ(world_.Open("u", "phone").device_cursor, (EntryId{kNow, 1})) << "clamped to the head";
  EXPECT_TRUE(world_.Ack("u", "phone", {kNow, 0}).ok());
  EXPECT_EQ(world_.Open("u", "phone").device_cursor, (EntryId{kNow, 1}));
}

TEST_F(RedisLogsTest, SilentDevicesAreForgotten) {
  world_.Append("u", "a").value();
  for (size_t n = 0; n < model::kMaxDevicesPerUser; ++n) {
    EXPECT_TRUE(world_.Ack("u", "d" + std::to_string(n), {kNow, 0}).ok());
    world_.clock().Advance(1);
  }
  world_.clock().Advance(model::kDeviceSilenceMs / 2);
  EXPECT_TRUE(world_.Ack("u", "d0", {kNow, 0}).ok());  // nothing new, but it is alive
  EXPECT_TRUE(world_.Ack("u", "one more", {kNow, 0}).ok());
  EXPECT_TRUE(world_.Open("u", "d0").device_cursor);
  EXPECT_FALSE(world_.Open("u", "d1").device_cursor) << "the one silent longest makes room";
  EXPECT_TRUE(world_.Open("u", "d2").device_cursor);
  world_.clock().Advance(model::kDeviceSilenceMs / 2);
  EXPECT_TRUE(world_.Ack("u", "another", {kNow, 0}).ok());
  EXPECT_EQ(Say(DevicesKey("u"), {"HLEN", DevicesKey("u")}), "3") << "d0, `one more` and `another`";
}

TEST_F(RedisLogsTest, ReceiptsThatMayWaitAreStoredTogether) {
  for (const char* nid : {"a", "b", "c"}) world_.Append("u", nid).value();
  Say("x", {"CONFIG", "RESETSTAT"});
  std::atomic<int> answered = 0;
  auto count = [&](const base::Status& status) { answered += status.ok() ? 1 : 1'000; };
  for (uint64_t n : {0, 2, 1}) world_.logs().Ack("u", "phone", {kNow, n}, Urgency::kLater, count);
  world_.logs().Ack("u", "tablet", {kNow, 1}, Urgency::kLater, count);
  ASSERT_TRUE(Eventually([&] { return answered == 4; })) << answered;
  EXPECT_EQ(world_.Open("u", "phone").device_cursor, (EntryId{kNow, 2}));
  EXPECT_EQ(world_.Open("u", "tablet").device_cursor, (EntryId{kNow, 1}));
  const std::string stats = world_.server().Info("commandstats", "cmdstat_hset");
  EXPECT_TRUE(stats.starts_with("calls=2,")) << "each device once: " << stats;
}

TEST_F(RedisLogsTest, WatchersAreKept) {
  world_.logs().Watch("u");
  EXPECT_THAT(world_.Append("u", "a")->watchers, ElementsAre("node-a"));
  Say(WatchersKey("u"), {"HSET", WatchersKey("u"), "node-b", "1"});
  EXPECT_THAT(world_.Append("u", "b")->watchers, UnorderedElementsAre("node-a", "node-b"));
  world_.logs().Unwatch("u");
  auto unwatched = world_.Append("u", "c");
  EXPECT_THAT(unwatched->watchers, ElementsAre("node-b"));
  EXPECT_THAT(unwatched->update.entries, IsEmpty()) << "nobody here wants them";
  EXPECT_EQ(unwatched->update.last, (EntryId{kNow, 2}));
  world_.OnStore([&] { world_.logs().DropWatcher("u", "node-b"); });
  EXPECT_THAT(world_.Append("u", "d")->watchers, IsEmpty());
  EXPECT_EQ(Say(WatchersKey("u"), {"EXISTS", WatchersKey("u")}), "0");
  EXPECT_TRUE(world_.updates.empty()) << "no hints where none are needed";
}

// The store has lost who watches, or could not be told.
TEST_F(RedisLogsTest, AWatchIsStoredAtLast) {
  world_.logs().Watch("u");
  world_.Append("u", "a").value();
  Say("x", {"FLUSHALL"});
  world_.logs().Watch("v");  // refused: there is no epoch
  EXPECT_FALSE(world_.TryOpen("v").ok());
  world_.Prepare();
  world_.Append("v", "b").value();
  auto hinted = [&](const std::string& user, EntryId last) {
    return Eventually([&] {
      bool found = false;
      world_.OnStore([&] {
        for (const LogUpdate& update : world_.updates) found |= update.user == user && update.last == last;
      });
      return found;
    });
  };
  EXPECT_TRUE(hinted("v", {kNow, 0}));
  EXPECT_THAT(world_.Append("v", "c")->watchers, ElementsAre("node-a"));
  EXPECT_THAT(world_.Append("u", "d")->watchers, IsEmpty());
  world_.OnStore([&] { world_.logs().WatchAgain(); });
  EXPECT_TRUE(hinted("u", {kNow, 0}));
  for (int n = 0; n < 600; ++n) world_.logs().Watch("w" + std::to_string(n));
  world_.OnStore([&] { world_.updates.clear(); });
  world_.OnStore([&] { world_.logs().WatchAgain(); });
  EXPECT_TRUE(Eventually([&] {
    size_t hints = 0;
    world_.OnStore([&] { hints = world_.updates.size(); });
    return hints == 602;
  }));
  EXPECT_THAT(world_.Append("u", "e")->watchers, ElementsAre("node-a"));
}

TEST_F(RedisLogsTest, AnyUserIdHasALogOfItsOwn) {
  const std::vector<std::string> users = {
      "}",          "{}",   "{b1}", std::string("\0", 1), std::string("a\0b", 3), "a", ":", "1:a", "a:1",
      "a}:log:1:b", "\r\n", "*",    "\xe2\x98\x83"};
  for (const std::string& user : users) {
    EXPECT_EQ(world_.Append(user, "nid of " + user)->update.user, user);
    EXPECT_TRUE(world_.Ack(user, "phone", {kNow, 0}).ok());
    world_.Mark({.user = user, .nids = {"nid of " + user}, .mid = "m"});
    world_.logs().Watch(user);
    const uint16_t slot = redis::SlotOf(BucketKey(BucketOf(user)));
    for (const std::string& key : {LogKey(user), DevicesKey(user), WatchersKey(user), MarkIdsKey(user)}) {
      EXPECT_EQ(redis::SlotOf(key), slot) << key;
      EXPECT_EQ(Say(key, {"EXISTS", key}), "1") << key;
    }
  }
  for (const std::string& user : users) {
    EXPECT_EQ(world_.Shape(user), "nid of " + user + ":read <read>");
    EXPECT_EQ(world_.Open(user, "phone").device_cursor, (EntryId{kNow, 0}));
  }
}

TEST_F(RedisLogsTest, AnswersOnTheCoreThatAsked) {
  world_.Append("u", "a").value();
  redis::fixture::CoreThread other;
  std::promise<bool> there;
  std::atomic<int> answered = 0;
  auto check = [&](const auto& answer) {
    EXPECT_TRUE(answer.ok());
    EXPECT_EQ(runtime::Core::Current(), &other.core());
    if (++answered == 6) there.set_value(true);
  };
  other.Run([&] {
    RedisLogs& logs = world_.logs();
    logs.Open("u", "phone", check);
    logs.Read("u", {}, 10, 1'000, check);
    logs.List("u", EntryId::Max(), 10, ListFilter::kAll, check);
    logs.Ack("u", "phone", {kNow, 0}, Urgency::kNow, check);
    logs.Ack("u", "phone", {kNow, 0}, Urgency::kLater, check);
    logs.Mark({.user = "u", .nids = {"a"}}, check);
  });
  there.get_future().wait();
}

// A log as large as it gets: what a read or a page looks at is bounded, and a mark of all of it is one step.
TEST(RedisLogsLargeTest, AFullLog) {
  RedisWorld world(model::kLogMaxEntries);
  world.Prepare();
  uint64_t source = 0;
  while (source < model::kLogMaxEntries) {
    AppendRequest request{.user = "u", .stream = "s", .fence = 0, .items = {}};
    for (int n = 0; n < 250; ++n) {
      ++source;
      request.items.push_back({{source, 0}, std::to_string(source), Priority::kNormal, std::string(100, 'x')});
    }
    ASSERT_TRUE(world.Append(std::move(request)).ok());
  }
  for (size_t at : {0, 1, 2, 63, 64, 65, 5'000, 9'000, 9'998, 9'999}) {
    const LogPiece piece = world.Read("u", {kNow, at}, 2);
    ASSERT_EQ(piece.lines.size(), std::min<size_t>(2, 9'999 - at)) << at;
    if (!piece.lines.empty()) {
      EXPECT_EQ(piece.lines[0].entry->id, (EntryId{kNow, at + 1}));
    }
    EXPECT_EQ(piece.complete, at >= 9'997) << at;
    EXPECT_EQ(world.List("u", {kNow, at}, 1).lines.size(), at == 0 ? 0u : 1u);
  }
  EXPECT_EQ(world.Read("u", {}, 100'000, 10'000).lines.size(), 96u) << "ended by bytes: 104 or 105 each";
  EXPECT_EQ(world.Mark({.user = "u", .op = MarkOp::kArchive, .nids = {"5000"}}).unread, 9'999u);

  const ListPage none = world.List("u", EntryId::Max(), 10, ListFilter::kArchived);
  EXPECT_TRUE(none.lines.empty());
  ASSERT_TRUE(none.before) << "it has looked at so many and stopped";
  size_t pages = 1, found = 0;
  for (auto before = none.before; before; ++pages) {
    const ListPage page = world.List("u", *before, 10, ListFilter::kArchived);
    found += page.lines.size();
    before = page.before;
  }
  EXPECT_EQ(found, 1u);
  EXPECT_EQ(pages, (9'000 + kMaxListScan - 1) / kMaxListScan);

  EXPECT_EQ(world.Mark({.user = "u", .upto = EntryId::Max()}).unread, 0u);
  EXPECT_EQ(world.Mark({.user = "u", .op = MarkOp::kDelete, .upto = EntryId{kNow, 8'000}}).unread, 0u);
  EXPECT_LT(world.Read("u").lines.size(), 2'003u);
}

TEST(RedisLogsOutageTest, ReadsWaitAndWritesFail) {
  RedisWorld world(1'000, nullptr, {"appendonly yes", "appendfsync always"});
  world.Prepare();
  world.Append("u", "a").value();
  world.server().Kill();
  std::promise<base::Status> receipt;
  world.logs().Ack("u", "tablet", {kNow, 0}, Urgency::kLater, [&](const auto& stored) { receipt.set_value(stored); });
  std::promise<base::Result<LogPiece>> promise;
  world.logs().Read("u", {}, 10, 1'000, [&](const auto& piece) { promise.set_value(piece); });
  EXPECT_EQ(world.Append("u", "b").status().code(), Code::kUnavailable);
  EXPECT_EQ(world.TryMark({.user = "u", .nids = {"a"}}).status().code(), Code::kUnavailable);
  EXPECT_EQ(world.Ack("u", "phone", {kNow, 0}).code(), Code::kUnavailable);
  world.server().Start();
  const auto piece = promise.get_future().get();
  ASSERT_TRUE(piece.ok()) << piece.status().ToString();
  EXPECT_EQ(RedisWorld::Shape(piece->lines), "a:unread");
  EXPECT_TRUE(receipt.get_future().get().ok());
  EXPECT_EQ(world.Open("u", "tablet").device_cursor, (EntryId{kNow, 0}));
}

}  // namespace
}  // namespace tocsin::logs
