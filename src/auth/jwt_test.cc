#include "auth/jwt.h"

#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "auth/base64url.h"
#include "auth/mint.h"
#include "base/random.h"
#include "model/limits.h"

namespace tocsin::auth {
namespace {

using base::Code;
using base::ManualClock;
using base::Result;

const std::string kSecret(32, 'k');
constexpr int64_t kNow = 1'700'000'000'000;
constexpr std::string_view kGoodClaims = R"({"sub":"user-1","iat":1699999990,"exp":1700003600})";

using PrivateKey = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

PrivateKey MakeKey(std::string_view type) {
  EVP_PKEY* key = nullptr;
  if (type == "RSA") key = EVP_RSA_gen(2048);
  if (type == "EC") key = EVP_EC_gen("P-256");
  if (type == "ED25519") key = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
  return PrivateKey(key, &EVP_PKEY_free);
}

EVP_PKEY* RsaKey() {
  static PrivateKey key = MakeKey("RSA");
  return key.get();
}
EVP_PKEY* EcKey() {
  static PrivateKey key = MakeKey("EC");
  return key.get();
}
EVP_PKEY* EdKey() {
  static PrivateKey key = MakeKey("ED25519");
  return key.get();
}

std::string PublicPem(EVP_PKEY* key) {
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PUBKEY(bio, key);
  char* text = nullptr;
  long size = BIO_get_mem_data(bio, &text);
  std::string pem(text, static_cast<size_t>(size));
  BIO_free(bio);
  return pem;
}

std::string RawEcSignature(const std::string& der) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  ECDSA_SIG* signature = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()));
  std::string raw(64, '\0');
  auto* out = reinterpret_cast<unsigned char*>(raw.data());
  BN_bn2binpad(ECDSA_SIG_get0_r(signature), out, 32);
  BN_bn2binpad(ECDSA_SIG_get0_s(signature), out + 32, 32);
  ECDSA_SIG_free(signature);
  return raw;
}

std::string SignWith(EVP_PKEY* key, const std::string& text) {
  bool ed = EVP_PKEY_is_a(key, "ED25519") == 1;
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  EVP_DigestSignInit(context, nullptr, ed ? nullptr : EVP_sha256(), nullptr, key);
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  size_t size = 0;
  EVP_DigestSign(context, nullptr, &size, bytes, text.size());
  std::string signature(size, '\0');
  EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()), &size, bytes, text.size());
  signature.resize(size);
  EVP_MD_CTX_free(context);
  return EVP_PKEY_is_a(key, "EC") == 1 ? RawEcSignature(signature) : signature;
}

std::string Join(std::string_view header, std::string_view claims) {
  return EncodeBase64Url(header) + "." + EncodeBase64Url(claims);
}
std::string Hs256(std::string_view header, std::string_view claims, std::string_view secret = kSecret) {
  std::string text = Join(header, claims);
  return text + "." + EncodeBase64Url(AsBytes(HmacSha256(secret, text)));
}
std::string Hs256(std::string_view claims) { return Hs256(R"({"alg":"HS256"})", claims); }
std::string Signed(EVP_PKEY* key, std::string_view header, std::string_view claims = kGoodClaims) {
  std::string text = Join(header, claims);
  return text + "." + EncodeBase64Url(SignWith(key, text));
}

KeySet SecretKeys(const std::string& secret = kSecret) {
  KeySet keys;
  base::Ignore(keys.Add(Key::FromSecret(secret).value()));  // an empty set takes any key
  return keys;
}
KeySet PublicKeys(EVP_PKEY* key) { return ParsePublicKeys(PublicPem(key)).value(); }

std::shared_ptr<const KeySet> Shared(KeySet keys) { return std::make_shared<const KeySet>(std::move(keys)); }

Code CodeOf(const KeySet& keys, const std::string& token, TokenOptions options = {}) {
  ManualClock clock(kNow);
  return TokenVerifier(Shared(keys), std::move(options), clock).Verify(token).status().code();
}
Code CodeOf(const std::string& token, TokenOptions options = {}) {
  return CodeOf(SecretKeys(), token, std::move(options));
}

