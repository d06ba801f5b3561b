#include "auth/keys.h"

#include <array>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <utility>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "auth/digest.h"
#include "auth/jwk.h"

namespace tocsin::auth {
namespace {

using base::Code;
using base::Result;
using base::Status;

constexpr int kMinRsaBits = 2048;
constexpr int kMaxRsaBits = 8192;   // beyond it one check costs milliseconds
constexpr size_t kCoordinate = 32;  // bytes of r and of s, P-256

struct BigNumberFree {
  void operator()(BIGNUM* number) const { BN_free(number); }
};
using BigNumber = std::unique_ptr<BIGNUM, BigNumberFree>;

Status Refuse(std::string why) { return Status(Code::kInvalidArgument, std::move(why)); }

// The fingerprint of keys made by Infineon's broken generator (ROCA, CVE-2017-15361; Nemec et al., ACM CCS 2017,
// section 3): modulo each small prime, such a modulus is a power of 65537. An honest one passes all of these by a
// chance of 2^-27.
bool HasRocaFingerprint(const BIGNUM* modulus) {
  static constexpr std::array<unsigned, 38> kPrimes = {3,   5,   7,   11,  13,  17,  19,  23,  29,  31,  37,  41,  43,
                                                       47,  53,  59,  61,  67,  71,  73,  79,  83,  89,  97,  101, 103,
                                                       107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167};
  for (unsigned prime : kPrimes) {
    BN_ULONG rest = BN_mod_word(modulus, prime);
    unsigned power = 1;
    bool found = false;
    do {
      found = power == rest;
      power = power * 65537u % prime;
    } while (!found && power != 1);
    if (!found) return false;
  }
  return true;
}

Status CheckRsa(const EVP_PKEY* key) {
  int bits = EVP_PKEY_get_bits(key);
  if (bits < kMinRsaBits) return Refuse("an RSA key of " + std::to_string(bits) + " bits: at least 2048 are needed");
  if (bits > kMaxRsaBits) return Refuse("an RSA key of " + std::to_string(bits) + " bits: at most 8192 are taken");
  BIGNUM* raw = nullptr;
  if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &raw) != 1) return Refuse("an RSA key without exponent");
  BigNumber exponent(raw);
  if (BN_is_odd(exponent.get()) == 0 || BN_is_one(exponent.get()) != 0 || BN_num_bits(exponent.get()) > 64) {
    return Refuse("an RSA key whose public exponent is 1, even or over 64 bits");
  }
  raw = nullptr;
  if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &raw) != 1) return Refuse("an RSA key without modulus");
  BigNumber modulus(raw);
  if (BN_is_odd(modulus.get()) == 0) return Refuse("an RSA key whose modulus is even");
  if (HasRocaFingerprint(modulus.get())) {
    return Refuse("an RSA key made by a generator that is known to be broken (ROCA, CVE-2017-15361): make a new one");
  }
  return base::Ok();
}

Status CheckEc(EVP_PKEY* key) {
  char group[64] = {};
  size_t size = 0;
  if (EVP_PKEY_get_group_name(key, group, sizeof group, &size) != 1 || std::string_view(group) != SN_X9_62_prime256v1) {
    return Refuse("an EC key of another curve than P-256");
  }
  std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> context(EVP_PKEY_CTX_new(key, nullptr),
                                                                      &EVP_PKEY_CTX_free);
  if (context == nullptr || EVP_PKEY_public_check(context.get()) != 1) {
    ERR_clear_error();
    return Refuse("an EC key whose point is not on the curve");
  }
  return base::Ok();
}

Result<Algorithm> AlgorithmOf(EVP_PKEY* key) {
  if (EVP_PKEY_is_a(key, "RSA")) {
    RETURN_IF_ERROR(CheckRsa(key));
    return Algorithm::kRs256;
  }
  if (EVP_PKEY_is_a(key, "EC")) {
    RETURN_IF_ERROR(CheckEc(key));
    return Algorithm::kEs256;
  }
  if (EVP_PKEY_is_a(key, "ED25519")) return Algorithm::kEdDsa;
  const char* name = EVP_PKEY_get0_type_name(key);
  return Refuse(std::string("a key of type ") + (name == nullptr ? "unknown" : name) +
                ": RSA, EC P-256 and Ed25519 are taken");
}

// r||s as JWS carries it, in the DER that OpenSSL wants; nothing unless it is exactly two coordinates.
std::optional<std::string> DerSignature(std::string_view raw) {
  if (raw.size() != 2 * kCoordinate) return std::nullopt;
  const auto* bytes = reinterpret_cast<const unsigned char*>(raw.data());
  std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> signature(ECDSA_SIG_new(), &ECDSA_SIG_free);
  BigNumber r(BN_bin2bn(bytes, kCoordinate, nullptr));
  BigNumber s(BN_bin2bn(bytes + kCoordinate, kCoordinate, nullptr));
  if (signature == nullptr || r == nullptr || s == nullptr) return std::nullopt;
  if (ECDSA_SIG_set0(signature.get(), r.get(), s.get()) != 1) return std::nullopt;
  r.release();  // both now belong to the signature
  s.release();
  unsigned char* out = nullptr;
  int size = i2d_ECDSA_SIG(signature.get(), &out);
  if (size <= 0) return std::nullopt;
  std::string der(reinterpret_cast<char*>(out), static_cast<size_t>(size));
  OPENSSL_free(out);
  return der;
}

