// Everything of auth that reads a stranger's text: tokens, their headers and claims, key files, key lists. The first
// byte says which. Beyond not crashing: what is accepted must be what the rules allow.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "auth/api_keys.h"
#include "auth/base64url.h"
#include "auth/jwk.h"
#include "auth/jwt.h"
#include "base/check.h"
#include "base/log.h"
#include "model/notification.h"

namespace tocsin::auth {
namespace {

const std::string kSecret(32, 'f');

std::shared_ptr<const KeySet> Keys() {
  auto keys = std::make_shared<KeySet>();
  CHECK(keys->Add(Key::FromSecret(kSecret).value()).ok());
  // RFC 8037, appendix A.2
  base::Result<KeySet> ed =
      ParsePublicKeys(R"({"kty":"OKP","crv":"Ed25519","kid":"ed","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})");
  base::Result<KeySet> ec =
      ParsePublicKeys(R"({"kty":"EC","crv":"P-256","kid":"ec","x":"04N0xi21hshyvBp7I167sbE_bXqyqkAPfefdklMO7wY",)"
                      R"("y":"UI8exy-C06a7DUnjIdENkxeFtHM4-l_41LqEw9nVgmw"})");
  CHECK(keys->Add(ed->keys()[0]).ok());
  CHECK(keys->Add(ec->keys()[0]).ok());
  return keys;
}

void CheckIdentity(const base::Result<Identity>& identity, const base::Clock& clock) {
  if (!identity.ok()) {
    base::Code code = identity.status().code();
    CHECK(code == base::Code::kUnauthenticated || code == base::Code::kExpired);
    return;
  }
  CHECK(model::IsValidUserId(identity->user));
  CHECK(identity->expires_ms > clock.NowMs());
}

std::string Sign(std::string_view header, std::string_view claims) {
  std::string text = EncodeBase64Url(header) + "." + EncodeBase64Url(claims);
  return text + "." + EncodeBase64Url(AsBytes(HmacSha256(kSecret, text)));
}

void Run(uint8_t door, std::string_view text) {
  static const base::ManualClock clock;
  static const std::shared_ptr<const KeySet> keys = Keys();
  static TokenVerifier verifier(keys, {.cache_tokens = 8}, clock);
  switch (door % 6) {
    case 0: {
      CheckIdentity(verifier.Verify(text), clock);
      break;
    }
    case 1:
      CheckIdentity(verifier.Verify(Sign(R"({"alg":"HS256"})", text)), clock);
      break;
    case 2:
      CheckIdentity(verifier.Verify(Sign(text, R"({"sub":"u","exp":1800000000})")), clock);
      break;
    case 3: {
      base::Result<KeySet> set = ParsePublicKeys(text);
      if (!set.ok()) break;
      for (const Key& key : set->keys()) {
        CHECK(key.algorithm() != Algorithm::kHs256);
        CHECK(!key.Verifies("text", std::string(64, 's')));
      }
      break;
    }
    case 4: {
      if (text.starts_with('@')) break;  // a file name
      base::Result<ApiKeys> list = ApiKeys::Parse(text);
      if (list.ok()) CHECK(list->size() > 0 && !list->Check("").ok());
      break;
    }
    case 5: {
      std::optional<std::string> bytes = DecodeBase64Url(text);
      if (bytes) CHECK(EncodeBase64Url(*bytes) == text);
      CHECK(DecodeBase64Url(EncodeBase64Url(text)) == text);
      break;
    }
  }
}

}  // namespace
}  // namespace tocsin::auth

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tocsin::base::SetLogLevel(tocsin::base::Level::kError);
  if (size == 0) return 0;
  tocsin::auth::Run(data[0], {reinterpret_cast<const char*>(data) + 1, size - 1});
  return 0;
}
