#include "redis/sentinel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "redis/client_fixture.h"

namespace tocsin::redis {
namespace {

using fixture::Eventually;
using fixture::SentinelGroup;
using fixture::Server;
using fixture::TestClient;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr CallOptions kPatient = {.patience_ms = 60'000};

TEST(SentinelTest, FollowsAFailoverAndItsFormerPrimary) {
  SentinelGroup group;
  TestClient client(group.url());
  ASSERT_EQ(client.Say("a", {"SET", "a", "1"}), "OK");
  EXPECT_EQ(client.Say("a", {"WAIT", "1", "1000"}), "1");
  Server& former = *group.servers[0];
  Server& next = *group.servers[1];
  former.Kill();
  EXPECT_EQ(client.Say("a", {"GET", "a"}, kPatient), "1");
  EXPECT_EQ(client.Say("a", {"SET", "a", "2"}, kPatient), "OK");
  std::string address;
  client.Run([&](Client& c) { address = c.AddressOf("a"); });
  EXPECT_EQ(address, next.address());
  EXPECT_EQ(client.RunIds().size(), 2U);
  EXPECT_EQ(client.RunIds().back(), next.Info("server", "run_id"));
  // It comes back as a primary that knows nothing, until the Sentinels make it a replica: nothing goes there.
  former.Start();
  for (int i = 0; i < 50; ++i) EXPECT_EQ(client.Say("n", {"INCR", "n"}, kPatient), std::to_string(i + 1));
  ASSERT_TRUE(Eventually([&] { return former.Info("replication", "role") == "slave"; }, 20'000));
  EXPECT_EQ(client.RunIds().size(), 2U);
}

TEST(SentinelTest, AnOrderedSwitchUnderLoadShowsTheCallerNoReplica) {
  SentinelGroup group;
  TestClient client(group.url());
  ASSERT_EQ(client.Say("n", {"INCR", "n"}), "1");
  ASSERT_TRUE(Eventually([&] {
    return TestClient::Text(group.sentinels[0]->Ask({"SENTINEL", "FAILOVER", "mymaster"})) == "OK";
  }));
  int unknown = 0;
  ASSERT_TRUE(Eventually([&] {
    const std::string said = client.Say("n", {"INCR", "n"}, kPatient);
    EXPECT_THAT(said, Not(StartsWith("-")));
    if (said.find("may have run") != said.npos) ++unknown;
    return client.RunIds().size() == 2;
  }));
  EXPECT_LE(unknown, 2);
  EXPECT_THAT(client.Say("n", {"INCR", "n"}, kPatient), Not(StartsWith("!")));
}

TEST(SentinelTest, AnySentinelWillDoAndTheOthersAreLearned) {
  SentinelGroup group;
  TestClient client("redis-sentinel://127.0.0.1:1," + group.sentinels[0]->address() + "/mymaster");
  ASSERT_EQ(client.Say("a", {"SET", "a", "1"}, kPatient), "OK");
  // The one that was named goes; those that it knew see the failover.
  client.Say("a", {"WAIT", "1", "1000"});
  group.sentinels[0]->Kill();
  group.servers[0]->Kill();
  EXPECT_EQ(client.Say("a", {"GET", "a"}, kPatient), "1");
}

TEST(SentinelTest, PasswordsOfBoth) {
  SentinelGroup group(1, {"requirepass data", "masterauth data"}, {"sentinel auth-pass mymaster data"});
  TestClient client(group.url(":data@"));
  EXPECT_EQ(client.Say("a", {"SET", "a", "1"}, kPatient), "OK");
  EXPECT_THAT(TestClient(group.url(":wrong@")).WhyNot(), HasSubstr("WRONGPASS"));
}

TEST(SentinelTest, AnAnswerMayDestroyTheClient) {
  Server server;
  Server sentinel({"sentinel monitor mymaster 127.0.0.1 " + std::to_string(server.port()) + " 1"},
                  Server::Kind::kSentinel);
  TestClient client("redis-sentinel://" + sentinel.address() + "/mymaster");
  std::promise<std::string> said;
  client.Run([&](Client& c) {
    c.CallEveryPrimary(
        {"PING"},
        [&](const base::Result<std::vector<Client::PrimaryReply>>& replies) {
          client.client().reset();
          said.set_value(replies.status().ToString());
        },
        kPatient);
  });
  EXPECT_EQ(said.get_future().get(), "ok");
}

TEST(SentinelTest, TlsOnBoth) {
  const fixture::TlsFiles files;
  SentinelGroup group(1, files.Settings(), files.Settings());
  std::string url = group.url();
  url.replace(0, 5, "rediss");
  TestClient client(url + files.trust());
  ASSERT_EQ(client.Say("a", {"SET", "a", "1"}, kPatient), "OK");
  EXPECT_EQ(client.Say("a", {"WAIT", "1", "1000"}), "1");
  group.servers[0]->Kill();
  EXPECT_EQ(client.Say("a", {"GET", "a"}, kPatient), "1");
  EXPECT_THAT(TestClient(url).WhyNot(), HasSubstr("not trusted"));
}

TEST(SentinelTest, SaysWhatIsWrong) {
  Server server;
  Server sentinel({"sentinel monitor mymaster 127.0.0.1 " + std::to_string(server.port()) + " 1", "requirepass watch"},
                  Server::Kind::kSentinel);
  const std::string at = "redis-sentinel://" + sentinel.address();
  EXPECT_EQ(TestClient(at + "/mymaster?sentinel_password=watch").Say("a", {"PING"}), "PONG");
  EXPECT_THAT(TestClient(at + "/mymaster").WhyNot(), HasSubstr("wants a password"));
  EXPECT_THAT(TestClient(at + "/other?sentinel_password=watch").WhyNot(), HasSubstr("does not know `other`"));
  EXPECT_THAT(TestClient("redis-sentinel://" + server.address() + "/mymaster").WhyNot(),
              HasSubstr("does not answer as a Sentinel"));
  EXPECT_THAT(TestClient("redis://:watch@" + sentinel.address()).WhyNot(),
              HasSubstr("is a Sentinel: write redis-sentinel://"));
}

}  // namespace
}  // namespace tocsin::redis