TEST(Token, EveryAlgorithmIsAcceptedWithItsKey) {
  ASSERT_EQ(CodeOf(Hs256(kGoodClaims)), Code::kOk);
  EXPECT_EQ(CodeOf(PublicKeys(RsaKey()), Signed(RsaKey(), R"({"alg":"RS256"})")), Code::kOk);
  EXPECT_EQ(CodeOf(PublicKeys(EcKey()), Signed(EcKey(), R"({"alg":"ES256"})")), Code::kOk);
  EXPECT_EQ(CodeOf(PublicKeys(EdKey()), Signed(EdKey(), R"({"alg":"EdDSA"})")), Code::kOk);
}

TEST(Token, SaysWhoItSpeaksFor) {
  ManualClock clock(kNow);
  TokenVerifier verifier(Shared(SecretKeys()), {.leeway_ms = 2'000}, clock);
  Result<Identity> identity =
      verifier.Verify(Hs256(R"({"sub":"us\u00e9r","iat":1699999990.5,"exp":1700003600,"topics":["news","team.*"]})"));
  ASSERT_TRUE(identity.ok()) << identity.status().ToString();
  EXPECT_EQ(identity->user, "us\xc3\xa9r");
  EXPECT_EQ(identity->expires_ms, 1'700'003'602'000);
  EXPECT_EQ(identity->issued_ms, 1'699'999'990'500);
  EXPECT_EQ(identity->topics, (model::TopicRights{true, {"news", "team.*"}}));
}

TEST(Token, MintedOnesAreAccepted) {
  TokenRequest request{.user = "a \"quoted\"\n\xf0\x9f\x94\x94 user",
                       .issued_ms = kNow,
                       .ttl_ms = 60'000,
                       .user_claim = "uid",
                       .issuer = "me",
                       .audience = "tocsin",
                       .topics = {"x", "y*"},
                       .kid = "dev"};
  TokenOptions options{.issuer = "me", .audience = "tocsin", .user_claim = "uid"};
  ManualClock clock(kNow);
  TokenVerifier verifier(Shared(SecretKeys()), options, clock);
  Result<Identity> identity = verifier.Verify(MintToken(kSecret, request));
  ASSERT_TRUE(identity.ok()) << identity.status().ToString();
  EXPECT_EQ(identity->user, request.user);
  EXPECT_EQ(identity->topics, (model::TopicRights{true, request.topics}));
}

// Every key x every name a header may use x every way to sign that an attacker has: only the three right ones pass.
TEST(Token, TheKeyDecidesTheAlgorithm) {
  struct KeyCase {
    const char* name;
    const char* algorithm;
    KeySet keys;
    std::string public_text;  // what an attacker knows and could take for an HMAC secret
  };
  std::vector<KeyCase> cases = {{"rsa", "RS256", PublicKeys(RsaKey()), PublicPem(RsaKey())},
                                {"ec", "ES256", PublicKeys(EcKey()), PublicPem(EcKey())},
                                {"ed", "EdDSA", PublicKeys(EdKey()), PublicPem(EdKey())},
                                {"hmac", "HS256", SecretKeys(), std::string(32, '\0')}};
  const char* names[] = {"HS256", "HS384", "HS512", "RS256",   "RS384",  "RS512",       "PS256",
                         "ES256", "ES384", "EdDSA", "Ed25519", "none",   "None",        "NONE",
                         "",      "hs256", "rs256", "eddsa",   "HS256 ", "RS256\\u0000"};
  for (const KeyCase& each : cases) {
    for (std::string name : names) {
      std::string header = R"({"alg":")" + name + R"("})";
      EXPECT_EQ(CodeOf(each.keys, Hs256(header, kGoodClaims, each.public_text)), Code::kUnauthenticated)
          << each.name << " " << name << ", its public text as HMAC secret";
      EXPECT_EQ(CodeOf(each.keys, Join(header, kGoodClaims) + "."), Code::kUnauthenticated)
          << each.name << " " << name << ", no signature";
      for (EVP_PKEY* signer : {RsaKey(), EcKey(), EdKey()}) {
        bool right = name == each.algorithm && each.public_text == PublicPem(signer);
        EXPECT_EQ(CodeOf(each.keys, Signed(signer, header)), right ? Code::kOk : Code::kUnauthenticated)
            << each.name << " " << name;
      }
    }
  }
}

TEST(Token, HeadersThatAreNotAskedFor) {
  const char* refused[] = {
      R"({})",
      R"({"alg":null})",
      R"({"alg":["HS256"]})",
      R"({"alg":"none","alg":"HS256"})",
      R"({"alg":"HS256","alg":"HS256"})",
      R"({"alg":"HS256","crit":["exp"],"exp":1})",
      R"({"alg":"HS256","crit":["b64"],"b64":false})",
      R"({"alg":"HS256","crit":[]})",
      R"({"alg":"HS256","crit":null})",
      R"({"alg":"HS256","kid":7})",
      R"({"alg":"HS256","kid":null})",
      R"({"alg":"HS256","kid":{"a":1}})",
      R"(["alg","HS256"])",
      R"("HS256")",
      R"({"alg":"HS256"} x)",
      "",
  };
  for (const char* header : refused) {
    EXPECT_EQ(CodeOf(Hs256(header, kGoodClaims)), Code::kUnauthenticated) << header;
  }
  const char* ignored[] = {
      R"({"alg":"HS256","jku":"http://127.0.0.1:1/keys","x5u":"http://127.0.0.1:1/x"})",
      R"({"alg":"HS256","jwk":{"kty":"oct","k":"AAAA"},"x5c":["AAAA"]})",
      R"({"typ":"at+jwt","alg":"HS256","kid":"../../../../dev/null"})",
  };
  for (const char* header : ignored) EXPECT_EQ(CodeOf(Hs256(header, kGoodClaims)), Code::kOk) << header;
}

TEST(Token, AKeyInTheHeaderIsNoKey) {
  PrivateKey attacker = MakeKey("EC");
  std::string pem = PublicPem(attacker.get());
  EXPECT_EQ(CodeOf(PublicKeys(EcKey()),
                   Signed(attacker.get(), R"({"alg":"ES256","x5c":[")" + EncodeBase64Url(pem) + R"("]})")),
            Code::kUnauthenticated);
}

TEST(Token, KidSelectsAmongConfiguredKeysOnly) {
  std::string second_secret(32, 's');
  KeySet keys;
  ASSERT_TRUE(keys.Add(Key::FromSecret(kSecret, "a").value()).ok());
  ASSERT_TRUE(keys.Add(Key::FromSecret(second_secret, "b").value()).ok());
  ASSERT_TRUE(keys.Add(Key::FromPublicKey(RsaKey(), "r").value()).ok());
  auto code = [&keys](const char* header, const std::string& secret) {
    return CodeOf(keys, Hs256(header, kGoodClaims, secret));
  };
  EXPECT_EQ(code(R"({"alg":"HS256","kid":"a"})", kSecret), Code::kOk);
  EXPECT_EQ(code(R"({"alg":"HS256","kid":"b"})", second_secret), Code::kOk);
  EXPECT_EQ(code(R"({"alg":"HS256"})", second_secret), Code::kOk);
  EXPECT_EQ(code(R"({"alg":"HS256","kid":"a"})", second_secret), Code::kUnauthenticated);
  EXPECT_EQ(code(R"({"alg":"HS256","kid":"A"})", kSecret), Code::kUnauthenticated);
  EXPECT_EQ(code(R"({"alg":"HS256","kid":"a\u0000"})", kSecret), Code::kUnauthenticated);
  EXPECT_EQ(code(R"({"alg":"HS256","kid":""})", kSecret), Code::kUnauthenticated);
  EXPECT_EQ(code(R"({"alg":"HS256","kid":"r"})", kSecret), Code::kUnauthenticated);
  EXPECT_EQ(code(R"({"alg":"HS256","kid":"r"})", PublicPem(RsaKey())), Code::kUnauthenticated);
  EXPECT_EQ(CodeOf(keys, Signed(RsaKey(), R"({"alg":"RS256","kid":"r"})")), Code::kOk);
  EXPECT_EQ(CodeOf(keys, Signed(RsaKey(), R"({"alg":"RS256","kid":"a"})")), Code::kUnauthenticated);
}

TEST(Token, ClaimsThatAreRefused) {
  const char* claims[] = {
      R"({"exp":1700003600})",                                     // nobody
      R"({"sub":17,"exp":1700003600})",                            // a user id is a string
      R"({"sub":null,"exp":1700003600})",                          //
      R"({"sub":["user-1"],"exp":1700003600})",                    //
      R"({"sub":"","exp":1700003600})",                            //
      R"({"sub":"a","sub":"b","exp":1700003600})",                 // which one?
      R"({"sub":"user-1"})",                                       // for ever
      R"({"sub":"user-1","exp":"1700003600"})",                    //
      R"({"sub":"user-1","exp":null})",                            //
      R"({"sub":"user-1","exp":1700003600000})",                   // milliseconds
      R"({"sub":"user-1","exp":1e400})",                           //
      R"({"sub":"user-1","exp":-1})",                              //
      R"({"sub":"user-1","exp":1700003600,"nbf":"0"})",            //
      R"({"sub":"user-1","exp":1700003600,"nbf":1700000006})",     // 6 s ahead, leeway 5 s
      R"({"sub":"user-1","exp":1700003600,"iat":1700000006})",     //
      R"({"sub":"user-1","exp":1700003600,"iat":true})",           //
      R"({"sub":"user-1","exp":1700003600,"topics":"news"})",      //
      R"({"sub":"user-1","exp":1700003600,"topics":["news",1]})",  //
      R"(["sub","user-1"])",
      R"(user-1)",
      "",
  };
  for (const char* each : claims) EXPECT_EQ(CodeOf(Hs256(each)), Code::kUnauthenticated) << each;
  std::string long_user = R"({"sub":")" + std::string(model::kMaxUserId + 1, 'u') + R"(","exp":1700003600})";
  EXPECT_EQ(CodeOf(Hs256(long_user)), Code::kUnauthenticated);
  EXPECT_EQ(CodeOf(Hs256("{\"sub\":\"\xff\xfe\",\"exp\":1700003600}")), Code::kUnauthenticated);
  EXPECT_EQ(CodeOf(Hs256(R"({"sub":"user-1","exp":1700003600,"nbf":1700000005,"iat":1700000005})")), Code::kOk);
}

TEST(Token, IssuerAndAudienceWhereTheyAreSet) {
  auto claims = [](const std::string& more) { return Hs256(R"({"sub":"u","exp":1700003600)" + more + "}"); };
  TokenOptions issuer{.issuer = "https://id.example"};
  EXPECT_EQ(CodeOf(claims(R"(,"iss":"https://id.example")"), issuer), Code::kOk);
  EXPECT_EQ(CodeOf(claims(""), issuer), Code::kUnauthenticated);
  EXPECT_EQ(CodeOf(claims(R"(,"iss":"https://id.example/")"), issuer), Code::kUnauthenticated);
  EXPECT_EQ(CodeOf(claims(R"(,"iss":["https://id.example"])"), issuer), Code::kUnauthenticated);
  TokenOptions audience{.audience = "tocsin"};
  EXPECT_EQ(CodeOf(claims(R"(,"aud":"tocsin")"), audience), Code::kOk);
  EXPECT_EQ(CodeOf(claims(R"(,"aud":["other","tocsin"])"), audience), Code::kOk);
  EXPECT_EQ(CodeOf(claims(""), audience), Code::kUnauthenticated);
  EXPECT_EQ(CodeOf(claims(R"(,"aud":"tocsin2")"), audience), Code::kUnauthenticated);
  EXPECT_EQ(CodeOf(claims(R"(,"aud":[])"), audience), Code::kUnauthenticated);
  EXPECT_EQ(CodeOf(claims(R"(,"aud":{"tocsin":"tocsin"})"), audience), Code::kUnauthenticated);
}

TEST(Token, ExpiresAlsoWhenItIsRemembered) {
  ManualClock clock(kNow);
  TokenVerifier verifier(Shared(SecretKeys()), {.leeway_ms = 5'000}, clock);
  std::string token = Hs256(R"({"sub":"u","exp":1700000060})");
  EXPECT_TRUE(verifier.Verify(token).ok());
  EXPECT_EQ(verifier.remembered(), 1u);
  clock.Advance(64'999);
  EXPECT_TRUE(verifier.Verify(token).ok());
  clock.Advance(1);
  EXPECT_EQ(verifier.Verify(token).status().code(), Code::kExpired);
  clock.Set(kNow);  // the clock was wrong, and is set back
  EXPECT_TRUE(verifier.Verify(token).ok());
}

TEST(Token, RememberedOnesMeetNbfAgainWhenTheClockIsSetBack) {
  ManualClock clock(kNow);
  TokenVerifier verifier(Shared(SecretKeys()), {}, clock);
  std::string token = Hs256(R"({"sub":"u","exp":1700003600,"nbf":1700000000})");
  EXPECT_TRUE(verifier.Verify(token).ok());
  clock.Set(kNow - 3'600'000);
  EXPECT_EQ(verifier.Verify(token).status().code(), Code::kUnauthenticated);
}

TEST(Token, RemembersAFewAndForgetsThemWithTheirKeys) {
  ManualClock clock(kNow);
  TokenVerifier verifier(Shared(SecretKeys()), {.cache_tokens = 2}, clock);
  std::vector<std::string> tokens;
  for (int i = 0; i < 5; ++i) {
    tokens.push_back(Hs256(R"({"sub":"user-)" + std::to_string(i) + R"(","exp":1700003600})"));
  }
  for (int round = 0; round < 3; ++round) {
    for (size_t i = 0; i < tokens.size(); ++i) {
      Result<Identity> identity = verifier.Verify(tokens[i]);
      ASSERT_TRUE(identity.ok());
      EXPECT_EQ(identity->user, "user-" + std::to_string(i));
      EXPECT_LE(verifier.remembered(), 2u);
    }
  }
  verifier.SetKeys(Shared(SecretKeys(std::string(32, 'x'))));
  EXPECT_EQ(verifier.remembered(), 0u);
  EXPECT_EQ(verifier.Verify(tokens[4]).status().code(), Code::kUnauthenticated);
}

// One byte changed anywhere in a good token makes another text, and no text but the good one may pass: also not one
// that a lax decoder would read as the same bytes.
TEST(Token, EveryOtherTextIsRefused) {
  ManualClock clock(kNow);
  TokenVerifier verifier(Shared(SecretKeys()), {}, clock);
  std::string good = Hs256(kGoodClaims);
  ASSERT_TRUE(verifier.Verify(good).ok());
  for (size_t i = 0; i < good.size(); ++i) {
    for (char c : {'A', 'B', '-', '_', '=', '.', ' ', '\0', '+'}) {
      std::string other = good;
      if (other[i] == c) continue;
      other[i] = c;
      EXPECT_FALSE(verifier.Verify(other).ok()) << i << " " << c;
    }
    EXPECT_FALSE(verifier.Verify(good.substr(0, i)).ok());
  }
  for (const char* tail : {"=", ".", "A", " ", "\n"}) EXPECT_FALSE(verifier.Verify(good + tail).ok());
}

TEST(Token, ALongOneIsRefusedUnread) {
  std::string claims(kGoodClaims);
  claims.insert(claims.size() - 1, R"(,"pad":")" + std::string(5'000, 'p') + "\"");
  EXPECT_EQ(CodeOf(Hs256(claims)), Code::kOk);
  claims.insert(claims.size() - 2, std::string(2'000, 'p'));
  EXPECT_EQ(CodeOf(Hs256(claims)), Code::kUnauthenticated);
}

TEST(Token, NoKeyAcceptsNothing) { EXPECT_EQ(CodeOf(KeySet(), Hs256(kGoodClaims)), Code::kUnauthenticated); }

}  // namespace
}  // namespace tocsin::auth
