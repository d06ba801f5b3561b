// The X* commands: what they say where they refuse, and the shape of their replies in both versions. Their meaning is
// the engine's, tested there; both are compared with a redis-server in tests/interop.
#include "commands/commands_fixture.h"

namespace tocsin::commands {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class StreamCommandsTest : public CommandsTest {
 protected:
  void SetUp() override {
    for (const char* line : {"XADD s 1-1 a 1", "XADD s 2-0 a 2", "XADD s 3-0 b 3", "XGROUP CREATE s g 0",
                             "XREADGROUP GROUP g c COUNT 2 STREAMS s >"}) {
      Ask(line);
    }
  }
};

// The texts are those of redis-server 7.2, word for word.
TEST_F(StreamCommandsTest, ErrorsAreThoseOfRedis) {
  struct Case {
    const char* line;
    const char* error;
  };
  constexpr Case kCases[] = {
      {"XADD s abc a b", "ERR Invalid stream ID specified as stream command argument"},
      {"XADD s 0-0 a b", "ERR The ID specified in XADD must be greater than 0-0"},
      {"XADD s 1-1 a b", "ERR The ID specified in XADD is equal or smaller than the target stream top item"},
      {"XADD s * a b c", "ERR wrong number of arguments for 'xadd' command"},
      {"XADD s MAXLEN -1 * a b", "ERR The MAXLEN argument must be >= 0."},
      {"XADD s MAXLEN x * a b", "ERR value is not an integer or out of range"},
      {"XADD s MAXLEN 1 MINID 1 * a b",
       "ERR syntax error, MAXLEN and MINID options at the same time are not compatible"},
      {"XADD s LIMIT 1 * a b", "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy"},
      {"XADD s MAXLEN 9 LIMIT 1 * a b", "ERR syntax error, LIMIT cannot be used without the special ~ option"},
      {"XADD s MAXLEN ~ 9 LIMIT -1 * a b", "ERR The LIMIT argument must be >= 0."},
      {"XTRIM s LIMIT", "ERR wrong number of arguments for 'xtrim' command"},
      {"XTRIM s LIMIT 0", "ERR syntax error, XTRIM must be called with a trimming strategy"},
      {"XRANGE s (18446744073709551615-18446744073709551615 +", "ERR invalid start ID for the interval"},
      {"XRANGE s - (0-0", "ERR invalid end ID for the interval"},
      {"XREAD STREAMS s t 0",
       "ERR Unbalanced 'xread' list of streams: for each stream key an ID or '$' must be specified."},
      {"XREAD BLOCK -1 STREAMS s 0", "ERR timeout is negative"},
      {"XREAD BLOCK x STREAMS s 0", "ERR timeout is not an integer or out of range"},
      {"XREAD NOACK STREAMS s 0", "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead."},
      {"XREAD STREAMS s >",
       "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option."},
      {"XREADGROUP COUNT 1 NOACK STREAMS s t >",
       "ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified."},
      {"XREADGROUP COUNT 1 NOACK NOACK STREAMS s >", "ERR Missing GROUP option for XREADGROUP"},
      {"XREADGROUP GROUP x c STREAMS s >",
       "NOGROUP No such key 's' or consumer group 'x' in XREADGROUP with GROUP option"},
      {"XGROUP CREATE s g 0", "BUSYGROUP Consumer Group name already exists"},
      {"XGROUP CREATE no g 0",
       "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM "
       "option to create an empty stream automatically."},
      {"XGROUP CREATE s h 0 ENTRIESREAD -2", "ERR value for ENTRIESREAD must be positive or -1"},
      {"XGROUP CREATE s h 0 FOO", "ERR unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP HELP."},
      {"XGROUP SETID s x 0", "NOGROUP No such consumer group 'x' for key name 's'"},
      {"XPENDING s g -", "ERR syntax error"},
      {"XPENDING s x", "NOGROUP No such key 's' or consumer group 'x'"},
      {"XCLAIM s g c x 1-1", "ERR Invalid min-idle-time argument for XCLAIM"},
      {"XCLAIM s g c 0 1-1 IDLE x", "ERR Invalid IDLE option argument for XCLAIM"},
      {"XCLAIM s g c 0 1-1 FOO", "ERR Unrecognized XCLAIM option 'FOO'"},
      {"XAUTOCLAIM s g c 0 0 COUNT 0", "ERR COUNT must be > 0"},
      {"XSETID s 1-1", "ERR The ID specified in XSETID is smaller than the target stream top item"},
      {"XSETID no 1-1", "ERR no such key"},
      {"XINFO STREAM no", "ERR no such key"},
      {"XINFO CONSUMERS s x", "NOGROUP No such consumer group 'x' for key name 's'"},
      {"XINFO STREAM s FOO", "ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP."},
  };
  for (const Case& one : kCases) EXPECT_EQ(Ask(one.line), "-" + std::string(one.error) + "|") << one.line;
}

TEST_F(StreamCommandsTest, ShapesInBothVersions) {
  struct Case {
    const char* line;
    const char* version2;
    const char* version3;
  };
  constexpr Case kCases[] = {
      {"XADD no NOMKSTREAM * a b", "$-1|", "_|"},
      {"XRANGE s - + COUNT 0", "*-1|", "_|"},
      {"XRANGE no - +", "*0|", "*0|"},
      {"XREAD STREAMS s 9", "*-1|", "_|"},
      {"XREAD STREAMS s 2-0", "*1|*2|$1|s|*1|*2|$3|3-0|*2|$1|b|$1|3|", "%1|$1|s|*1|*2|$3|3-0|*2|$1|b|$1|3|"},
      {"XREADGROUP GROUP g d STREAMS s 0", "*1|*2|$1|s|*0|", "%1|$1|s|*0|"},
      {"XPENDING s g - + 1 d", "*0|", "*0|"},
      {"XCLAIM s g c 999999 1-1 JUSTID", "*0|", "*0|"},
      {"XAUTOCLAIM s g c 999999 - COUNT 1 JUSTID", "*3|$3|0-0|*0|*0|", "*3|$3|0-0|*0|*0|"},
      {"XINFO CONSUMERS s g",
       "*2|*8|$4|name|$1|c|$7|pending|:2|$4|idle|:0|$8|inactive|:0|*8|$4|name|$1|d|$7|pending|:0|$4|idle|:0|$8|"
       "inactive|"
       ":-1|",
       "*2|%4|$4|name|$1|c|$7|pending|:2|$4|idle|:0|$8|inactive|:0|%4|$4|name|$1|d|$7|pending|:0|$4|idle|:0|$8|"
       "inactive|"
       ":-1|"},
      {"XPENDING s g", "*4|:2|$3|1-1|$3|2-0|*1|*2|$1|c|$1|2|", "*4|:2|$3|1-1|$3|2-0|*1|*2|$1|c|$1|2|"},
  };
  for (const Case& one : kCases) EXPECT_EQ(Ask(one.line), one.version2) << one.line;
  Ask("HELLO 3");
  for (const Case& one : kCases) EXPECT_EQ(Ask(one.line), one.version3) << one.line;
}

TEST_F(StreamCommandsTest, ADeletedPendingEntryHasNoFields) {
  Ask("XDEL s 1-1");
  EXPECT_EQ(Ask("XREADGROUP GROUP g c COUNT 1 STREAMS s 0"), "*1|*2|$1|s|*1|*2|$3|1-1|*-1|");
  Ask("HELLO 3");
  EXPECT_EQ(Ask("XREADGROUP GROUP g c COUNT 1 STREAMS s 0"), "%1|$1|s|*1|*2|$3|1-1|_|");
}

TEST_F(StreamCommandsTest, OnlyWhatFoundNothingBlocks) {
  EXPECT_EQ(Ask("XREAD BLOCK 0 STREAMS s 2-0"), "*1|*2|$1|s|*1|*2|$3|3-0|*2|$1|b|$1|3|");
  EXPECT_EQ(Ask("XREAD BLOCK 0 STREAMS s $"), "(blocks)");
  EXPECT_EQ(Ask("XREADGROUP GROUP g c BLOCK 0 STREAMS s 9"), "*1|*2|$1|s|*0|");
  EXPECT_THAT(Ask("XREADGROUP GROUP g c BLOCK 0 STREAMS s >"), StartsWith("*1|"));
  EXPECT_EQ(Ask("XREADGROUP GROUP g c BLOCK 0 STREAMS s >"), "(blocks)");
  // A group, a consumer or a key may have the name of an option.
  Ask("XGROUP CREATE s STREAMS $");
  EXPECT_EQ(Ask("XREADGROUP GROUP STREAMS BLOCK COUNT 1 STREAMS s >"), "*-1|");
  EXPECT_EQ(Ask("XREAD STREAMS BLOCK $"), "*-1|");
}

TEST_F(StreamCommandsTest, ClaimingReadsTellHowLongItWasIdle) {
  clock_.Advance(5'000);
  EXPECT_EQ(Ask("XREADGROUP GROUP g d CLAIM 1000 COUNT 3 STREAMS s >"),
            "*1|*2|$1|s|*3|*4|$3|1-1|*2|$1|a|$1|1|:5000|:1|*4|$3|2-0|*2|$1|a|$1|2|:5000|:1|"
            "*4|$3|3-0|*2|$1|b|$1|3|:0|:0|");
  EXPECT_EQ(Ask("XREADGROUP GROUP g d CLAIM -1 STREAMS s >"), "-ERR min-idle-time must be a positive integer|");
}

class IngestTest : public CommandsTest {};

TEST_F(IngestTest, IdsFarAheadAreRefused) {
  const int64_t now = clock_.NowMs();
  const auto add = [&](const std::string& key, int64_t ms) {
    return Ask("XADD " + key + " " + std::to_string(ms) + "-0 user_id u message m");
  };
  EXPECT_THAT(add("notifications_stream", now + 3'600'001),
              StartsWith("-ERR The ID specified in XADD is too far ahead"));
  EXPECT_THAT(add("notifications_stream", now + 3'600'000), StartsWith("$15|"));
  EXPECT_THAT(add("other", now + 3'600'001), StartsWith("$15|"));
  EXPECT_THAT(Ask("XSETID notifications_stream " + std::to_string(now + 7'200'001)), StartsWith("-ERR"));
}

// Its ids name notifications, for ever.
TEST_F(IngestTest, IdsAreNotGivenOutAgain) {
  const std::string id = Ask("XADD notifications_stream * user_id u message m");
  for (const char* line :
       {"DEL notifications_stream", "FLUSHALL", "RENAME notifications_stream x", "RENAME y notifications_stream"}) {
    Ask("XADD y 1-1 a b");
    EXPECT_THAT(Ask(line), ::testing::Not(StartsWith("-"))) << line;
    const std::string next = Ask("XADD notifications_stream * user_id u message m");
    EXPECT_GT(next, id) << line;  // the clock stands still
    EXPECT_THAT(Ask("XINFO GROUPS notifications_stream"), HasSubstr("tocsin")) << line;
  }
  EXPECT_THAT(Ask("XSETID notifications_stream 1-1"), StartsWith("-ERR"));
  EXPECT_EQ(Ask("EXPIRE notifications_stream 10"), "-ERR an ingest stream cannot expire|");
}

TEST_F(IngestTest, IsRoutedBeforeAnythingIsRemoved) {
  int routed = 0;
  db_->SetRouteNow([&](storage::Batch&) {
    ++routed;
    return base::Ok();
  });
  Ask("XADD notifications_stream 1-1 user_id u message m");
  EXPECT_EQ(routed, 0);
  for (const char* line :
       {"XADD notifications_stream MAXLEN 5 * user_id u message m", "XTRIM notifications_stream MAXLEN 9",
        "XDEL notifications_stream 1-1", "XDELEX notifications_stream IDS 1 1-1", "DEL notifications_stream", "FLUSHDB",
        "RENAME notifications_stream x"}) {
    const int before = routed;
    EXPECT_THAT(Ask(line), ::testing::Not(StartsWith("-"))) << line;
    EXPECT_GT(routed, before) << line;
  }
  routed = 0;
  Ask("XTRIM other MAXLEN 0");
  EXPECT_EQ(routed, 0);
  // What cannot be routed is not removed.
  db_->SetRouteNow([](storage::Batch&) { return base::Status(base::Code::kUnavailable, "broken"); });
  Ask("XADD notifications_stream * user_id u message m");
  const std::string length = Ask("XLEN notifications_stream");
  EXPECT_THAT(Ask("XTRIM notifications_stream MAXLEN 0"), StartsWith("-ERR the store cannot confirm now"));
  EXPECT_THAT(Ask("FLUSHALL"), StartsWith("-ERR"));
  EXPECT_EQ(Ask("XLEN notifications_stream"), length);
}

}  // namespace
}  // namespace tocsin::commands
