// Credentials: the keys that the settings name, or that were generated into the data directory where they name none.
#pragma once

#include <memory>
#include <string>

#include "auth/api_keys.h"
#include "auth/jwt.h"
#include "base/random.h"
#include "base/result.h"
#include "server/config.h"

namespace tocsin::server {

struct Credentials {
  auth::ApiKeys api_keys;
  std::string development_key{};  // the generated API key, to be shown to its owner; empty: api_keys was set
  std::shared_ptr<const auth::KeySet> token_keys{};
  std::string token_secret{};  // HS256 secret that tokens can be minted with; empty: public keys only
  auth::TokenOptions token_options{};
};

// Makes what is missing. Failures explain themselves and name the setting or the file.
base::Result<Credentials> LoadCredentials(const Config& config, base::Random& random);

// For client commands, which make nothing.
// The API key of the data directory; kNotFound says where keys come from.
base::Result<std::string> StoredApiKey(const Config& config);
// The secret that tokens can be minted with: the setting's or the data directory's.
base::Result<std::string> StoredTokenSecret(const Config& config);

auth::TokenOptions TokenOptionsOf(const Config& config);

}  // namespace tocsin::server
