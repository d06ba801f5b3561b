#include "auth/mint.h"

#include "auth/base64url.h"
#include "auth/digest.h"
#include "wire/json.h"

namespace tocsin::auth {
namespace {

void AppendClaim(std::string& json, std::string_view name, std::string_view value) {
  json += json.size() > 1 ? "," : "";
  wire::AppendJsonString(json, name);
  json += ':';
  wire::AppendJsonString(json, value);
}

void AppendClaim(std::string& json, std::string_view name, int64_t value) {
  json += json.size() > 1 ? "," : "";
  wire::AppendJsonString(json, name);
  json += ':';
  wire::AppendJsonNumber(json, value);
}

}  // namespace

std::string MintToken(std::string_view secret, const TokenRequest& request) {
  std::string header = "{";
  AppendClaim(header, "alg", "HS256");
  AppendClaim(header, "typ", "JWT");
  if (!request.kid.empty()) AppendClaim(header, "kid", request.kid);
  header += '}';

  std::string claims = "{";
  AppendClaim(claims, request.user_claim, request.user);
  AppendClaim(claims, "iat", request.issued_ms / 1000);
  AppendClaim(claims, "exp", (request.issued_ms + request.ttl_ms) / 1000);
  if (!request.issuer.empty()) AppendClaim(claims, "iss", request.issuer);
  if (!request.audience.empty()) AppendClaim(claims, "aud", request.audience);
  if (!request.topics.empty()) {
    claims += ",\"topics\":[";
    for (const std::string& topic : request.topics) {
      if (!claims.ends_with('[')) claims += ',';
      wire::AppendJsonString(claims, topic);
    }
    claims += ']';
  }
  claims += '}';

  std::string token = EncodeBase64Url(header) + "." + EncodeBase64Url(claims);
  std::string signature = EncodeBase64Url(AsBytes(HmacSha256(secret, token)));
  return token + "." + signature;
}

}  // namespace tocsin::auth
