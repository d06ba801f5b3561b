#include "server/config.h"

#include <algorithm>
#include <array>

#include <unistd.h>

#include "nodes/keys.h"
#include "server/config_file.h"

namespace tocsin::server {
namespace {

using base::Code;
using base::Result;
using base::Status;

constexpr std::string_view kPrefix = "TOCSIN_";
// Variables of ours that are no settings of the service: those of the client commands, and of the script ./dev.
constexpr std::array<std::string_view, 6> kOtherVariables = {"config", "api_key",    "token",
                                                             "server", "no_install", "jobs"};

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return lower;
}

std::string FlagOf(std::string_view name) {
  std::string flag = "--" + std::string(name);
  std::replace(flag.begin() + 2, flag.end(), '_', '-');
  return flag;
}

std::string VariableOf(std::string_view name) {
  std::string variable(kPrefix);
  for (char c : name) variable += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return variable;
}

// Says where: "--listen: HOST:PORT is allowed, ...".
Status At(const std::string& place, const Status& status) {
  if (status.ok()) return status;
  return Status(status.code(), place + ": " + std::string(status.message()));
}

Status AssignFile(Config& config, const std::string& file) {
  Result<std::vector<FileSetting>> settings = ReadSettingsFile(file);
  if (!settings.ok()) return settings.status();
  for (const FileSetting& setting : *settings) {
    Status status = Assign(config, setting.name, setting.value);
    std::string place = file + ":" + std::to_string(setting.line);
    if (status.code() != Code::kNotFound) place += ": " + setting.name;
    RETURN_IF_ERROR(At(place, status));
  }
  return base::Ok();
}

Status AssignVariable(Config& config, std::string_view variable) {
  size_t equals = variable.find('=');
  if (!variable.starts_with(kPrefix) || equals == std::string_view::npos) return base::Ok();
  std::string name = Lower(variable.substr(kPrefix.size(), equals - kPrefix.size()));
  if (std::find(kOtherVariables.begin(), kOtherVariables.end(), name) != kOtherVariables.end()) return base::Ok();
  Status status = Assign(config, name, variable.substr(equals + 1));
  std::string written(variable.substr(0, equals));
  if (status.code() != Code::kNotFound) return At(written, status);
  std::vector<std::string_view> names;
  for (const SettingHelp& setting : AllSettings()) names.push_back(setting.name);
  std::string_view nearest = NearestName(name, names);
  if (nearest.empty()) return base::Ok();  // somebody else's
  return Status(Code::kNotFound, "there is no setting for " + written + "; did you mean " + VariableOf(nearest) + "?");
}

Status CheckTogether(const Config& config) {
  if (config.redis_auth == RedisAuth::kOff && config.redis_listen && !config.redis_listen->IsLoopback()) {
    return Status(Code::kInvalidArgument,
                  "redis_auth: off is allowed on a loopback address only, and redis_listen is " +
                      config.redis_listen->ToString() + ": everybody who reaches it could read and delete everything");
  }
  if (config.tls_cert.empty() != config.tls_key.empty()) {
    return Status(Code::kInvalidArgument, "tls_cert and tls_key are given together or not at all");
  }
  return base::Ok();
}

Status NotYet(std::string_view name, std::string_view what) {
  return Status(Code::kInvalidArgument, std::string(name) + ": " + std::string(what));
}

}  // namespace

std::vector<std::string> Environment() {
  std::vector<std::string> variables;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    variables.emplace_back(*variable);
  }
  return variables;
}

Result<Config> LoadConfig(const std::string& file, std::span<const std::string> environment,
                          std::span<const Assignment> flags) {
  Config config;
  if (!file.empty()) RETURN_IF_ERROR(AssignFile(config, file));
  for (const std::string& variable : environment) RETURN_IF_ERROR(AssignVariable(config, variable));
  for (const auto& [name, value] : flags) RETURN_IF_ERROR(At(FlagOf(name), Assign(config, name, value)));
  RETURN_IF_ERROR(CheckTogether(config));
  return config;
}

Status CheckSupported(const Config& config) {
  if (config.store != "embedded") {
    for (const IngestStream& stream : config.ingest_streams) {
      if (!nodes::CanBeIngest(stream.name)) {
        return NotYet("ingest_streams", "on Redis a name may have one `{tag}`, and no other brace");
      }
    }
    for (const streams::RedeliveryRule& rule : config.redelivery) {
      if (rule.redelivery.max_deliveries == 0) {
        return NotYet(
            "redelivery",
            "on Redis a rule needs `deliveries=`: consumers claim what is pending themselves (XAUTOCLAIM), and a "
            "rule says after how many deliveries it is a dead letter");
      }
    }
  } else if (config.partitions != 0 || config.wait_replicas != 0) {
    return NotYet(config.partitions != 0 ? "partitions" : "wait_replicas", "for a store on Redis only");
  }
  if (!config.jwks_url.empty()) {
    return NotYet("jwks_url", "not supported yet; jwt_public_key_file takes a JWK Set from a file");
  }
  if (!config.tls_cert.empty()) {
    return NotYet("tls_cert", "not supported yet; put a proxy that speaks TLS in front of a loopback address");
  }
  if (config.durability != Durability::kSync) return NotYet("durability", "only `sync` is supported yet");
  return base::Ok();
}

}  // namespace tocsin::server
