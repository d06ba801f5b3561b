#include "wire/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/limits.h"

namespace tocsin::wire {
namespace {

using ::testing::HasSubstr;

std::string Nested(int depth) {
  return std::string(static_cast<size_t>(depth), '[') + std::string(static_cast<size_t>(depth), ']');
}

// The y_ cases of JSONTestSuite that bear on a validator, and what this one adds.
TEST(JsonTest, AcceptsWhatRfc8259Accepts) {
  for (std::string_view text : {
           "null",
           "true",
           "false",
           "0",
           "-0",
           "1",
           "-1",
           "10",
           "1.5",
           "-0.1e-7",
           "1E+2",
           "0e1",
           "0.0",
           "20e1",
           "-123123123123123123123123123123123123123",
           "1.234567890123456789012345678901234567890E999",
           "\"\"",
           "\"a\"",
           "[]",
           "{}",
           " [ ] ",
           "\t{\r\n} ",
           "[1,2]",
           "[ 1 , 2 ]",
           "[[],{}]",
           "[[]   ]",
           "[\"\"]",
           R"({"":0})",
           R"({"a":1,"b":2})",
           R"({"a":{"a":1},"b":{"a":1}})",
           R"([{"a":1},{"a":1}])",
           R"("\"\\\/\b\f\n\r\t")",
           R"("\u0000\u00e9\uFFFF")",
           R"("\ud83d\ude00")",
           R"("\uD83D\uDE00x")",
           "\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"",
           "\"\x7f\"",
           "\"\xed\x9f\xbf\xee\x80\x80\"",
           "\"\xf4\x8f\xbf\xbf\"",
           "\"\xe2\x80\xa8\"",
           R"({"a":[1,{"b":[{}]}]})",
       }) {
    base::Result<JsonValue> value = ParseJson(text);
    EXPECT_TRUE(value.ok()) << text << ": " << value.status().ToString();
  }
}

struct Bad {
  std::string_view text;
  std::string_view message;
};

TEST(JsonTest, RefusesAndSaysWhatAndWhere) {
  for (const Bad& bad : std::vector<Bad>{
           {"", "expected a value at byte 0, where the text ends"},
           {" ", "expected a value at byte 1, where the text ends"},
           {"nul", "expected a value at byte 0"},
           {"nulll", "expected nothing after the value at byte 4"},
           {"True", "expected a value at byte 0"},
           {"undefined", "expected a value at byte 0"},
           {"NaN", "expected a value at byte 0"},
           {"-Infinity", "expected a digit at byte 1"},
           {"+1", "expected a value at byte 0"},
           {"01", "a number with a leading zero at byte 1"},
           {"-01", "a number with a leading zero at byte 2"},
           {"1.", "expected a digit at byte 2, where the text ends"},
           {".5", "expected a value at byte 0"},
           {"-", "expected a digit at byte 1, where the text ends"},
           {"--1", "expected a digit at byte 1"},
           {"1e", "expected a digit at byte 2, where the text ends"},
           {"1e+", "expected a digit at byte 3, where the text ends"},
           {"1.e1", "expected a digit at byte 2"},
           {"0x10", "expected nothing after the value at byte 1"},
           {"1_000", "expected nothing after the value at byte 1"},
           {"1 2", "expected nothing after the value at byte 2"},
           {"{}{}", "expected nothing after the value at byte 2"},
           {"[]]", "expected nothing after the value at byte 2"},
           {"[", "expected a value at byte 1, where the text ends"},
           {"[1", "expected `,` or `]` at byte 2, where the text ends"},
           {"[1,", "expected a value at byte 3, where the text ends"},
           {"[1,]", "expected a value at byte 3"},
           {"[,1]", "expected a value at byte 1"},
           {"[1,,2]", "expected a value at byte 3"},
           {"[1 2]", "expected `,` or `]` at byte 3"},
           {"[1}", "expected `,` or `]` at byte 2"},
           {"[1:2]", "expected `,` or `]` at byte 2"},
           {"{", "expected a key in quotes at byte 1, where the text ends"},
           {"{1:2}", "expected a key in quotes at byte 1"},
           {"{'a':1}", "expected a key in quotes at byte 1"},
           {"{a:1}", "expected a key in quotes at byte 1"},
           {R"({"a")", "expected `:` at byte 4, where the text ends"},
           {R"({"a",1})", "expected `:` at byte 4"},
           {R"({"a":})", "expected a value at byte 5"},
           {R"({"a":1)", "expected `,` or `}` at byte 6, where the text ends"},
           {R"({"a":1,})", "expected a key in quotes at byte 7"},
           {R"({"a":1 "b":2})", "expected `,` or `}` at byte 7"},
           {R"({"a":1]})", "expected `,` or `}` at byte 6"},
           {R"({"a"::1})", "expected a value at byte 5"},
           {"[1]//c", "expected nothing after the value at byte 3"},
           {"/**/1", "expected a value at byte 0"},
           {"\"abc", "a string that does not end at byte 4, where the text ends"},
           {"\"abc\\\"", "a string that does not end at byte 6, where the text ends"},
           {"'a'", "expected a value at byte 0"},
           {"\"\t\"", "a control character in a string (write it as \\u escape) at byte 1"},
           {"\"abcdefgh\n\"", "a control character in a string (write it as \\u escape) at byte 9"},
           {std::string_view("\"\0\"", 3), "a control character in a string (write it as \\u escape) at byte 1"},
           {std::string_view("\0", 1), "expected a value at byte 0"},
           {std::string_view("[1\0]", 4), "expected `,` or `]` at byte 2"},
           {"[\f1]", "expected a value at byte 1"},
           {"\xc2\xa0[]", "expected a value at byte 0"},
           {"\xef\xbb\xbf{}", "expected a value at byte 0"},
           {R"("\x41")", "an unknown escape at byte 1"},
           {R"("\'")", "an unknown escape at byte 1"},
           {R"("\u12")", "expected four hex digits after \\u at byte 5"},
           {R"("\u12G4")", "expected four hex digits after \\u at byte 5"},
           {R"("\U0041")", "an unknown escape at byte 1"},
           {R"("\u)", "expected four hex digits after \\u at byte 3, where the text ends"},
           {R"("\ud800")", "half of a surrogate pair at byte 1"},
           {R"("\udc00")", "half of a surrogate pair at byte 1"},
           {R"("\ud800\u0041")", "half of a surrogate pair at byte 1"},
           {R"("\ud800\ud800")", "half of a surrogate pair at byte 1"},
           {R"("\ud800\n")", "half of a surrogate pair at byte 1"},
           {R"("\ud800\u)", "half of a surrogate pair at byte 1"},
           {R"("\ud800\uzzzz")", "expected four hex digits after \\u at byte 9"},
           {"\"\x80\"", "bytes that are not UTF-8 at byte 1"},
           {"\"\xc0\xaf\"", "bytes that are not UTF-8 at byte 1"},
           {"\"\xe0\x80\x80\"", "bytes that are not UTF-8 at byte 1"},
           {"\"\xed\xa0\x80\"", "bytes that are not UTF-8 at byte 1"},
           {"\"\xf0\x80\x80\x80\"", "bytes that are not UTF-8 at byte 1"},
           {"\"\xf4\x90\x80\x80\"", "bytes that are not UTF-8 at byte 1"},
           {"\"\xf8\x88\x80\x80\x80\"", "bytes that are not UTF-8 at byte 1"},
           {"\"\xe2\x82\"", "bytes that are not UTF-8 at byte 1"},
           {"\"\xe2", "bytes that are not UTF-8 at byte 1"},
           {"\"12345678\xff\"", "bytes that are not UTF-8 at byte 9"},
           {R"({"a":1,"a":1})", "the key `a` a second time in its object at byte 7"},
           {R"({"a":1,"\u0061":1})", "the key `a` a second time in its object at byte 7"},
           {R"({"x":[{"k":1,"k":2}]})", "the key `k` a second time in its object at byte 13"},
           {R"({"":1,"":1})", "the key `` a second time in its object at byte 6"},
       }) {
    base::Result<JsonValue> value = ParseJson(bad.text);
    ASSERT_FALSE(value.ok()) << bad.text;
    EXPECT_EQ(value.status().code(), base::Code::kInvalidArgument);
    EXPECT_EQ(value.status().message(), "not valid JSON: " + std::string(bad.message)) << bad.text;
  }
}

TEST(JsonTest, DepthIsBounded) {
  EXPECT_TRUE(ParseJson(Nested(model::kMaxJsonDepth)).ok());
  EXPECT_THAT(ParseJson(Nested(model::kMaxJsonDepth + 1)).status().message(), HasSubstr("more than 32 levels"));
  EXPECT_FALSE(ParseJson(std::string(1 << 20, '[')).ok());
}

TEST(JsonTest, FindsADuplicateAmongManyKeys) {
  std::string text = "{";
  for (int i = 0; i < 1'000; ++i) text += "\"k" + std::to_string(i) + "\":" + std::to_string(i) + ",";
  EXPECT_TRUE(ParseJson(text + "\"last\":0}").ok());
  const std::string twice = text + "\"k\\u0035\":0}";
  EXPECT_EQ(ParseJson(twice).status().message(),
            "not valid JSON: the key `k5` a second time in its object at byte " + std::to_string(text.size()));
}

TEST(JsonTest, TruncationIsRefusedAtEveryByte) {
  const std::string text = "{\"a\\u00e9\":[1.5e3,\"\xe2\x82\xac\\ud83d\\ude00\",true,null,{}],\"b\":false}";
  ASSERT_TRUE(ParseJson(text).ok());
  for (size_t size = 0; size < text.size(); ++size) {
    // In a buffer of its own, so that a read past the end is seen by ASan.
    const std::vector<char> cut(text.begin(), text.begin() + static_cast<ptrdiff_t>(size));
    EXPECT_FALSE(ParseJson(std::string_view(cut.data(), cut.size())).ok()) << size;
  }
}

TEST(JsonTest, MembersAreSlicesInOrder) {
  const std::string text =
      " {\"s\" : \"a\\\"}\" , \"n\":-1.50 ,\"\\u0061\":[1,\"]\",{\"x\":[]}],\"o\":{\"k\":\"}\"},\"t\":true,\"z\": "
      "null}";
  base::Result<JsonValue> value = ParseJson(text);
  ASSERT_TRUE(value.ok()) << value.status().ToString();
  EXPECT_EQ(value->raw.front(), '{');
  const std::vector<JsonMember> members = Members(*value);
  ASSERT_EQ(members.size(), 6U);
  EXPECT_EQ(members[0].key, "s");
  EXPECT_EQ(members[0].value.raw, R"("a\"}")");
  EXPECT_EQ(Text(members[0].value), "a\"}");
  EXPECT_EQ(members[1].value.kind, JsonKind::kNumber);
  EXPECT_EQ(members[1].value.raw, "-1.50");
  EXPECT_EQ(members[2].key, "a");
  EXPECT_EQ(members[2].value.raw, R"([1,"]",{"x":[]}])");
  EXPECT_EQ(Elements(members[2].value).size(), 3U);
  EXPECT_EQ(Elements(members[2].value)[1].raw, "\"]\"");
  EXPECT_EQ(members[3].value.raw, R"({"k":"}"})");
  EXPECT_TRUE(IsTrue(members[4].value));
  EXPECT_TRUE(members[5].value.is_null());
  EXPECT_EQ(Find(*value, "t")->raw, "true");
  EXPECT_FALSE(Find(*value, "k").has_value());
}

TEST(JsonTest, ReadersOfTheWrongKindAreEmpty) {
  const JsonValue number = *ParseJson("7");
  EXPECT_TRUE(Members(number).empty());
  EXPECT_TRUE(Elements(number).empty());
  EXPECT_EQ(Text(number), "");
  EXPECT_FALSE(Integer(*ParseJson("\"7\"")).has_value());
  EXPECT_FALSE(Double(*ParseJson("\"7\"")).has_value());
  EXPECT_FALSE(IsTrue(*ParseJson("\"true\"")));
  EXPECT_TRUE(Members(*ParseJson("{ }")).empty());
  EXPECT_TRUE(Elements(*ParseJson("[\n]")).empty());
}

TEST(JsonTest, NumbersAreExactOrNothing) {
  EXPECT_EQ(Integer(*ParseJson("9223372036854775807")), INT64_MAX);
  EXPECT_EQ(Integer(*ParseJson("-9223372036854775808")), INT64_MIN);
  EXPECT_EQ(Integer(*ParseJson("-0")), 0);
  EXPECT_FALSE(Integer(*ParseJson("9223372036854775808")).has_value());
  EXPECT_FALSE(Integer(*ParseJson("1.0")).has_value());
  EXPECT_FALSE(Integer(*ParseJson("1e3")).has_value());
  EXPECT_EQ(Double(*ParseJson("1.5e3")), 1500);
  EXPECT_FALSE(Double(*ParseJson("1e999")).has_value());
}

TEST(JsonTest, StringsDecode) {
  EXPECT_EQ(Text(*ParseJson(R"("\u0041\ud83d\ude00\u00e9\u20ac\/\\\"\b\f\n\r\t\u0000z")")),
            std::string("A\xf0\x9f\x98\x80\xc3\xa9\xe2\x82\xac/\\\"\b\f\n\r\t\0z", 20));
  std::string scratch = "old";
  const std::string text = R"(["plain","a\nb"])";
  const std::vector<JsonValue> both = Elements(*ParseJson(text));
  const std::string_view plain = TextView(both[0], scratch);
  EXPECT_EQ(plain.data(), text.data() + 2);
  EXPECT_EQ(scratch, "old");
  EXPECT_EQ(TextView(both[1], scratch), "a\nb");
}

TEST(JsonTest, WrittenStringsReadBack) {
  std::string every;
  for (int c = 0; c < 0x80; ++c) every.push_back(static_cast<char>(c));
  every += "\xc3\xa9 \xe2\x80\xa7 \xe2\x80\xa8 \xe2\x80\xa9 \xe2\x80\xaa \xf0\x9f\x98\x80 <script>";
  std::string json;
  AppendJsonString(json, every);
  base::Result<JsonValue> value = ParseJson(json);
  ASSERT_TRUE(value.ok()) << value.status().ToString();
  EXPECT_EQ(Text(*value), every);
  EXPECT_THAT(json, HasSubstr("\xe2\x80\xa7 \\u2028 \\u2029 \xe2\x80\xaa"));
  EXPECT_THAT(json, HasSubstr("\\u0000\\u0001"));
  EXPECT_THAT(json, HasSubstr("\\b\\t\\n\\u000b\\f\\r"));
  EXPECT_THAT(json, HasSubstr("<script>"));
}

TEST(JsonTest, WrittenNumbers) {
  std::string out;
  AppendJsonNumber(out, INT64_MIN);
  out += ' ';
  AppendJsonNumber(out, UINT64_MAX);
  EXPECT_EQ(out, "-9223372036854775808 18446744073709551615");
}

}  // namespace
}  // namespace tocsin::wire
