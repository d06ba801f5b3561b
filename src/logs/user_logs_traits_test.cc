// Collapse, expiry and counts by category, on the embedded store. That the logs on Redis do the same is
// redis_logs_model_test.cc's.
#include <gtest/gtest.h>

#include "logs/test_logs.h"
#include "model/limits.h"

namespace tocsin::logs {
namespace {

using model::EntryId;
using model::Priority;
using testing::Test;

class UserLogsTraitsTest : public Test {
 protected:
  void Append(const std::string& nid, ItemTraits traits, Priority priority = Priority::kNormal) {
    const EntryId source{++source_, 0};
    CHECK(logs_
              .Turn([&](storage::Batch& batch) {
                CHECK(logs_.user_logs().Append("u", {nid, priority, "\"a\":1", traits}, {"s", source}, batch).ok());
              })
              .ok());
  }
  std::vector<std::string> ReplacedBy(std::string_view nid) {
    for (const LogLine& line : logs_.Lines("u")) {
      if (line.entry->nid == nid) return line.entry->traits.replaces;
    }
    return {"(not there)"};
  }
  using Categories = std::vector<std::pair<std::string, uint32_t>>;
  Categories Unread() { return logs_.Head("u").counts.unread_by_category; }

  TestLogs logs_;
  uint64_t source_ = 0;
};

TEST_F(UserLogsTraitsTest, TheNewerOfTwoWithOneKeyTakesThePlaceOfTheOlder) {
  Append("a", {.collapse_key = "build"});
  Append("b", {});
  Append("c", {.collapse_key = "build"}, Priority::kHigh);
  EXPECT_EQ(logs_.Shape("u"), "b:unread <delete> c:unread");
  EXPECT_EQ(ReplacedBy("c"), std::vector<std::string>{"a"});
  EXPECT_EQ(logs_.Head("u").counts, (Counts{2, 2, {0, 1, 1, 0}}));
  EXPECT_EQ(logs_.Head("u").entries, 3u);
  EXPECT_EQ(logs_.Head("u").floor, EntryId{}) << "only limits move it";
  logs_.Restart();
  Append("d", {.collapse_key = "build"});
  EXPECT_EQ(logs_.Shape("u"), "b:unread <delete> <delete> d:unread");
}

TEST_F(UserLogsTraitsTest, WhatWasReadStays) {
  Append("a", {.collapse_key = "k"});
  logs_.Mark({.user = "u", .op = MarkOp::kSeen, .nids = {"a"}});
  Append("b", {.collapse_key = "k"});
  EXPECT_EQ(logs_.Shape("u"), "<seen> <delete> b:unread") << "seen is not read";
  logs_.Mark({.user = "u", .op = MarkOp::kRead, .nids = {"b"}});
  Append("c", {.collapse_key = "k"});
  EXPECT_EQ(logs_.Shape("u"), "<seen> <delete> b:read <read> c:unread");
  EXPECT_TRUE(ReplacedBy("c").empty());
}

TEST_F(UserLogsTraitsTest, OneTurnCollapsesItsOwn) {
  CHECK(logs_
            .Turn([&](storage::Batch& batch) {
              for (uint64_t n = 1; n <= 3; ++n) {
                const std::string nid = "n" + std::to_string(n);
                const NewItem item{nid, Priority::kNormal, "\"a\":1", {.collapse_key = "k"}};
                CHECK(logs_.user_logs().Append("u", item, {"s", {n, 0}}, batch).ok());
              }
            })
            .ok());
  EXPECT_EQ(logs_.Shape("u"), "<delete> <delete> n3:unread");
  EXPECT_EQ(ReplacedBy("n3"), std::vector<std::string>{"n2"});
  EXPECT_EQ(logs_.Head("u").counts.unread, 1u);
}

TEST_F(UserLogsTraitsTest, AKeyIsForgottenWithItsItem) {
  Append("a", {.collapse_key = "k"});
  EXPECT_EQ(logs_.Stored("u", kCollapseTag), 1u);
  logs_.Mark({.user = "u", .op = MarkOp::kDelete, .nids = {"a"}});
  EXPECT_EQ(logs_.Stored("u", kCollapseTag), 0u);
  Append("b", {.collapse_key = "k"});
  EXPECT_TRUE(ReplacedBy("b").empty());
}

TEST_F(UserLogsTraitsTest, AFailedTurnCollapsesNothing) {
  Append("a", {.collapse_key = "k"});
  logs_.fault = base::Status(base::Code::kUnavailable, "planted");
  const NewItem item{"b", Priority::kNormal, "\"a\":1", {.collapse_key = "k"}};
  auto stage = [&](storage::Batch& batch) { CHECK(logs_.user_logs().Append("u", item, {"s", {9, 0}}, batch).ok()); };
  EXPECT_FALSE(logs_.Turn(stage).ok());
  logs_.fault = base::Ok();
  EXPECT_EQ(logs_.Shape("u"), "a:unread");
  ASSERT_TRUE(logs_.Turn(stage).ok());
  EXPECT_EQ(logs_.Shape("u"), "<delete> b:unread");
  EXPECT_EQ(ReplacedBy("b"), std::vector<std::string>{"a"});
}

TEST_F(UserLogsTraitsTest, ExpireTakesAnItemOutWhateverItsState) {
  Append("a", {.category = "deals"});
  Append("b", {});
  logs_.Mark({.user = "u", .op = MarkOp::kRead, .nids = {"b"}});
  logs_.Mark({.user = "u", .op = MarkOp::kExpire, .nids = {"a", "b", "nobody"}});
  EXPECT_EQ(logs_.Shape("u"), "<read> <expire>");
  EXPECT_EQ(logs_.Head("u").counts, Counts{});
  EXPECT_EQ(logs_.Lines("u").back().entry->change->nids, (std::vector<std::string>{"a", "b"}));
}

TEST_F(UserLogsTraitsTest, UnreadIsCountedByCategory) {
  Append("a", {.category = "news"});
  Append("b", {.category = "deals"});
  Append("c", {.category = "news"});
  Append("d", {});
  EXPECT_EQ(Unread(), (Categories{{"deals", 1}, {"news", 2}}));
  logs_.Mark({.user = "u", .op = MarkOp::kRead, .nids = {"a", "b"}});
  EXPECT_EQ(Unread(), (Categories{{"news", 1}}));
  logs_.Restart();
  logs_.Mark({.user = "u", .op = MarkOp::kUnread, .nids = {"b"}});
  EXPECT_EQ(Unread(), (Categories{{"deals", 1}, {"news", 1}}));
  EXPECT_EQ(logs_.Lines("u").back().entry->change->counts.unread_by_category, Unread());
}

TEST(CountsTest, TooManyCategoriesCountTogether) {
  Counts counts;
  const size_t many = model::kMaxCountedCategories + 20;
  for (size_t n = 0; n < many; ++n) counts.Add(Priority::kNormal, ItemState::kUnread, "c" + std::to_string(n));
  EXPECT_EQ(counts.unread_by_category.size(), model::kMaxCountedCategories + 1);
  EXPECT_EQ(counts.unread_by_category.front(), (std::pair<std::string, uint32_t>{"*", 20}));
  for (size_t n = many; n-- > 0;) counts.Remove(Priority::kNormal, ItemState::kUnread, "c" + std::to_string(n));
  EXPECT_EQ(counts, Counts{});
}

}  // namespace
}  // namespace tocsin::logs
