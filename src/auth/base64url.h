// base64url without padding (RFC 4648 section 5, RFC 7515 section 2), strict: one text for one byte string.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tocsin::auth {

std::string EncodeBase64Url(std::string_view bytes);

// Nothing for a character outside the alphabet (also `=`, `+`, `/` and white space), a length no encoder makes, or
// unused bits that are not zero.
std::optional<std::string> DecodeBase64Url(std::string_view text);

}  // namespace tocsin::auth
