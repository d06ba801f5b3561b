// Redelivery by example: what a group does with entries that nobody acknowledged.
#include "streams/engine_fixture.h"

namespace tocsin::streams {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(RedeliveryPolicyTest, DelaysGrowUpToTheLongest) {
  const Redelivery policy{.after_ms = 100, .backoff = 3, .longest_ms = 1'000};
  EXPECT_EQ(policy.DelayMs(0), 100);
  EXPECT_EQ(policy.DelayMs(1), 100);
  EXPECT_EQ(policy.DelayMs(2), 300);
  EXPECT_EQ(policy.DelayMs(3), 900);
  EXPECT_EQ(policy.DelayMs(4), 1'000);
  EXPECT_EQ(policy.DelayMs(UINT64_MAX), 1'000);
  EXPECT_EQ((Redelivery{.after_ms = 100, .backoff = 1, .longest_ms = 1'000}.DelayMs(UINT64_MAX >> 40)), 100);
  EXPECT_EQ((Redelivery{.after_ms = INT64_MAX, .backoff = 9, .longest_ms = INT64_MAX}.DelayMs(50)), INT64_MAX);
}

class RedeliveryTest : public EngineTest {
 protected:
  RedeliveryTest() { SetRules(); }

  void SetRules() {
    engine_->SetRedelivery(
        {{.stream = "s", .group = "g", .redelivery = {.after_ms = 100, .backoff = 2, .max_deliveries = 3}}});
  }

  // XREADGROUP GROUP g consumer COUNT count STREAMS s >
  std::vector<std::string> Read(const std::string& consumer, size_t count = SIZE_MAX, std::string_view group = "g") {
    const auto read = engine_->ReadMany(
        {.streams = {{.key = "s"}}, .group = std::string(group), .consumer = consumer, .count = count});
    if (!read.ok()) return {std::string(read.status().message())};
    std::vector<std::string> ids;
    for (const auto& stream : *read) {
      EXPECT_THAT(stream.claimed, IsEmpty());  // the reply is that of any read
      for (const auto& entry : stream.entries.list) ids.push_back(entry.id().ToString());
    }
    return ids;
  }
  std::vector<std::string> Exhausted() {
    std::vector<std::string> ids;
    const auto taken = engine_->TakeExhausted("s", "g", 100);
    for (const PendingEntry& entry : *taken) {
      ids.push_back(entry.id.ToString() + " " + entry.consumer + " " + std::to_string(entry.deliveries));
      EXPECT_EQ(*engine_->Ack("s", "g", std::span(&entry.id, 1)), 1u);
    }
    return ids;
  }
  uint64_t Pending() { return engine_->PendingOf("s", "g")->count; }
  void MakeGroup(std::string_view group = "g") { ASSERT_TRUE(engine_->GroupCreate("s", group, {}).ok()); }
};

TEST_F(RedeliveryTest, WhatADeadConsumerHadGoesToTheNextWhoReads) {
  for (const char* id : {"1-0", "2-0", "3-0"}) Add("s", id);
  MakeGroup();
  EXPECT_THAT(Read("dead", 2), ElementsAre("1-0", "2-0"));
  Commit();
  clock_.Advance(99);
  EXPECT_THAT(Read("alive", 1), ElementsAre("3-0"));
  EXPECT_THAT(Read("alive"), IsEmpty());
  clock_.Advance(1);
  Add("s", "4-0");
  EXPECT_THAT(Read("alive", 1), ElementsAre("1-0"));
  EXPECT_THAT(Read("alive", 2), ElementsAre("2-0", "4-0"));  // what waits longest, then new ones
  EXPECT_THAT(engine_->PendingOf("s", "g")->consumers, ElementsAre(std::pair("alive", 4u)));
}

TEST_F(RedeliveryTest, OtherGroupsAndHistoriesAreLeftAlone) {
  Add("s", "1-0");
  MakeGroup();
  MakeGroup("other");
  Read("dead");
  Read("dead", 1, "other");
  clock_.Advance(1'000'000);
  EXPECT_THAT(Read("alive", 1, "other"), IsEmpty());
  const auto history = engine_->ReadGroup("s", "g", "alive", {.history_after = EntryId()});
  EXPECT_TRUE(history->empty());
  EXPECT_THAT(*engine_->TakeExhausted("s", "other", 10), IsEmpty());
  EXPECT_THAT(Read("alive"), ElementsAre("1-0"));
}

TEST_F(RedeliveryTest, BacksOffAndEndsAfterTheLastDelivery) {
  Add("s", "1-0");
  MakeGroup();
  EXPECT_THAT(Read("c"), ElementsAre("1-0"));
  clock_.Advance(100);
  EXPECT_THAT(Read("c"), ElementsAre("1-0"));
  clock_.Advance(199);
  EXPECT_THAT(Read("c"), IsEmpty());
  clock_.Advance(1);
  EXPECT_THAT(Read("c"), ElementsAre("1-0"));
  clock_.Advance(399);
  EXPECT_THAT(Exhausted(), IsEmpty());  // the last one has its time, too
  clock_.Advance(1);
  EXPECT_THAT(Read("c"), IsEmpty());
  EXPECT_THAT(Exhausted(), ElementsAre("1-0 c 3"));
  EXPECT_EQ(Pending(), 0u);
}

TEST_F(RedeliveryTest, WhatWasGivenBackWaitsUnlessItsDeliveryDidNotCount) {
  for (const char* id : {"1-0", "2-0", "3-0"}) Add("s", id);
  MakeGroup();
  Read("c");
  const EntryId failed{1, 0}, silent{2, 0}, fatal{3, 0};
  clock_.Advance(50);
  EXPECT_EQ(*engine_->Nack("s", "g", std::span(&failed, 1), {}), 1u);
  EXPECT_EQ(*engine_->Nack("s", "g", std::span(&silent, 1), {.mode = NackOptions::Mode::kSilent}), 1u);
  EXPECT_EQ(*engine_->Nack("s", "g", std::span(&fatal, 1), {.mode = NackOptions::Mode::kFatal}), 1u);
  EXPECT_THAT(Read("c"), ElementsAre("2-0"));
  EXPECT_THAT(Exhausted(), ElementsAre("3-0  9223372036854775807"));
  clock_.Advance(99);
  EXPECT_THAT(Read("c"), IsEmpty());
  clock_.Advance(1);
  EXPECT_THAT(Read("c"), ElementsAre("1-0", "2-0"));
  clock_.Advance(199);
  EXPECT_THAT(Read("c"), IsEmpty());  // two deliveries of each count, though 2-0 had three
  clock_.Advance(1);
  EXPECT_THAT(Read("c"), ElementsAre("1-0", "2-0"));
}

TEST_F(RedeliveryTest, AnEntryThatIsGoneIsPendingNoMore) {
  Add("s", "1-0");
  Add("s", "2-0");
  MakeGroup();
  Read("c");
  Delete("s", {{1, 0}});
  clock_.Advance(100);
  EXPECT_THAT(Read("c"), ElementsAre("2-0"));
  EXPECT_EQ(Pending(), 1u);
}

TEST_F(RedeliveryTest, AnAcknowledgedOrClaimedEntryIsNotDue) {
  for (const char* id : {"1-0", "2-0", "3-0"}) Add("s", id);
  MakeGroup();
  Read("c");
  clock_.Advance(100);
  EXPECT_THAT(Read("c", 1), ElementsAre("1-0"));  // the others were found due as well
  const EntryId acked{2, 0}, claimed{3, 0};
  EXPECT_EQ(*engine_->Ack("s", "g", std::span(&acked, 1)), 1u);
  EXPECT_EQ(engine_->Claim("s", "g", "d", std::span(&claimed, 1), {})->size(), 1u);
  EXPECT_THAT(Read("c"), IsEmpty());
  clock_.Advance(200);
  EXPECT_THAT(Read("c"), ElementsAre("1-0", "3-0"));
}

TEST_F(RedeliveryTest, WithoutAcksADueEntryIsDone) {
  Add("s", "1-0");
  MakeGroup();
  Read("c");
  clock_.Advance(100);
  const auto read = engine_->ReadMany({.streams = {{.key = "s"}}, .group = "g", .consumer = "d", .acks = Acks::kNone});
  EXPECT_EQ(read->at(0).entries.size(), 1u);
  EXPECT_EQ(Pending(), 0u);
}

TEST_F(RedeliveryTest, TimeServesWhoWaits) {
  Add("s", "1-0");
  MakeGroup();
  Read("dead");
  std::vector<std::string> served;
  Commit();
  EXPECT_EQ(engine_->NextTurnUs(), StreamEngine::kNoTurn);
  for (const char* name : {"a", "b"}) {
    ASSERT_THAT(Read(name), IsEmpty());
    engine_->Wait({.streams = {{.key = "s"}}, .group = "g", .consumer = name}, [&served, name](ReadAnswer answer) {
      ASSERT_TRUE(answer.ok());
      served.push_back(name + (" " + answer->at(0).entries.list.at(0).id().ToString()));
    });
  }
  Commit();
  EXPECT_EQ(engine_->NextTurnUs(), clock_.MonotonicUs() + 100'000);
  clock_.Advance(99);
  Commit();
  EXPECT_THAT(served, IsEmpty());
  clock_.Advance(1);
  Commit();
  EXPECT_THAT(served, ElementsAre("a 1-0"));
}

TEST_F(RedeliveryTest, SurvivesARestart) {
  Add("s", "1-0");
  Add("s", "2-0");
  MakeGroup();
  Read("dead");
  const EntryId failed{2, 0};
  clock_.Advance(60);
  EXPECT_EQ(*engine_->Nack("s", "g", std::span(&failed, 1), {}), 1u);
  Commit();
  Reopen();
  SetRules();
  clock_.Advance(40);
  EXPECT_THAT(Read("alive"), ElementsAre("1-0"));
  clock_.Advance(60);
  EXPECT_THAT(Read("alive"), ElementsAre("2-0"));
}

}  // namespace
}  // namespace tocsin::streams
