#include "server/operator_session.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <set>

#include "base/clock.h"
#include "model/entry_id.h"
#include "redis/address.h"
#include "server/credentials.h"
#include "server/setting_text.h"
#include "server/terminal.h"

namespace tocsin::server {
namespace {

using base::Code;
using base::Result;
using base::Status;

constexpr int64_t kTellEveryUs = 3'000'000;

struct Needs {
  std::string_view command;
  std::string_view scopes;
};
constexpr std::array<Needs, 8> kNeeds = {{{"streams", "read"},
                                          {"groups", "read"},
                                          {"pending", "consume"},
                                          {"claim", "consume"},
                                          {"trim", "read+admin"},
                                          {"dead-letters list", "read"},
                                          {"dead-letters redrive", "read+publish+admin"},
                                          {"dead-letters drop", "read+admin"}}};

std::string ScopeHint(std::string_view command) {
  for (const Needs& needs : kNeeds) {
    if (needs.command != command) continue;
    return "; `tocsin " + std::string(command) + "` needs a key with the scopes " + std::string(needs.scopes) +
           ", in the server's setting api_keys: NAME:SECRET:" + std::string(needs.scopes);
  }
  return "";
}

// Where the server is, and with what it is asked.
struct Login {
  RedisUrl url;
  std::string key_from{};  // "--api-key", ...: never the key; empty: there is none
  Status no_key{};         // why there is none
};

// Where the store is a Redis, that is what the commands speak to.
Result<Login> StoreItself(const Config& config) {
  auto deployment = redis::ParseDeployment(config.store);
  if (!deployment.ok()) return deployment.status();
  if (deployment->kind != redis::Deployment::Kind::kSingle || deployment->tls || deployment->database != 0) {
    return Status(Code::kInvalidArgument,
                  "these commands speak to one server, without TLS, and the setting `store` names another kind (" +
                      deployment->ToString() + "): name the primary with --redis redis://HOST:PORT");
  }
  Login login;
  login.url.address = {deployment->endpoints.front().host, deployment->endpoints.front().port};
  login.url.user = deployment->user;
  login.url.secret = deployment->password;
  login.key_from = "the setting store";
  return login;
}

Result<Login> FindServer(const OperatorOptions& options, const Config& config) {
  Login login;
  if (std::string text = GivenOrVariable(options.redis, "TOCSIN_REDIS"); !text.empty()) {
    Result<RedisUrl> url = RedisUrl::Parse(text);
    if (!url.ok()) {
      return Status(url.status().code(),
                    (options.redis.empty() ? "TOCSIN_REDIS: " : "--redis: ") + std::string(url.status().message()));
    }
    login.url = std::move(url).value();
  } else if (config.store != "embedded") {
    return StoreItself(config);
  } else if (config.redis_listen) {
    login.url.address = *config.redis_listen;
    if (login.url.address.host == "0.0.0.0") login.url.address.host = "127.0.0.1";
    if (login.url.address.host == "::") login.url.address.host = "::1";
  } else {
    return Status(Code::kNotFound,
                  "the Redis port is off (the setting redis_listen is empty), and these commands speak to it: give the "
                  "server `redis_listen`, or name another server with --redis redis://HOST:PORT");
  }
  if (!login.url.secret.empty()) {
    login.key_from = "the address";
    return login;
  }
  login.key_from = options.api_key.empty() ? "TOCSIN_API_KEY" : "--api-key";
  login.url.secret = GivenOrVariable(options.api_key, "TOCSIN_API_KEY");
  if (!login.url.secret.empty()) return login;
  Result<std::string> stored = StoredApiKey(config);
  if (stored.ok()) {
    login.url.secret = std::move(stored).value();
    login.key_from = "the data directory " + config.data_dir;
  } else {
    login.key_from.clear();
    login.no_key = stored.status();
  }
  return login;
}

// Asked for by a server that has no passwords; then none is needed.
bool WantsNoPassword(const RedisReply& reply) {
  return reply.text.find("without any password") != std::string::npos ||
         reply.text.find("no password is set") != std::string::npos;
}

Status Authenticate(RedisClient& redis, const Login& login) {
  std::vector<RedisCommand> commands;
  if (!login.url.secret.empty()) {
    commands.push_back({"AUTH"});
    if (!login.url.user.empty()) commands.back().push_back(login.url.user);
    commands.back().push_back(login.url.secret);
  }
  commands.push_back({"PING"});
  Result<std::vector<RedisReply>> replies = redis.Pipeline(commands);
  if (!replies.ok()) {
    return Status(Code::kUnavailable, login.url.address.ToString() + ": " + std::string(replies.status().message()) +
                                          "; the server's Redis port is what its setting redis_listen says, and "
                                          "its `ready` line");
  }
  if (commands.size() == 2 && replies->front().is_error() && !WantsNoPassword(replies->front())) {
    Status status = StatusOf(replies->front());
    if (status.code() != Code::kUnauthenticated) return status;
    return Status(Code::kUnauthenticated, "the server at " + login.url.address.ToString() +
                                              " does not know the API key that was given with " + login.key_from +
                                              "; give one of its setting api_keys, or the --data-dir where it has "
                                              "generated one");
  }
  if (!replies->back().is_error()) return base::Ok();
  Status status = StatusOf(replies->back());
  if (status.code() != Code::kUnauthenticated || login.no_key.ok()) return status;
  return Status(Code::kUnauthenticated, "the server at " + login.url.address.ToString() + " asks for a password; " +
                                            std::string(login.no_key.message()));
}

}  // namespace

Result<RedisClient> OpenRedis(const OperatorOptions& options, const Config& config) {
  Result<Login> login = FindServer(options, config);
  if (!login.ok()) return login.status();
  Result<RedisClient> redis = RedisClient::Connect(login->url.address);
  if (!redis.ok()) {
    return Status(Code::kUnavailable, std::string(redis.status().message()) +
                                          ". Start one with `tocsin serve`; another address is given with "
                                          "--redis redis://HOST:PORT, or the setting redis_listen");
  }
  RETURN_IF_ERROR(Authenticate(*redis, *login));
  return redis;
}

int Report(std::string_view command, const Status& status) {
  if (status.ok()) return 0;
  std::string message(status.message());
  if (status.code() == Code::kPermissionDenied) message += ScopeHint(command);
  std::fflush(stdout);
  std::fprintf(stderr, "tocsin %.*s: %s\n", static_cast<int>(command.size()), command.data(), message.c_str());
  return status.code() == Code::kInvalidArgument ? 2 : 1;
}

Status NoStream(const std::string& stream) {
  return Status(Code::kNotFound, "there is no stream `" + Escaped(stream) + "`; `tocsin streams` lists them");
}

Status WithHint(const Status& status, Code code, std::string_view hint) {
  if (status.code() != code) return status;
  return Status(code, std::string(status.message()) + std::string(hint));
}

Result<int64_t> ServerTimeMs(RedisClient& redis) {
  Result<RedisReply> time = redis.Run({"TIME"});
  if (!time.ok()) return time.status();
  std::optional<model::EntryId> parts = model::EntryId::Parse(time->At(0).text + "-" + time->At(1).text);
  if (!parts || parts->ms > 1ull << 40) return Status(Code::kInternal, "the server does not tell the time");
  return static_cast<int64_t>(parts->ms * 1000 + parts->seq / 1000);
}

Result<int64_t> DurationOption(std::string_view name, const std::string& text) {
  Result<int64_t> ms = ParseDuration(text);
  if (ms.ok()) return ms;
  return Status(Code::kInvalidArgument, std::string(name) + ": " + std::string(ms.status().message()));
}

Result<std::vector<std::string>> IdsOption(const std::vector<std::string>& texts) {
  std::set<model::EntryId> parsed;
  for (const std::string& text : texts) {
    const auto id = model::EntryId::Parse(text);
    if (!id) {
      return Status(Code::kInvalidArgument, "--id " + text + ": an id is MS-N, for example 1795494169140-0");
    }
    parsed.insert(*id);
  }
  std::vector<std::string> ids;
  for (const model::EntryId id : parsed) ids.push_back(id.ToString());
  return ids;
}

std::string_view StreamEntry::Field(std::string_view name) const {
  for (const auto& [field, value] : fields) {
    if (field == name) return value;
  }
  return {};
}

StreamEntry EntryOf(const RedisReply& reply) {
  StreamEntry entry{.id = reply.At(0).text, .fields = {}};
  const std::vector<RedisReply>& words = reply.At(1).elements;
  for (size_t i = 0; i + 1 < words.size(); i += 2) entry.fields.emplace_back(words[i].text, words[i + 1].text);
  return entry;
}

Result<std::vector<StreamEntry>> ReadEntries(RedisClient& redis, const std::string& key, const std::string& from,
                                             const std::string& to, size_t count) {
  for (;;) {
    Result<RedisReply> range = redis.Run({"XRANGE", key, from, to, "COUNT", std::to_string(count)});
    if (!range.ok() && range.status().code() == Code::kTooLarge && count > 1) {
      count /= 2;
      continue;
    }
    if (!range.ok()) return range.status();
    std::vector<StreamEntry> entries;
    for (const RedisReply& reply : range->elements) entries.push_back(EntryOf(reply));
    return entries;
  }
}

Progress::Progress() : told_us_(base::SystemClock().MonotonicUs()) {}

void Progress::Tell(std::string_view what, uint64_t done, uint64_t total) {
  const int64_t now_us = base::SystemClock().MonotonicUs();
  if (now_us - told_us_ < kTellEveryUs) return;
  told_us_ = now_us;
  std::string line = "  " + std::string(what) + " " + std::to_string(done);
  if (total > 0) line += " of " + std::to_string(total);
  std::fprintf(stderr, "%s\n", line.c_str());
}

}  // namespace tocsin::server
