#include "redis/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/limits.h"
#include "redis/client_fixture.h"

namespace tocsin::redis {
namespace {

using fixture::Eventually;
using fixture::Server;
using fixture::TestClient;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST(ClientTest, CallsAndErrorsAreReplies) {
  Server server;
  TestClient client(server.url() + "/5");
  EXPECT_EQ(client.Say("a", {"SET", "a", std::string("x\0\r\n", 4)}), "OK");
  EXPECT_EQ(client.Say("a", {"GET", "a"}), std::string("x\0\r\n", 4));
  EXPECT_THAT(client.Say("a", {"LPUSH", "a", "b"}), StartsWith("-WRONGTYPE"));
  EXPECT_THAT(client.Say("a", {"NOPE"}), StartsWith("-ERR unknown command"));
  EXPECT_EQ(client.Say("h", {"HSET", "h", "f", "v"}), "1");
  EXPECT_EQ(client.Call("h", {"HGETALL", "h"}).value().type, wire::RespReply::Type::kMap) << "RESP3";
  EXPECT_EQ(TestClient::Text(server.Ask({"EXISTS", "a"})), "0") << "database 5 was asked for";
  EXPECT_THAT(server.Ask({"CLIENT", "LIST"}).text, HasSubstr("name=test"));
  EXPECT_TRUE(client.Connected());
  EXPECT_THAT(client.Events(), ElementsAre("primary " + server.address()));
  EXPECT_THAT(client.RunIds(), ElementsAre(server.Info("server", "run_id")));
}

TEST(ClientTest, AName) {
  Server server;
  TestClient client("redis://localhost:" + std::to_string(server.port()));
  EXPECT_EQ(client.Say("a", {"PING"}), "PONG");
  TestClient nobody("redis://no-such-host.invalid");
  EXPECT_THAT(nobody.WhyNot(), AllOf(StartsWith("! unavailable"), HasSubstr("no")));
}

TEST(ClientTest, CallsOfATurnLeaveInOrderAndTogether) {
  Server server;
  TestClient client(server.url());
  ASSERT_EQ(client.Say("l", {"DEL", "l"}), "0");
  constexpr int kCalls = 5'000;
  std::vector<int> answered;
  client.Run([&](Client& c) {
    for (int i = 0; i < kCalls; ++i) {
      c.Call("l", {"RPUSH", "l", std::to_string(i)}, [&answered, i](const base::Result<wire::RespReply>& reply) {
        if (reply.ok() && reply->integer == i + 1) answered.push_back(i);
      });
    }
    EXPECT_TRUE(answered.empty()) << "never answered inside the call";
  });
  EXPECT_EQ(client.Say("l", {"LLEN", "l"}), std::to_string(kCalls));
  EXPECT_EQ(answered.size(), static_cast<size_t>(kCalls));
  EXPECT_TRUE(std::is_sorted(answered.begin(), answered.end()));
  // Far fewer reads than commands: pipelined.
  EXPECT_LT(std::stoi(server.Info("stats", "total_reads_processed")), 500);
}

TEST(ClientTest, LargeRepliesAndCommands) {
  Server server;
  TestClient client(server.url());
  const std::string large(20 << 20, 'x');
  EXPECT_EQ(client.Say("a", {"SET", "a", large}, {.patience_ms = 60'000}), "OK");
  std::vector<std::future<TestClient::Reply>> replies;
  for (int i = 0; i < 3; ++i) replies.push_back(client.Begin("a", {"GET", "a"}, {.patience_ms = 60'000}));
  for (auto& reply : replies) EXPECT_EQ(reply.get().value().text.size(), large.size());
}

TEST(ClientTest, TooMuchIsRefused) {
  Server server;
  TestClient client(server.url());
  ASSERT_EQ(client.Say("a", {"PING"}), "PONG");
  server.Freeze();
  const std::string large(1 << 20, 'x');
  std::atomic<int> full = 0, late = 0;
  client.Run([&](Client& c) {
    for (int i = 0; i < 70; ++i) {
      c.Call("a", {"SET", "a", large},
             [&](const base::Result<wire::RespReply>& reply) {
               (reply.status().code() == base::Code::kResourceExhausted ? full : late) += 1;
             },
             {.patience_ms = 200});
    }
    EXPECT_EQ(full + late, 0);
  });
  EXPECT_TRUE(Eventually([&] { return full + late == 70; }));
  EXPECT_GE(full, 6);
  EXPECT_GE(late, 60);
  server.Thaw();
  EXPECT_EQ(client.Say("a", {"PING"}, {.patience_ms = 30'000}), "PONG") << "what was held is given back";
}

TEST(ClientTest, ComesBackAfterARestartAndSaysThatItIsAnother) {
  Server server;
  TestClient client(server.url());
  ASSERT_EQ(client.Say("a", {"SET", "a", "1"}), "OK");
  server.Kill();
  ASSERT_TRUE(Eventually([&] { return !client.Connected(); }));
  EXPECT_TRUE(Eventually([&] { return client.WhyNot().find("refused") != std::string::npos; }));
  EXPECT_THAT(client.WhyNot(), StartsWith("! unavailable"));
  std::future<TestClient::Reply> waits = client.Begin("a", {"GET", "a"}, {.patience_ms = 60'000});
  server.Start();
  EXPECT_EQ(TestClient::Text(waits.get()), "(nil)");
  const std::vector<std::string> ids = client.RunIds();
  ASSERT_EQ(ids.size(), 2U);
  EXPECT_NE(ids[0], ids[1]);
  EXPECT_THAT(client.Events(),
              ElementsAre("primary " + server.address(), "lost " + server.address(), "primary " + server.address()));
}

TEST(ClientTest, WhatTheListenerCallsComesBeforeWhatWaited) {
  const uint16_t port = fixture::FreePort();
  TestClient client("redis://127.0.0.1:" + std::to_string(port), [](Client& c) {
    c.Call("l", {"RPUSH", "l", "listener"}, [](const base::Result<wire::RespReply>&) {});
  });
  std::future<TestClient::Reply> waits = client.Begin("l", {"RPUSH", "l", "waited"}, {.patience_ms = 60'000});
  Server server({}, Server::Kind::kServer, port);
  EXPECT_EQ(TestClient::Text(waits.get()), "2");
  EXPECT_EQ(client.Say("l", {"LRANGE", "l", "0", "-1"}), "[listener, waited]");
}

TEST(ClientTest, WhatMayHaveRunIsNotSentAgain) {
  Server server;
  TestClient client(server.url());
  ASSERT_EQ(client.Say("a", {"SET", "a", "0"}), "OK");
  std::vector<std::future<TestClient::Reply>> replies;
  server.Freeze();
  for (int i = 0; i < 10; ++i) replies.push_back(client.Begin("a", {"INCR", "a"}, {.patience_ms = 60'000}));
  client.Run([](Client&) {});
  client.Run([](Client&) {});  // a turn later it has left
  server.Kill();
  for (auto& reply : replies) {
    EXPECT_THAT(TestClient::Text(reply.get()), AllOf(StartsWith("! unavailable"), HasSubstr("may have run")));
  }
}

TEST(ClientTest, PatienceEndsWhereTheServerIsSilent) {
  Server server;
  TestClient client(server.url());
  ASSERT_EQ(client.Say("a", {"SET", "a", "0"}), "OK");
  server.Freeze();
  EXPECT_THAT(client.Say("a", {"INCR", "a"}, {.patience_ms = 300}),
              AllOf(StartsWith("! unavailable"), HasSubstr("may have run")));
  server.Thaw();
  // The late answer is not taken for the next one's.
  EXPECT_EQ(client.Say("a", {"GET", "a"}, {.patience_ms = 30'000}), "1");
}

TEST(ClientTest, ASilentServerIsLeft) {
  Server server;
  TestClient client(server.url());
  ASSERT_EQ(client.Say("a", {"PING"}), "PONG");
  server.Freeze();
  std::future<TestClient::Reply> late = client.Begin("a", {"PING"}, {.patience_ms = 60'000});
  EXPECT_THAT(TestClient::Text(late.get()), AllOf(HasSubstr("overdue"), HasSubstr("may have run")));
  server.Thaw();
  EXPECT_EQ(client.Say("a", {"PING"}, {.patience_ms = 60'000}), "PONG");
}

TEST(ClientTest, ScriptsAreSentWholeOnlyWhereTheyAreMissing) {
  Server server;
  TestClient client(server.url());
  const Script script("return {KEYS[1], ARGV[1]}");
  EXPECT_EQ(script.sha1(), server.Ask({"SCRIPT", "LOAD", script.source()}).text);
  server.Ask({"SCRIPT", "FLUSH"});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(TestClient::Text(client.Eval(script, {"k"}, {"v"})), "[k, v]");
  EXPECT_THAT(server.Info("commandstats", "cmdstat_eval"), StartsWith("calls=1,"));
  EXPECT_THAT(server.Info("commandstats", "cmdstat_evalsha"), StartsWith("calls=2,"));
  server.Ask({"SCRIPT", "FLUSH"});
  EXPECT_EQ(TestClient::Text(client.Eval(script, {"k"}, {"v"})), "[k, v]");
  server.Restart();
  EXPECT_EQ(TestClient::Text(client.Eval(script, {"k"}, {"v"}, {.patience_ms = 60'000})), "[k, v]");
  EXPECT_THAT(TestClient::Text(client.Eval(Script("return {err='NOSCRIPT mine'}"), {"k"}, {}, {.patience_ms = 200})),
              HasSubstr("NOSCRIPT"));
}

TEST(ClientTest, BlockingCallsHaveTheirOwnConnections) {
  Server server;
  TestClient client(server.url());
  std::promise<TestClient::Reply> popped, cancelled;
  uint64_t second = 0;
  client.Run([&](Client& c) {
    c.CallBlocking("l", {"BLPOP", "l", "0"}, [&](TestClient::Reply reply) { popped.set_value(std::move(reply)); },
                   {.patience_ms = 60'000});
    second = c.CallBlocking("m", {"BLPOP", "m", "0"},
                            [&](TestClient::Reply reply) { cancelled.set_value(std::move(reply)); },
                            {.patience_ms = 60'000});
  });
  ASSERT_TRUE(Eventually([&] { return server.Info("clients", "blocked_clients") == "2"; }));
  EXPECT_EQ(client.Say("l", {"RPUSH", "l", "x"}), "1");
  EXPECT_EQ(TestClient::Text(popped.get_future().get()), "[l, x]");
  client.Run([&](Client& c) {
    c.CancelBlocking(second);
    c.CancelBlocking(second);
    c.CancelBlocking(12345);
  });
  EXPECT_THAT(TestClient::Text(cancelled.get_future().get()), StartsWith("! cancelled"));
  EXPECT_TRUE(Eventually([&] { return server.Info("clients", "blocked_clients") == "0"; }));

  std::promise<TestClient::Reply> late;
  client.Run([&](Client& c) {
    c.CallBlocking("m", {"BLPOP", "m", "0"}, [&](TestClient::Reply reply) { late.set_value(std::move(reply)); },
                   {.patience_ms = 100});
  });
  EXPECT_THAT(TestClient::Text(late.get_future().get()), StartsWith("! unavailable"));
  EXPECT_TRUE(Eventually([&] { return server.Info("clients", "blocked_clients") == "0"; }));
}

TEST(ClientTest, ABlockingCallIsLostWithItsConnectionAndTheNextOneWaitsForTheServer) {
  Server server;
  TestClient client(server.url());
  std::promise<TestClient::Reply> lost, found;
  client.Run([&](Client& c) {
    c.CallBlocking("l", {"BLPOP", "l", "0"}, [&](TestClient::Reply reply) { lost.set_value(std::move(reply)); },
                   {.patience_ms = 60'000});
  });
  ASSERT_TRUE(Eventually([&] { return server.Info("clients", "blocked_clients") == "1"; }));
  server.Kill();
  EXPECT_THAT(TestClient::Text(lost.get_future().get()), AllOf(StartsWith("! unavailable"), HasSubstr("may have run")));
  client.Run([&](Client& c) {
    c.CallBlocking("l", {"BLPOP", "l", "0"}, [&](TestClient::Reply reply) { found.set_value(std::move(reply)); },
                   {.patience_ms = 60'000});
  });
  server.Start();
  ASSERT_TRUE(Eventually([&] { return server.Info("clients", "blocked_clients") == "1"; }));
  server.Ask({"RPUSH", "l", "x"});
  EXPECT_EQ(TestClient::Text(found.get_future().get()), "[l, x]");
}

TEST(ClientTest, WaitIsAboutWhatWasAnsweredBefore) {
  Server primary;
  Server replica({"replicaof 127.0.0.1 " + std::to_string(primary.port())});
  ASSERT_TRUE(Eventually([&] { return replica.Info("replication", "master_link_status") == "up"; }));
  TestClient client(primary.url());
  const auto wait = [&client](const std::string& timeout_ms) {
    std::promise<TestClient::Reply> promise;
    client.Run([&](Client& c) {
      c.CallBlocking("a", {"wait", "1", timeout_ms},
                     [&](TestClient::Reply reply) { promise.set_value(std::move(reply)); }, {.patience_ms = 90'000});
    });
    return TestClient::Text(promise.get_future().get());
  };
  ASSERT_EQ(client.Say("a", {"SET", "a", "1"}), "OK");
  EXPECT_EQ(wait("60000"), "1");
  replica.Freeze();
  ASSERT_EQ(client.Say("a", {"SET", "a", "2"}), "OK");
  EXPECT_EQ(wait("100"), "0") << "the replica does not have it";
  replica.Thaw();
  EXPECT_EQ(wait("60000"), "1");
}

TEST(ClientTest, ABlockedCallMovesOnWhenItsServerBecomesAReplica) {
  Server primary, server;
  TestClient client(server.url());
  std::promise<TestClient::Reply> popped;
  client.Run([&](Client& c) {
    c.CallBlocking("l", {"BLPOP", "l", "0"}, [&](TestClient::Reply reply) { popped.set_value(std::move(reply)); },
                   {.patience_ms = 60'000});
  });
  ASSERT_TRUE(Eventually([&] { return server.Info("clients", "blocked_clients") == "1"; }));
  server.Ask({"REPLICAOF", "127.0.0.1", std::to_string(primary.port())});
  ASSERT_TRUE(Eventually([&] { return server.Info("clients", "blocked_clients") == "0"; }));
  server.Ask({"REPLICAOF", "NO", "ONE"});
  EXPECT_EQ(client.Say("l", {"RPUSH", "l", "x"}, {.patience_ms = 60'000}), "1");
  EXPECT_EQ(TestClient::Text(popped.get_future().get()), "[l, x]");
}

TEST(ClientTest, ACommandForEveryPrimary) {
  Server server;
  TestClient client(server.url());
  std::promise<std::string> said;
  client.Run([&](Client& c) {
    c.CallEveryPrimary({"ECHO", "hi"}, [&](const base::Result<std::vector<Client::PrimaryReply>>& replies) {
      std::string text;
      if (replies.ok()) {
        for (const auto& one : *replies) text += one.address + " " + one.reply.text;
      }
      said.set_value(text);
    });
  });
  EXPECT_EQ(said.get_future().get(), server.address() + " hi");
}

TEST(ClientTest, LogsInAndSaysWhyItCannot) {
  Server server({"requirepass secret", "user alice on >wonder ~* +@all", "user bob on >builder ~* +@read +client"});
  const std::string host = server.address();
  EXPECT_EQ(TestClient("redis://:secret@" + host).Say("a", {"ACL", "WHOAMI"}), "default");
  EXPECT_EQ(TestClient("redis://alice:wonder@" + host).Say("a", {"ACL", "WHOAMI"}), "alice");
  EXPECT_THAT(TestClient("redis://" + host).WhyNot(), HasSubstr("wants a password"));
  EXPECT_THAT(TestClient("redis://alice:secret@" + host).WhyNot(),
              AllOf(HasSubstr("refuses user `alice`"), Not(HasSubstr("secret"))));
  EXPECT_THAT(TestClient("redis://bob:builder@" + host).WhyNot(),
              AllOf(HasSubstr("user `bob` may not run INFO"), HasSubstr("NOPERM")));
  EXPECT_THAT(TestClient("redis://:secret@" + host + "/99").WhyNot(), HasSubstr("refuses SELECT"));
}

TEST(ClientTest, AServerWithoutHelloIsSpokenToInResp2) {
  Server server({"rename-command HELLO \"\"", "requirepass secret"});
  TestClient client("redis://:secret@" + server.address() + "/2");
  EXPECT_EQ(client.Say("h", {"HSET", "h", "f", "v"}), "1");
  EXPECT_EQ(client.Call("h", {"HGETALL", "h"}).value().type, wire::RespReply::Type::kArray);
  EXPECT_THAT(server.Ask({"CLIENT", "LIST"}).text, HasSubstr("name=test"));
  EXPECT_THAT(TestClient("redis://:wrong@" + server.address()).WhyNot(), HasSubstr("refuses user `default`"));
}

TEST(ClientTest, AReplicaIsNoPrimaryUntilItIs) {
  Server primary;
  Server replica({"replicaof 127.0.0.1 " + std::to_string(primary.port())});
  TestClient client(replica.url());
  EXPECT_THAT(client.WhyNot(), HasSubstr("is a replica of 127.0.0.1"));
  replica.Ask({"REPLICAOF", "NO", "ONE"});
  EXPECT_EQ(client.Say("a", {"SET", "a", "1"}, {.patience_ms = 60'000}), "OK");
  // And back: what it refuses is not seen by the caller, who waits for a primary.
  replica.Ask({"CONFIG", "SET", "appendonly", "no"});
  replica.Ask({"REPLICAOF", "127.0.0.1", std::to_string(primary.port())});
  EXPECT_THAT(client.Say("a", {"SET", "a", "2"}, {.patience_ms = 500}), Not(StartsWith("-")));
  replica.Ask({"REPLICAOF", "NO", "ONE"});
  EXPECT_EQ(client.Say("a", {"SET", "a", "3"}, {.patience_ms = 60'000}), "OK");
}

TEST(ClientTest, StopAnswersEverything) {
  Server server;
  TestClient client(server.url());
  ASSERT_EQ(client.Say("a", {"PING"}), "PONG");
  server.Freeze();
  std::vector<std::string> said;
  const auto note = [&said](const base::Result<wire::RespReply>& reply) { said.push_back(TestClient::Text(reply)); };
  client.Run([&](Client& c) {
    c.Call("a", {"PING"}, note);
    c.CallBlocking("a", {"BLPOP", "a", "0"}, note, {});
    c.CallEveryPrimary({"PING"}, [&said](const auto& replies) { said.push_back("! " + replies.status().ToString()); });
  });
  client.Run([&](Client& c) {
    c.Stop();
    c.Stop();
    EXPECT_EQ(said.size(), 3U);
    c.Call("a", {"PING"}, note);
    EXPECT_EQ(said.size(), 3U) << "not inside the call";
  });
  client.Run([&](Client&) {
    ASSERT_EQ(said.size(), 4U);
    for (const std::string& one : said) EXPECT_THAT(one, StartsWith("! cancelled"));
  });
}

TEST(ClientTest, ACoreThatNeverRuns) {
  for (const char* url : {"redis://127.0.0.1:1", "redis://localhost:1", "redis-cluster://127.0.0.1:1,localhost:1",
                          "redis-sentinel://127.0.0.1:1/m"}) {
    runtime::Core core(0, base::SystemClock());
    std::vector<base::Code> codes;
    std::unique_ptr<Client> client = Connect(core, {.deployment = ParseDeployment(url).value()});
    const auto note = [&codes](const base::Result<wire::RespReply>& reply) { codes.push_back(reply.status().code()); };
    client->Call("a", {"PING"}, note);
    client->CallBlocking("a", {"BLPOP", "a", "0"}, note, {});
    client.reset();
    EXPECT_THAT(codes, ElementsAre(base::Code::kCancelled, base::Code::kCancelled)) << url;
  }
}

TEST(ClientTest, AnAnswerMayDestroyTheClient) {
  Server server;
  TestClient client(server.url());
  std::promise<void> done;
  client.Run([&](Client& c) {
    for (int i = 0; i < 3; ++i) {
      c.Call("a", {"PING"}, [&](const base::Result<wire::RespReply>&) {
        if (client.client()) {
          client.client().reset();
          done.set_value();
        }
      });
    }
  });
  done.get_future().wait();
}

}  // namespace
}  // namespace tocsin::redis
