#include "logs/log_index.h"

#include <gtest/gtest.h>

#include "logs/test_logs.h"

namespace tocsin::logs {
namespace {

using model::EntryId;

// A log of 1,000 items n0 ... n999, of which the user has read n10 and n500 to n997.
class LogIndexTest : public testing::Test {
 protected:
  LogIndexTest() {
    CHECK(logs_
              .Turn([&](storage::Batch& batch) {
                for (uint64_t n = 0; n < 1'000; ++n) {
                  const std::string nid = "n" + std::to_string(n);
                  CHECK(logs_.user_logs().Append("u", {nid, {}, "\"a\":1"}, {"s", {n + 1, 0}}, batch).ok());
                }
              })
              .ok());
    MarkRequest read{.user = "u", .nids = {"n10"}};
    for (int n = 500; n < 998; ++n) read.nids.push_back("n" + std::to_string(n));
    logs_.Mark(read);
    index_ = std::make_unique<LogIndex>(logs_.store(), "u", *logs_.Head("u").last.Next());
  }
  std::string Found(std::string_view nid) {
    auto item = index_->Find(nid, logs_.Head("u").floor).value();
    if (item == index_->items().end()) return "none";
    return item->second.nid + ":" + std::string(ItemStateName(item->second.state));
  }

  TestLogs logs_{{.max_entries = 10'000, .id_floor = {}}};
  std::unique_ptr<LogIndex> index_;
};

TEST_F(LogIndexTest, ReachesDownAsFarAsItHasTo) {
  EXPECT_EQ(Found("n999"), "n999:unread");
  EXPECT_EQ(index_->items().size(), 63u) << "64 entries, of which one is the mark";
  EXPECT_EQ(Found("n950"), "n950:read");
  EXPECT_EQ(index_->items().size(), 63u);
  EXPECT_EQ(Found("n900"), "n900:read");
  EXPECT_EQ(index_->items().size(), 63u + 128u);
  EXPECT_EQ(Found("n10"), "n10:read");
  EXPECT_EQ(Found("n11"), "n11:unread");
  EXPECT_EQ(Found("no such"), "none");
  EXPECT_EQ(index_->items().size(), 1'000u);
  EXPECT_EQ(Found("no such"), "none");
}

TEST_F(LogIndexTest, NeverReachesTheFloor) {
  const EntryId floor = logs_.Lines("u")[990].entry->id;
  EXPECT_TRUE(index_->CoverAll(floor).ok());
  EXPECT_EQ(index_->items().size(), 9u);
  EXPECT_EQ(index_->items().begin()->second.nid, "n991");
}

TEST_F(LogIndexTest, CoversItemsOfAStateByTheirNumber) {
  const EntryId floor = logs_.Head("u").floor;
  EXPECT_TRUE(index_->CoverBelow(ItemState::kRead, 2, floor).ok());
  EXPECT_EQ(index_->items().size(), 63u) << "both unread ones are among the newest";
  EXPECT_TRUE(index_->CoverBelow(ItemState::kRead, 3, floor).ok());
  EXPECT_TRUE(index_->Covers(logs_.Lines("u")[499].entry->id)) << "n499 is the third";
  EXPECT_LT(index_->items().size(), 1'000u);
  EXPECT_TRUE(index_->CoverBelow(ItemState::kRead, 100'000, floor).ok());
  EXPECT_EQ(index_->items().size(), 1'000u);
}

TEST_F(LogIndexTest, WhatIsCoveredAndMissingIsGone) {
  const std::vector<LogLine> lines = logs_.Lines("u");
  EXPECT_FALSE(index_->Covers(lines[999].entry->id));
  auto item = index_->Find("n999", {}).value();
  index_->Erase(item);
  EXPECT_TRUE(index_->Covers(lines[999].entry->id));
  EXPECT_FALSE(index_->Covers(lines[5].entry->id));
  EXPECT_EQ(Found("n999"), "none");
  LogEntry added;
  added.id = {EntryId::Max().ms, 0};
  added.nid = "new";
  index_->Add(added);
  EXPECT_EQ(Found("new"), "new:unread");
}

// A trim takes the state of an item from the index where that reaches, from the store below.
TEST(LogIndexTrimTest, StatesBelowTheIndexAreTheStores) {
  TestLogs logs({.max_entries = 400, .id_floor = {}});
  ASSERT_TRUE(logs.Turn([&](storage::Batch& batch) {
                    for (uint64_t n = 0; n < 399; ++n) {
                      const std::string nid = "n" + std::to_string(n);
                      ASSERT_TRUE(logs.user_logs().Append("u", {nid, {}, "\"a\":1"}, {"t", {n + 1, 0}}, batch).ok());
                    }
                  })
                  .ok());
  logs.Mark({.user = "u", .nids = {"n0", "n2"}});
  logs.Restart();
  logs.Mark({.user = "u", .nids = {"n398"}});  // 401 entries: 26 go, and the index knows the newest 64 only
  const LogHead head = logs.Head("u");
  EXPECT_EQ(head.trimmed, 26u);
  EXPECT_EQ(head.counts.unread, 399u - 3 - 24);
  EXPECT_EQ(logs.Lines("u").front().entry->nid, "n26");
}

// An index that was begun in the turn that appended the item covers it from then on.
TEST(LogIndexTrimTest, WhatWasAppendedInTheIndexsFirstTurnIsCovered) {
  TestLogs logs({.max_entries = 2, .id_floor = {}});
  auto append = [&](std::string_view nid, uint64_t source, storage::Batch& batch) {
    ASSERT_TRUE(logs.user_logs().Append("u", {nid, {}, "\"a\":1"}, {"t", {source, 0}}, batch).ok());
  };
  ASSERT_TRUE(logs.Turn([&](storage::Batch& batch) {
                    append("a", 1, batch);
                    ASSERT_TRUE(logs.user_logs().Mark({.user = "u", .op = MarkOp::kSeen, .nids = {"a"}}, batch).ok());
                  })
                  .ok());
  ASSERT_TRUE(logs.Turn([&](storage::Batch& batch) {
                    ASSERT_TRUE(logs.user_logs().Mark({.user = "u", .op = MarkOp::kDelete, .nids = {"a"}}, batch).ok());
                    append("b", 2, batch);
                    append("c", 3, batch);
                  })
                  .ok());
  EXPECT_EQ(logs.Shape("u"), "<delete> b:unread c:unread");  // the delete is this turn's, it stays
  EXPECT_EQ(logs.Head("u").entries, 3u);
  EXPECT_EQ(logs.Head("u").counts, (Counts{2, 2, {2, 0, 0, 0}}));
  EXPECT_EQ(logs.Head("u").trimmed, 0u);
}

// An operator may send a notification again under its old name.
TEST(LogIndexNameTest, TheNewestOfANameIsTheOneThatIsMeant) {
  TestLogs logs;
  for (const char* nid : {"a", "twice", "b", "twice", "c"}) EXPECT_TRUE(logs.Append("u", nid).ok());
  LogIndex index(logs.store(), "u", *logs.Head("u").last.Next());
  LogEntry third;
  third.id = {logs.Head("u").last.ms, 1'000};
  third.nid = "twice";
  const EntryId second = index.Find("twice", {}).value()->first;
  EXPECT_EQ(second, logs.Lines("u")[3].entry->id);
  index.Add(third);
  EXPECT_EQ(index.Find("twice", {}).value()->first, third.id);
  index.Erase(index.items().find(second));  // the index' key must not refer to what is gone
  EXPECT_EQ(index.Find("twice", {}).value()->first, third.id);
}

}  // namespace
}  // namespace tocsin::logs
