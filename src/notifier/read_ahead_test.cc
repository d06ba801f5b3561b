#include "notifier/read_ahead.h"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

namespace tocsin::notifier {
namespace {

using model::EntryId;
using model::Priority;

// Entries are the numbers in which they came.
class ReadAheadTest : public testing::Test {
 protected:
  void Add(Priority priority, int count = 1) {
    for (int i = 0; i < count; ++i, ++next_) ahead_.Add(priority, {static_cast<uint64_t>(next_), 0}, next_);
  }
  std::vector<int> TakeAll() {
    std::vector<int> taken;
    while (!ahead_.empty()) taken.push_back(ahead_.Take());
    return taken;
  }
  ReadAhead<int> ahead_;
  int next_ = 1;
};

TEST_F(ReadAheadTest, WhereSomeCollapseTheOrderOfTheStreamHolds) {
  using Collapses = ReadAhead<int>::Collapses;
  Add(Priority::kLow, 2);
  ahead_.Add(Priority::kLow, {3, 0}, 3, Collapses::kYes);
  ahead_.Add(Priority::kCritical, {4, 0}, 4, Collapses::kYes);
  next_ = 5;
  Add(Priority::kLow);
  Add(Priority::kCritical);
  EXPECT_EQ(TakeAll(), (std::vector<int>{1, 2, 3, 4, 6, 5})) << "and after them priority counts again";
}

TEST_F(ReadAheadTest, ACriticalOneBehindFourThousandIsTheFirst) {
  Add(Priority::kLow, 4'000);
  Add(Priority::kCritical);
  EXPECT_EQ(ahead_.size(), 4'001u);
  EXPECT_EQ(ahead_.Oldest(), (EntryId{1, 0}));
  EXPECT_EQ(ahead_.Take(), 4'001);
  const std::vector<int> rest = TakeAll();
  EXPECT_EQ(rest.size(), 4'000u);
  EXPECT_TRUE(std::is_sorted(rest.begin(), rest.end()));
  EXPECT_EQ(ahead_.Oldest(), std::nullopt);
}

TEST_F(ReadAheadTest, TheOldestOfTheLowerOnesHasOneOfSixteen) {
  Add(Priority::kLow, 1);        // 1
  Add(Priority::kNormal, 2);     // 2, 3
  Add(Priority::kCritical, 64);  // 4 and on
  std::vector<int> taken = TakeAll();
  EXPECT_EQ(taken[15], 1);
  EXPECT_EQ(taken[31], 2);
  EXPECT_EQ(taken[47], 3);
  std::erase_if(taken, [](int number) { return number < 4; });
  EXPECT_EQ(taken.size(), 64u);
  EXPECT_TRUE(std::is_sorted(taken.begin(), taken.end()));
}

// Urgent ones that never end, as many as are taken: each low one still leaves.
TEST_F(ReadAheadTest, ALowOneIsNotStarved) {
  Add(Priority::kLow, 10);
  Add(Priority::kHigh, 16);
  int low = 0;
  for (int i = 0; i < 160; ++i) {
    low += ahead_.Take() <= 10;
    Add(Priority::kCritical);
  }
  EXPECT_EQ(low, 10);
}

TEST_F(ReadAheadTest, WhatWasTakenWhileNobodyWaitedIsNotHeldAgainstThem) {
  Add(Priority::kHigh, 15);
  for (int i = 1; i <= 15; ++i) EXPECT_EQ(ahead_.Take(), i);
  Add(Priority::kLow);   // 16
  Add(Priority::kHigh);  // 17
  EXPECT_EQ(ahead_.Take(), 17);
}

}  // namespace
}  // namespace tocsin::notifier
