#include "gateway/origin.h"

#include <gtest/gtest.h>

namespace tocsin::gateway {
namespace {

TEST(OriginTest, OnlyExactOriginsAndTheOwnOneMayCall) {
  GatewayOptions options;
  options.listen_host = "127.0.0.1";
  options.allowed_origins = {"https://app.example"};
  options.public_url = "https://bell.example/inbox";
  const struct {
    const char* origin;
    const char* host;
    bool allowed;
  } kCases[] = {
      {"https://app.example", "127.0.0.1:8080", true},
      {"https://bell.example", "127.0.0.1:8080", true},
      {"http://127.0.0.1:8080", "127.0.0.1:8080", true},
      {"http://localhost:8080", "localhost:8080", true},
      {"http://LOCALHOST:8080", "localhost:8080", true},
      {"http://127.0.0.1:8081", "127.0.0.1:8080", false},  // another port is another origin
      {"http://app.example", "127.0.0.1:8080", false},     // another scheme
      {"https://app.example.evil.example", "127.0.0.1:8080", false},
      {"https://evil.example/https://app.example", "127.0.0.1:8080", false},
      {"https://xapp.example", "127.0.0.1:8080", false},
      {"null", "127.0.0.1:8080", false},
      {"", "127.0.0.1:8080", false},
      {"http://rebound.example:8080", "rebound.example:8080", false},  // DNS rebinding: its own Host, but not our name
      {"file://", "127.0.0.1:8080", false},
  };
  for (const auto& c : kCases) EXPECT_EQ(IsAllowedOrigin(options, c.origin, c.host), c.allowed) << c.origin;
}

TEST(OriginTest, PagesAreServedUnderOurNamesOnly) {
  GatewayOptions options;
  options.listen_host = "192.0.2.7";
  options.public_url = "https://bell.example";
  for (const char* own : {"localhost", "localhost:1", "127.0.0.1:8080", "[::1]:8080", "192.0.2.7:80", "bell.example"}) {
    EXPECT_TRUE(IsOwnHost(options, own)) << own;
  }
  for (const char* other :
       {"", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example:8080", "xlocalhost"}) {
    EXPECT_FALSE(IsOwnHost(options, other)) << other;
  }
}

TEST(OriginTest, FindsTheSessionCookieAmongOthers) {
  EXPECT_EQ(SessionCookie("tocsin_session=abc"), "abc");
  EXPECT_EQ(SessionCookie("a=1; tocsin_session=abc; b=2"), "abc");
  EXPECT_EQ(SessionCookie("xtocsin_session=abc"), "");
  EXPECT_EQ(SessionCookie("tocsin_session2=abc"), "");
  EXPECT_EQ(SessionCookie("tocsin_session="), "");
  EXPECT_EQ(SessionCookie(""), "");
}

}  // namespace
}  // namespace tocsin::gateway
