#include "model/entry_id.h"

#include <gtest/gtest.h>

namespace tocsin::model {
namespace {

constexpr uint64_t kTop = std::numeric_limits<uint64_t>::max();

TEST(EntryIdTest, ParsesTwoDecimalNumbersAndNothingElse) {
  struct {
    std::string_view text;
    std::optional<EntryId> id;
  } const kCases[] = {
      {"0-0", EntryId{0, 0}},
      {"1700000000000-7", EntryId{1'700'000'000'000, 7}},
      {"18446744073709551615-18446744073709551615", EntryId::Max()},
      {"007-01", EntryId{7, 1}},
      {"18446744073709551616-0", {}},  // one too many
      {"0-18446744073709551616", {}},
      {"", {}},
      {"-", {}},
      {"5", {}},
      {"5-", {}},
      {"-5", {}},
      {"5-6-7", {}},
      {"+5-6", {}},
      {"5-+6", {}},
      {"5--6", {}},
      {" 5-6", {}},
      {"5-6 ", {}},
      {"5 -6", {}},
      {"0x5-6", {}},
      {"5.0-6", {}},
      {"5-*", {}},
      {std::string_view("5-6\0", 4), {}},
  };
  for (const auto& c : kCases) EXPECT_EQ(EntryId::Parse(c.text), c.id) << c.text;
}

TEST(EntryIdTest, PrintsWhatItParses) {
  for (EntryId id : {EntryId{}, EntryId{1, 2}, EntryId{kTop, 0}, EntryId{0, kTop}, EntryId::Max()}) {
    EXPECT_EQ(EntryId::Parse(id.ToString()), id);
  }
  EXPECT_EQ((EntryId{1'700'000'000'000, 7}.ToString()), "1700000000000-7");
  std::string text = "id=";
  EntryId::Max().AppendTo(text);
  EXPECT_EQ(text, "id=18446744073709551615-18446744073709551615");
}

// Numbers, not texts: 10-0 follows 9-0.
TEST(EntryIdTest, OrderIsNumericAlsoEncoded) {
  const EntryId kAscending[] = {{0, 0}, {0, 1}, {0, 9},  {0, 10},  {0, 256}, {0, kTop},
                                {1, 0}, {9, 0}, {10, 0}, {255, 5}, {256, 0}, {kTop, kTop}};
  for (const EntryId& a : kAscending) {
    for (const EntryId& b : kAscending) {
      std::string key_a, key_b;
      a.EncodeTo(key_a);
      b.EncodeTo(key_b);
      EXPECT_EQ(a < b, &a < &b);
      EXPECT_EQ(key_a < key_b, a < b) << a.ToString() << " " << b.ToString();
    }
  }
}

TEST(EntryIdTest, EncodesSixteenBytesBigEndian) {
  std::string key = "u";
  EntryId{0x0102030405060708, 0x1112131415161718}.EncodeTo(key);
  EXPECT_EQ(key, "u\x01\x02\x03\x04\x05\x06\x07\x08\x11\x12\x13\x14\x15\x16\x17\x18");
  EXPECT_EQ(EntryId::Decode(std::string_view(key).substr(1)), (EntryId{0x0102030405060708, 0x1112131415161718}));
}

TEST(EntryIdTest, NextAndPreviousCrossTheMillisecond) {
  EXPECT_EQ((EntryId{5, 1}.Next()), (EntryId{5, 2}));
  EXPECT_EQ((EntryId{5, kTop}.Next()), (EntryId{6, 0}));
  EXPECT_EQ(EntryId::Max().Next(), std::nullopt);
  EXPECT_EQ((EntryId{5, 1}.Previous()), (EntryId{5, 0}));
  EXPECT_EQ((EntryId{5, 0}.Previous()), (EntryId{4, kTop}));
  EXPECT_EQ(EntryId{}.Previous(), std::nullopt);
}

TEST(NextLogIdTest, GrowsWhateverTheClockAndTheFloorSay) {
  struct {
    EntryId last;
    int64_t now_ms;
    EntryId floor, next;
  } const kCases[] = {
      {{}, 1'000, {}, {1'000, 0}},                  // a new log
      {{1'000, 0}, 1'000, {}, {1'000, 1}},          // the same millisecond
      {{1'000, 4}, 1'001, {}, {1'001, 0}},          // time went on
      {{1'000, 4}, 400, {}, {1'000, 5}},            // the clock was set back
      {{1'000, kTop}, 400, {}, {1'001, 0}},         // ... and the sequence is used up
      {{1'000, 4}, 1'000, {9'000, 3}, {9'000, 3}},  // a floor above both
      {{9'000, 3}, 1'000, {9'000, 3}, {9'000, 4}},  // the floor was used
      {{}, 0, {}, {0, 1}},                          // never 0-0: that is `nothing yet`
      {{}, -5'000, {}, {0, 1}},                     // a clock before 1970
  };
  for (const auto& c : kCases) {
    const EntryId next = NextLogId(c.last, c.now_ms, c.floor);
    EXPECT_EQ(next, c.next) << next.ToString() << " is not " << c.next.ToString();
    EXPECT_GT(next, c.last);
  }
}

}  // namespace
}  // namespace tocsin::model
