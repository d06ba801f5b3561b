// Waiting by example. Expected behaviour is that of redis-server 7.2, which asks waiting commands again.
#include "streams/engine_fixture.h"

namespace tocsin::streams {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class WaitTest : public EngineTest {
 protected:
  ReadRequest Group(std::string consumer, std::string key = "s", size_t count = 1) {
    return {.streams = {{.key = std::move(key)}}, .group = "g", .consumer = std::move(consumer), .count = count};
  }
  ReadRequest From(EntryId after, std::string key = "s") {
    return {.streams = {{.key = std::move(key), .after = after}}};
  }
  WaiterId Wait(const std::string& name, ReadRequest request) {
    const auto now = engine_->ReadMany(request);
    EXPECT_TRUE(now.ok() && now->empty()) << name;
    return engine_->Wait(std::move(request), [this, name](ReadAnswer answer) {
      std::string line = name;
      if (!answer.ok()) {
        line += " " + std::string(answer.status().message());
      } else if (answer->empty()) {
        line += " nil";
      } else {
        for (const auto& stream : *answer) {
          for (const auto& entry : stream.entries.list) line += " " + entry.id().ToString();
        }
      }
      answers_.push_back(line);
    });
  }
  std::vector<std::string> Answers() { return std::exchange(answers_, {}); }

