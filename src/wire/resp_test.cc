#include "wire/resp.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin::wire {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Commands = std::vector<std::vector<std::string>>;

// Reads what arrives `step` bytes at a time; an error is a command of one argument, "-ERR ...".
Commands Read(std::string_view bytes, size_t step, RespLimits limits = kRespAuthenticated) {
  RespCommandParser parser(limits);
  Commands commands;
  std::vector<char> input;
  while (!bytes.empty()) {
    const size_t size = std::min(step, bytes.size());
    input.insert(input.end(), bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size));
    bytes.remove_prefix(size);
    while (true) {
      input.shrink_to_fit();
      size_t consumed = 0;
      const auto outcome = parser.Next({input.data(), input.size()}, consumed);
      if (outcome == RespCommandParser::Step::kError) {
        commands.push_back({"-" + std::string(parser.error())});
        return commands;
      }
      if (outcome == RespCommandParser::Step::kCommand) {
        commands.emplace_back(parser.arguments().begin(), parser.arguments().end());
      }
      input.erase(input.begin(), input.begin() + static_cast<ptrdiff_t>(consumed));
      if (outcome == RespCommandParser::Step::kNeedMore) break;
    }
  }
  return commands;
}

Commands ReadInAnySteps(std::string_view bytes, RespLimits limits = kRespAuthenticated) {
  const Commands whole = Read(bytes, bytes.size(), limits);
  for (size_t step : {1, 2, 3, 7}) EXPECT_EQ(Read(bytes, step, limits), whole) << bytes << " in steps of " << step;
  return whole;
}

TEST(RespTest, PipelinedCommands) {
  using namespace std::string_literals;
  EXPECT_THAT(
      ReadInAnySteps("*1\r\n$4\r\nPING\r\n*3\r\n$3\r\nSET\r\n$0\r\n\r\n$5\r\na\r\nb\0\r\n\r\n*0\r\n*-1\r\nECHO hi\n"s),
      ElementsAre(ElementsAre("PING"), ElementsAre("SET", "", "a\r\nb\0"s), ElementsAre("ECHO", "hi")));
}

TEST(RespTest, InlineCommandsWithQuotes) {
  using namespace std::string_literals;
  EXPECT_THAT(ReadInAnySteps("\r\n  xadd\ts * f \"a b\" '' 'it\\'s \\n' \"\\x41\\x0g\\n\\\"\\\\\" k\"v\"\r\n"),
              ElementsAre(ElementsAre("xadd", "s", "*", "f", "a b", "", "it's \\n", "Ax0g\n\"\\", "kv")));
  for (std::string_view bad : {"a \"b\r\n", "a 'b\r\n", "a \"b\"c\r\n", "a 'b'c\r\n", "\"\\\r\n", "\"\\\"\r\n"}) {
    EXPECT_THAT(ReadInAnySteps(bad), ElementsAre(ElementsAre("-ERR Protocol error: unbalanced quotes in request")));
  }
}

