// Removing with regard to pending entries, giving back, and adding once, by example. Expected values are those of the
// pages of Redis 8.2 to 8.8; there is no such server to ask here.
#include "streams/engine_fixture.h"

namespace tocsin::streams {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RefsTest : public EngineTest {
 protected:
  // Entries 1 to 6; group g was given 1 to 4 and has 2 and 4 pending; group h was given 1 to 5 and acked them.
  RefsTest() {
    for (int i = 1; i <= 6; ++i) Add("s", std::to_string(i));
    EXPECT_TRUE(engine_->GroupCreate("s", "g", {}).ok());
    EXPECT_TRUE(engine_->GroupCreate("s", "h", {}).ok());
    Take("s", "g", "c", {.count = 4});
    const EntryId acked[] = {{1, 0}, {3, 0}};
    EXPECT_EQ(*engine_->Ack("s", "g", acked), 2u);
    Take("s", "h", "c", {.count = 5, .acks = Acks::kNone});
  }

  std::vector<std::string> PendingIds(std::string_view group) {
    std::vector<std::string> ids;
    const auto entries = engine_->PendingRange("s", group);
    for (const auto& entry : *entries) ids.push_back(entry.id.ToString());
    return ids;
  }
  Trim ByLength(uint64_t length, Refs refs) { return {.by = Trim::By::kMaxLength, .max_length = length, .refs = refs}; }
};

TEST_F(RefsTest, KeepRefTrimsAndLeavesPendingIds) {
  EXPECT_EQ(*engine_->TrimStream("s", ByLength(1, Refs::kKeep)), 5u);
  EXPECT_THAT(PendingIds("g"), ElementsAre("2-0", "4-0"));
}

TEST_F(RefsTest, DelRefTrimsPendingIdsToo) {
  EXPECT_EQ(*engine_->TrimStream("s", ByLength(4, Refs::kDelete)), 2u);
  EXPECT_THAT(PendingIds("g"), ElementsAre("4-0"));
  EXPECT_EQ(*engine_->TrimStream("s", ByLength(0, Refs::kDelete)), 4u);
  EXPECT_THAT(PendingIds("g"), IsEmpty());
}

TEST_F(RefsTest, AckedTrimsWhatNobodyNeeds) {
  EXPECT_EQ(*engine_->TrimStream("s", ByLength(5, Refs::kAcked)), 1u);
  EXPECT_EQ(*engine_->TrimStream("s", ByLength(0, Refs::kAcked)), 1u);
  EXPECT_THAT(All("s"), ElementsAre("2-0", "4-0", "5-0", "6-0"));  // pending, pending, not given to g, to nobody
  EXPECT_EQ(Group("s", "g").lag, 2);
  const EntryId acked[] = {{2, 0}, {4, 0}};
  EXPECT_EQ(*engine_->Ack("s", "g", acked), 2u);
  EXPECT_EQ(*engine_->TrimStream("s", {.by = Trim::By::kMinId, .min_id = {6, 0}, .refs = Refs::kAcked}), 2u);
  EXPECT_THAT(All("s"), ElementsAre("5-0", "6-0"));
}

TEST_F(RefsTest, AckedTrimsWithAnAppend) {
  EXPECT_EQ(Add("s", "7", {.trim = ByLength(2, Refs::kAcked)}), "7-0");
  EXPECT_THAT(All("s"), ElementsAre("2-0", "4-0", "5-0", "6-0", "7-0"));
}

TEST_F(RefsTest, DeleteExAnswersForEachId) {
  const EntryId ids[] = {{1, 0}, {2, 0}, {5, 0}, {9, 0}};
  using enum Removal;
  EXPECT_THAT(*engine_->DeleteEx("s", ids, Refs::kAcked), ElementsAre(kRemoved, kStillNeeded, kStillNeeded, kNoEntry));
  EXPECT_THAT(*engine_->DeleteEx("s", ids, Refs::kKeep), ElementsAre(kNoEntry, kRemoved, kRemoved, kNoEntry));
  EXPECT_THAT(PendingIds("g"), ElementsAre("2-0", "4-0"));
  EXPECT_THAT(*engine_->DeleteEx("s", ids, Refs::kDelete), ElementsAre(kNoEntry, kNoEntry, kNoEntry, kNoEntry));
  EXPECT_THAT(PendingIds("g"), ElementsAre("4-0"));  // a dangling one went
  EXPECT_THAT(*engine_->DeleteEx("none", ids, Refs::kKeep), ElementsAre(kNoEntry, kNoEntry, kNoEntry, kNoEntry));
}

TEST_F(RefsTest, AckDeleteAcksAndRemovesWhenItMay) {
  Take("s", "h", "c");  // 6
  const EntryId ids[] = {{4, 0}, {6, 0}, {1, 0}};
  using enum Removal;
  EXPECT_THAT(*engine_->AckDelete("s", "h", ids, Refs::kAcked), ElementsAre(kNoEntry, kStillNeeded, kNoEntry));
  EXPECT_THAT(*engine_->AckDelete("s", "g", ids, Refs::kAcked), ElementsAre(kRemoved, kNoEntry, kNoEntry));
  EXPECT_THAT(PendingIds("g"), ElementsAre("2-0"));
  EXPECT_THAT(PendingIds("h"), IsEmpty());
  EXPECT_THAT(All("s"), ElementsAre("1-0", "2-0", "3-0", "5-0", "6-0"));
  EXPECT_THAT(*engine_->AckDelete("s", "none", ids, Refs::kKeep), ElementsAre(kNoEntry, kNoEntry, kNoEntry));
}

TEST_F(RefsTest, NackGivesBack) {
  clock_.Advance(10);
  const EntryId ids[] = {{2, 0}, {3, 0}};
  EXPECT_EQ(*engine_->Nack("s", "g", ids, {}), 1u);
  auto pending = engine_->PendingRange("s", "g");
  EXPECT_EQ(pending->at(0).consumer, "");
  EXPECT_EQ(pending->at(0).idle_ms, -1);
  EXPECT_EQ(pending->at(0).deliveries, 1u);
  EXPECT_EQ(pending->at(1).consumer, "c");
  EXPECT_THAT(engine_->PendingOf("s", "g")->consumers, ElementsAre(std::pair("c", 1u)));
  Commit();
  Reopen();
  // Idle long enough for anybody, and before all others.
  const auto read = engine_->ReadMany(
      {.streams = {{.key = "s"}}, .group = "g", .consumer = "d", .count = 1, .claim_min_idle_ms = 500});
  EXPECT_EQ(read->at(0).entries.list.at(0).id(), (EntryId{2, 0}));
  EXPECT_EQ(*engine_->Nack("s", "g", ids, {.mode = NackOptions::Mode::kSilent}), 1u);
  EXPECT_EQ(engine_->PendingRange("s", "g")->at(0).deliveries, 1u);
  EXPECT_EQ(*engine_->Nack("s", "g", ids, {.mode = NackOptions::Mode::kFatal, .force = true}), 2u);
  EXPECT_EQ(engine_->PendingRange("s", "g")->at(1).deliveries, uint64_t{INT64_MAX});
  EXPECT_EQ(*engine_->Nack("s", "g", ids, {.retry_count = 7}), 2u);
  EXPECT_EQ(engine_->PendingRange("s", "g")->at(1).deliveries, 7u);
}

TEST_F(RefsTest, NackWakesThoseWhoClaim) {
  std::string got;
  ReadRequest request{.streams = {{.key = "s"}}, .group = "g", .consumer = "d", .count = 9, .claim_min_idle_ms = 1000};
  Take("s", "g", "c");
  ASSERT_TRUE(engine_->ReadMany(request)->empty());
  engine_->Wait(request, [&](ReadAnswer answer) { got = answer->at(0).entries.list.at(0).id().ToString(); });
  const EntryId ids[] = {{4, 0}};
  EXPECT_EQ(*engine_->Nack("s", "g", ids, {}), 1u);
  Commit();
  EXPECT_EQ(got, "4-0");
}

TEST_F(EngineTest, AnEntryProducedTwiceIsAddedOnce) {
  const auto once = [&](std::string_view producer, std::optional<std::string_view> id, std::string_view value) {
    return Add("s", "*", {.once = Once{.producer = producer, .id = id}}, value);
  };
  EXPECT_EQ(once("p", "a", "x"), "1000-0");
  EXPECT_EQ(once("p", "a", "something else"), "1000-0");
  EXPECT_EQ(once("q", "a", "x"), "1000-1");
  EXPECT_EQ(once("p", std::nullopt, "x"), "1000-2");
  EXPECT_EQ(once("p", std::nullopt, "x"), "1000-2");
  EXPECT_EQ(once("p", std::nullopt, "y"), "1000-3");
  Commit();
  Reopen();
  clock_.Advance(99'999);
  EXPECT_EQ(once("p", "a", "x"), "1000-0");
  const auto figures = Report("s").produced;
  EXPECT_EQ(figures.producers, 2u);
  EXPECT_EQ(figures.ids, 4u);
  EXPECT_EQ(figures.ids_added, 4u);
  EXPECT_EQ(figures.duplicates, 3u);
  clock_.Advance(1);  // 100 seconds are over
  EXPECT_EQ(once("p", "a", "x"), "101000-0");
  EXPECT_EQ(*engine_->Length("s"), 5u);
  EXPECT_TRUE(engine_->ConfigureOnce("s", 10, 2).ok());
  EXPECT_EQ(once("p", "a", "x"), "101000-1");  // new settings forget
  EXPECT_EQ(once("p", "b", "x"), "101000-2");
  EXPECT_EQ(once("p", "c", "x"), "101000-3");
  EXPECT_EQ(once("p", "b", "x"), "101000-2");
  EXPECT_EQ(once("p", "a", "x"), "101000-4");  // beyond the last two
  Add("t", "*");
  Fail();
  EXPECT_EQ(once("p", "c", "x"), "101000-0");  // the failed turn remembered nothing
}

}  // namespace
}  // namespace tocsin::streams
