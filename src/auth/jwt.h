// User tokens: JSON Web Tokens in compact form (RFC 7515, RFC 7519), signed with HS256, RS256, ES256 or EdDSA.
//
// 1. The algorithm is the configured key's. The header's `alg` must equal it; `kid` only selects among configured keys;
//    jku, x5u, x5c, jwk are not looked at; any `crit` is refused, since we know no extension.
// 2. A token that is accepted names a valid user id, has an `exp`, and meets issuer and audience where they are set.
// 3. Nothing of a token is trusted, or parsed beyond its header, before its signature was verified.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "auth/digest.h"
#include "auth/keys.h"
#include "base/clock.h"
#include "base/result.h"
#include "model/topic.h"

namespace tocsin::auth {

// Who a token speaks for.
struct Identity {
  std::string user;
  int64_t expires_ms = 0;     // wall clock; from this moment the token counts no more (leeway included)
  int64_t issued_ms = 0;      // 0: the token does not say
  model::TopicRights topics;  // claim `topics`
};

struct TokenOptions {
  std::string issuer{};            // `iss` must equal it; empty: not looked at
  std::string audience{};          // must be (one of) `aud`; empty: not looked at
  std::string user_claim = "sub";  // a claim at the top level
  int64_t leeway_ms = 5'000;       // 0 to kMaxLeewayMs: how far the issuer's clock may be off ours
  size_t cache_tokens = 4'096;     // verified tokens remembered; 0: none
};
inline constexpr int64_t kMaxLeewayMs = 60'000;

// The payload bytes of a JWS in compact form whose signature one of `keys` made. kUnauthenticated otherwise; the
// message never says which check of the signature failed. For tokens of users take TokenVerifier.
base::Result<std::string> VerifyJws(std::string_view token, const KeySet& keys);

// Not thread-safe: one per Core. The KeySet may be shared by all of them.
class TokenVerifier {
 public:
  // `clock` outlives the verifier.
  TokenVerifier(std::shared_ptr<const KeySet> keys, TokenOptions options, const base::Clock& clock);

  // kUnauthenticated: not a token of ours (close 4001). kExpired: it was one; a new one will do (close 4300).
  // A token verified before is not computed again while it is remembered, but its times are checked at every call.
  base::Result<Identity> Verify(std::string_view token);

  // Takes other keys; nothing verified before is remembered.
  void SetKeys(std::shared_ptr<const KeySet> keys);
  // How many verified tokens are remembered: at most cache_tokens.
  size_t remembered() const { return recent_.size(); }

 private:
  struct Verified {
    Sha256Digest token;
    Identity identity;
    int64_t not_before_ms;  // the later of `nbf` and `iat`
  };
  struct DigestHash {
    size_t operator()(const Sha256Digest& digest) const;
  };

  base::Result<Verified> ReadClaims(std::string_view payload) const;
  base::Status CheckTimes(const Verified& verified) const;
  void Remember(const Verified& verified);

  std::shared_ptr<const KeySet> keys_;
  TokenOptions options_;
  const base::Clock& clock_;
  std::list<Verified> recent_;  // the last used first
  std::unordered_map<Sha256Digest, std::list<Verified>::iterator, DigestHash> by_token_;
};

}  // namespace tocsin::auth
