#include "commands/commands_fixture.h"

namespace tocsin::commands {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class KeyCommandsTest : public CommandsTest {};

TEST_F(KeyCommandsTest, KeysAreStreams) {
  Ask("XADD s 1-1 a b");
  EXPECT_EQ(Ask("TYPE s"), "+stream|");
  EXPECT_EQ(Ask("TYPE t"), "+none|");
  EXPECT_EQ(Ask("EXISTS s s t"), ":2|");
  EXPECT_EQ(Ask("OBJECT ENCODING s"), "$6|stream|");
  EXPECT_EQ(Ask("OBJECT ENCODING t"), "$-1|");
  EXPECT_EQ(Ask("MEMORY USAGE t"), "$-1|");
  EXPECT_THAT(Ask("MEMORY USAGE s"), StartsWith(":"));
  EXPECT_EQ(Ask("RENAME s t"), "+OK|");
  EXPECT_EQ(Ask("RENAMENX t t"), ":0|");
  EXPECT_EQ(Ask("RENAME s x"), "-ERR no such key|");
  EXPECT_EQ(Ask("DBSIZE"), ":1|");
  EXPECT_EQ(Ask("DEL s t"), ":1|");
  EXPECT_EQ(Ask("RANDOMKEY"), "$-1|");
}

TEST_F(KeyCommandsTest, KeysExpire) {
  Ask("XADD s 1-1 a b");
  EXPECT_EQ(Ask("TTL s"), ":-1|");
  EXPECT_EQ(Ask("TTL t"), ":-2|");
  EXPECT_EQ(Ask("EXPIRE t 10"), ":0|");
  EXPECT_EQ(Ask("EXPIRE s 10"), ":1|");
  EXPECT_EQ(Ask("EXPIRE s 20 NX"), ":0|");
  EXPECT_EQ(Ask("EXPIRE s 5 GT"), ":0|");
  EXPECT_EQ(Ask("EXPIRE s 20 LT"), ":0|");
  EXPECT_EQ(Ask("EXPIRE s 20 XX GT"), ":1|");
  clock_.Advance(1'600);
  EXPECT_EQ(Ask("TTL s"), ":18|");  // to the nearest second, as Redis
  EXPECT_EQ(Ask("PTTL s"), ":18400|");
  EXPECT_EQ(Ask("EXPIRETIME s"), ":1700000020|");
  EXPECT_EQ(Ask("PEXPIRETIME s"), ":1700000020000|");
  clock_.Advance(18'400);
  EXPECT_EQ(Ask("EXISTS s"), ":0|");
  EXPECT_EQ(Ask("XLEN s"), ":0|");
  Ask("XADD s 1-1 a b");
  EXPECT_EQ(Ask("PEXPIREAT s 1"), ":1|");
  EXPECT_EQ(Ask("EXISTS s"), ":0|");
  Ask("XADD s 1-1 a b");
  Ask("PEXPIRE s 50");
  EXPECT_EQ(Ask("PERSIST s"), ":1|");
  EXPECT_EQ(Ask("PERSIST s"), ":0|");
  clock_.Advance(50);
  EXPECT_EQ(Ask("EXISTS s"), ":1|");
  for (const char* line : {"EXPIRE s 9223372036854775807", "EXPIRE s -9223372036854775808",
                           "PEXPIRE s 9223372036854775807", "EXPIREAT s 9223372036854775807"}) {
    EXPECT_THAT(Ask(line), StartsWith("-ERR invalid expire time in '")) << line;
  }
}

TEST_F(KeyCommandsTest, ScanTellsEveryKey) {
  std::set<std::string> expected, told;
  for (int i = 0; i < 250; ++i) {
    const std::string name = "key" + std::to_string(i);
    expected.insert(name);
    Ask("XADD " + name + " 1-1 a b");
  }
  std::string cursor = "0";
  do {
    std::istringstream reply(Ask("SCAN " + cursor + " COUNT 7"));
    std::vector<std::string> parts;
    for (std::string part; std::getline(reply, part, '|');) parts.push_back(part);
    cursor = parts.at(2);
    for (size_t i = 5; i < parts.size(); i += 2) told.insert(parts[i]);
  } while (cursor != "0");
  EXPECT_EQ(told, expected);
  EXPECT_THAT(Ask("SCAN 0 COUNT 1000 MATCH key24*"), HasSubstr("*11|"));
  EXPECT_EQ(Ask("SCAN 0 COUNT 1000 TYPE string"), "*2|$1|0|*0|");
  EXPECT_THAT(Ask("SCAN 18446744073709551615"), StartsWith("*2|"));  // one that nobody was given
  EXPECT_EQ(Ask("SCAN x"), "-ERR invalid cursor|");
}

TEST_F(KeyCommandsTest, InfoHasRealFigures) {
  Ask("XADD s 1-1 a b");
  Ask("NOSUCH");
  clock_.Advance(90'000'000);
  const std::string info = Ask("INFO");
  for (const char* line :
       {"redis_version:7.2.4|", "tocsin_version:0.0.0|", "uptime_in_days:1|", "connected_clients:1|",
        "blocked_clients:0|", "loading:0|", "total_error_replies:1|", "role:master|", "db0:keys=1,"}) {
    EXPECT_THAT(info, HasSubstr(line));
  }
  Ask("XADD t 1-1 a b");
  Ask("EXPIRE t 100");
  EXPECT_THAT(Ask("INFO keyspace"), HasSubstr("# Keyspace|db0:keys=2,expires=1|"));
  EXPECT_THAT(Ask("INFO keyspace"), ::testing::Not(HasSubstr("# Server")));
  EXPECT_EQ(Ask("INFO nosuch"), "$0||");
  Ask("HELLO 3");
  EXPECT_THAT(Ask("INFO cluster"), StartsWith("=34|txt:# Cluster|"));
}

TEST_F(KeyCommandsTest, NodesCanBeSet) {
  EXPECT_EQ(Ask("CONFIG GET stream-node-max-*"),
            "*4|$21|stream-node-max-bytes|$4|4096|$23|stream-node-max-entries|$3|100|");
  EXPECT_EQ(Ask("CONFIG SET stream-node-max-entries 10 stream-node-max-bytes 0"), "+OK|");
  EXPECT_EQ(engine_->node_limits().max_entries, 10u);
  EXPECT_EQ(engine_->node_limits().max_bytes, 0u);
  EXPECT_THAT(Ask("CONFIG SET stream-node-max-entries -1"), StartsWith("-ERR CONFIG SET failed"));
  EXPECT_THAT(Ask("CONFIG SET maxmemory 1"), StartsWith("-ERR CONFIG SET failed"));
  EXPECT_EQ(Ask("CONFIG SET maxmemory 0"), "+OK|");
  EXPECT_THAT(Ask("CONFIG SET nosuch 1"), StartsWith("-ERR Unknown option"));
}

}  // namespace
}  // namespace tocsin::commands