TEST(RespTest, RefusesAsRedisDoes) {
  const auto error = [](std::string_view bytes, RespLimits limits = kRespAuthenticated) {
    const Commands commands = ReadInAnySteps(bytes, limits);
    return commands.empty() ? "nothing" : commands.back().front();
  };
  const std::string e = "-ERR Protocol error: ";
  EXPECT_EQ(error("*x\r\n"), e + "invalid multibulk length");
  EXPECT_EQ(error("*\r\n"), e + "invalid multibulk length");
  EXPECT_EQ(error("*01\r\n"), e + "invalid multibulk length");
  EXPECT_EQ(error("*+1\r\n"), e + "invalid multibulk length");
  EXPECT_EQ(error("* 1\r\n"), e + "invalid multibulk length");
  EXPECT_EQ(error("*1048577\r\n"), e + "invalid multibulk length");
  EXPECT_EQ(error("*99999999999999999999\r\n"), e + "invalid multibulk length");
  EXPECT_EQ(error("*1\r\nPING\r\n"), e + "expected '$', got 'P'");
  EXPECT_EQ(error("*1\r\n\r\n"), e + "expected '$', got ' '");
  EXPECT_EQ(error("*1\r\n$-1\r\n"), e + "invalid bulk length");
  EXPECT_EQ(error("*1\r\n$\r\n"), e + "invalid bulk length");
  EXPECT_EQ(error("*1\r\n$16777217\r\n"), e + "invalid bulk length");
  EXPECT_EQ(error("*1\r\n$4\r\nPINGxx"), e + "expected CRLF behind an argument");
  EXPECT_EQ(error("*1\rx"), e + "expected CRLF at the end of a line");
  EXPECT_EQ(error("*3\r\n$16777216\r\n"), "nothing");
  EXPECT_EQ(Read("*" + std::string(70'000, '1'), 1'000).back().front(), e + "too big mbulk count string");
  EXPECT_EQ(Read("*1\r\n$" + std::string(70'000, '1'), 1'000).back().front(), e + "too big bulk count string");
  EXPECT_EQ(Read(std::string(70'000, 'x'), 1'000).back().front(), e + "too big inline request");
}

TEST(RespTest, OnlySmallCommandsBeforeAuthentication) {
  EXPECT_THAT(ReadInAnySteps("*11\r\n", kRespUnauthenticated),
              ElementsAre(ElementsAre("-ERR Protocol error: unauthenticated multibulk length")));
  EXPECT_THAT(ReadInAnySteps("1 2 3 4 5 6 7 8 9 10 11\r\n", kRespUnauthenticated),
              ElementsAre(ElementsAre("-ERR Protocol error: unauthenticated multibulk length")));
  EXPECT_THAT(ReadInAnySteps("*2\r\n$16385\r\n", kRespUnauthenticated),
              ElementsAre(ElementsAre("-ERR Protocol error: unauthenticated bulk length")));
  EXPECT_THAT(ReadInAnySteps("*3\r\n$4\r\nAUTH\r\n$1\r\na\r\n$1\r\nb\r\n", kRespUnauthenticated),
              ElementsAre(ElementsAre("AUTH", "a", "b")));
  std::string five = "*5\r\n";
  for (int i = 0; i < 4; ++i) five += "$16384\r\n" + std::string(16'384, 'x') + "\r\n";
  EXPECT_EQ(Read(five + "$1\r\n", 1'000, kRespUnauthenticated).back().front(), "-ERR Protocol error: too big command");
}

TEST(RespTest, LimitsCanBeRaisedBetweenCommands) {
  RespCommandParser parser;
  size_t consumed = 0;
  ASSERT_EQ(parser.Next("*1\r\n$4\r\nPING\r\n", consumed), RespCommandParser::Step::kCommand);
  parser.SetLimits(kRespAuthenticated);
  ASSERT_EQ(parser.Next("*1\r\n$20000\r\n", consumed), RespCommandParser::Step::kNeedMore);
  EXPECT_EQ(consumed, 0U);
  EXPECT_EQ(parser.wanted(), 4U + 8 + 20'000 + 2);
}

TEST(RespTest, ArgumentsLieInTheInput) {
  RespCommandParser parser;
  const std::string input = "*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\nrest";
  size_t consumed = 0;
  ASSERT_EQ(parser.Next(input, consumed), RespCommandParser::Step::kCommand);
  EXPECT_EQ(parser.arguments()[1].data(), input.data() + 18);
  EXPECT_EQ(consumed, input.size() - 4);
}

std::string Written(RespVersion version) {
  std::string out;
  RespWriter w(out, version);
  w.MapHead(4);
  w.Simple("OK");
  w.Error("ERR a\r\nb");
  w.Integer(-7);
  w.Integer(INT64_MIN);
  w.Bulk(std::string_view("a\0\r\n", 4));
  w.Null();
  w.NullArray();
  w.ArrayHead(0);
  w.SetHead(1);
  w.Bool(true);
  w.PushHead(2);
  w.Double(0.1);
  w.Verbatim("text");
  return out;
}

TEST(RespTest, WritesBothVersions) {
  using namespace std::string_literals;
  EXPECT_EQ(Written(RespVersion::k2),
            "*8\r\n+OK\r\n-ERR a  b\r\n:-7\r\n:-9223372036854775808\r\n$4\r\na\0\r\n\r\n$-1\r\n*-1\r\n*0\r\n"
            "*1\r\n:1\r\n*2\r\n$3\r\n0.1\r\n$4\r\ntext\r\n"s);
  EXPECT_EQ(Written(RespVersion::k3),
            "%4\r\n+OK\r\n-ERR a  b\r\n:-7\r\n:-9223372036854775808\r\n$4\r\na\0\r\n\r\n_\r\n_\r\n*0\r\n"
            "~1\r\n#t\r\n>2\r\n,0.1\r\n=8\r\ntxt:text\r\n"s);
  std::string out;
  RespWriter w(out, RespVersion::k3);
  w.Double(-INFINITY);
  w.Double(1e300);
  w.Bool(false);
  EXPECT_EQ(out, ",-inf\r\n,1e+300\r\n#f\r\n");
}

TEST(RespTest, CommandsReadBack) {
  std::string out;
  const std::string_view arguments[] = {"XADD", "s", "*", "", "a\r\n"};
  AppendRespCommand(out, arguments);
  EXPECT_THAT(ReadInAnySteps(out), ElementsAre(ElementsAre("XADD", "s", "*", "", "a\r\n")));
}

// A reply as one line of text.
std::string Show(const RespReply& reply) {
  using Type = RespReply::Type;
  const auto list = [&reply](std::string_view open, std::string_view close) {
    std::string text(open);
    for (const RespReply& element : reply.elements) text += Show(element) + " ";
    return text + std::string(close);
  };
  switch (reply.type) {
    case Type::kSimple:
      return "+" + reply.text;
    case Type::kError:
      return "-" + reply.text;
    case Type::kInteger:
      return std::to_string(reply.integer);
    case Type::kBulk:
      return "'" + reply.text + "'";
    case Type::kNull:
      return "null";
    case Type::kBool:
      return reply.integer != 0 ? "true" : "false";
    case Type::kDouble:
      return std::to_string(reply.number);
    case Type::kVerbatim:
      return "txt '" + reply.text + "'";
    case Type::kBigNumber:
      return "big " + reply.text;
    case Type::kArray:
      return list("[", "]");
    case Type::kMap:
      return list("{", "}");
    case Type::kSet:
      return list("~[", "]");
    case Type::kPush:
      return list(">[", "]");
  }
  return "";
}

std::vector<std::string> Replies(std::string_view bytes, size_t step) {
  RespReplyParser parser;
  std::vector<std::string> replies;
  std::vector<char> input;
  while (!bytes.empty()) {
    const size_t size = std::min(step, bytes.size());
    input.insert(input.end(), bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size));
    bytes.remove_prefix(size);
    while (true) {
      input.shrink_to_fit();
      size_t consumed = 0;
      RespReply reply;
      const auto outcome = parser.Next({input.data(), input.size()}, consumed, reply);
      input.erase(input.begin(), input.begin() + static_cast<ptrdiff_t>(consumed));
      if (outcome == RespReplyParser::Step::kNeedMore) break;
      if (outcome == RespReplyParser::Step::kError) {
        replies.push_back("error: " + std::string(parser.error()));
        return replies;
      }
      replies.push_back(Show(reply));
    }
  }
  return replies;
}

std::vector<std::string> RepliesInAnySteps(std::string_view bytes) {
  const std::vector<std::string> whole = Replies(bytes, bytes.size());
  for (size_t step : {1, 2, 5}) EXPECT_EQ(Replies(bytes, step), whole) << bytes;
  return whole;
}

TEST(RespTest, ReadsEveryReply) {
  EXPECT_THAT(
      RepliesInAnySteps("+OK\r\n-ERR no\r\n:-5\r\n$2\r\n\r\n\r\n$-1\r\n*-1\r\n_\r\n#t\r\n,1.5\r\n,inf\r\n(123\r\n"
                        "!5\r\nERR x\r\n=6\r\ntxt:hi\r\n*2\r\n*1\r\n:1\r\n*0\r\n%1\r\n+a\r\n~1\r\n:2\r\n>1\r\n+m\r\n"),
      ElementsAre("+OK", "-ERR no", "-5", "'\r\n'", "null", "null", "null", "true", "1.500000", "inf", "big 123",
                  "-ERR x", "txt 'hi'", "[[1 ] [] ]", "{+a ~[2 ] }", ">[+m ]"));
  EXPECT_THAT(RepliesInAnySteps("|1\r\n+ttl\r\n:5\r\n*2\r\n|1\r\n+a\r\n*1\r\n:9\r\n:1\r\n|0\r\n:2\r\n+x\r\n"),
              ElementsAre("[1 2 ]", "+x"));
  EXPECT_THAT(RepliesInAnySteps(Written(RespVersion::k3)).front(),
              ::testing::StartsWith("{+OK -ERR a  b -7 -9223372036854775808 "));
}

TEST(RespTest, RefusesReplies) {
  std::string deep;
  for (size_t i = 0; i <= RespReplyParser::kMaxDepth; ++i) deep += "*1\r\n";
  const std::vector<std::pair<std::string, std::string>> table = {
      {"?\r\n", "an unknown type of reply"},
      {"\r\n", "an unknown type of reply"},
      {":x\r\n", "an integer that is none"},
      {":\r\n", "an integer that is none"},
      {",x\r\n", "a double that is none"},
      {"#x\r\n", "a boolean that is none"},
      {"_x\r\n", "a null that is none"},
      {"$x\r\n", "a length that is none"},
      {"$-2\r\n", "a length that is none"},
      {"%-1\r\n", "a length that is none"},
      {"$?\r\n", "a length that is none"},
      {"$536870913\r\n", "a string that is too long"},
      {"$1\r\nabc", "a string longer than its length says"},
      {"=3\r\ntxt\r\n", "a verbatim string without its format"},
      {"*9999999999\r\n", "an aggregate that is too long"},
      {"+a\rb\r\n", "a line that does not end with CRLF"},
      {deep, "a reply that is too deep"},
  };
  for (const auto& [bytes, why] : table) {
    EXPECT_THAT(RepliesInAnySteps(bytes), ElementsAre("error: " + why)) << bytes;
  }
  EXPECT_EQ(Replies("+" + std::string(70'000, 'x'), 999).back(), "error: a line that is too long");
}

}  // namespace
}  // namespace tocsin::wire
