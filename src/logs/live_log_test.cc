#include "logs/live_log.h"

#include <gtest/gtest.h>

#include "model/limits.h"

namespace tocsin::logs {
namespace {

using model::EntryId;

LogEntryPtr Item(uint64_t id, size_t bytes = 10) {
  auto entry = std::make_shared<LogEntry>();
  entry->id = {id, 0};
  entry->nid = "n" + std::to_string(id);
  entry->json = std::string(bytes, 'x');
  return entry;
}

LogEntryPtr Change(uint64_t id, MarkOp op, std::vector<std::string> nids, std::optional<EntryId> upto = {}) {
  auto entry = std::make_shared<LogEntry>();
  entry->id = {id, 0};
  entry->change = StateChange{op, std::move(nids), upto, {}, {}};
  return entry;
}

LogUpdate Update(std::vector<LogEntryPtr> entries, uint32_t unread = 0, EntryId floor = {}) {
  return {"u", std::move(entries), floor, {unread, unread, {}}};
}

LogHead Head(uint64_t last, uint32_t unread = 0, EntryId floor = {}) {
  LogHead head;
  head.last = {last, 0};
  head.floor = floor;
  head.counts.unread = unread;
  return head;
}

// "5 6 7:read" of what lies above `after`.
std::string TailOf(const LiveLog& log, uint64_t after, size_t max_entries = 1'000) {
  std::string text;
  for (const LogLine& line : log.Tail({after, 0}, max_entries).lines) {
    if (!text.empty()) text += " ";
    text += std::to_string(line.entry->id.ms);
    if (line.state != ItemState::kUnread) text.append(":").append(ItemStateName(line.state));
  }
  return text;
}

class Follower final : public LogFollower {
 public:
  void OnLogAdvanced() override { ++wakes; }
  void OnLogLost() override { ++losses; }
  EntryId position() const override { return at; }
  EntryId at;
  int wakes = 0, losses = 0;
};

TEST(LiveLogTest, IsNothingBeforeItsHeadIsKnown) {
  LiveLog log("u");
  log.Apply(Update({Item(5)}));
  EXPECT_FALSE(log.open());
  EXPECT_FALSE(log.TailCovers({4, 0}));
  EXPECT_FALSE(log.TailCovers(EntryId::Max()));
}

// The head is read on another thread while turns are committed: it may show any moment since the log was made.
TEST(LiveLogTest, OpensRightWheneverTheHeadWasRead) {
  for (uint64_t read_at : {4, 5, 6, 7, 9}) {
    LiveLog log("u");
    log.Apply(Update({Item(5)}, 1));
    log.Apply(Update({Item(6), Item(7)}, 3, {2, 0}));
    log.Open(Head(read_at, 10 + static_cast<uint32_t>(read_at), {1, 0}));
    ASSERT_TRUE(log.open());
    EXPECT_EQ(log.last(), (EntryId{std::max<uint64_t>(read_at, 7), 0}));
    EXPECT_EQ(log.floor(), (EntryId{2, 0}));
    EXPECT_EQ(log.counts().unread, read_at >= 7 ? 10 + read_at : 3);
    EXPECT_FALSE(log.TailCovers({read_at - 1, 0}));
    EXPECT_TRUE(log.TailCovers({read_at, 0}));
    EXPECT_EQ(TailOf(log, read_at), read_at == 4 ? "5 6 7" : read_at == 5 ? "6 7" : read_at == 6 ? "7" : "");
  }
}

TEST(LiveLogTest, AnUpdateThatTheHeadHadIsPassedOver) {
  LiveLog log("u");
  log.Open(Head(7, 5));
  log.Apply(Update({Item(5)}, 1));
  log.Apply(Update({Item(6), Item(7)}, 2));
  EXPECT_EQ(log.last(), (EntryId{7, 0}));
  EXPECT_EQ(log.counts().unread, 5u);
  EXPECT_EQ(TailOf(log, 7), "");
  log.Apply(Update({Item(8)}, 6));
  EXPECT_EQ(TailOf(log, 7), "8");
  EXPECT_EQ(log.counts().unread, 6u);
  log.Open(Head(3, 99));  // a second session has read the head too, and long ago
  EXPECT_EQ(log.last(), (EntryId{8, 0}));
  EXPECT_EQ(log.counts().unread, 6u);
}

TEST(LiveLogTest, TheTailIsBoundedInEntries) {
  LiveLog log("u");
  log.Open(Head(0));
  for (uint64_t id = 1; id <= model::kLogTailEntries + 10; ++id) log.Apply(Update({Item(id)}));
  EXPECT_FALSE(log.TailCovers({9, 0}));
  EXPECT_TRUE(log.TailCovers({10, 0}));
  const LogPiece all = log.Tail({10, 0}, 1'000);
  EXPECT_EQ(all.lines.size(), model::kLogTailEntries);
  EXPECT_TRUE(all.complete);
}

TEST(LiveLogTest, TheTailIsBoundedInBytesOfItemsAndOfChanges) {
  LiveLog log("u");
  log.Open(Head(0));
  for (uint64_t id = 1; id <= 10; ++id) log.Apply(Update({Item(id, 10'000)}));
  EXPECT_FALSE(log.TailCovers({3, 0}));
  EXPECT_EQ(TailOf(log, 4), "5 6 7 8 9 10");
  log.Apply(Update({Change(11, MarkOp::kRead, std::vector<std::string>(1'000, std::string(30, 'n')))}));
  EXPECT_EQ(TailOf(log, 10), "11");
  EXPECT_FALSE(log.TailCovers({9, 0}));
  log.Apply(Update({Item(12, 100'000)}));  // too large for it alone: to be read from the store
  EXPECT_FALSE(log.TailCovers({11, 0}));
  EXPECT_TRUE(log.TailCovers({12, 0}));
  log.Apply(Update({Item(13)}));
  EXPECT_EQ(TailOf(log, 12), "13");
}

TEST(LiveLogTest, TailsComeInPieces) {
  LiveLog log("u");
  log.Open(Head(0));
  for (uint64_t id = 1; id <= 5; ++id) log.Apply(Update({Item(id)}));
  EXPECT_EQ(TailOf(log, 1, 2), "2 3");
  EXPECT_FALSE(log.Tail({1, 0}, 2).complete);
  EXPECT_TRUE(log.Tail({1, 0}, 4).complete);
  EXPECT_TRUE(log.Tail({5, 0}, 4).complete);
  EXPECT_EQ(TailOf(log, 9), "");
}

TEST(LiveLogTest, ItemsOfTheTailHaveTheStateOfNow) {
  LiveLog log("u");
  log.Open(Head(0));
  for (uint64_t id = 1; id <= 5; ++id) log.Apply(Update({Item(id)}));
  log.Apply(Update({Change(6, MarkOp::kRead, {"n1", "n3", "n9"})}));
  EXPECT_EQ(TailOf(log, 0), "1:read 2 3:read 4 5 6");
  log.Apply(Update({Change(7, MarkOp::kSeen, {}, EntryId{4, 0})}));
  EXPECT_EQ(TailOf(log, 0), "1:read 2:seen 3:read 4:seen 5 6 7");
  log.Apply(Update({Change(8, MarkOp::kUnread, {"n3"})}));
  EXPECT_EQ(TailOf(log, 0), "1:read 2:seen 3:seen 4:seen 5 6 7 8");
  log.Apply(Update({Change(9, MarkOp::kDelete, {"n5", "n1"})}));
  EXPECT_EQ(TailOf(log, 0), "2:seen 3:seen 4:seen 6 7 8 9");
  log.Apply(Update({Change(10, MarkOp::kDelete, {}, EntryId{3, 0})}));
  EXPECT_EQ(TailOf(log, 0), "4:seen 6 7 8 9 10");
  log.Apply(Update({Item(11), Change(12, MarkOp::kRead, {"n11"})}));  // both in one turn
  EXPECT_EQ(TailOf(log, 10), "11:read 12");
}

TEST(LiveLogTest, SettlingLetsGoOfWhatEveryFollowerHasTaken) {
  LiveLog log("u");
  log.Open(Head(0));
  Follower fast, slow;
  log.Follow(fast);
  log.Follow(slow);
  for (uint64_t id = 1; id <= 5; ++id) log.Apply(Update({Item(id)}));
  fast.at = {5, 0};
  slow.at = {2, 0};
  log.Settle();
  EXPECT_FALSE(log.TailCovers({1, 0}));
  EXPECT_EQ(TailOf(log, 2), "3 4 5");
  log.Leave(slow);
  log.Settle();
  EXPECT_FALSE(log.TailCovers({4, 0}));
  EXPECT_TRUE(log.TailCovers({5, 0}));
  log.Leave(fast);
  log.Apply(Update({Item(6)}));
  log.Settle();
  EXPECT_FALSE(log.TailCovers({5, 0})) << "nobody needs it";
}

TEST(LiveLogTest, RemembersReceiptsUntilTheyAreStored) {
  LiveLog log("u");
  EXPECT_TRUE(log.unused());
  log.Sent("phone", {5, 0});
  log.Sent("phone", {3, 0});
  log.Sent("web", {1, 0});
  EXPECT_EQ(log.SentCursor("phone"), (EntryId{5, 0}));
  EXPECT_EQ(log.SentCursor("other"), std::nullopt);
  log.Sent("phone", {7, 0});
  log.Stored("phone", {5, 0});  // an older one has arrived
  EXPECT_EQ(log.SentCursor("phone"), (EntryId{7, 0}));
  log.Stored("phone", {7, 0});
  EXPECT_EQ(log.SentCursor("phone"), std::nullopt);
  EXPECT_FALSE(log.unused());
  log.Stored("web", {1, 0});
  EXPECT_TRUE(log.unused());
  log.Pin();
  EXPECT_FALSE(log.unused());
  log.Unpin();
  EXPECT_TRUE(log.unused());
}

// Several nodes append to one log: what another one did comes as a hint, or is seen only by what follows it.
TEST(LiveLogTest, AnUpdateThatDoesNotFollowLeavesOnlyTheHead) {
  LiveLog log("u");
  log.Open(Head(5, 5));
  LogUpdate next = Update({Item(6)}, 6);
  next.after = EntryId{5, 0};
  log.Apply(next);
  EXPECT_EQ(TailOf(log, 5), "6");
  LogUpdate beyond = Update({Item(9)}, 9);
  beyond.after = EntryId{8, 0};  // 7 and 8 came from elsewhere
  log.Apply(beyond);
  EXPECT_EQ(log.last(), (EntryId{9, 0}));
  EXPECT_EQ(log.counts().unread, 9u);
  EXPECT_FALSE(log.TailCovers({8, 0})) << "to be read from the store";
  LogUpdate hint = Update({}, 12);
  hint.after = EntryId{9, 0};
  hint.last = {12, 0};
  log.Apply(hint);
  EXPECT_EQ(log.last(), (EntryId{12, 0}));
  EXPECT_EQ(log.counts().unread, 12u);
  EXPECT_FALSE(log.TailCovers({11, 0}));
  LogUpdate late = Update({Item(10)}, 10);
  late.after = EntryId{9, 0};
  log.Apply(late);
  EXPECT_EQ(log.counts().unread, 12u) << "an update that was overtaken changes nothing";
  EXPECT_EQ(log.last(), (EntryId{12, 0}));
  LogUpdate again = Update({Item(13)}, 13);
  again.after = EntryId{12, 0};
  log.Apply(again);
  EXPECT_EQ(TailOf(log, 12), "13") << "from here on it has a tail again";
}

TEST(LiveLogsTest, ALostLogIsClosedAndItsFollowersAreTold) {
  LiveLogs logs;
  Follower mine, other;
  LiveLog& log = logs.Get("u");
  LiveLog& another = logs.Get("v");
  log.Follow(mine);
  another.Follow(other);
  log.Open(Head(5));
  another.Open(Head(5));
  logs.Lose([](std::string_view user) { return user == "u"; });
  EXPECT_EQ(mine.losses, 1);
  EXPECT_EQ(other.losses, 0);
  EXPECT_FALSE(log.open());
  log.Open(Head(2));
  EXPECT_EQ(log.last(), (EntryId{2, 0})) << "nothing is left of what it was";
}

TEST(LiveLogsTest, WakesTheFollowersOfTheLogThatWasAppendedTo) {
  LiveLogs logs;
  Follower mine, other;
  LiveLog& log = logs.Get("u");
  LiveLog& another = logs.Get(std::string_view("u\0", 2));
  EXPECT_EQ(&log, &logs.Get("u"));
  EXPECT_NE(&log, &another);
  log.Follow(mine);
  another.Follow(other);
  logs.Apply(Update({Item(1)}));
  EXPECT_EQ(mine.wakes, 0) << "it is not open yet";
  log.Open(Head(0));
  another.Open(Head(0));
  logs.Apply(Update({Item(2)}));
  EXPECT_EQ(mine.wakes, 1);
  EXPECT_EQ(other.wakes, 0);
  EXPECT_EQ(TailOf(log, 0), "1 2");
  mine.at = {2, 0};
  logs.Apply(Update({Item(3)}));
  EXPECT_EQ(TailOf(log, 2), "3");
  EXPECT_FALSE(log.TailCovers({1, 0})) << "settled after the wake-up";

  logs.Apply({"nobody", {Item(1)}, {}, {}, {}, {}});
  EXPECT_EQ(logs.size(), 2u);
  logs.Release(log);
  EXPECT_EQ(logs.size(), 2u) << "it is followed";
  log.Leave(mine);
  logs.Release(log);
  EXPECT_EQ(logs.Find("u"), nullptr);
  another.Leave(other);
  logs.Release(another);
  EXPECT_EQ(logs.size(), 0u);
}

}  // namespace
}  // namespace tocsin::logs
