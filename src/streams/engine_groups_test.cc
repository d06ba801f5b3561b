// Groups and pending entries by example. Expected values as in engine_test.cc.
#include "streams/engine_fixture.h"

namespace tocsin::streams {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Groups.

TEST_F(EngineTest, GroupsNeedTheirKey) {
  EXPECT_THAT(engine_->GroupCreate("s", "g", {}).message(),
              ::testing::StartsWith("ERR The XGROUP subcommand requires the key to exist."));
  EXPECT_TRUE(engine_->GroupCreate("s", "g", {.make_stream = MakeStream::kYes}).ok());
  EXPECT_EQ(engine_->GroupCreate("s", "g", {}).message(), "BUSYGROUP Consumer Group name already exists");
  EXPECT_EQ(engine_->ReadGroup("s", "h", "c").status().message(),
            "NOGROUP No such key 's' or consumer group 'h' in XREADGROUP with GROUP option");
  EXPECT_EQ(engine_->PendingOf("t", "g").status().message(), "NOGROUP No such key 't' or consumer group 'g'");
  EXPECT_EQ(*engine_->Ack("t", "g", {}), 0u);
  Commit();
  Reopen();
  EXPECT_TRUE(*engine_->Exists("s"));
  EXPECT_EQ(Report("s").groups, 1u);
}

TEST_F(EngineTest, ReadGroupDeliversWhatTheSameTurnStaged) {
  ASSERT_TRUE(engine_->GroupCreate("s", "tocsin", {.from_end = true, .make_stream = MakeStream::kYes}).ok());
  Commit();
  Add("s", "1-0");
  Add("s", "2-0");
  const ReadGroupOptions noack{.count = 4096, .acks = Acks::kNone};
  EXPECT_THAT(Ids(engine_->ReadGroup("s", "tocsin", "notifier", noack)), ElementsAre("1-0", "2-0"));
  EXPECT_THAT(Ids(engine_->ReadGroup("s", "tocsin", "notifier", noack)), IsEmpty());
  EXPECT_EQ(engine_->PendingOf("s", "tocsin")->count, 0u);
  EXPECT_EQ(Group("s", "tocsin").entries_read, 2);
  EXPECT_EQ(Group("s", "tocsin").lag, 0);
  Commit();
  Reopen();
  EXPECT_THAT(Ids(engine_->ReadGroup("s", "tocsin", "notifier", noack)), IsEmpty());
  EXPECT_EQ(Group("s", "tocsin").entries_read, 2);
}

TEST_F(EngineTest, ATurnIsAFewRowsHoweverManyEntries) {
  ASSERT_TRUE(engine_->GroupCreate("s", "g", {.make_stream = MakeStream::kYes}).ok());
  Commit();
  for (int i = 1; i <= 100; ++i) Add("s", std::to_string(i));
  ASSERT_EQ(engine_->ReadGroup("s", "g", "c", {.acks = Acks::kNone})->size(), 100u);
  Commit();
  EXPECT_EQ(turn_changes_, 4u);  // a chunk, the stream, the group, the consumer
  for (int i = 101; i <= 200; ++i) Add("s", std::to_string(i));
  ASSERT_EQ(engine_->ReadGroup("s", "g", "c", {.acks = Acks::kNone})->size(), 100u);
  Commit();
  EXPECT_EQ(turn_changes_, 4u);  // a chunk, the full node, the stream, the group
}

TEST_F(EngineTest, PendingEntriesAreAckedOnce) {
  for (int i = 1; i <= 300; ++i) Add("s", std::to_string(i));
  ASSERT_TRUE(engine_->GroupCreate("s", "g", {}).ok());
  EXPECT_EQ(engine_->ReadGroup("s", "g", "a", {.count = 200})->size(), 200u);
  EXPECT_EQ(engine_->ReadGroup("s", "g", "b")->size(), 100u);
  Commit();
  Reopen();
  auto summary = engine_->PendingOf("s", "g");
  EXPECT_EQ(summary->count, 300u);
  EXPECT_EQ(summary->smallest, (EntryId{1, 0}));
  EXPECT_EQ(summary->largest, (EntryId{300, 0}));
  EXPECT_THAT(summary->consumers, ElementsAre(std::pair("a", 200u), std::pair("b", 100u)));
  const EntryId ids[] = {{5, 0}, {5, 0}, {250, 0}, {1000, 0}};
  EXPECT_EQ(*engine_->Ack("s", "g", ids), 2u);
  EXPECT_EQ(*engine_->Ack("s", "g", ids), 0u);
  Commit();
  Reopen();
  EXPECT_THAT(engine_->PendingOf("s", "g")->consumers, ElementsAre(std::pair("a", 199u), std::pair("b", 99u)));
}

TEST_F(EngineTest, HistoryIsTheConsumersOwnAndKeepsDeletedEntries) {
  for (int i = 1; i <= 4; ++i) Add("s", std::to_string(i));
  ASSERT_TRUE(engine_->GroupCreate("s", "g", {}).ok());
  Take("s", "g", "a", {.count = 2});
  Take("s", "g", "b");
  Delete("s", {{2, 0}});
  EXPECT_THAT(Ids(engine_->ReadGroup("s", "g", "a", {.history_after = EntryId()})), ElementsAre("1-0", "2-0 gone"));
  EXPECT_THAT(Ids(engine_->ReadGroup("s", "g", "a", {.count = 1, .history_after = EntryId()})), ElementsAre("1-0"));
  EXPECT_THAT(Ids(engine_->ReadGroup("s", "g", "b", {.history_after = EntryId{3, 0}})), ElementsAre("4-0"));
  EXPECT_THAT(Ids(engine_->ReadGroup("s", "g", "new", {.history_after = EntryId()})), IsEmpty());
}

TEST_F(EngineTest, LagIsUnknownBehindATombstone) {
  for (int i = 1; i <= 5; ++i) Add("s", std::to_string(i));
  ASSERT_TRUE(engine_->GroupCreate("s", "g", {}).ok());
  EXPECT_EQ(Group("s", "g").lag, 5);
  EXPECT_EQ(Group("s", "g").entries_read, std::nullopt);
  Take("s", "g", "c", {.count = 1});
  EXPECT_EQ(Group("s", "g").entries_read, 1);
  EXPECT_EQ(Group("s", "g").lag, 4);
  Delete("s", {{3, 0}});
  EXPECT_EQ(Group("s", "g").lag, std::nullopt);
  Take("s", "g", "c", {});
  EXPECT_EQ(Group("s", "g").entries_read, 5);
  EXPECT_EQ(Group("s", "g").lag, 0);
}

TEST_F(EngineTest, SeenAndActiveDiffer) {
  ASSERT_TRUE(engine_->GroupCreate("s", "g", {.make_stream = MakeStream::kYes}).ok());
  Take("s", "g", "c");
  clock_.Advance(50);
  auto consumers = engine_->ReportConsumers("s", "g");
  EXPECT_EQ(consumers->at(0).idle_ms, 50);
  EXPECT_EQ(consumers->at(0).inactive_ms, -1);
  Add("s", "*");
  Take("s", "g", "c");
  clock_.Advance(10);
  Take("s", "g", "c");
  clock_.Advance(1);
  consumers = engine_->ReportConsumers("s", "g");
  EXPECT_EQ(consumers->at(0).idle_ms, 1);
  EXPECT_EQ(consumers->at(0).inactive_ms, 11);
}

TEST_F(EngineTest, DeliveriesAloneMayBeSyncedLater) {
  EXPECT_FALSE(*engine_->HasGroup("s", "g"));
  Add("s", "1-0");
  ASSERT_TRUE(engine_->GroupCreate("s", "g", {}).ok());
  EXPECT_FALSE(engine_->lazy());
  Commit();
  EXPECT_TRUE(*engine_->HasGroup("s", "g"));
  Take("s", "g", "c");
  EXPECT_TRUE(engine_->lazy());
  Commit();
  const EntryId ids[] = {{1, 0}};
  EXPECT_EQ(*engine_->Ack("s", "g", ids), 1u);
  EXPECT_FALSE(engine_->lazy());
}

// Claims.

class ClaimTest : public EngineTest {
 protected:
  ClaimTest() {
    for (int i = 1; i <= 5; ++i) Add("s", std::to_string(i));
    EXPECT_TRUE(engine_->GroupCreate("s", "g", {}).ok());
    Take("s", "g", "a");
    clock_.Advance(100);
  }

