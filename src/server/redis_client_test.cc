#include "server/redis_client.h"

#include <gtest/gtest.h>

namespace tocsin::server {
namespace {

using base::Code;
using base::Result;

RedisUrl Parse(std::string_view url) {
  Result<RedisUrl> parsed = RedisUrl::Parse(url);
  EXPECT_TRUE(parsed.ok()) << url << ": " << parsed.status().ToString();
  return parsed.ok() ? *parsed : RedisUrl();
}

TEST(RedisUrl, PartsAndTheirDefaults) {
  RedisUrl plain = Parse("redis://tocsin.example");
  EXPECT_EQ(plain.address, (Address{"tocsin.example", 6379}));
  EXPECT_EQ(plain.user, "");
  EXPECT_EQ(plain.secret, "");
  EXPECT_EQ(Parse("redis://127.0.0.1:6380/0").address, (Address{"127.0.0.1", 6380}));
  EXPECT_EQ(Parse("redis://[::1]:6380/").address, (Address{"::1", 6380}));
  EXPECT_EQ(Parse("redis://[::1]").address, (Address{"::1", 6379}));
}

TEST(RedisUrl, Logins) {
  EXPECT_EQ(Parse("redis://:s3cret@h:1").secret, "s3cret");
  RedisUrl both = Parse("redis://ann:a%40b%3A%25@h:1");
  EXPECT_EQ(both.user, "ann");
  EXPECT_EQ(both.secret, "a@b:%");
  EXPECT_EQ(Parse("redis://:p@ss@h:1").secret, "p@ss");  // as people write it
  EXPECT_EQ(Parse("redis://:p/s@h:1").secret, "p/s");
}

TEST(RedisUrl, WhatIsNoneIsRefusedWithoutTheSecret) {
  for (const char* url : {"", "h:1", "http://h:1", "rediss://h:1", "redis://", "redis://:1", "redis://h:0",
                          "redis://h:99999", "redis://h:x", "redis://h/1", "redis://hidden@h", "redis://:hidden%4@h",
                          "redis://:hidden%zz@h", "redis://:hidden@", "redis://h h:1", "redis://[::1", "redis://a?b"}) {
    Result<RedisUrl> parsed = RedisUrl::Parse(url);
    ASSERT_FALSE(parsed.ok()) << url;
    EXPECT_EQ(parsed.status().code(), Code::kInvalidArgument);
    EXPECT_EQ(parsed.status().message().find("hidden"), std::string_view::npos) << url;
  }
}

RedisReply Text(std::string text) { return {.kind = RedisReply::Kind::kText, .text = std::move(text)}; }

TEST(RedisReply, IsNotTakenForGranted) {
  const RedisReply map = {.kind = RedisReply::Kind::kArray, .elements = {Text("a"), Text("1"), Text("b")}};
  EXPECT_EQ(map.Find("a").text, "1");
  EXPECT_TRUE(map.Find("1").is_nil());
  EXPECT_TRUE(map.Find("b").is_nil());
  EXPECT_TRUE(map.At(3).is_nil());
  EXPECT_TRUE(Text("x").At(0).At(7).Find("y").is_nil());
}

TEST(RedisReply, ErrorsBecomeFailuresThatCannotDriveATerminal) {
  auto code_of = [](std::string text) {
    return StatusOf({.kind = RedisReply::Kind::kError, .text = std::move(text)}).code();
  };
  EXPECT_EQ(code_of("NOAUTH Authentication required."), Code::kUnauthenticated);
  EXPECT_EQ(code_of("WRONGPASS invalid username-password pair"), Code::kUnauthenticated);
  EXPECT_EQ(code_of("NOPERM User x has no permissions"), Code::kPermissionDenied);
  EXPECT_EQ(code_of("NOGROUP No such key"), Code::kNotFound);
  EXPECT_EQ(code_of("ERR no such key"), Code::kNotFound);
  EXPECT_EQ(code_of("WRONGTYPE Operation"), Code::kConflict);
  EXPECT_EQ(code_of("ERR the reply would be too large: use COUNT"), Code::kTooLarge);
  EXPECT_EQ(code_of("ERR syntax error"), Code::kInternal);
  EXPECT_EQ(StatusOf({.kind = RedisReply::Kind::kError, .text = "ERR \x1b[2J"}).message(),
            "the server says: ERR \\x1b[2J");
}

TEST(RedisClient, NobodyThere) {
  Result<RedisClient> client = RedisClient::Connect({"127.0.0.1", 1});
  ASSERT_FALSE(client.ok());
  EXPECT_EQ(client.status().code(), Code::kUnavailable);
  EXPECT_NE(client.status().message().find("127.0.0.1:1"), std::string_view::npos);
}

}  // namespace
}  // namespace tocsin::server
