#include "server/setting_text.h"

#include <gtest/gtest.h>

namespace tocsin::server {
namespace {

TEST(ParseDuration, UnitsAndBounds) {
  EXPECT_EQ(ParseDuration("90s").value(), 90'000);
  EXPECT_EQ(ParseDuration("15m").value(), 900'000);
  EXPECT_EQ(ParseDuration("12h").value(), 43'200'000);
  EXPECT_EQ(ParseDuration("7d").value(), 604'800'000);
  EXPECT_EQ(ParseDuration("60").value(), 60'000);
  for (const char* text : {"", "h", "0", "-1h", "1w", "1.5h", "1h30m", "9999999d", "99999999999999999999"}) {
    EXPECT_FALSE(ParseDuration(text).ok()) << text;
  }
}

TEST(ParseBytes, UnitsAndBounds) {
  EXPECT_EQ(ParseBytes("4096").value(), 4096u);
  EXPECT_EQ(ParseBytes("2KiB").value(), 2048u);
  EXPECT_EQ(ParseBytes("3 MiB").value(), 3u << 20);
  EXPECT_EQ(ParseBytes("16777215TiB").value(), 16777215ull << 40);
  for (const char* text : {"", "KiB", "1KB", "-1", "1.5MiB", "16777216TiB", "1 2"})
    EXPECT_FALSE(ParseBytes(text).ok()) << text;
}

TEST(Split, ListsAndWords) {
  EXPECT_EQ(SplitList(" a, b c ,,d "), (std::vector<std::string_view>{"a", "b c", "d"}));
  EXPECT_EQ(SplitWords("  a=1\tb  c "), (std::vector<std::string_view>{"a=1", "b", "c"}));
  EXPECT_TRUE(SplitWords(" ").empty());
}

}  // namespace
}  // namespace tocsin::server
