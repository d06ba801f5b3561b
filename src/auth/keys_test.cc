#include "auth/keys.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>

#include <gtest/gtest.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "auth/jwk.h"

namespace tocsin::auth {
namespace {

using base::Code;
using base::Result;

std::string Pem(EVP_PKEY* key, const std::function<void(BIO*, EVP_PKEY*)>& write) {
  BIO* bio = BIO_new(BIO_s_mem());
  write(bio, key);
  char* text = nullptr;
  long size = BIO_get_mem_data(bio, &text);
  std::string pem(text, static_cast<size_t>(size));
  BIO_free(bio);
  EVP_PKEY_free(key);
  return pem;
}
std::string PublicPem(EVP_PKEY* key) {
  return Pem(key, [](BIO* bio, EVP_PKEY* each) { PEM_write_bio_PUBKEY(bio, each); });
}
std::string PrivatePem(EVP_PKEY* key) {
  return Pem(key, [](BIO* bio, EVP_PKEY* each) {
    PEM_write_bio_PrivateKey(bio, each, nullptr, nullptr, 0, nullptr, nullptr);
  });
}
EVP_PKEY* Make(const char* type) { return EVP_PKEY_Q_keygen(nullptr, nullptr, type); }

std::string MessageOf(const std::string& text) { return std::string(ParsePublicKeys(text).status().message()); }

constexpr const char* kEcX = "04N0xi21hshyvBp7I167sbE_bXqyqkAPfefdklMO7wY";
constexpr const char* kEcY = "UI8exy-C06a7DUnjIdENkxeFtHM4-l_41LqEw9nVgmw";

std::string EcJwk(const std::string& more = "") {
  return std::string(R"({"kty":"EC","crv":"P-256","x":")") + kEcX + R"(","y":")" + kEcY + "\"" + more + "}";
}

TEST(Keys, PemOfEveryKindOneOrSeveral) {
  std::string rsa = PublicPem(EVP_RSA_gen(2048));
  std::string ec = PublicPem(EVP_EC_gen("P-256"));
  std::string ed = PublicPem(Make("ED25519"));
  std::string rsa_pkcs1 = Pem(EVP_RSA_gen(2048), [](BIO* bio, EVP_PKEY* key) {
    unsigned char* der = nullptr;
    int size = i2d_PublicKey(key, &der);
    PEM_write_bio(bio, "RSA PUBLIC KEY", "", der, size);
    OPENSSL_free(der);
  });
  Result<KeySet> keys = ParsePublicKeys("a note before\n" + rsa + "\n\n" + ec + ed + rsa_pkcs1);
  ASSERT_TRUE(keys.ok()) << keys.status().ToString();
  ASSERT_EQ(keys->keys().size(), 4u);
  EXPECT_EQ(keys->keys()[0].algorithm(), Algorithm::kRs256);
  EXPECT_EQ(keys->keys()[1].algorithm(), Algorithm::kEs256);
  EXPECT_EQ(keys->keys()[2].algorithm(), Algorithm::kEdDsa);
  EXPECT_EQ(keys->keys()[3].algorithm(), Algorithm::kRs256);
}

TEST(Keys, PemThatIsRefusedSaysWhy) {
  EXPECT_NE(MessageOf(PrivatePem(EVP_EC_gen("P-256"))).find("private key"), std::string::npos);
  EXPECT_NE(MessageOf(PublicPem(EVP_EC_gen("P-384"))).find("P-256"), std::string::npos);
  EXPECT_NE(MessageOf(PublicPem(EVP_EC_gen("secp256k1"))).find("P-256"), std::string::npos);
  EXPECT_NE(MessageOf(PublicPem(EVP_RSA_gen(1024))).find("2048"), std::string::npos);
  EXPECT_NE(MessageOf(PublicPem(Make("ED448"))).find("ED448"), std::string::npos);
  EXPECT_NE(MessageOf(PublicPem(Make("X25519"))).find("X25519"), std::string::npos);
  std::string good = PublicPem(EVP_EC_gen("P-256"));
  EXPECT_NE(MessageOf(good.substr(0, good.size() - 30)).find("damaged"), std::string::npos);
  EXPECT_NE(MessageOf(good + good.substr(0, 60)).find("damaged"), std::string::npos);
  std::string broken = good;
  broken[40] = broken[40] == 'A' ? 'B' : 'A';
  EXPECT_FALSE(ParsePublicKeys(broken).ok());
  EXPECT_FALSE(MessageOf("").empty());
  EXPECT_FALSE(MessageOf("hello").empty());
}

TEST(Keys, SecretsHaveAtLeast32Bytes) {
  EXPECT_EQ(Key::FromSecret(std::string(31, 'x')).status().code(), Code::kInvalidArgument);
  EXPECT_TRUE(Key::FromSecret(std::string(32, 'x')).ok());
}

TEST(Keys, ASetHasAKidOnceAndABound) {
  KeySet keys;
  ASSERT_TRUE(keys.Add(Key::FromSecret(std::string(32, 'a'), "one").value()).ok());
  EXPECT_EQ(keys.Add(Key::FromSecret(std::string(32, 'b'), "one").value()).code(), Code::kConflict);
  while (keys.keys().size() < kMaxKeys) ASSERT_TRUE(keys.Add(Key::FromSecret(std::string(32, 'c')).value()).ok());
  EXPECT_EQ(keys.Add(Key::FromSecret(std::string(32, 'c')).value()).code(), Code::kTooLarge);
}

TEST(Jwk, OneOrASet) {
  EXPECT_TRUE(ParsePublicKeys(EcJwk()).ok());
  EXPECT_TRUE(ParsePublicKeys(" \n" + EcJwk(R"(,"alg":"ES256","use":"sig","key_ops":["verify"],"kid":"k")")).ok());
  // RFC 8037, appendix A.2
  EXPECT_TRUE(
      ParsePublicKeys(R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})").ok());
  Result<KeySet> set =
      ParsePublicKeys(R"({"keys":[)" + EcJwk(R"(,"kid":"k")") + "," + EcJwk(R"(,"use":"enc")") + R"(,{"kty":"XYZ"}]})");
  ASSERT_TRUE(set.ok()) << set.status().ToString();
  ASSERT_EQ(set->keys().size(), 1u);  // those that cannot be used are left out
  EXPECT_EQ(set->keys()[0].kid(), "k");
}

TEST(Jwk, WhatIsRefused) {
  const std::string refused[] = {
      EcJwk(R"(,"alg":"HS256")"),
      EcJwk(R"(,"alg":"ES384")"),
      EcJwk(R"(,"alg":null)"),
      EcJwk(R"(,"use":"enc")"),
      EcJwk(R"(,"use":["sig"])"),
      EcJwk(R"(,"key_ops":["sign"])"),
      EcJwk(R"(,"key_ops":"verify")"),
      EcJwk(R"(,"d":"yy49oPcINGK2ps0LmtxpB6UTEOiITghHBif6wDqmJ3c")"),
      R"({"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"})",
      R"({"kty":"EC","crv":"P-256","x":"04N0xi21hshyvBp7I167sbE_bXqyqkAPfefdklMO7wY="})",
      R"({"kty":"EC"})",
      R"({"kty":"oct","alg":"HS256","k":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Ng"})",
      R"({"kty":"RSA","alg":"HS256","n":"AQAB","e":"AQAB"})",
      R"({"kty":"RSA","n":"","e":""})",
      R"({"kty":"OKP","crv":"Ed25519","x":"AAAA"})",
      R"({"kty":"OKP","crv":"X25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})",
      R"({"keys":[]})",
      R"({"keys":{}})",
      R"({"keys":[1]})",
      R"({"keys":[)" + EcJwk(R"(,"kid":"k")") + "," + EcJwk(R"(,"kid":"k")") + "]}",
      R"({"keys":[)" + EcJwk() + R"(,{"kty":"oct","k":"AAAA"}]})",
      "{",
      "{}",
  };
  for (const std::string& text : refused) EXPECT_FALSE(ParsePublicKeys(text).ok()) << text;
  EXPECT_FALSE(ParseJwks(EcJwk(), KeyKind::kSecret).ok());
  // A secret says what it is for: its bytes would fit every algorithm.
  EXPECT_FALSE(
      ParseJwks(R"({"kty":"oct","k":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUm"})", KeyKind::kSecret).ok());
}

TEST(Keys, FromAFile) {
  std::string path = testing::TempDir() + "keys_test.pem";
  std::ofstream(path) << PublicPem(EVP_EC_gen("P-256"));
  EXPECT_TRUE(LoadPublicKeys(path).ok());
  std::ofstream(path) << std::string(kMaxKeyFile + 1, ' ');
  EXPECT_EQ(LoadPublicKeys(path).status().code(), Code::kTooLarge);
  std::filesystem::remove(path);
  EXPECT_EQ(LoadPublicKeys(path).status().code(), Code::kNotFound);
  EXPECT_NE(LoadPublicKeys(path).status().message().find(path), std::string_view::npos);
  EXPECT_FALSE(LoadPublicKeys(testing::TempDir()).ok());  // a directory
}

}  // namespace
}  // namespace tocsin::auth
