#include "auth/jwk.h"

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "auth/base64url.h"
#include "base/log.h"
#include "wire/json.h"

namespace tocsin::auth {
namespace {

using base::Code;
using base::Result;
using base::Status;
using wire::JsonValue;

constexpr size_t kCoordinate = 32;  // bytes, P-256 and Ed25519

Status Refuse(std::string why) { return Status(Code::kInvalidArgument, std::move(why)); }

struct PublicKeyFree {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using PublicKey = std::unique_ptr<EVP_PKEY, PublicKeyFree>;

// The member as text; empty when it is missing or no string, so that no rule can be met by it.
std::string Member(JsonValue jwk, std::string_view name) {
  std::optional<JsonValue> value = wire::Find(jwk, name);
  return value && value->is_string() ? wire::Text(*value) : std::string();
}

Result<std::string> BinaryMember(JsonValue jwk, std::string_view name) {
  std::optional<std::string> bytes = DecodeBase64Url(Member(jwk, name));
  if (!bytes || bytes->empty()) return Refuse("its `" + std::string(name) + "` is missing or no base64url");
  return std::move(*bytes);
}

// A key that its owner did not publish for verifying signatures is not used for it (RFC 7517 sections 4.2 and 4.3).
Status CheckPurpose(JsonValue jwk) {
  if (std::optional<JsonValue> use = wire::Find(jwk, "use")) {
    if (!use->is_string() || wire::Text(*use) != "sig") return Refuse("its `use` is not `sig`");
  }
  if (std::optional<JsonValue> operations = wire::Find(jwk, "key_ops")) {
    bool verifies = false;
    for (JsonValue operation : wire::Elements(*operations)) {
      if (operation.is_string() && wire::Text(operation) == "verify") verifies = true;
    }
    if (!verifies) return Refuse("its `key_ops` does not hold `verify`");
  }
  return base::Ok();
}

// What the key says of itself must be what it is used for; saying nothing is allowed, except for a secret, whose bytes
// would fit any algorithm.
Status CheckAlgorithm(JsonValue jwk, Algorithm algorithm) {
  std::optional<JsonValue> written = wire::Find(jwk, "alg");
  if (!written && algorithm != Algorithm::kHs256) return base::Ok();
  if (!written || !written->is_string() || wire::Text(*written) != AlgorithmName(algorithm)) {
    return Refuse("its `alg` is not " + std::string(AlgorithmName(algorithm)) + ", which is what its kind is used for");
  }
  return base::Ok();
}

Result<PublicKey> FromParameters(const char* type, OSSL_PARAM_BLD* builder) {
  std::unique_ptr<OSSL_PARAM, decltype(&OSSL_PARAM_free)> parameters(OSSL_PARAM_BLD_to_param(builder),
                                                                     &OSSL_PARAM_free);
  std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> context(
      EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr), &EVP_PKEY_CTX_free);
  EVP_PKEY* key = nullptr;
  if (parameters == nullptr || context == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1) {
    ERR_clear_error();
    return Refuse(std::string("its numbers make no ") + type + " key");
  }
  return PublicKey(key);
}

Result<PublicKey> RsaKey(JsonValue jwk) {
  Result<std::string> n = BinaryMember(jwk, "n");
  if (!n.ok()) return n.status();
  Result<std::string> e = BinaryMember(jwk, "e");
  if (!e.ok()) return e.status();
  auto number = [](const std::string& bytes) {
    return std::unique_ptr<BIGNUM, decltype(&BN_free)>(
        BN_bin2bn(reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()), nullptr),
        &BN_free);
  };
  auto modulus = number(*n);
  auto exponent = number(*e);
  std::unique_ptr<OSSL_PARAM_BLD, decltype(&OSSL_PARAM_BLD_free)> builder(OSSL_PARAM_BLD_new(), &OSSL_PARAM_BLD_free);
  CHECK(modulus != nullptr && exponent != nullptr && builder != nullptr);
  CHECK(OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get()) == 1);
  CHECK(OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get()) == 1);
  return FromParameters("RSA", builder.get());
}

Result<PublicKey> EcKey(JsonValue jwk) {
  if (Member(jwk, "crv") != "P-256") return Refuse("its `crv` is not P-256");
  Result<std::string> x = BinaryMember(jwk, "x");
  if (!x.ok()) return x.status();
  Result<std::string> y = BinaryMember(jwk, "y");
  if (!y.ok()) return y.status();
  if (x->size() != kCoordinate || y->size() != kCoordinate) return Refuse("its `x` and `y` are not 32 bytes each");
  std::string point = "\x04" + *x + *y;  // uncompressed (SEC 1, section 2.3.3)
  std::unique_ptr<OSSL_PARAM_BLD, decltype(&OSSL_PARAM_BLD_free)> builder(OSSL_PARAM_BLD_new(), &OSSL_PARAM_BLD_free);
  CHECK(builder != nullptr);
  CHECK(OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, SN_X9_62_prime256v1, 0) == 1);
  CHECK(OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) == 1);
  return FromParameters("EC", builder.get());
}

