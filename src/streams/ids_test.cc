#include "streams/ids.h"

#include <gtest/gtest.h>

namespace tocsin::streams {
namespace {

using model::EntryId;

TEST(IdsTest, WholeAndPartial) {
  EXPECT_EQ(ParseId("5-3"), (EntryId{5, 3}));
  EXPECT_EQ(ParseId("5"), (EntryId{5, 0}));
  EXPECT_EQ(ParseId("5", UINT64_MAX), (EntryId{5, UINT64_MAX}));
  EXPECT_EQ(ParseId("18446744073709551615-18446744073709551615"), EntryId::Max());
  EXPECT_EQ(ParseId("007-01"), (EntryId{7, 1}));  // as Redis, whose second parser is strtoull
  for (const char* wrong :
       {"", "-", "+", "x", "5-", "-5", "5-3-1", "5-*", "18446744073709551616", "1.5", "5-x", "*", "5 ", "0x10"}) {
    EXPECT_EQ(ParseId(wrong), std::nullopt) << wrong;
  }
  EXPECT_EQ(ParseId(std::string(200, '0')), std::nullopt);
}

TEST(IdsTest, RangeEnds) {
  EXPECT_EQ(ParseRangeEnd("-", 0)->id, EntryId());
  EXPECT_EQ(ParseRangeEnd("+", 0)->id, EntryId::Max());
  EXPECT_EQ(ParseRangeEnd("5", UINT64_MAX)->id, (EntryId{5, UINT64_MAX}));
  EXPECT_FALSE(ParseRangeEnd("5", 0)->open);
  EXPECT_TRUE(ParseRangeEnd("(5-1", 0)->open);
  EXPECT_EQ(ParseRangeEnd("(5-1", 0)->id, (EntryId{5, 1}));
  for (const char* wrong : {"(", "(-", "(+", "((5", ")5"}) EXPECT_EQ(ParseRangeEnd(wrong, 0), std::nullopt) << wrong;
}

TEST(IdsTest, IdsToAdd) {
  EXPECT_EQ(ParseAddId("*")->kind, AddId::Kind::kAuto);
  EXPECT_EQ(ParseAddId("5-*")->kind, AddId::Kind::kAutoSeq);
  EXPECT_EQ(ParseAddId("5-*")->id.ms, 5u);
  EXPECT_EQ(ParseAddId("5")->id, (EntryId{5, 0}));
  EXPECT_EQ(ParseAddId("5")->kind, AddId::Kind::kWhole);
  for (const char* wrong : {"-*", "**", "*-5", "x-*", "-", "+", ""})
    EXPECT_EQ(ParseAddId(wrong), std::nullopt) << wrong;
}

}  // namespace
}  // namespace tocsin::streams
