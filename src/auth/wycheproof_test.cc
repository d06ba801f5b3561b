// The JWS and JWK vectors of Wycheproof, each verdict exact. What is left out is named here with its reason, and
// counted, so that a case cannot go missing unseen.
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "auth/jwk.h"
#include "auth/jwt.h"
#include "wire/json.h"

namespace tocsin::auth {
namespace {

using wire::JsonValue;

std::string ReadVectors(const std::string& name) {
  std::filesystem::path path = std::filesystem::path(__FILE__).parent_path() / "../../tests/vectors" / name;
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

JsonValue Get(JsonValue object, std::string_view key) {
  std::optional<JsonValue> value = wire::Find(object, key);
  return value ? *value : JsonValue{};
}

// A verifier is given the public keys; where the group has none its keys are HMAC secrets. A set of both kinds goes
// through the door of public keys, as it would from a file.
bool Accepts(JsonValue group, const std::string& jws) {
  JsonValue jwks = Get(group, "public");
  bool secret = !jwks.is_object();
  if (secret) jwks = Get(group, "private");
  base::Result<KeySet> keys = ParseJwks(jwks.raw, secret ? KeyKind::kSecret : KeyKind::kPublic);
  return keys.ok() && VerifyJws(jws, *keys).ok();
}

struct Verdicts {
  int right = 0;
  int skipped = 0;
};

Verdicts RunAll(const std::string& file, const std::map<int64_t, std::string>& skips) {
  Verdicts verdicts;
  std::string text = ReadVectors(file);
  base::Result<JsonValue> vectors = wire::ParseJson(text);
  EXPECT_TRUE(vectors.ok()) << vectors.status().ToString();
  if (!vectors.ok()) return verdicts;
  for (JsonValue group : wire::Elements(Get(*vectors, "testGroups"))) {
    for (JsonValue test : wire::Elements(Get(group, "tests"))) {
      int64_t id = *wire::Integer(Get(test, "tcId"));
      if (skips.contains(id)) {
        ++verdicts.skipped;
        continue;
      }
      bool valid = wire::Text(Get(test, "result")) == "valid";
      bool accepted = Accepts(group, wire::Text(Get(test, "jws")));
      EXPECT_EQ(valid, accepted) << file << " case " << id << ": " << wire::Text(Get(test, "comment"));
      if (valid == accepted) ++verdicts.right;
    }
  }
  return verdicts;
}

void Skip(std::map<int64_t, std::string>& skips, int64_t first, int64_t last, const std::string& reason) {
  for (int64_t id = first; id <= last; ++id) skips[id] = reason;
}

TEST(Wycheproof, JsonWebSignature) {
  std::map<int64_t, std::string> skips;
  Skip(skips, 264, 271, "valid RS384 and RS512: we verify HS256, RS256, ES256 and EdDSA only");
  Skip(skips, 272, 275, "valid PS256");
  Skip(skips, 287, 288, "valid PS256");
  Skip(skips, 320, 323, "valid PS384");
  Skip(skips, 325, 328, "valid PS512");
  Skip(skips, 346, 347, "valid PS384 and ES512 (RFC 7520, figures 20 and 27)");
  Skip(skips, 350, 351, "the same with key_ops");
  Skip(skips, 367, 367, "called invalid, but byte for byte case 357, which is called valid");
  Skip(skips, 370, 370, "called invalid, but byte for byte case 357, which is called valid");
  Skip(skips, 372, 373, "called valid with a `?` inside the base64url: RFC 7515 section 2 has no such character");
  Verdicts verdicts = RunAll("wycheproof_json_web_signature_test.json", skips);
  EXPECT_EQ(verdicts.skipped, 30);
  EXPECT_EQ(verdicts.right, 401 - 30);
}

// The reasons above that can be shown are shown.
TEST(Wycheproof, SkippedCasesAreWhatTheReasonSays) {
  std::string text = ReadVectors("wycheproof_json_web_signature_test.json");
  base::Result<JsonValue> vectors = wire::ParseJson(text);
  ASSERT_TRUE(vectors.ok());
  std::map<int64_t, std::string> jws;
  for (JsonValue group : wire::Elements(Get(*vectors, "testGroups"))) {
    for (JsonValue test : wire::Elements(Get(group, "tests"))) {
      int64_t id = *wire::Integer(Get(test, "tcId"));
      jws[id] = wire::Text(Get(test, "jws"));
      if (id == 372 || id == 373) {
        EXPECT_FALSE(Accepts(group, jws[id]));
        EXPECT_NE(jws[id].find('?'), std::string::npos);
      }
    }
  }
  EXPECT_EQ(jws[367], jws[357]);
  EXPECT_EQ(jws[370], jws[357]);
}

TEST(Wycheproof, JsonWebKey) {
  std::map<int64_t, std::string> skips;
  Skip(skips, 14, 15, "valid HS384 and HS512");
  Verdicts verdicts = RunAll("wycheproof_json_web_key_test.json", skips);
  EXPECT_EQ(verdicts.skipped, 2);
  EXPECT_EQ(verdicts.right, 26 - 2);
}

}  // namespace
}  // namespace tocsin::auth
