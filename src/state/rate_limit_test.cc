#include "state/rate_limit.h"

#include <gtest/gtest.h>

#include "model/limits.h"

namespace tocsin::state {
namespace {

using model::Priority;

const RateLimit kTwoASecond{"*", 2, 1'000};

TEST(RateLimitsTest, TheRuleOfTheCategoryElseThatOfTheOthers) {
  const RateLimits both({{"*", 60, 1}, {"ads", 3, 2}});
  EXPECT_EQ(both.Of("ads", Priority::kHigh)->most, 3u);
  EXPECT_EQ(both.Of("bills", Priority::kHigh)->most, 60u);
  EXPECT_EQ(both.Of("", Priority::kLow)->most, 60u);
  EXPECT_EQ(both.Of("ads", Priority::kCritical), nullptr);
  const RateLimits one({{"ads", 3, 2}});
  EXPECT_EQ(one.Of("bills", Priority::kLow), nullptr);
  EXPECT_EQ(one.Of("", Priority::kLow), nullptr);
  EXPECT_EQ(RateLimits().Of("ads", Priority::kLow), nullptr);
}

TEST(RateLimitTest, TheFirstOfAWindowPassTheRestIsSummedUp) {
  LimitWindow window;
  EXPECT_EQ(Pass(kTwoASecond, "a", Priority::kLow, 5'000, window), Passage::kDeliver);
  EXPECT_EQ(window.ends_ms, 6'000);
  EXPECT_EQ(Pass(kTwoASecond, "b", Priority::kLow, 5'500, window), Passage::kDeliver);
  EXPECT_EQ(Pass(kTwoASecond, "c", Priority::kHigh, 5'900, window), Passage::kSum);
  EXPECT_EQ(Pass(kTwoASecond, "d", Priority::kLow, 5'999, window), Passage::kSum);
  EXPECT_EQ(window, (LimitWindow{6'000, 2, 2, Priority::kHigh, {"c", "d"}}));
  // Its digest is not made yet: what comes belongs into it, or would overtake it.
  EXPECT_EQ(Pass(kTwoASecond, "e", Priority::kLow, 6'100, window), Passage::kSum);
  EXPECT_EQ(window.ends_ms, 6'000);
}

TEST(RateLimitTest, AWindowThatIsOverBeginsAnew) {
  LimitWindow window{6'000, 2, 0, {}, {}};
  EXPECT_EQ(Pass(kTwoASecond, "a", Priority::kLow, 6'000, window), Passage::kDeliver);
  EXPECT_EQ(window, (LimitWindow{7'000, 1, 0, {}, {}}));
  // A clock that was set back.
  EXPECT_EQ(Pass(kTwoASecond, "b", Priority::kLow, 100, window), Passage::kDeliver);
  EXPECT_EQ(window, (LimitWindow{1'100, 1, 0, {}, {}}));
}

TEST(RateLimitTest, NamesAreKeptUpToALimit) {
  LimitWindow window;
  for (size_t n = 0; n < model::kMaxDigestNids + 10; ++n) {
    Pass({"*", 0, 1'000}, std::to_string(n), Priority::kLow, 5, window);
  }
  EXPECT_EQ(window.summed, model::kMaxDigestNids + 10);
  EXPECT_EQ(window.nids.size(), model::kMaxDigestNids);
  EXPECT_EQ(window.nids.back(), std::to_string(model::kMaxDigestNids - 1));
}

TEST(RateLimitTest, AWindowIsReadAsItWasWritten) {
  const LimitWindow window{1'700'000'000'123, 3, 2, Priority::kHigh, {"1-0@a", "2-0"}};
  EXPECT_EQ(DecodeWindow(EncodeWindow(window)).value(), window);
  const std::string bytes = EncodeWindow(window);
  for (size_t size = 0; size < 9; ++size) EXPECT_FALSE(DecodeWindow(bytes.substr(0, size)).ok()) << size;
  EXPECT_FALSE(DecodeWindow(bytes.substr(0, bytes.size() - 1)).ok());
}

TEST(RateLimitTest, ADigestSaysWhatItSumsUp) {
  const model::Notification digest = MakeDigest("ann", "a\"b", {9, 3, 2, Priority::kHigh, {"1-0@s", "2-0"}});
  EXPECT_EQ(digest.users, std::vector<std::string>{"ann"});
  EXPECT_EQ(digest.message, "2 more notifications in a\"b");
  EXPECT_EQ(digest.priority, Priority::kHigh);
  EXPECT_EQ(digest.category, "a\"b");
  EXPECT_EQ(digest.data, R"({"digest":{"count":2,"category":"a\"b","nids":["1-0@s","2-0"]}})");
  EXPECT_EQ(MakeDigest("ann", "", {9, 3, 1, {}, {"2-0"}}).message, "1 more notification");
}

}  // namespace
}  // namespace tocsin::state