  std::vector<std::string> answers_;
};

TEST_F(WaitTest, OneEntryGoesToTheOneWhoWaitedLongest) {
  ASSERT_TRUE(engine_->GroupCreate("s", "g", {.make_stream = MakeStream::kYes}).ok());
  for (const char* name : {"a", "b", "c"}) Wait(name, Group(name));
  Commit();
  EXPECT_EQ(engine_->ReportConsumers("s", "g")->size(), 3u);  // made at once
  Add("s", "1-0");
  EXPECT_THAT(Answers(), IsEmpty());  // not before the sync
  Commit();
  EXPECT_THAT(Answers(), ElementsAre("a 1-0"));
  Add("s", "2-0");
  Add("s", "3-0");
  Add("s", "4-0");
  Commit();
  EXPECT_THAT(Answers(), ElementsAre("b 2-0", "c 3-0"));
  EXPECT_EQ(engine_->waiting(), 0u);
  EXPECT_EQ(engine_->PendingOf("s", "g")->count, 3u);
}

TEST_F(WaitTest, ReadersAllGetIt) {
  Add("s", "1-0");
  Commit();
  Wait("a", From({1, 0}));
  Wait("future", From({5, 0}));
  Wait("b", From({1, 0}));
  Add("s", "2-0");
  Commit();
  EXPECT_THAT(Answers(), ElementsAre("a 2-0", "b 2-0"));
  Add("s", "6-0");
  Commit();
  EXPECT_THAT(Answers(), ElementsAre("future 6-0"));
}

TEST_F(WaitTest, AWaiterForSeveralStreamsIsServedOnce) {
  Wait("a", {.streams = {{.key = "x", .after = EntryId()}, {.key = "y", .after = EntryId()}}});
  Add("y", "1-0");
  engine_->EndCommand();
  Add("x", "1-0");
  Commit();
  EXPECT_THAT(Answers(), ElementsAre("a 1-0"));
  EXPECT_EQ(engine_->waiting(), 0u);
}

TEST_F(WaitTest, WokenAfterTheWholeCommandOnly) {
  Wait("a", From({}));
  Add("s", "1-0");  // MULTI, XADD, XDEL, EXEC
  Delete("s", {{1, 0}});
  engine_->EndCommand();
  Commit();
  EXPECT_THAT(Answers(), IsEmpty());  // no empty array
  Add("s", "2-0");                    // XADD, then XDEL
  engine_->EndCommand();
  Delete("s", {{2, 0}});
  engine_->EndCommand();
  Commit();
  EXPECT_THAT(Answers(), ElementsAre("a 2-0"));
}

TEST_F(WaitTest, LosingTheGroupOrKeyIsAnAnswer) {
  const std::string no_group = " NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option";
  ASSERT_TRUE(engine_->GroupCreate("s", "g", {.make_stream = MakeStream::kYes}).ok());
  Wait("a", Group("a"));
  Wait("b", Group("b"));
  Wait("reader", From({}));
  EXPECT_TRUE(*engine_->GroupDestroy("s", "g"));
  Commit();
  EXPECT_THAT(Answers(), ElementsAre("a" + no_group, "b" + no_group));
  ASSERT_TRUE(engine_->GroupCreate("s", "g", {}).ok());
  Wait("c", Group("c"));
  EXPECT_TRUE(*engine_->DeleteKey("s"));
  Commit();
  EXPECT_THAT(Answers(), ElementsAre("c" + no_group));
  EXPECT_EQ(engine_->waiting(), 1u);  // who reads without a group waits for the next stream of that name
  Add("s", "1-0");
  Commit();
  EXPECT_THAT(Answers(), ElementsAre("reader 1-0"));
}

TEST_F(WaitTest, ARenamedStreamServesThoseWhoWaitForItsNewName) {
  Wait("a", From({}, "new"));
  Add("old", "1-0");
  Commit();
  EXPECT_TRUE(engine_->Rename("old", "new").ok());
  Commit();
  EXPECT_THAT(Answers(), ElementsAre("a 1-0"));
}

TEST_F(WaitTest, CancelledBeforeAndAfterBeingServed) {
  ASSERT_TRUE(engine_->GroupCreate("s", "g", {.make_stream = MakeStream::kYes}).ok());
  const WaiterId a = Wait("a", Group("a"));
  const WaiterId b = Wait("b", Group("b"));
  Commit();
  EXPECT_TRUE(engine_->CancelWait(a));
  EXPECT_FALSE(engine_->CancelWait(a));
  Add("s", "1-0");
  engine_->EndCommand();
  EXPECT_FALSE(engine_->CancelWait(b));
  Commit();
  EXPECT_THAT(Answers(), ElementsAre("b 1-0"));
}

TEST_F(WaitTest, AFailedTurnPutsThemBackInTheirPlaces) {
  ASSERT_TRUE(engine_->GroupCreate("s", "g", {.make_stream = MakeStream::kYes}).ok());
  Wait("a", Group("a"));
  const WaiterId b = Wait("b", Group("b"));
  Wait("c", Group("c"));
  Commit();
  Wait("of the failed turn", Group("d"));
  Add("s", "1-0");
  Add("s", "2-0");
  engine_->EndCommand();
  EXPECT_FALSE(engine_->CancelWait(b));
  Fail();
  EXPECT_THAT(Answers(), ElementsAre("b nil"));
  EXPECT_EQ(engine_->waiting(), 2u);
  Add("s", "1-0");
  Commit();
  EXPECT_THAT(Answers(), ElementsAre("a 1-0"));
  Add("s", "2-0");
  Commit();
  EXPECT_THAT(Answers(), ElementsAre("c 2-0"));
}

TEST_F(WaitTest, HistoryNeverWaitsAndGroupsAreCheckedFirst) {
  ASSERT_TRUE(engine_->GroupCreate("s", "g", {.make_stream = MakeStream::kYes}).ok());
  const auto history =
      engine_->ReadMany({.streams = {{.key = "s", .after = EntryId()}}, .group = "g", .consumer = "c"});
  EXPECT_EQ(history->size(), 1u);
  EXPECT_THAT(history->at(0).entries.list, IsEmpty());
  Add("s", "1-0");
  const auto wrong = engine_->ReadMany({.streams = {{.key = "s"}, {.key = "t"}}, .group = "g", .consumer = "new"});
  EXPECT_EQ(wrong.status().message(), "NOGROUP No such key 't' or consumer group 'g' in XREADGROUP with GROUP option");
  EXPECT_EQ(engine_->ReportConsumers("s", "g")->size(), 1u);
  EXPECT_EQ(engine_->PendingOf("s", "g")->count, 0u);
}

TEST_F(WaitTest, ClaimTakesIdleEntriesFirst) {
  for (int i = 1; i <= 4; ++i) Add("s", std::to_string(i));
  ASSERT_TRUE(engine_->GroupCreate("s", "g", {}).ok());
  Take("s", "g", "a", {.count = 2});
  clock_.Advance(50);
  const EntryId one[] = {{1, 0}};
  EXPECT_TRUE(engine_->Claim("s", "g", "a", one, {}).ok());
  clock_.Advance(100);
  ReadRequest request = Group("b", "s", 3);
  request.claim_min_idle_ms = 100;
  const auto read = engine_->ReadMany(request);
  ASSERT_EQ(read->size(), 1u);
  std::vector<std::string> ids;
  for (const auto& entry : read->at(0).entries.list) ids.push_back(entry.id().ToString());
  EXPECT_THAT(ids, ElementsAre("2-0", "1-0", "3-0"));  // the longest idle first, then new ones
  ASSERT_EQ(read->at(0).claimed.size(), 2u);
  EXPECT_EQ(read->at(0).claimed[0].idle_ms, 150);
  EXPECT_EQ(read->at(0).claimed[1].deliveries, 2u);
  EXPECT_THAT(engine_->PendingOf("s", "g")->consumers, ElementsAre(std::pair("b", 3u)));
}

TEST_F(WaitTest, TimeBringsEntriesToThoseWhoClaim) {
  Add("s", "1-0");
  ASSERT_TRUE(engine_->GroupCreate("s", "g", {}).ok());
  Take("s", "g", "a");
  ReadRequest request = Group("b");
  request.claim_min_idle_ms = 100;
  Wait("b", request);
  Commit();
  EXPECT_THAT(Answers(), IsEmpty());
  EXPECT_EQ(engine_->NextTurnUs(), clock_.MonotonicUs() + 100'000);
  clock_.Advance(100);
  Commit();
  EXPECT_THAT(Answers(), ElementsAre("b 1-0"));
  EXPECT_EQ(engine_->NextTurnUs(), StreamEngine::kNoTurn);
}

}  // namespace
}  // namespace tocsin::streams
