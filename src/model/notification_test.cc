#include "model/notification.h"

#include <gtest/gtest.h>

#include "model/limits.h"
#include "model/mark.h"

namespace tocsin::model {
namespace {

// Unicode 15, table 3-7, every row at its bounds and one beyond; and the classics of Markus Kuhn's test file.
TEST(Utf8Test, AcceptsWellFormedSequencesOnly) {
  struct {
    std::string_view text;
    bool valid;
  } const kCases[] = {
      {"", true},
      {"plain", true},
      {std::string_view("\0", 1), true},
      {"\x7f", true},
      {"\xc2\x80", true},
      {"\xdf\xbf", true},
      {"\xe0\xa0\x80", true},
      {"\xe0\xbf\xbf", true},
      {"\xe1\x80\x80", true},
      {"\xec\xbf\xbf", true},
      {"\xed\x80\x80", true},
      {"\xed\x9f\xbf", true},
      {"\xee\x80\x80", true},
      {"\xef\xbf\xbf", true},
      {"\xf0\x90\x80\x80", true},
      {"\xf0\xbf\xbf\xbf", true},
      {"\xf1\x80\x80\x80", true},
      {"\xf3\xbf\xbf\xbf", true},
      {"\xf4\x80\x80\x80", true},
      {"\xf4\x8f\xbf\xbf", true},
      {"a\xe2\x82\xac"
       "b\xf0\x9f\x94\x94",
       true},
      {"\x80", false},  // a continuation alone
      {"\xbf", false},
      {"\xc0\x80", false},  // overlong NUL
      {"\xc1\xbf", false},
      {"\xe0\x9f\xbf", false},  // overlong
      {"\xed\xa0\x80", false},  // surrogates
      {"\xed\xbf\xbf", false},
      {"\xf0\x8f\xbf\xbf", false},  // overlong
      {"\xf4\x90\x80\x80", false},  // above U+10FFFF
      {"\xf5\x80\x80\x80", false},
      {"\xfe", false},
      {"\xff", false},
      {"\xc2", false},  // cut short
      {"\xe2\x82", false},
      {"\xf0\x9f\x94", false},
      {"\xc2"
       "a",
       false},  // a continuation is missing
      {"\xe2\x82"
       "a",
       false},
      {"\xf0\x9f\x94"
       "a",
       false},
      {"\xc2\xc2\x80", false},
      {"\xe2\x28\xa1", false},
      {"\xf0\x28\x8c\xbc", false},
      {"\xf0\x90\x28\xbc", false},
      {"\xf0\x90\x8c\x28", false},
      {"good\xf8\x88\x80\x80\x80", false},  // five bytes
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(IsValidUtf8(std::string(c.text)), c.valid) << testing::PrintToString(std::string(c.text));
  }
}

TEST(UserIdTest, IsOneTo256BytesOfUtf8) {
  EXPECT_FALSE(IsValidUserId(""));
  EXPECT_TRUE(IsValidUserId("u"));
  EXPECT_TRUE(IsValidUserId(std::string(kMaxUserId, 'u')));
  EXPECT_FALSE(IsValidUserId(std::string(kMaxUserId + 1, 'u')));
  EXPECT_TRUE(IsValidUserId(std::string_view("a\0b", 3)));
  EXPECT_TRUE(IsValidUserId("_:.*{}\n\xc3\xa9"));
  EXPECT_FALSE(IsValidUserId("\xc3"));
}

TEST(DeviceIdTest, IsPrintableAscii) {
  EXPECT_FALSE(IsValidDeviceId(""));
  EXPECT_TRUE(IsValidDeviceId("web-1!~"));
  EXPECT_TRUE(IsValidDeviceId(std::string(kMaxDeviceId, 'd')));
  EXPECT_FALSE(IsValidDeviceId(std::string(kMaxDeviceId + 1, 'd')));
  for (std::string_view bad : {"a b", "a\tb", "a\x7f", "\xc3\xa9", "a\n"}) EXPECT_FALSE(IsValidDeviceId(bad));
}

TEST(NamesTest, PrioritiesAndMarksReadWhatTheyPrint) {
  for (std::string_view name : {"low", "normal", "high", "critical"}) {
    ASSERT_TRUE(ParsePriority(name));
    EXPECT_EQ(PriorityName(*ParsePriority(name)), name);
  }
  for (std::string_view name : {"read", "unread", "seen", "archive", "delete"}) {
    ASSERT_TRUE(ParseMarkOp(name));
    EXPECT_EQ(MarkOpName(*ParseMarkOp(name)), name);
  }
  for (std::string_view bad : {"", "High", "normal ", "urgent"}) EXPECT_FALSE(ParsePriority(bad));
  for (std::string_view bad : {"", "Read", "archived", "update"}) EXPECT_FALSE(ParseMarkOp(bad));
}

}  // namespace
}  // namespace tocsin::model
