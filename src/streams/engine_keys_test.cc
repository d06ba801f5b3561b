// Keys and ids set by hand, by example. Expected values as in engine_test.cc.
#include "streams/engine_fixture.h"

namespace tocsin::streams {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST_F(EngineTest, SetIdKeepsIdsGrowing) {
  EXPECT_EQ(engine_->SetId("s", {.last_id = {1, 0}}).message(), "ERR no such key");
  for (int i = 1; i <= 3; ++i) Add("s", std::to_string(i));
  EXPECT_EQ(engine_->SetId("s", {.last_id = {2, 0}}).message(),
            "ERR The ID specified in XSETID is smaller than the target stream top item");
  EXPECT_EQ(engine_->SetId("s", {.last_id = {5, 0}, .entries_added = 2}).message(),
            "ERR The entries_added specified in XSETID is smaller than the target stream length");
  EXPECT_EQ(engine_->SetId("s", {.last_id = {5, 0}, .max_deleted = EntryId{6, 0}}).message(),
            "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id");
  EXPECT_TRUE(engine_->SetId("s", {.last_id = {5, 0}, .entries_added = 10, .max_deleted = EntryId{4, 0}}).ok());
  EXPECT_EQ(engine_->SetId("s", {.last_id = {3, 5}}).message(),
            "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id");
  EXPECT_EQ(Add("s", "5-*"), "5-1");
}

TEST_F(EngineTest, AnEmptiedStreamMayGoBackWithoutMeetingItsPast) {
  for (int i = 1; i <= 50; ++i) Add("s", std::to_string(i));
  Commit();
  EXPECT_EQ(*engine_->TrimStream("s", {.by = Trim::By::kMaxLength, .max_length = 0}), 50u);
  Commit();
  EXPECT_TRUE(engine_->SetId("s", {.last_id = {10, 0}}).ok());
  Add("s", "11-0");
  Commit();
  Reopen();
  EXPECT_THAT(All("s"), ElementsAre("11-0"));
  EXPECT_EQ(Delete("s", {{11, 0}}), 1u);
  Commit();
  Reopen();
  EXPECT_THAT(All("s"), IsEmpty());
}

TEST_F(EngineTest, KeysAreListedAcrossStoreAndTurn) {
  for (const char* key : {"b", "d", "a"}) Add(key, "1-0");
  Commit();
  Add("c", "1-0");
  EXPECT_TRUE(*engine_->DeleteKey("b"));
  EXPECT_EQ(*engine_->CountKeys(), 3u);
  EXPECT_THAT(*engine_->Keys("", 10), ElementsAre("a", "c", "d"));
  EXPECT_THAT(*engine_->Keys("a", 1), ElementsAre("c"));
  EXPECT_THAT(*engine_->Keys("d", 10), IsEmpty());
  Commit();
  Reopen();
  EXPECT_EQ(*engine_->CountKeys(), 3u);
  EXPECT_TRUE(engine_->DeleteAll().ok());
  EXPECT_THAT(*engine_->Keys("", 10), IsEmpty());
  Commit();
  EXPECT_EQ(*engine_->CountKeys(), 0u);
}

TEST_F(EngineTest, DeleteAllHidesWhatIsStoredFromTheSameTurn) {
  Add("a", "5-0");
  Add("b", "5-0");
  EXPECT_TRUE(*engine_->SetExpiry("b", 9000));
  Commit();
  Add("c", "5-0");
  EXPECT_TRUE(engine_->DeleteAll().ok());
  EXPECT_FALSE(*engine_->Exists("a"));
  EXPECT_FALSE(*engine_->Exists("c"));
  EXPECT_EQ(*engine_->CountExpiring(), 0u);
  EXPECT_EQ(Add("a", "1-0"), "1-0");
  Fail();  // nothing happened
  EXPECT_THAT(*engine_->Keys("", 10), ElementsAre("a", "b"));
  EXPECT_TRUE(engine_->DeleteAll().ok());
  EXPECT_EQ(Add("a", "1-0"), "1-0");
  Commit();
  EXPECT_THAT(All("a"), ElementsAre("1-0"));
  Reopen();
  EXPECT_THAT(*engine_->Keys("", 10), ElementsAre("a"));
  EXPECT_THAT(All("a"), ElementsAre("1-0"));
  EXPECT_EQ(*engine_->CountExpiring(), 0u);
}

TEST_F(EngineTest, WatchedKeysCountTheirChanges) {
  engine_->Watch("s");
  engine_->Watch("s");
  EXPECT_EQ(engine_->ChangesOf("s"), 0u);
  Add("s", "1-0");
  Add("t", "1-0");
  EXPECT_EQ(engine_->ChangesOf("s"), 2u);  // made, and added to
  Commit();
  EXPECT_THAT(All("s"), ElementsAre("1-0"));
  EXPECT_EQ(engine_->ChangesOf("s"), 2u);  // reading is no change
  EXPECT_TRUE(engine_->DeleteAll().ok());
  EXPECT_EQ(engine_->ChangesOf("s"), 3u);
  engine_->Unwatch("s");
  EXPECT_EQ(engine_->ChangesOf("s"), 3u);
  engine_->Unwatch("s");
  EXPECT_EQ(engine_->ChangesOf("s"), 0u);
}

TEST_F(EngineTest, RenameMovesEverythingAndReplaces) {
  Add("a", "1-0");
  Add("b", "2-0");
  ASSERT_TRUE(engine_->GroupCreate("a", "g", {}).ok());
  EXPECT_TRUE(*engine_->SetExpiry("a", 5000));
  Commit();
  EXPECT_EQ(engine_->Rename("x", "y").message(), "ERR no such key");
  EXPECT_TRUE(engine_->Rename("a", "b").ok());
  EXPECT_TRUE(engine_->Rename("b", "b").ok());
  Commit();
  Reopen();
  EXPECT_FALSE(*engine_->Exists("a"));
  EXPECT_THAT(All("b"), ElementsAre("1-0"));
  EXPECT_EQ(Report("b").groups, 1u);
  EXPECT_EQ(**engine_->ExpiryOf("b"), 5000);
  EXPECT_EQ(*engine_->CountKeys(), 1u);
}

TEST_F(EngineTest, KeysExpire) {
  for (const char* key : {"a", "b", "c"}) Add(key, "1-0");
  EXPECT_TRUE(*engine_->SetExpiry("a", 2000));
  EXPECT_TRUE(*engine_->SetExpiry("b", 3000));
  EXPECT_TRUE(*engine_->SetExpiry("c", 3000));
  EXPECT_TRUE(*engine_->SetExpiry("c", std::nullopt));
  EXPECT_FALSE(*engine_->SetExpiry("none", 2000));
  Commit();
  EXPECT_EQ(engine_->NextTurnUs(), clock_.MonotonicUs() + 1'000'000);
  EXPECT_EQ(**engine_->ExpiryOf("a"), 2000);
  EXPECT_EQ(**engine_->ExpiryOf("c"), std::nullopt);
  EXPECT_EQ(*engine_->ExpiryOf("none"), std::nullopt);
  clock_.Set(2000);
  EXPECT_FALSE(*engine_->Exists("a"));
  Commit();
  Reopen();
  EXPECT_LE(engine_->NextTurnUs(), clock_.MonotonicUs());  // the first turn looks
  Commit();
  clock_.Set(2999);
  EXPECT_EQ(engine_->NextTurnUs(), clock_.MonotonicUs() + 1'000);
  clock_.Set(3000);
  Commit();  // deletes what is due though nobody named it
  EXPECT_EQ(*engine_->CountKeys(), 1u);
  EXPECT_EQ(engine_->NextTurnUs(), StreamEngine::kNoTurn);
  EXPECT_TRUE(*engine_->SetExpiry("c", 100));  // the past: at once
  EXPECT_FALSE(*engine_->Exists("c"));
}

TEST_F(EngineTest, AnExpirySetRightAfterAFailedTurnIsNotForgotten) {
  Add("a", "1-0");
  Commit();
  Fail();  // nothing is known of expiries any more
  EXPECT_TRUE(*engine_->SetExpiry("a", 1500));
  Commit();
  EXPECT_EQ(engine_->NextTurnUs(), clock_.MonotonicUs() + 500'000);
  clock_.Set(1500);
  Commit();
  EXPECT_EQ(*engine_->CountKeys(), 0u);
}

TEST_F(EngineTest, CountsTheKeysThatExpire) {
  for (const char* key : {"a", "b", "c", "d"}) Add(key, "1-0");
  Commit();
  EXPECT_EQ(*engine_->CountExpiring(), 0u);
  for (const char* key : {"a", "b", "c"}) engine_->SetExpiry(key, clock_.NowMs() + 2000).value();
  engine_->SetExpiry("c", clock_.NowMs() + 3000).value();
  EXPECT_EQ(*engine_->CountExpiring(), 3u);
  Fail();
  EXPECT_EQ(*engine_->CountExpiring(), 0u);
  for (const char* key : {"a", "b", "c"}) engine_->SetExpiry(key, clock_.NowMs() + 2000).value();
  Commit();
  Reopen();
  // Counted in the middle of a turn: what is stored, and what the turn made of it.
  engine_->SetExpiry("a", std::nullopt).value();
  engine_->SetExpiry("d", clock_.NowMs() + 2000).value();
  EXPECT_TRUE(engine_->Rename("b", "e").ok());
  EXPECT_EQ(*engine_->CountExpiring(), 3u);
  engine_->DeleteKey("c").value();
  EXPECT_EQ(*engine_->CountExpiring(), 2u);
  Commit();
  clock_.Advance(2000);
  EXPECT_EQ(*engine_->CountExpiring(), 0u);
  engine_->SetExpiry("a", clock_.NowMs() + 2000).value();
  EXPECT_TRUE(engine_->DeleteAll().ok());
  EXPECT_EQ(*engine_->CountExpiring(), 0u);
}

}  // namespace
}  // namespace tocsin::streams
