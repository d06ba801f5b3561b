#include "wire/instant.h"

#include <gtest/gtest.h>

namespace tocsin::wire {
namespace {

TEST(InstantTest, WhatIsOne) {
  EXPECT_EQ(ParseInstant("0"), 0);
  EXPECT_EQ(ParseInstant("1893488400000"), 1893488400000);
  EXPECT_EQ(ParseInstant("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(ParseInstant("2030-01-01T09:00:00Z"), 1893488400000);
  EXPECT_EQ(ParseInstant("2030-01-01t11:00:00.5+02:00"), 1893488400500);
  EXPECT_EQ(ParseInstant("2029-12-31T23:30:00.123456789-09:30"), 1893488400123);
  EXPECT_EQ(ParseInstant("2028-02-29T00:00:00z"), 1835395200000);
  EXPECT_EQ(ParseInstant("2016-12-31T23:59:60Z"), 1483228800000);
  EXPECT_EQ(ParseInstant("1969-12-31T23:59:59.999Z"), -1);
  EXPECT_EQ(ParseInstant("-1"), -1);
}

TEST(InstantTest, WhatIsNone) {
  for (const char* text : {"",
                           "-",
                           "+1",
                           "1.5",
                           "1e3",
                           "12 ",
                           " 12",
                           "0x1",
                           "99999999999999999999",
                           "tomorrow",
                           "2030-01-01",
                           "2030-01-01T09:00:00",
                           "2030-01-01 09:00:00Z",
                           "2030-01-01T09:00Z",
                           "2030-02-29T00:00:00Z",
                           "2030-13-01T00:00:00Z",
                           "2030-00-01T00:00:00Z",
                           "2030-01-00T00:00:00Z",
                           "2030-01-01T24:00:00Z",
                           "2030-01-01T00:60:00Z",
                           "2030-01-01T00:00:61Z",
                           "2030-01-01T00:00:00.Z",
                           "2030-01-01T00:00:00+2:00",
                           "2030-01-01T00:00:00+0200",
                           "2030-01-01T00:00:00+24:00",
                           "2030-01-01T00:00:00ZZ",
                           "2030-01-01T00:00:00Europe",
                           "0000-01-01T00:00:00Z",
                           "20300-01-01T00:00:00Z",
                           "2030-1-1T00:00:00Z",
                           "2030-01-01T00:00:00,5Z"}) {
    EXPECT_EQ(ParseInstant(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace tocsin::wire