bool VerifyWith(EVP_PKEY* key, const EVP_MD* digest, std::string_view text, std::string_view signature) {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  bool good = context != nullptr && EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key) == 1 &&
              EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()),
                               signature.size(), reinterpret_cast<const unsigned char*>(text.data()), text.size()) == 1;
  if (!good) ERR_clear_error();
  return good;
}

Result<Key> KeyFromPem(std::string_view name, const unsigned char* der, long size) {
  if (name.find("PRIVATE KEY") != std::string_view::npos) {
    return Refuse("it holds a private key: give the public one (openssl pkey -pubout)");
  }
  if (name == "CERTIFICATE") {
    return Refuse("it holds a certificate: give its public key (openssl x509 -pubkey -noout)");
  }
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(nullptr, &EVP_PKEY_free);
  if (name == "PUBLIC KEY") {
    key.reset(d2i_PUBKEY(nullptr, &der, size));
  } else if (name == "RSA PUBLIC KEY") {
    key.reset(d2i_PublicKey(EVP_PKEY_RSA, nullptr, &der, size));
  } else {
    return Refuse("it holds a `" + std::string(name) + "`: PUBLIC KEY and RSA PUBLIC KEY are taken");
  }
  ERR_clear_error();
  if (key == nullptr) return Refuse("its " + std::string(name) + " cannot be read");
  return Key::FromPublicKey(key.get());
}

Result<KeySet> ParsePem(std::string_view text) {
  KeySet keys;
  std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), &BIO_free);
  CHECK(bio != nullptr);
  char *name = nullptr, *header = nullptr;
  unsigned char* der = nullptr;
  long size = 0;
  while (PEM_read_bio(bio.get(), &name, &header, &der, &size) == 1) {
    Result<Key> key = KeyFromPem(name, der, size);
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(der);
    if (!key.ok()) return key.status();
    RETURN_IF_ERROR(keys.Add(std::move(key).value()));
  }
  bool ended = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!ended) return Refuse("its PEM is damaged");
  if (keys.empty()) return Refuse("it holds neither a PEM public key nor a JWK");
  return keys;
}

}  // namespace

std::string_view AlgorithmName(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::kHs256:
      return "HS256";
    case Algorithm::kRs256:
      return "RS256";
    case Algorithm::kEs256:
      return "ES256";
    case Algorithm::kEdDsa:
      return "EdDSA";
  }
  return "";
}

Result<Key> Key::FromSecret(std::string secret, std::string kid) {
  if (secret.size() < kMinSecret) {
    return Refuse("an HS256 secret of " + std::to_string(secret.size()) +
                  " bytes: at least 32 are needed (openssl rand -hex 32 makes one)");
  }
  Key key(Algorithm::kHs256, std::move(kid));
  key.secret_ = std::move(secret);
  return key;
}

Result<Key> Key::FromPublicKey(evp_pkey_st* public_key, std::string kid) {
  Result<Algorithm> algorithm = AlgorithmOf(public_key);
  if (!algorithm.ok()) return algorithm.status();
  Key key(*algorithm, std::move(kid));
  CHECK(EVP_PKEY_up_ref(public_key) == 1);
  key.public_key_ = std::shared_ptr<evp_pkey_st>(public_key, &EVP_PKEY_free);
  return key;
}

bool Key::Verifies(std::string_view text, std::string_view signature) const {
  switch (algorithm_) {
    case Algorithm::kHs256:
      return EqualInConstantTime(AsBytes(HmacSha256(secret_, text)), signature);
    case Algorithm::kRs256:
      return VerifyWith(public_key_.get(), EVP_sha256(), text, signature);
    case Algorithm::kEdDsa:
      return VerifyWith(public_key_.get(), nullptr, text, signature);
    case Algorithm::kEs256: {
      std::optional<std::string> der = DerSignature(signature);
      return der.has_value() && VerifyWith(public_key_.get(), EVP_sha256(), text, *der);
    }
  }
  return false;
}

Status KeySet::Add(Key key) {
  if (keys_.size() >= kMaxKeys) return Status(Code::kTooLarge, "more than 32 keys");
  for (const Key& other : keys_) {
    if (!key.kid().empty() && other.kid() == key.kid()) {
      return Status(Code::kConflict, "two keys have the kid `" + key.kid() + "`");
    }
  }
  keys_.push_back(std::move(key));
  return base::Ok();
}

Result<KeySet> ParsePublicKeys(std::string_view text) {
  size_t start = text.find_first_not_of(" \t\r\n");
  if (start != std::string_view::npos && text[start] == '{') return ParseJwks(text, KeyKind::kPublic);
  return ParsePem(text);
}

Result<KeySet> LoadPublicKeys(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return Status(Code::kNotFound, "key file " + file + " cannot be opened");
  std::string text(kMaxKeyFile + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) return Status(Code::kUnavailable, "key file " + file + " cannot be read");
  text.resize(static_cast<size_t>(in.gcount()));
  if (text.size() > kMaxKeyFile) return Status(Code::kTooLarge, "key file " + file + " is larger than 64 KiB");
  Result<KeySet> keys = ParsePublicKeys(text);
  if (!keys.ok()) {
    return Status(keys.status().code(), "key file " + file + ": " + std::string(keys.status().message()));
  }
  return keys;
}

}  // namespace tocsin::auth
