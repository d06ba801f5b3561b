// The client commands: one file each. They return the exit status: 0 done, 1 failed (the reason stands on standard
// error), 2 used wrongly.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "server/config.h"

namespace tocsin::server {

enum class Output : uint8_t { kReadable, kJson };

struct PublishOptions {
  std::string server{};   // http://host:port; empty: TOCSIN_SERVER, or the `listen` of the settings
  std::string api_key{};  // empty: TOCSIN_API_KEY, or the one generated into the data directory
  std::vector<std::string> users{};
  std::string message{};  // empty: notifications come from standard input, a JSON object a line
  std::string title{}, url{}, icon{}, lang{}, priority{}, data{};
  std::string idempotency_key{};
  Output output = Output::kReadable;
};
int Publish(const PublishOptions& options, const Config& config);

struct TailOptions {
  std::string server{};
  std::string token{};  // empty: TOCSIN_TOKEN, or minted for `user`
  std::string user{};
  std::string device{};  // empty: nothing is remembered for this terminal
  std::string since = "all";
  int64_t count = 0;  // end after so many notifications; 0: never
  Output output = Output::kReadable;
};
int Tail(const TailOptions& options, const Config& config);

struct TokenCommandOptions {
  std::string user{};
  std::string ttl = "24h";
  std::vector<std::string> topics{};
};
int Token(const TokenCommandOptions& options, const Config& config);

int Version();

// The text after `--server`, or else of TOCSIN_SERVER, or else `http://` and the address that the settings listen on.
std::string ServerUrl(const std::string& given, const Config& config);
// The first that is not empty: `given`, the variable.
std::string GivenOrVariable(const std::string& given, const char* variable);
// A token for `user`, made with the secret of the settings or of the data directory.
base::Result<std::string> MintFor(const std::string& user, int64_t ttl_ms, const std::vector<std::string>& topics,
                                  const Config& config);

}  // namespace tocsin::server
