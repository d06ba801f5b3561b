// Makes HS256 tokens: for `tocsin token`, the demo and tests. A service in production has an identity provider.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tocsin::auth {

struct TokenRequest {
  std::string user;
  int64_t issued_ms = 0;  // wall clock
  int64_t ttl_ms = 3'600'000;
  std::string user_claim = "sub";
  std::string issuer{};               // empty: no `iss`
  std::string audience{};             // empty: no `aud`
  std::vector<std::string> topics{};  // empty: no `topics`
  std::string kid{};                  // empty: no `kid`
};

// A token that TokenVerifier accepts with the same secret and options. Times are written in whole seconds.
std::string MintToken(std::string_view secret, const TokenRequest& request);

}  // namespace tocsin::auth