  // id consumer idle deliveries
  std::vector<std::string> Pendings(PendingRangeOptions options = {}) {
    std::vector<std::string> lines;
    const auto entries = engine_->PendingRange("s", "g", options);
    EXPECT_TRUE(entries.ok());
    for (const auto& entry : *entries) {
      lines.push_back(entry.id.ToString() + " " + entry.consumer + " " + std::to_string(entry.idle_ms) + " " +
                      std::to_string(entry.deliveries));
    }
    return lines;
  }
};

TEST_F(ClaimTest, PendingRangeByIdIdleAndConsumer) {
  const EntryId two[] = {{2, 0}};
  EXPECT_THAT(Ids(engine_->Claim("s", "g", "b", two, {})), ElementsAre("2-0"));
  EXPECT_THAT(Pendings(), ElementsAre("1-0 a 100 1", "2-0 b 0 2", "3-0 a 100 1", "4-0 a 100 1", "5-0 a 100 1"));
  EXPECT_THAT(Pendings({.start = {2, 0}, .end = {4, 0}, .count = 2}), ElementsAre("2-0 b 0 2", "3-0 a 100 1"));
  EXPECT_THAT(Pendings({.count = 2, .min_idle_ms = 50}), ElementsAre("1-0 a 100 1", "3-0 a 100 1"));
  EXPECT_THAT(Pendings({.consumer = "b"}), ElementsAre("2-0 b 0 2"));
  EXPECT_THAT(Pendings({.consumer = "nobody"}), IsEmpty());
  EXPECT_THAT(Pendings({.count = 0}), IsEmpty());
}

TEST_F(ClaimTest, ClaimOptionsDecideTimeAndCount) {
  const EntryId one[] = {{1, 0}};
  EXPECT_THAT(Ids(engine_->Claim("s", "g", "b", one, {.min_idle_ms = 101})), IsEmpty());
  EXPECT_THAT(Ids(engine_->Claim("s", "g", "b", one, {.min_idle_ms = 100, .answer = Answer::kIdsOnly})),
              ElementsAre("1-0 gone"));
  EXPECT_THAT(Pendings({.end = {1, 0}}), ElementsAre("1-0 b 0 1"));  // JUSTID counts no delivery
  EXPECT_TRUE(engine_->Claim("s", "g", "b", one, {.idle_ms = 30}).ok());
  EXPECT_THAT(Pendings({.end = {1, 0}}), ElementsAre("1-0 b 30 2"));
  EXPECT_TRUE(engine_->Claim("s", "g", "b", one, {.time_ms = 1040, .retry_count = 9}).ok());
  EXPECT_THAT(Pendings({.end = {1, 0}}), ElementsAre("1-0 b 60 9"));
  EXPECT_TRUE(engine_->Claim("s", "g", "b", one, {.time_ms = 999999, .retry_count = 0}).ok());
  EXPECT_THAT(Pendings({.end = {1, 0}}), ElementsAre("1-0 b 0 0"));
  EXPECT_TRUE(engine_->Claim("s", "g", "b", one, {.last_id = EntryId{9, 0}}).ok());
  EXPECT_EQ(Group("s", "g").last_id, (EntryId{9, 0}));
}

TEST_F(ClaimTest, ForceNeedsTheEntryAndGoneEntriesLeaveTheList) {
  const EntryId ids[] = {{1, 0}, {7, 0}, {2, 0}, {2, 0}};
  EXPECT_EQ(*engine_->Ack("s", "g", std::span(ids, 1)), 1u);
  Delete("s", {{2, 0}});
  EXPECT_THAT(Ids(engine_->Claim("s", "g", "b", ids, {})), IsEmpty());
  EXPECT_THAT(Ids(engine_->Claim("s", "g", "b", ids, {.force = true})), ElementsAre("1-0"));
  EXPECT_THAT(Pendings(), ElementsAre("1-0 b 0 2", "3-0 a 100 1", "4-0 a 100 1", "5-0 a 100 1"));
}

TEST_F(ClaimTest, AutoClaimWalksByCursor) {
  Delete("s", {{2, 0}});
  auto first = engine_->AutoClaim("s", "g", "b", {.min_idle_ms = 100, .count = 2});
  EXPECT_THAT(Ids(first->entries), ElementsAre("1-0"));
  EXPECT_THAT(first->deleted, ElementsAre(EntryId{2, 0}));  // counts against COUNT
  EXPECT_EQ(first->next, (EntryId{3, 0}));
  auto second = engine_->AutoClaim("s", "g", "b", {.min_idle_ms = 100, .start = first->next, .count = 10});
  EXPECT_THAT(Ids(second->entries), ElementsAre("3-0", "4-0", "5-0"));
  EXPECT_EQ(second->next, EntryId());
  EXPECT_THAT(Pendings(), ElementsAre("1-0 b 0 2", "3-0 b 0 2", "4-0 b 0 2", "5-0 b 0 2"));
  EXPECT_THAT(Ids(engine_->AutoClaim("s", "g", "b", {.min_idle_ms = 1})->entries), IsEmpty());
}

TEST_F(ClaimTest, AutoClaimLooksAtTenTimesCount) {
  for (int i = 6; i <= 30; ++i) Add("s", std::to_string(i));
  Take("s", "g", "a");
  const EntryId ids[] = {{1, 0}, {2, 0}, {3, 0}, {4, 0}, {5, 0}};
  EXPECT_EQ(*engine_->Ack("s", "g", ids), 5u);
  const auto claimed = engine_->AutoClaim("s", "g", "b", {.min_idle_ms = 50, .count = 1});
  EXPECT_THAT(Ids(claimed->entries), IsEmpty());
  EXPECT_EQ(claimed->next, (EntryId{16, 0}));
}

TEST_F(ClaimTest, DeletingAConsumerTakesItsPendingEntries) {
  const EntryId two[] = {{2, 0}, {3, 0}};
  EXPECT_TRUE(engine_->Claim("s", "g", "b", two, {}).ok());
  Commit();
  Reopen();
  EXPECT_EQ(*engine_->DeleteConsumer("s", "g", "a"), 3u);
  EXPECT_EQ(*engine_->DeleteConsumer("s", "g", "a"), 0u);
  EXPECT_EQ(engine_->PendingOf("s", "g")->count, 2u);
  Commit();
  Reopen();
  EXPECT_THAT(engine_->PendingOf("s", "g")->consumers, ElementsAre(std::pair("b", 2u)));
  EXPECT_TRUE(*engine_->CreateConsumer("s", "g", "a"));
  EXPECT_FALSE(*engine_->CreateConsumer("s", "g", "a"));
  EXPECT_TRUE(*engine_->GroupDestroy("s", "g"));
  EXPECT_FALSE(*engine_->GroupDestroy("s", "g"));
  Commit();
  Reopen();
  EXPECT_EQ(Report("s").groups, 0u);
  EXPECT_EQ(All("s").size(), 5u);  // a group's end is no business of the entries
}

TEST_F(ClaimTest, FullReport) {
  const EntryId two[] = {{2, 0}};
  EXPECT_TRUE(engine_->Claim("s", "g", "b", two, {}).ok());
  const auto full = engine_->ReportFull("s", 2);
  EXPECT_EQ(full->entries.size(), 2u);
  EXPECT_EQ(full->groups.at(0).report.pending, 5u);
  EXPECT_EQ(full->groups.at(0).pending.size(), 2u);
  EXPECT_EQ(full->groups.at(0).consumers.at(1).report.name, "b");
  EXPECT_EQ(full->groups.at(0).consumers.at(1).pending.at(0).delivered_ms, 1100);
  EXPECT_EQ(engine_->ReportFull("none").status().message(), "ERR no such key");
}

}  // namespace
}  // namespace tocsin::streams
