#include "base/log.h"

#include <limits>

#include <gtest/gtest.h>

namespace tocsin::base {
namespace {

// What one call writes, without its time stamp.
template <typename Write>
std::string Logged(Write write) {
  testing::internal::CaptureStderr();
  write();
  std::string text = testing::internal::GetCapturedStderr();
  const size_t level = text.find(",\"level\"");
  return level == text.npos ? text : "{" + text.substr(level + 1);
}

TEST(LogTest, IsOneJsonObjectALine) {
  const std::string line = Logged([] {
    Log(Level::kWarn, "disk_slow", {{"ms", 12}, {"share", 0.5}, {"full", true}, {"dir", "data"}});
  });
  EXPECT_EQ(line,
            "{\"level\":\"warn\",\"event\":\"disk_slow\",\"ms\":12,\"share\":0.5,\"full\":true,\"dir\":\"data\"}\n");
}

TEST(LogTest, BeginsWithTheTimeInUtc) {
  testing::internal::CaptureStderr();
  Log(Level::kInfo, "ready");
  const std::string line = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(testing::internal::RE::FullMatch(
      line, testing::internal::RE("^\\{\"ts\":\"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z\","
                                  "\"level\":\"info\",\"event\":\"ready\"\\}\n$")))
      << line;
}

// A peer's text cannot end the line, close the string or send escapes to a terminal.
TEST(LogTest, EscapesWhatAPeerCouldForgeALineWith) {
  struct {
    std::string_view text, written;
  } const kCases[] = {
      {"a\"b\\c", R"(a\"b\\c)"},
      {"a\nb\r\t", R"(a\u000ab\u000d\u0009)"},
      {"\x1b[31m", R"(\u001b[31m)"},
      {std::string_view("\0\x7f", 2), R"(\u0000\u007f)"},
      {"\xc3\xa9\xf0\x9f\x94\x94", "\xc3\xa9\xf0\x9f\x94\x94"},
      {"\xff", R"(\ufffd)"},                          // no UTF-8: the line stays JSON
      {"a\xc3(\xe2\x82", R"(a\ufffd(\ufffd\ufffd)"},  // cut short
      {"\xed\xa0\x80", R"(\ufffd\ufffd\ufffd)"},      // a surrogate
      {"\xc2\x9b", R"(\u009b)"},                      // a control character of its own (CSI)
  };
  for (const auto& c : kCases) {
    const std::string line = Logged([&] { Log(Level::kInfo, "e", {{"v", c.text}}); });
    EXPECT_EQ(line, "{\"level\":\"info\",\"event\":\"e\",\"v\":\"" + std::string(c.written) + "\"}\n");
  }
}

TEST(LogTest, NumbersThatJsonDoesNotHaveAreNull) {
  const std::string line = Logged([] {
    Log(Level::kInfo, "e",
        {{"inf", std::numeric_limits<double>::infinity()}, {"nan", std::numeric_limits<double>::quiet_NaN()}});
  });
  EXPECT_EQ(line, "{\"level\":\"info\",\"event\":\"e\",\"inf\":null,\"nan\":null}\n");
}

TEST(LogTest, DropsWhatIsBelowTheLevel) {
  SetLogLevel(Level::kError);
  EXPECT_EQ(Logged([] { Log(Level::kWarn, "quiet"); }), "");
  SetLogLevel(Level::kInfo);
  EXPECT_NE(Logged([] { Log(Level::kWarn, "loud"); }), "");
}

}  // namespace
}  // namespace tocsin::base
