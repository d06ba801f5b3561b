// JSON Web Keys (RFC 7517): a JWK or a JWK Set becomes a KeySet.
#pragma once

#include <cstdint>
#include <string_view>

#include "auth/keys.h"
#include "base/result.h"

namespace tocsin::auth {

enum class KeyKind : uint8_t {
  kPublic,  // RSA, EC, OKP
  kSecret,  // oct
};

// The keys of `json`, all of one kind. A set with keys of the other kind, or with private parts, is refused whole: it
// is not what it was taken for. Keys that are weak, for another use or of an algorithm that we do not know are left out
// and logged (RFC 7517 section 5: identity providers publish such ones beside the right ones); kInvalidArgument when no
// usable key is left. kConflict: two keys with one `kid`.
base::Result<KeySet> ParseJwks(std::string_view json, KeyKind kind);

}  // namespace tocsin::auth
