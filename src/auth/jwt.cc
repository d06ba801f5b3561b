#include "auth/jwt.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "auth/base64url.h"
#include "model/limits.h"
#include "model/notification.h"
#include "wire/json.h"

namespace tocsin::auth {
namespace {

using base::Code;
using base::Result;
using base::Status;
using wire::JsonValue;

Status Refuse(std::string why) { return Status(Code::kUnauthenticated, std::move(why)); }

constexpr double kLatestSecond = 253'402'300'799;  // the end of the year 9999

struct Parts {
  std::string_view signed_text;  // header.payload
  std::string_view header, payload, signature;
};

std::optional<Parts> Split(std::string_view token) {
  size_t first = token.find('.');
  if (first == std::string_view::npos) return std::nullopt;
  size_t second = token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) return std::nullopt;
  return Parts{.signed_text = token.substr(0, second),
               .header = token.substr(0, first),
               .payload = token.substr(first + 1, second - first - 1),
               .signature = token.substr(second + 1)};
}

struct Header {
  std::string algorithm;
  std::optional<std::string> kid;
};

Result<Header> ReadHeader(std::string_view text) {
  std::optional<std::string> bytes = DecodeBase64Url(text);
  if (!bytes) return Refuse("the token's header is not base64url");
  Result<JsonValue> header = wire::ParseJson(*bytes);
  if (!header.ok() || !header->is_object()) return Refuse("the token's header is not a JSON object");
  if (wire::Find(*header, "crit")) return Refuse("the token's header has `crit`: no extension is known here");
  std::optional<JsonValue> algorithm = wire::Find(*header, "alg");
  if (!algorithm || !algorithm->is_string()) return Refuse("the token's header has no `alg`");
  Header read{.algorithm = wire::Text(*algorithm), .kid = std::nullopt};
  if (std::optional<JsonValue> kid = wire::Find(*header, "kid")) {
    if (!kid->is_string()) return Refuse("the token's `kid` is not a string");
    read.kid = wire::Text(*kid);
  }
  return read;
}

bool MayVerify(const Key& key, const Header& header) {
  if (AlgorithmName(key.algorithm()) != header.algorithm) return false;
  return key.kid().empty() || !header.kid || *header.kid == key.kid();
}

// A time claim in milliseconds; `absent` when the token does not have it.
Result<int64_t> TimeClaim(JsonValue claims, std::string_view name, int64_t absent) {
  std::optional<JsonValue> value = wire::Find(claims, name);
  if (!value) return absent;
  std::optional<double> seconds = wire::Double(*value);
  if (!seconds || *seconds < 0 || *seconds > kLatestSecond) {
    return Refuse("the token's `" + std::string(name) + "` is not a time in seconds since 1970");
  }
  return static_cast<int64_t>(*seconds * 1000);
}

bool Names(std::optional<JsonValue> claim, std::string_view wanted) {
  return claim && claim->is_string() && wire::Text(*claim) == wanted;
}

bool HasAudience(std::optional<JsonValue> claim, std::string_view wanted) {
  if (!claim) return false;
  if (claim->is_string()) return Names(claim, wanted);
  std::vector<JsonValue> audiences = wire::Elements(*claim);
  return std::any_of(audiences.begin(), audiences.end(), [wanted](JsonValue each) { return Names(each, wanted); });
}

}  // namespace

Result<std::string> VerifyJws(std::string_view token, const KeySet& keys) {
  if (token.size() > model::kMaxToken) return Refuse("the token is longer than 8 KiB");
  std::optional<Parts> parts = Split(token);
  if (!parts) return Refuse("not a token in compact form: three parts with dots between them");
  Result<Header> header = ReadHeader(parts->header);
  if (!header.ok()) return header.status();
  std::optional<std::string> signature = DecodeBase64Url(parts->signature);
  if (!signature || signature->empty()) return Refuse("the token has no signature in base64url");
  std::optional<std::string> payload = DecodeBase64Url(parts->payload);
  if (!payload) return Refuse("the token's payload is not base64url");
  bool candidates = false;
  for (const Key& key : keys.keys()) {
    if (!MayVerify(key, *header)) continue;
    candidates = true;
    if (key.Verifies(parts->signed_text, *signature)) return std::move(*payload);
  }
  if (!candidates) return Refuse("no key here goes with the token's `alg` and `kid`");
  return Refuse("the token's signature is not from a key known here");
}

