#include "server/terminal.h"

#include <gtest/gtest.h>

#include "base/utf8.h"
#include "wire/json.h"

namespace tocsin::server {
namespace {

TEST(Escaped, NothingDrivesTheTerminal) {
  EXPECT_EQ(Escaped("plain, Grüße, 通知, 🔔"), "plain, Grüße, 通知, 🔔");
  EXPECT_EQ(Escaped("a\nb\tc\rd\\e"), "a\\nb\\tc\\rd\\\\e");
  EXPECT_EQ(Escaped("\x1b]0;title\x07"), "\\x1b]0;title\\x07");
  EXPECT_EQ(Escaped("\xc2\x9b"
                    "31m"),
            "\\u{9b}31m");  // CSI in one character
  EXPECT_EQ(Escaped("abc\xe2\x80\xae"
                    "def"),
            "abc\\u{202e}def");  // turns the direction of what follows
  EXPECT_EQ(Escaped("\xf3\xa0\x81\x81"), "\\u{e0041}");
  EXPECT_EQ(Escaped(std::string_view("\0\x7f\xff\xc3", 4)), "\\x00\\x7f\\xff\\xc3");
}

TEST(Escaped, EveryByteAndPairOfBytesIsPrintableUtf8) {
  for (int first = 0; first < 256; ++first) {
    for (int second = -1; second < 256; ++second) {
      std::string bytes(1, static_cast<char>(first));
      if (second >= 0) bytes += static_cast<char>(second);
      for (std::string shown : {Escaped(bytes), Shortened(bytes, 100)}) {
        for (std::string_view rest = shown; !rest.empty();) {
          const size_t size = base::Utf8Length(rest);
          ASSERT_GT(size, 0u) << first << " " << second;
          ASSERT_TRUE(size > 1 || (rest[0] >= ' ' && rest[0] != 0x7f)) << first << " " << second;
          rest.remove_prefix(size);
        }
      }
      std::string json;
      AppendJsonText(json, bytes);
      ASSERT_TRUE(wire::ParseJson(json).ok()) << json;
    }
  }
}

TEST(Shortened, CutsBetweenCharacters) {
  EXPECT_EQ(Shortened("abcdef", 6), "abcdef");
  EXPECT_EQ(Shortened("abcdefg", 6), "abcdef...");
  EXPECT_EQ(Shortened("äöü", 2), "äö...");
  EXPECT_EQ(Shortened("ab\x1b"
                      "c",
                      4),
            "ab...");  // never half of an escape
}

TEST(JsonText, RoundTripsUtf8AndHidesWhatCannotBeSeen) {
  const std::string text = "\"q\" \\ \n\t\x01 Grüße \xc2\x9b \xe2\x80\xae 🔔 \xf3\xa0\x81\x81";
  std::string json;
  AppendJsonText(json, text);
  EXPECT_EQ(wire::Text(wire::ParseJson(json).value()), text);
  EXPECT_EQ(json.find("\xc2\x9b"), std::string::npos);
  EXPECT_EQ(json.find("\xe2\x80\xae"), std::string::npos);
  json.clear();
  AppendJsonText(json, "a\xff");
  EXPECT_EQ(json, R"("a\\xff")");
}

TEST(JsonLine, Members) {
  JsonLine json;
  json.Text("a\"", "b").Number("n", -7).Null("z").Raw("list", "[1]");
  EXPECT_EQ(json.ToString(), R"({"a\"":"b","n":-7,"z":null,"list":[1]})");
  EXPECT_EQ(JsonLine().ToString(), "{}");
}

TEST(ShortAge, TwoUnits) {
  EXPECT_EQ(ShortAge(-5), "0s");
  EXPECT_EQ(ShortAge(59'999), "59s");
  EXPECT_EQ(ShortAge(60'000), "1m");
  EXPECT_EQ(ShortAge(723'000), "12m3s");
  EXPECT_EQ(ShortAge(3'600'000), "1h");
  EXPECT_EQ(ShortAge(15'120'000), "4h12m");
  EXPECT_EQ(ShortAge(619'200'000), "7d4h");
}

TEST(ShortBytes, Units) {
  EXPECT_EQ(ShortBytes(0), "0 B");
  EXPECT_EQ(ShortBytes(1023), "1023 B");
  EXPECT_EQ(ShortBytes(1536), "1.5 KiB");
  EXPECT_EQ(ShortBytes(3ull << 20), "3.0 MiB");
  EXPECT_EQ(ShortBytes(UINT64_MAX), "16777216.0 TiB");
}

TEST(Table, ColumnsAreAsWideAsTheirWidestCell) {
  Table table({{"name"}, {"count", Table::Align::kRight}, {"end"}});
  table.Add({"zoë", "7", "x"});
  table.Add({"a long name", "1234567", ""});
  table.Sort();
  EXPECT_EQ(table.ToString(),
            "name           count  end\n"
            "a long name  1234567\n"
            "zoë                7  x\n");
}

}  // namespace
}  // namespace tocsin::server
