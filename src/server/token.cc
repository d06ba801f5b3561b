#include <cstdio>
#include <cstdlib>

#include "auth/mint.h"
#include "base/clock.h"
#include "model/notification.h"
#include "server/commands.h"
#include "server/credentials.h"
#include "server/setting_text.h"

namespace tocsin::server {
namespace {

using base::Code;
using base::Result;
using base::Status;

int Fail(const Status& status, int exit_status) {
  std::fprintf(stderr, "tocsin token: %s\n", std::string(status.message()).c_str());
  return exit_status;
}

}  // namespace

std::string GivenOrVariable(const std::string& given, const char* variable) {
  if (!given.empty()) return given;
  const char* value = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe): before there is a second thread
  return value == nullptr ? "" : value;
}

Result<std::string> MintFor(const std::string& user, int64_t ttl_ms, const std::vector<std::string>& topics,
                            const Config& config) {
  if (!model::IsValidUserId(user)) return Status(Code::kInvalidArgument, "a user id is 1 to 256 bytes of UTF-8");
  Result<std::string> secret = StoredTokenSecret(config);
  if (!secret.ok()) return secret.status();
  return auth::MintToken(*secret, {.user = user,
                                   .issued_ms = base::SystemClock().NowMs(),
                                   .ttl_ms = ttl_ms,
                                   .user_claim = config.jwt_user_claim,
                                   .issuer = config.jwt_issuer,
                                   .audience = config.jwt_audience,
                                   .topics = topics});
}

int Token(const TokenCommandOptions& options, const Config& config) {
  if (options.user.empty()) return Fail(Status(Code::kInvalidArgument, "--user is missing: whom is it for?"), 2);
  Result<int64_t> ttl_ms = ParseDuration(options.ttl);
  if (!ttl_ms.ok()) return Fail(Status(Code::kInvalidArgument, "--ttl: " + std::string(ttl_ms.status().message())), 2);
  Result<std::string> token = MintFor(options.user, *ttl_ms, options.topics, config);
  if (!token.ok()) return Fail(token.status(), token.status().code() == Code::kInvalidArgument ? 2 : 1);
  std::printf("%s\n", token->c_str());
  return 0;
}

}  // namespace tocsin::server
