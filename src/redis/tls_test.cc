#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "redis/client_fixture.h"

namespace tocsin::redis {
namespace {

using fixture::Eventually;
using fixture::FreePort;
using fixture::Server;
using fixture::TestClient;
using fixture::TlsFiles;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class TlsTest : public ::testing::Test {
 protected:
  std::string Url(const std::string& host, const std::string& rest) const {
    return "rediss://" + host + ":" + std::to_string(port_) + rest;
  }
  void Serve(const std::string& clients) {
    server_ = std::make_unique<Server>(files_.Settings(clients), Server::Kind::kServer, port_);
  }
  const TlsFiles files_;
  const uint16_t port_ = FreePort();
  std::unique_ptr<Server> server_;
};

TEST_F(TlsTest, ByAddressByNameAndLarge) {
  Serve("no");
  TestClient client(Url("127.0.0.1", files_.trust()));
  const std::string large(5 << 20, 'x');
  EXPECT_EQ(client.Say("a", {"SET", "a", large}, {.patience_ms = 60'000}), "OK");
  EXPECT_EQ(client.Call("a", {"GET", "a"}, {.patience_ms = 60'000}).value().text.size(), large.size());
  EXPECT_EQ(TestClient(Url("localhost", files_.trust())).Say("a", {"STRLEN", "a"}), std::to_string(large.size()));
  std::vector<std::future<TestClient::Reply>> many;
  for (int i = 0; i < 2'000; ++i) many.push_back(client.Begin("n", {"INCR", "n"}));
  for (int i = 0; i < 2'000; ++i) EXPECT_EQ(many[static_cast<size_t>(i)].get().value().integer, i + 1);
}

TEST_F(TlsTest, ComesBack) {
  Serve("no");
  TestClient client(Url("127.0.0.1", files_.trust()));
  ASSERT_EQ(client.Say("a", {"PING"}), "PONG");
  server_->Restart();
  ASSERT_TRUE(Eventually([&] { return client.RunIds().size() == 2; }));
  EXPECT_EQ(client.Say("a", {"PING"}), "PONG");
}

TEST_F(TlsTest, AServerThatIsNotTrusted) {
  Serve("no");
  EXPECT_THAT(TestClient(Url("127.0.0.1", "?ca=" + files_.path("other.crt"))).WhyNot(),
              HasSubstr("certificate is not trusted"));
  EXPECT_THAT(TestClient(Url("127.0.0.1", "")).WhyNot(), HasSubstr("ca=FILE"));
}

TEST_F(TlsTest, AServerOfAnotherName) {
  Serve("no");
  EXPECT_THAT(TestClient(Url("127.0.0.1", files_.trust() + "&servername=redis.example")).WhyNot(),
              HasSubstr("not for `redis.example`"));
  EXPECT_THAT(TestClient(Url("127.0.0.1", files_.trust() + "&servername=127.0.0.2")).WhyNot(),
              HasSubstr("not for `127.0.0.2`"));
  EXPECT_EQ(TestClient(Url("127.0.0.1", files_.trust() + "&servername=localhost")).Say("a", {"PING"}), "PONG");
}

TEST_F(TlsTest, AClientCertificate) {
  Serve("yes");
  EXPECT_EQ(TestClient(Url("127.0.0.1", files_.trust_and_certificate())).Say("a", {"PING"}), "PONG");
  EXPECT_THAT(TestClient(Url("127.0.0.1", files_.trust())).WhyNot(), HasSubstr("wants a client certificate"));
}

TEST_F(TlsTest, TlsOnOneSideOnly) {
  Serve("no");
  const Server plain;
  EXPECT_THAT(TestClient("rediss://" + plain.address() + files_.trust()).WhyNot(), HasSubstr("does it speak TLS"));
  EXPECT_THAT(TestClient("redis://127.0.0.1:" + std::to_string(port_)).WhyNot(), StartsWith("! unavailable"));
}

TEST_F(TlsTest, FilesThatCannotBeUsed) {
  EXPECT_THAT(TestClient(Url("127.0.0.1", "?ca=" + files_.path("none.crt"))).WhyNot(),
              HasSubstr("the authority `" + files_.path("none.crt") + "` cannot be used"));
  EXPECT_THAT(TestClient(Url("127.0.0.1", files_.trust() + "&cert=" + files_.path("client.crt") +
                                              "&key=" + files_.path("server.key")))
                  .WhyNot(),
              HasSubstr("the key `" + files_.path("server.key") + "` cannot be used"));
}

}  // namespace
}  // namespace tocsin::redis