size_t TokenVerifier::DigestHash::operator()(const Sha256Digest& digest) const {
  size_t hash;
  std::memcpy(&hash, digest.data(), sizeof hash);
  return hash;
}

TokenVerifier::TokenVerifier(std::shared_ptr<const KeySet> keys, TokenOptions options, const base::Clock& clock)
    : keys_(std::move(keys)), options_(std::move(options)), clock_(clock) {
  CHECK(options_.leeway_ms >= 0 && options_.leeway_ms <= kMaxLeewayMs);
}

Result<Identity> TokenVerifier::Verify(std::string_view token) {
  if (token.size() > model::kMaxToken) return Refuse("the token is longer than 8 KiB");
  Sha256Digest digest = Sha256(token);
  if (auto found = by_token_.find(digest); found != by_token_.end()) {
    recent_.splice(recent_.begin(), recent_, found->second);
    RETURN_IF_ERROR(CheckTimes(recent_.front()));
    return recent_.front().identity;
  }
  Result<std::string> payload = VerifyJws(token, *keys_);
  if (!payload.ok()) return payload.status();
  Result<Verified> verified = ReadClaims(*payload);
  if (!verified.ok()) return verified.status();
  RETURN_IF_ERROR(CheckTimes(*verified));
  verified->token = digest;
  Remember(*verified);
  return std::move(verified->identity);
}

void TokenVerifier::SetKeys(std::shared_ptr<const KeySet> keys) {
  keys_ = std::move(keys);
  by_token_.clear();
  recent_.clear();
}

Result<TokenVerifier::Verified> TokenVerifier::ReadClaims(std::string_view payload) const {
  Result<JsonValue> claims = wire::ParseJson(payload);
  if (!claims.ok() || !claims->is_object()) return Refuse("the token's payload is not a JSON object");
  Verified verified{};
  std::optional<JsonValue> user = wire::Find(*claims, options_.user_claim);
  if (!user || !user->is_string()) return Refuse("the token has no string `" + options_.user_claim + "`");
  verified.identity.user = wire::Text(*user);
  if (!model::IsValidUserId(verified.identity.user)) {
    return Refuse("the token's `" + options_.user_claim + "` is not 1 to 256 bytes");
  }
  Result<int64_t> expires = TimeClaim(*claims, "exp", -1);
  if (!expires.ok()) return expires.status();
  if (*expires < 0) return Refuse("the token has no `exp`");
  Result<int64_t> not_before = TimeClaim(*claims, "nbf", 0);
  if (!not_before.ok()) return not_before.status();
  Result<int64_t> issued = TimeClaim(*claims, "iat", 0);
  if (!issued.ok()) return issued.status();
  verified.identity.expires_ms = *expires + options_.leeway_ms;
  verified.identity.issued_ms = *issued;
  verified.not_before_ms = std::max(*not_before, *issued);
  if (!options_.issuer.empty() && !Names(wire::Find(*claims, "iss"), options_.issuer)) {
    return Refuse("the token's `iss` is not the issuer expected here");
  }
  if (!options_.audience.empty() && !HasAudience(wire::Find(*claims, "aud"), options_.audience)) {
    return Refuse("the token's `aud` does not name this service");
  }
  if (std::optional<JsonValue> topics = wire::Find(*claims, "topics")) {
    if (!topics->is_array()) return Refuse("the token's `topics` is not an array of strings");
    verified.identity.topics.limited = true;
    for (JsonValue topic : wire::Elements(*topics)) {
      if (!topic.is_string()) return Refuse("the token's `topics` is not an array of strings");
      verified.identity.topics.patterns.push_back(wire::Text(topic));
    }
  }
  return verified;
}

Status TokenVerifier::CheckTimes(const Verified& verified) const {
  int64_t now = clock_.NowMs();
  if (now >= verified.identity.expires_ms) return Status(Code::kExpired, "the token has expired: get a new one");
  if (now + options_.leeway_ms < verified.not_before_ms) {
    return Refuse("the token is from the future (`nbf` or `iat`): compare the clocks");
  }
  return base::Ok();
}

void TokenVerifier::Remember(const Verified& verified) {
  if (options_.cache_tokens == 0) return;
  if (recent_.size() >= options_.cache_tokens) {
    by_token_.erase(recent_.back().token);
    recent_.pop_back();
  }
  recent_.push_front(verified);
  by_token_[verified.token] = recent_.begin();
}

}  // namespace tocsin::auth
