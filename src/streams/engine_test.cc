// The engine by example: what implementers of Redis Streams get wrong, line by line. Expected values are those of a
// redis-server 7.0.15 that was asked the same, or of 7.2 where the test says so.
#include "streams/engine.h"

#include "streams/engine_fixture.h"

namespace tocsin::streams {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Ids.

TEST_F(EngineTest, AutoIdIsTheLaterOfClockAndLastId) {
  EXPECT_EQ(Add("s", "*"), "1000-0");
  EXPECT_EQ(Add("s", "*"), "1000-1");
  clock_.Set(900);
  EXPECT_EQ(Add("s", "*"), "1000-2");
  clock_.Set(1001);
  EXPECT_EQ(Add("s", "*"), "1001-0");
}

TEST_F(EngineTest, AutoIdCarriesTheSequenceIntoTheMilliseconds) {
  EXPECT_EQ(Add("s", "1000-18446744073709551615"), "1000-18446744073709551615");
  EXPECT_EQ(Add("s", "*"), "1001-0");
}

TEST_F(EngineTest, ExplicitIds) {
  EXPECT_EQ(Add("s", "0-0"), "ERR The ID specified in XADD must be greater than 0-0");
  EXPECT_FALSE(*engine_->Exists("s"));
  EXPECT_EQ(Add("s", "0-*"), "0-1");
  EXPECT_EQ(Add("s", "0-*"), "0-2");
  EXPECT_EQ(Add("s", "5"), "5-0");
  EXPECT_EQ(Add("s", "5-*"), "5-1");
  EXPECT_EQ(Add("s", "5-1"), "ERR The ID specified in XADD is equal or smaller than the target stream top item");
  EXPECT_EQ(Add("s", "4-*"), "ERR The ID specified in XADD is equal or smaller than the target stream top item");
  EXPECT_EQ(Add("s", "5-18446744073709551615"), "5-18446744073709551615");
  EXPECT_EQ(Add("s", "5-*"), "ERR The ID specified in XADD is equal or smaller than the target stream top item");
  EXPECT_EQ(Add("s", "18446744073709551615-18446744073709551615"), "18446744073709551615-18446744073709551615");
  EXPECT_EQ(Add("s", "*"), "ERR The stream has exhausted the last possible ID, unable to add more items");
  EXPECT_EQ(Add("s", "x"), "ERR Invalid stream ID specified as stream command argument");
}

TEST_F(EngineTest, LastIdSurvivesTheDeletionOfEveryEntryAndARestart) {
  Add("s", "2000-5");
  EXPECT_EQ(Delete("s", {{2000, 5}}), 1u);
  Commit();
  Reopen();
  EXPECT_EQ(*engine_->Length("s"), 0u);
  EXPECT_TRUE(*engine_->Exists("s"));
  EXPECT_EQ(Add("s", "*"), "2000-6");
}

TEST_F(EngineTest, IdsFarAheadOfTheClockAreRefusedWhereAsked) {
  const AppendOptions ingest{.max_future_ms = model::kMaxFutureIdMs};
  EXPECT_THAT(Add("s", "3601001-0", ingest), ::testing::StartsWith("ERR The ID specified in XADD is too far ahead"));
  EXPECT_THAT(Add("s", "3601001-*", ingest), ::testing::StartsWith("ERR The ID specified in XADD is too far ahead"));
  EXPECT_EQ(Add("s", "3601000-0", ingest), "3601000-0");
  EXPECT_EQ(Add("s", "*", ingest), "3601000-1");
}

TEST_F(EngineTest, NoMakeStream) {
  EXPECT_EQ(Add("s", "*", {.make_stream = MakeStream::kNo}), "nil");
  EXPECT_FALSE(*engine_->Exists("s"));
}

// Ranges.

TEST_F(EngineTest, RangesInBothDirections) {
  for (const char* id : {"1-1", "1-2", "2-0", "3-0", "3-7"}) Add("s", id);
  for (int round = 0; round < 3; ++round) {
    EXPECT_THAT(All("s"), ElementsAre("1-1", "1-2", "2-0", "3-0", "3-7"));
    EXPECT_THAT(Ids(engine_->Range("s", {1, 2}, {3, 0})), ElementsAre("1-2", "2-0", "3-0"));
    EXPECT_THAT(Ids(engine_->Range("s", {1, 2}, {3, 0}, {.count = 2})), ElementsAre("1-2", "2-0"));
    EXPECT_THAT(Ids(engine_->RevRange("s", EntryId::Max(), {})), ElementsAre("3-7", "3-0", "2-0", "1-2", "1-1"));
    EXPECT_THAT(Ids(engine_->RevRange("s", {3, 1}, {1, 2}, {.count = 2})), ElementsAre("3-0", "2-0"));
    EXPECT_THAT(Ids(engine_->Range("s", {3, 0}, {1, 0})), IsEmpty());
    EXPECT_THAT(Ids(engine_->Range("none", {}, EntryId::Max())), IsEmpty());
    EXPECT_THAT(Ids(engine_->Read("s", {2, 0})), ElementsAre("3-0", "3-7"));
    EXPECT_THAT(Ids(engine_->Read("s", EntryId::Max())), IsEmpty());
    if (round == 0) Commit();
    if (round == 1) Reopen();
  }
}

TEST_F(EngineTest, FieldsComeBackAsGiven) {
  const std::string big(5000, 'x');
  const std::vector<std::vector<FieldView>> entries = {{{"user_id", "1"}, {"message", "hello"}},
                                                       {{"user_id", "2"}, {"message", ""}},
                                                       {{"other", big}},
                                                       {{"a", "1"}, {"a", "2"}},
                                                       {{"", "empty name"}},
                                                       {{"user_id", "3"}, {"message", "x"}}};
  for (const auto& fields : entries) ASSERT_TRUE(engine_->Append("s", fields).ok());
  for (int round = 0; round < 3; ++round) {
    const auto read = engine_->Range("s", {}, EntryId::Max());
    ASSERT_EQ(read->size(), entries.size());
    for (size_t i = 0; i < entries.size(); ++i) EXPECT_EQ(read->list[i].Fields(), entries[i]);
    EXPECT_EQ(read->list[1].Find("message"), "");
    EXPECT_NE(read->list[1].Find("message").data(), nullptr);
    EXPECT_EQ(read->list[1].Find("nothing").data(), nullptr);
    EXPECT_EQ(read->list[3].Find("a"), "1");
    if (round == 0) Commit();
    if (round == 1) Reopen();
  }
}

TEST_F(EngineTest, ReadEntriesOutliveEverythingElse) {
  Add("s", "1-0", {}, "first");
  auto read = engine_->Range("s", {}, EntryId::Max());
  for (int i = 2; i < 500; ++i) Add("s", std::to_string(i), {}, "later");
  Commit();
  ASSERT_TRUE(*engine_->DeleteKey("s"));
  Commit();
  engine_.reset();
  store_.reset();
  EXPECT_EQ(read->list[0].Find("f"), "first");
}

TEST_F(EngineTest, AByteLimitStopsARangeWithMoreToCome) {
  for (int i = 1; i <= 100; ++i) Add("s", std::to_string(i), {}, std::string(100, 'x'));
  const auto some = engine_->Range("s", {}, EntryId::Max(), {.max_bytes = 1000});
  EXPECT_TRUE(some->more);
  EXPECT_EQ(some->size(), 10u);
  EXPECT_FALSE(engine_->Range("s", {}, EntryId::Max())->more);
}

// Trimming and deleting.

TEST_F(EngineTest, ExactTrimByLength) {
  for (int i = 1; i <= 250; ++i) Add("s", std::to_string(i));
  Commit();
  EXPECT_EQ(*engine_->TrimStream("s", {.by = Trim::By::kMaxLength, .max_length = 120}), 130u);
  EXPECT_EQ(Report("s").first_id, (EntryId{131, 0}));
  EXPECT_EQ(Report("s").radix_keys, 2u);
  EXPECT_EQ(Report("s").max_deleted, EntryId());  // XDEL moves it, XTRIM does not
  EXPECT_EQ(All("s").front(), "131-0");
  EXPECT_EQ(All("s").size(), 120u);
  Commit();
  Reopen();
  EXPECT_EQ(All("s").front(), "131-0");
  EXPECT_EQ(All("s").size(), 120u);
  EXPECT_EQ(*engine_->TrimStream("s", {.by = Trim::By::kMaxLength, .max_length = 0}), 120u);
  EXPECT_TRUE(*engine_->Exists("s"));
  EXPECT_EQ(Report("s").first_id, EntryId());
  EXPECT_EQ(Report("s").radix_keys, 0u);
  EXPECT_EQ(Report("s").radix_nodes, 1u);
}

TEST_F(EngineTest, ApproximateTrimTakesWholeNodes) {
  for (int i = 1; i <= 1000; ++i) Add("s", std::to_string(i));
  Trim trim{.by = Trim::By::kMaxLength, .exactness = Trim::Exactness::kApproximate, .max_length = 555};
  trim.limit = 30;
  EXPECT_EQ(*engine_->TrimStream("s", trim), 0u);  // less than a node
  trim.limit = 200;
  EXPECT_EQ(*engine_->TrimStream("s", trim), 200u);
  trim.limit = std::nullopt;
  EXPECT_EQ(*engine_->TrimStream("s", trim), 200u);
  EXPECT_EQ(*engine_->Length("s"), 600u);
  EXPECT_EQ(Report("s").radix_keys, 6u);
  trim.by = Trim::By::kMinId;
  trim.min_id = {700, 0};
  EXPECT_EQ(*engine_->TrimStream("s", trim), 200u);
  EXPECT_EQ(All("s").front(), "601-0");
}

TEST_F(EngineTest, TrimByMinId) {
  for (int i = 1; i <= 250; ++i) Add("s", std::to_string(i));
  EXPECT_EQ(*engine_->TrimStream("s", {.by = Trim::By::kMinId, .min_id = {150, 1}}), 150u);
  EXPECT_EQ(All("s").front(), "151-0");
  EXPECT_EQ(*engine_->TrimStream("s", {.by = Trim::By::kMinId, .min_id = {20, 0}}), 0u);
  EXPECT_EQ(*engine_->TrimStream("s", {.by = Trim::By::kMinId, .min_id = {1000, 0}}), 100u);
}

TEST_F(EngineTest, AppendAddsFirstThenTrims) {
  for (int i = 1; i <= 5; ++i) Add("s", std::to_string(i));
  EXPECT_EQ(Add("s", "6", {.trim = {.by = Trim::By::kMaxLength, .max_length = 0}}), "6-0");
  EXPECT_EQ(*engine_->Length("s"), 0u);
  EXPECT_EQ(Add("s", "7", {.trim = {.by = Trim::By::kMinId, .min_id = {8, 0}}}), "7-0");
  EXPECT_EQ(*engine_->Length("s"), 0u);
  EXPECT_EQ(Report("s").entries_added, 7u);
}

TEST_F(EngineTest, DeleteCountsEachIdOnceAndMovesTheMarks) {
  for (int i = 1; i <= 5; ++i) Add("s", std::to_string(i));
  EXPECT_EQ(Delete("s", {{3, 0}, {3, 0}, {9, 9}, {1, 0}}), 2u);
  const StreamReport report = Report("s");
  EXPECT_EQ(report.max_deleted, (EntryId{3, 0}));
  EXPECT_EQ(report.first_id, (EntryId{2, 0}));
  EXPECT_EQ(report.length, 3u);
  EXPECT_EQ(report.entries_added, 5u);
  EXPECT_EQ(Delete("none", {{3, 0}}), 0u);
  Commit();
  Reopen();
  EXPECT_THAT(All("s"), ElementsAre("2-0", "4-0", "5-0"));
  EXPECT_EQ(Delete("s", {{2, 0}, {4, 0}, {5, 0}}), 3u);
  EXPECT_TRUE(*engine_->Exists("s"));
  Commit();
  Reopen();
  EXPECT_THAT(All("s"), IsEmpty());
  EXPECT_EQ(Add("s", "5-0"), "ERR The ID specified in XADD is equal or smaller than the target stream top item");
}

// Turns.

TEST_F(EngineTest, AFailedTurnLeavesNothing) {
  Add("s", "1-0");
  ASSERT_TRUE(engine_->GroupCreate("s", "g", {}).ok());
  Commit();
  Add("s", "2-0");
  Add("t", "1-0");
  Delete("s", {{1, 0}});
  Take("s", "g", "c");
  Fail();
  EXPECT_THAT(All("s"), ElementsAre("1-0"));
  EXPECT_FALSE(*engine_->Exists("t"));
  EXPECT_THAT(Ids(engine_->ReadGroup("s", "g", "c")), ElementsAre("1-0"));
  EXPECT_EQ(Add("s", "2-0"), "2-0");
}

TEST_F(EngineTest, ADeletedKeyTakesEverythingWithIt) {
  for (int i = 1; i <= 300; ++i) Add("s", std::to_string(i));
  Add("t", "1-0");
  ASSERT_TRUE(engine_->GroupCreate("s", "g", {}).ok());
  Take("s", "g", "c");
  Commit();
  EXPECT_TRUE(*engine_->DeleteKey("s"));
  EXPECT_FALSE(*engine_->DeleteKey("s"));
  EXPECT_FALSE(*engine_->Exists("s"));
  EXPECT_EQ(Add("s", "1-1"), "1-1");
  Commit();
  Reopen();
  EXPECT_THAT(All("s"), ElementsAre("1-1"));
  EXPECT_EQ(Report("s").groups, 0u);
  EXPECT_THAT(All("t"), ElementsAre("1-0"));
}

TEST_F(EngineTest, DamagedEntriesFailTheirStreamOnly) {
  options_.memory_bytes = 1;
  Reopen();
  for (int i = 1; i <= 500; ++i) Add("s", std::to_string(i));
  Add("t", "1-0");
  Commit();
  Add("u", "1-0");
  Commit();  // s left memory
  {
    // The value of its third node's chunk. Stream numbers begin at 1.
    storage::Batch batch;
    batch.Put(storage::Family::kEntries, EntryKey(1, {201, 0}), "\x01\x05 not a chunk");
    ASSERT_TRUE(store_->Write(batch, storage::Sync::kLater).ok());
  }
  EXPECT_EQ(engine_->Range("s", {}, EntryId::Max()).status().code(), base::Code::kCorruption);
  EXPECT_EQ(Ids(engine_->Range("s", {}, {200, 0})).size(), 200u);
  const EntryId ids[] = {{250, 0}, {301, 0}};
  EXPECT_EQ(engine_->Delete("s", ids).status().code(), base::Code::kCorruption);
  EXPECT_EQ(engine_->TrimStream("s", {.by = Trim::By::kMaxLength, .max_length = 300}).status().code(),
            base::Code::kCorruption);
  EXPECT_EQ(*engine_->Length("s"), 300u);  // two nodes went, and all agrees
  EXPECT_EQ(Report("t").length, 1u);
  EXPECT_EQ(Add("s", "501"), "501-0");
  Commit();
  Reopen();
  EXPECT_EQ(Ids(engine_->Range("s", {301, 0}, EntryId::Max())).size(), 201u);
  EXPECT_EQ(*engine_->TrimStream("s", {.by = Trim::By::kMaxLength, .max_length = 201}), 100u);
  EXPECT_EQ(All("s").size(), 201u);  // trimmed past the damage
}

TEST_F(EngineTest, StreamsLeaveMemoryAndComeBack) {
  options_.memory_bytes = 64 << 10;
  Reopen();
  for (int i = 0; i < 300; ++i) {
    Add("s" + std::to_string(i), "1-0", {}, std::string(300, 'x'));
    Commit();
  }
  for (int i = 0; i < 300; ++i) {
    const std::string key = "s" + std::to_string(i);
    EXPECT_EQ(Add(key, "2-0"), "2-0");
    EXPECT_THAT(All(key), ElementsAre("1-0", "2-0"));
    Commit();
  }
}

}  // namespace
}  // namespace tocsin::streams