Result<PublicKey> EdKey(JsonValue jwk) {
  if (Member(jwk, "crv") != "Ed25519") return Refuse("its `crv` is not Ed25519");
  Result<std::string> x = BinaryMember(jwk, "x");
  if (!x.ok()) return x.status();
  if (x->size() != kCoordinate) return Refuse("its `x` is not 32 bytes");
  PublicKey key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr,
                                            reinterpret_cast<const unsigned char*>(x->data()), x->size()));
  if (key == nullptr) {
    ERR_clear_error();
    return Refuse("its `x` makes no Ed25519 key");
  }
  return key;
}

Result<Key> FromJwk(JsonValue jwk) {
  RETURN_IF_ERROR(CheckPurpose(jwk));
  std::string type = Member(jwk, "kty");
  std::string kid = Member(jwk, "kid");
  if (type == "oct") {
    RETURN_IF_ERROR(CheckAlgorithm(jwk, Algorithm::kHs256));
    Result<std::string> secret = BinaryMember(jwk, "k");
    if (!secret.ok()) return secret.status();
    return Key::FromSecret(std::move(secret).value(), std::move(kid));
  }
  Result<PublicKey> made = Refuse("its `kty` is `" + type + "`: RSA, EC and OKP are taken");
  if (type == "RSA") made = RsaKey(jwk);
  if (type == "EC") made = EcKey(jwk);
  if (type == "OKP") made = EdKey(jwk);
  if (!made.ok()) return made.status();
  Result<Key> key = Key::FromPublicKey(made->get(), std::move(kid));
  if (key.ok()) RETURN_IF_ERROR(CheckAlgorithm(jwk, key->algorithm()));
  return key;
}

// Also a key that is left out has its name: the owner may have meant that one.
Status CheckKids(const std::vector<JsonValue>& jwks) {
  std::set<std::string> kids;
  for (JsonValue jwk : jwks) {
    std::string kid = Member(jwk, "kid");
    if (kid.empty() || !CheckPurpose(jwk).ok()) continue;
    if (!kids.insert(kid).second) return Status(Code::kConflict, "two keys have the kid `" + kid + "`");
  }
  return base::Ok();
}

// What makes a whole set suspect.
Status CheckKind(JsonValue jwk, KeyKind kind) {
  bool secret = Member(jwk, "kty") == "oct";
  if (kind == KeyKind::kPublic && (secret || wire::Find(jwk, "d") || wire::Find(jwk, "k"))) {
    return Refuse("a key in it is secret or private (`oct`, or with a member `d`): give public keys only");
  }
  if (kind == KeyKind::kSecret && !secret) return Refuse("a key in it is no secret (its `kty` is not `oct`)");
  return base::Ok();
}

}  // namespace

Result<KeySet> ParseJwks(std::string_view json, KeyKind kind) {
  Result<JsonValue> parsed = wire::ParseJson(json);
  if (!parsed.ok()) return Refuse("not valid JSON: " + std::string(parsed.status().message()));
  if (!parsed->is_object()) return Refuse("neither a JWK nor a JWK Set: a JSON object is expected");
  std::vector<JsonValue> jwks = {*parsed};
  if (std::optional<JsonValue> set = wire::Find(*parsed, "keys")) {
    if (!set->is_array()) return Refuse("its `keys` is not an array");
    jwks = wire::Elements(*set);
  }
  for (JsonValue jwk : jwks) {
    if (!jwk.is_object()) return Refuse("a key in it is not a JSON object");
    RETURN_IF_ERROR(CheckKind(jwk, kind));
  }
  RETURN_IF_ERROR(CheckKids(jwks));
  KeySet keys;
  std::string reasons;
  for (JsonValue jwk : jwks) {
    Result<Key> key = FromJwk(jwk);
    if (key.ok()) {
      RETURN_IF_ERROR(keys.Add(std::move(key).value()));
      continue;
    }
    std::string kid = Member(jwk, "kid");
    base::Log(base::Level::kWarn, "jwk_skipped", {{"kid", kid}, {"reason", key.status().message()}});
    reasons += reasons.empty() ? ": " : "; ";
    reasons += key.status().message();
  }
  if (keys.empty()) return Refuse("it holds no key that can be used" + reasons.substr(0, 512));
  return keys;
}

}  // namespace tocsin::auth
