// Keys that user tokens are checked with.
//
// 1. A Key has one algorithm, fixed when it is made. A token never chooses: it must name exactly the key's algorithm.
//    So an RSA key never verifies HS256, and `none` does not exist.
// 2. What is weak or meant for something else is refused when it is loaded, not when a token arrives: HMAC secrets
//    under 32 bytes, RSA under 2048 bits, exponents 1 and even, moduli with the ROCA fingerprint, points off the curve,
//    JWKs whose use, key_ops or alg says something else than verifying one of our four algorithms.
// 3. A KeySet does not change once it is shared; it may then be read by every thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

struct evp_pkey_st;  // OpenSSL's EVP_PKEY

namespace tocsin::auth {

enum class Algorithm : uint8_t { kHs256, kRs256, kEs256, kEdDsa };
std::string_view AlgorithmName(Algorithm algorithm);  // as JOSE writes it: "HS256", ...

inline constexpr size_t kMinSecret = 32;  // bytes of an HMAC secret (RFC 7518 section 3.2)
inline constexpr size_t kMaxKeys = 32;    // of one set; a token without `kid` may cost one check for each
inline constexpr size_t kMaxKeyFile = 64 << 10;

class Key {
 public:
  // An HMAC secret, used as the bytes it is. kInvalidArgument under kMinSecret bytes.
  static base::Result<Key> FromSecret(std::string secret, std::string kid = {});
  // Takes a reference of its own to `key`. RSA, EC P-256 or Ed25519; kInvalidArgument for any other or a weak one.
  static base::Result<Key> FromPublicKey(evp_pkey_st* key, std::string kid = {});

  Algorithm algorithm() const { return algorithm_; }
  // Empty: the key has none, and is tried for every token of its algorithm.
  const std::string& kid() const { return kid_; }
  // Whether `signature` (raw, as JWS carries it: r||s for ES256) is this key's over `text`. Thread-safe.
  bool Verifies(std::string_view text, std::string_view signature) const;

 private:
  Key(Algorithm algorithm, std::string kid) : algorithm_(algorithm), kid_(std::move(kid)) {}

  Algorithm algorithm_;
  std::string kid_;
  std::string secret_;                       // kHs256
  std::shared_ptr<evp_pkey_st> public_key_;  // the others
};

class KeySet {
 public:
  // kConflict: a key with the same `kid` is there (which one a token means would be anybody's guess);
  // kTooLarge: more than kMaxKeys.
  base::Status Add(Key key);
  const std::vector<Key>& keys() const { return keys_; }
  bool empty() const { return keys_.empty(); }

 private:
  std::vector<Key> keys_;
};

// Public keys from text: PEM (`PUBLIC KEY` or `RSA PUBLIC KEY`, one or several) or a JWK or JWK Set in JSON
// (auth/jwk.h). A text with a private or secret key in it is refused whole: whoever verifies must not be able to sign.
base::Result<KeySet> ParsePublicKeys(std::string_view text);
// The same from a file of at most kMaxKeyFile bytes; the message names the file.
base::Result<KeySet> LoadPublicKeys(const std::string& file);

}  // namespace tocsin::auth
