#include "commands/client.h"

#include "commands/commands_fixture.h"

namespace tocsin::commands {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class ClientTest : public CommandsTest {};

TEST_F(ClientTest, RefusesAsRedisDoes) {
  struct Case {
    const char* line;
    const char* reply;
  };
  constexpr Case kCases[] = {
      {"NOSUCH", "-ERR unknown command 'NOSUCH', with args beginning with: |"},
      {"nosuch a bc", "-ERR unknown command 'nosuch', with args beginning with: 'a' 'bc' |"},
      {"XADD s", "-ERR wrong number of arguments for 'xadd' command|"},
      {"XGROUP", "-ERR wrong number of arguments for 'xgroup' command|"},
      {"XGROUP NOSUCH a", "-ERR unknown subcommand 'NOSUCH'. Try XGROUP HELP.|"},
      {"XGROUP CREATE s", "-ERR wrong number of arguments for 'xgroup|create' command|"},
      {"SELECT 1", "-ERR DB index is out of range|"},
      {"SELECT x", "-ERR value is not an integer or out of range|"},
      {"HELLO 4", "-NOPROTO unsupported protocol version|"},
      {"HELLO x", "-ERR Protocol version is not an integer or out of range|"},
      {"HELLO 3 FOO", "-ERR Syntax error in HELLO option 'FOO'|"},
      {"CLIENT REPLY FOO", "-ERR syntax error|"},
      {"CLIENT KILL ID x", "-ERR client-id should be greater than 0|"},
      {"EXEC", "-ERR EXEC without MULTI|"},
      {"DISCARD", "-ERR DISCARD without MULTI|"},
  };
  for (const Case& one : kCases) EXPECT_EQ(Ask(one.line), one.reply) << one.line;
  EXPECT_THAT(Ask(*client_, {"CLIENT", "SETNAME", "a\nb"}), StartsWith("-ERR Client names cannot contain"));
  // What a client sent is repeated in part only.
  EXPECT_LT(Ask(*client_, {std::string(100'000, 'x'), std::string(100'000, 'y')}).size(), 500u);
}

TEST_F(ClientTest, HelloHoldsForWhatFollows) {
  Batch batch;
  for (const char* line :
       {"XREAD STREAMS s 0", "HELLO 3", "XREAD STREAMS s 0", "HELLO 2 SETNAME me", "CLIENT GETNAME"}) {
    Take(line, batch);
  }
  const std::string out = Run(batch, *client_);
  EXPECT_THAT(out, StartsWith("*-1\r\n%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n"));
  EXPECT_THAT(out, HasSubstr("_\r\n*14\r\n"));
  EXPECT_THAT(out, EndsWith("$2\r\nme\r\n"));
}

TEST_F(ClientTest, WhatWasNotAllowedInATransactionAbortsIt) {
  EXPECT_EQ(Ask("MULTI"), "+OK|");
  EXPECT_EQ(Ask("XADD s 1-1 a b"), "+QUEUED|");
  EXPECT_EQ(Ask("MULTI"), "-ERR MULTI calls can not be nested|");
  EXPECT_EQ(Ask("WATCH s"), "-ERR WATCH inside MULTI is not allowed|");
  EXPECT_EQ(Ask("XADD"), "-ERR wrong number of arguments for 'xadd' command|");
  EXPECT_EQ(Ask("EXEC"), "-EXECABORT Transaction discarded because of previous errors.|");
  EXPECT_EQ(Ask("EXISTS s"), ":0|");
  EXPECT_EQ(Ask("EXEC"), "-ERR EXEC without MULTI|");
}

TEST_F(ClientTest, ATransactionIsOneReply) {
  for (const char* line : {"MULTI", "XADD s 1-1 a b", "PING", "XLEN s", "XADD s 1-1 a b"}) Ask(line);
  EXPECT_EQ(Ask("EXEC"),
            "*4|$3|1-1|+PONG|:1|-ERR The ID specified in XADD is equal or smaller than the target stream top item|");
  for (const char* line : {"MULTI", "XLEN s"}) Ask(line);
  EXPECT_EQ(Ask("DISCARD"), "+OK|");
  EXPECT_EQ(Ask("MULTI"), "+OK|");
  EXPECT_EQ(Ask("EXEC"), "*0|");
}

TEST_F(ClientTest, AWatchedChangeStopsTheTransaction) {
  auto other = NewClient();
  Ask("WATCH s t");
  Ask(*other, "XADD s 1-1 a b");
  Ask("MULTI");
  Ask("XLEN s");
  EXPECT_EQ(Ask("EXEC"), "*-1|");
  // It is forgotten with that, and by UNWATCH, DISCARD and RESET.
  for (const char* forget : {"UNWATCH", "MULTI;DISCARD", "RESET"}) {
    Ask("WATCH s");
    Ask(*other, "XADD s * a b");
    std::istringstream lines(forget);
    for (std::string line; std::getline(lines, line, ';');) Ask(line);
    Ask("MULTI");
    Ask("PING");
    EXPECT_EQ(Ask("EXEC"), "*1|+PONG|") << forget;
  }
  Ask("WATCH s");
  Ask(*other, "XLEN s");
  Ask("MULTI");
  EXPECT_EQ(Ask("EXEC"), "*0|");
}

TEST_F(ClientTest, WhatMultiQueuesIsBounded) {
  Ask("MULTI");
  std::string reply;
  for (int i = 0; i < 5; ++i) {
    reply = Ask(*client_, {"XADD", "s", "*", "f", std::string(8u << 20, 'x')});
    if (reply != "+QUEUED|") break;
  }
  EXPECT_EQ(reply, "-ERR the transaction is too large|");
  EXPECT_EQ(Ask("PING"), "+QUEUED|");
  EXPECT_THAT(Ask("EXEC"), StartsWith("-EXECABORT"));
}

TEST_F(ClientTest, RepliesCanBeLeftOut) {
  EXPECT_EQ(Ask("CLIENT REPLY OFF"), "");
  EXPECT_EQ(Ask("XADD s 1-1 a b"), "");
  EXPECT_EQ(Ask("PING"), "");
  EXPECT_EQ(Ask("NOSUCH"), "");
  EXPECT_EQ(Ask("CLIENT REPLY SKIP"), "");
  EXPECT_EQ(Ask("CLIENT REPLY ON"), "+OK|");
  EXPECT_EQ(Ask("CLIENT REPLY SKIP"), "");
  EXPECT_EQ(Ask("XLEN s"), "");
  EXPECT_EQ(Ask("XLEN s"), ":1|");
}

TEST_F(ClientTest, HttpEndsTheConnectionWithoutAWord) {
  for (const char* line : {"POST / HTTP/1.1", "Host: localhost", "host: x"}) {
    EXPECT_EQ(Ask(line), "");
    EXPECT_EQ(last_next_, Next::kClose) << line;
  }
  EXPECT_EQ(Ask("QUIT"), "+OK|");
  EXPECT_EQ(last_next_, Next::kClose);
}

TEST_F(ClientTest, TellsAboutItself) {
  Ask("CLIENT SETNAME me");
  Ask("CLIENT SETINFO lib-name redis-py");
  Ask("CLIENT SETINFO LIB-VER 5.0");
  clock_.Advance(65'000);
  const std::string line = Ask("CLIENT INFO");
  for (const char* part : {"addr=192.0.2.1:1000 laddr=127.0.0.1:6380 ", "name=me ", "age=65 idle=0 flags=N ",
                           "multi=-1 ", "cmd=client|info user=default ", "resp=2 lib-name=redis-py lib-ver=5.0"}) {
    EXPECT_THAT(line, HasSubstr(part));
  }
}

TEST_F(ClientTest, AsksTheGatewayForOtherClients) {
  EXPECT_EQ(Ask("CLIENT LIST"), "");
  EXPECT_EQ(last_next_, Next::kHost);
  Ask("CLIENT KILL ID 7 TYPE normal SKIPME no");
  const HostRequest& request = client_->host_request();
  EXPECT_EQ(request.kind, HostRequest::Kind::kKill);
  EXPECT_EQ(request.ids, std::vector<uint64_t>{7});
  EXPECT_FALSE(request.skip_caller);
  EXPECT_FALSE(client_->Matches(request, {}));
  Ask("CLIENT KILL ADDR 192.0.2.1:1000");
  EXPECT_FALSE(client_->Matches(client_->host_request(), {}));  // it spares itself
  auto other = NewClient();
  EXPECT_TRUE(other->Matches(client_->host_request(), {}));
}

class LockedClientTest : public CommandsTest {
 protected:
  LockedClientTest()
      : CommandsTest(Authentication::kRequired,
                     "pub:publish-with-this-key:publish,see:read-with-this-key:read,root:everything-with-this-key") {}
};

TEST_F(LockedClientTest, LittleRunsBeforeAuthentication) {
  for (const char* line : {"PING", "XADD s * a b", "INFO", "MULTI", "CLIENT ID", "COMMAND"}) {
    EXPECT_EQ(Ask(line), "-NOAUTH Authentication required.|") << line;
  }
  EXPECT_THAT(Ask("HELLO 3"), StartsWith("-NOAUTH HELLO must be called"));
  EXPECT_EQ(Ask("AUTH wrong"), "-WRONGPASS invalid username-password pair or user is disabled.|");
  EXPECT_EQ(Ask("AUTH pub read-with-this-key"), "-WRONGPASS invalid username-password pair or user is disabled.|");
  EXPECT_THAT(Ask("HELLO 3 AUTH default wrong"), StartsWith("-WRONGPASS"));
  EXPECT_EQ(client_->version(), wire::RespVersion::k2);
  EXPECT_THAT(Ask("HELLO 3 AUTH default read-with-this-key"), StartsWith("%7|"));
  EXPECT_EQ(Ask("PING"), "+PONG|");
  EXPECT_EQ(Ask("RESET"), "+RESET|");
  EXPECT_EQ(Ask("PING"), "-NOAUTH Authentication required.|");
}

TEST_F(LockedClientTest, ScopesAreTheAcl) {
  EXPECT_EQ(Ask("AUTH pub publish-with-this-key"), "+OK|");
  EXPECT_THAT(Ask("XADD s 1-1 a b"), StartsWith("$3|"));
  EXPECT_EQ(Ask("XRANGE s - +"), "-NOPERM User pub has no permissions to run the 'xrange' command|");
  EXPECT_EQ(Ask("XGROUP DESTROY s g"), "-NOPERM User pub has no permissions to run the 'xgroup|destroy' command|");
  EXPECT_EQ(Ask("PING"), "+PONG|");
  // Another login in the middle of a batch holds from there on.
  Batch batch;
  for (const char* line : {"XLEN s", "AUTH read-with-this-key", "XLEN s", "XADD s * a b"}) Take(line, batch);
  EXPECT_THAT(Run(batch, *client_), ::testing::MatchesRegex("-NOPERM [^\r]*\r\n\\+OK\r\n:1\r\n-NOPERM [^\r]*\r\n"));
}

TEST_F(LockedClientTest, GuessesAreCountedByAddress) {
  for (uint32_t i = 0; i < auth::kMaxWrongTries; ++i) EXPECT_THAT(Ask("AUTH guess"), StartsWith("-WRONGPASS"));
  EXPECT_THAT(Ask("AUTH everything-with-this-key"), StartsWith("-ERR too many wrong passwords"));
  clock_.Advance(61'000);
  EXPECT_EQ(Ask("AUTH everything-with-this-key"), "+OK|");
}

}  // namespace
}  // namespace tocsin::commands
