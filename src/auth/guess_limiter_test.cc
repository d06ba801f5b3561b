#include "auth/guess_limiter.h"

#include <gtest/gtest.h>

namespace tocsin::auth {
namespace {

class GuessLimiterTest : public testing::Test {
 protected:
  // Wrong tries that are let through.
  int TriesOf(const std::string& address, int wanted) {
    int tries = 0;
    for (int i = 0; i < wanted; ++i) {
      if (!limiter_.Allowed(address)) break;
      limiter_.CountWrong(address);
      ++tries;
    }
    return tries;
  }

  base::ManualClock clock_;
  base::SeededRandom random_{1};
  GuessLimiter limiter_{clock_, random_};
};

TEST_F(GuessLimiterTest, TenWrongTriesAMinute) {
  EXPECT_EQ(TriesOf("192.0.2.1", 100), 10);
  EXPECT_FALSE(limiter_.Allowed("192.0.2.1"));
  EXPECT_EQ(limiter_.RetryAfterSeconds("192.0.2.1"), 60);
  EXPECT_TRUE(limiter_.Allowed("192.0.2.2"));
  clock_.Advance(59'000);
  EXPECT_FALSE(limiter_.Allowed("192.0.2.1"));
  EXPECT_EQ(limiter_.RetryAfterSeconds("192.0.2.1"), 1);
  clock_.Advance(1'000);
  EXPECT_TRUE(limiter_.Allowed("192.0.2.1"));
  EXPECT_EQ(TriesOf("192.0.2.1", 100), 10);
}

TEST_F(GuessLimiterTest, AWallClockThatJumpsChangesNothing) {
  TriesOf("192.0.2.1", 10);
  clock_.Set(clock_.NowMs() + 86'400'000);
  EXPECT_FALSE(limiter_.Allowed("192.0.2.1"));
}

TEST_F(GuessLimiterTest, OneHostIsOneAddress) {
  TriesOf("2001:db8:1:2::1", 10);
  EXPECT_FALSE(limiter_.Allowed("2001:db8:1:2:ffff::9"));
  EXPECT_TRUE(limiter_.Allowed("2001:db8:1:3::1"));
  TriesOf("192.0.2.9", 10);
  EXPECT_FALSE(limiter_.Allowed("::ffff:192.0.2.9"));
  EXPECT_TRUE(limiter_.Allowed("::ffff:192.0.2.8"));
}

TEST_F(GuessLimiterTest, AFloodOfAddressesDoesNotFreeTheWorst) {
  TriesOf("192.0.2.1", 10);
  for (int i = 0; i < 100'000; ++i) {
    limiter_.CountWrong("10." + std::to_string(i >> 16) + "." + std::to_string((i >> 8) & 255) + "." +
                        std::to_string(i & 255));
  }
  EXPECT_FALSE(limiter_.Allowed("192.0.2.1"));
  EXPECT_TRUE(limiter_.Allowed("198.51.100.7"));
}

TEST_F(GuessLimiterTest, AnyTextIsAnAddress) {
  EXPECT_EQ(TriesOf("", 20), 10);
  EXPECT_EQ(TriesOf(std::string(10'000, 'x'), 20), 10);
  EXPECT_EQ(TriesOf("unix:", 20), 10);
}

}  // namespace
}  // namespace tocsin::auth
