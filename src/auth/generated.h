// Secrets that Tocsin makes for itself at the first start, so that nothing has to be configured to try it: files in the
// data directory, mode 600, read again at every later start.
#pragma once

#include <string>
#include <string_view>

#include "base/random.h"
#include "base/result.h"

namespace tocsin::auth {

inline constexpr std::string_view kApiKeyFile = "api-key";          // an API key with every scope
inline constexpr std::string_view kTokenSecretFile = "jwt-secret";  // an HS256 secret

// The secret in `dir`/`file`; made (and `dir` with it, mode 700) if there is none. It appears whole or not at all, also
// when two processes start at once: both get the same one. Text of `prefix` and 64 hex digits.
// kPermissionDenied: the file can be read by others, belongs to somebody else or is no plain file: the message says how
// to mend it. kUnavailable: it cannot be made or read. kCorruption: it is not what we write.
base::Result<std::string> LoadOrMakeSecret(const std::string& dir, std::string_view file, std::string_view prefix,
                                           base::Random& random);
// The same without making one: kNotFound.
base::Result<std::string> LoadSecret(const std::string& dir, std::string_view file);

}  // namespace tocsin::auth
