#include "server/credentials.h"

#include "auth/generated.h"

namespace tocsin::server {
namespace {

using base::Code;
using base::Result;
using base::Status;

constexpr std::string_view kApiKeyPrefix = "tocsin_";  // so that scanners for leaked secrets can know it

Status At(std::string_view setting, const Status& status) {
  return Status(status.code(), std::string(setting) + ": " + std::string(status.message()));
}

}  // namespace

auth::TokenOptions TokenOptionsOf(const Config& config) {
  return {.issuer = config.jwt_issuer,
          .audience = config.jwt_audience,
          .user_claim = config.jwt_user_claim,
          .leeway_ms = config.jwt_leeway_s * 1000};
}

Result<Credentials> LoadCredentials(const Config& config, base::Random& random) {
  std::string keys = config.api_keys;
  std::string development_key;
  if (keys.empty()) {
    Result<std::string> made = auth::LoadOrMakeSecret(config.data_dir, auth::kApiKeyFile, kApiKeyPrefix, random);
    if (!made.ok()) return made.status();
    development_key = *made;
    keys = "development:" + development_key;
  }
  Result<auth::ApiKeys> api_keys = auth::ApiKeys::Parse(keys);
  if (!api_keys.ok()) return api_keys.status();

  auth::KeySet token_keys;
  if (!config.jwt_public_key_file.empty()) {
    Result<auth::KeySet> loaded = auth::LoadPublicKeys(config.jwt_public_key_file);
    if (!loaded.ok()) return At("jwt_public_key_file", loaded.status());
    token_keys = std::move(loaded).value();
  }
  std::string secret = config.jwt_hs256_secret;
  if (secret.empty() && token_keys.empty()) {
    Result<std::string> made = auth::LoadOrMakeSecret(config.data_dir, auth::kTokenSecretFile, "", random);
    if (!made.ok()) return made.status();
    secret = std::move(made).value();
  }
  if (!secret.empty()) {
    Result<auth::Key> key = auth::Key::FromSecret(secret);
    if (!key.ok()) return At("jwt_hs256_secret", key.status());
    if (Status added = token_keys.Add(std::move(key).value()); !added.ok()) return At("jwt_hs256_secret", added);
  }
  return Credentials{.api_keys = std::move(api_keys).value(),
                     .development_key = std::move(development_key),
                     .token_keys = std::make_shared<const auth::KeySet>(std::move(token_keys)),
                     .token_secret = std::move(secret),
                     .token_options = TokenOptionsOf(config)};
}

Result<std::string> StoredApiKey(const Config& config) {
  Result<std::string> key = auth::LoadSecret(config.data_dir, auth::kApiKeyFile);
  if (key.ok() || key.status().code() != Code::kNotFound) return key;
  return Status(Code::kNotFound,
                "no API key: give --api-key or TOCSIN_API_KEY, or the --data-dir of a server that has "
                "generated one (" +
                    std::string(key.status().message()) + ")");
}

Result<std::string> StoredTokenSecret(const Config& config) {
  if (!config.jwt_hs256_secret.empty()) return config.jwt_hs256_secret;
  if (!config.jwt_public_key_file.empty()) {
    return Status(Code::kNotFound,
                  "tokens are checked with jwt_public_key_file: only whoever has the private key can "
                  "make one");
  }
  Result<std::string> secret = auth::LoadSecret(config.data_dir, auth::kTokenSecretFile);
  if (secret.ok() || secret.status().code() != Code::kNotFound) return secret;
  return Status(Code::kNotFound,
                "no secret to sign with: give the --data-dir of a server that has been started once, or "
                "TOCSIN_JWT_HS256_SECRET (" +
                    std::string(secret.status().message()) + ")");
}

}  // namespace tocsin::server
