#include "redis/address.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "wire/uri.h"

namespace tocsin::redis {
namespace {

using base::Code;
using base::Result;
using base::Status;

constexpr size_t kMaxHost = 253;
constexpr size_t kMaxEndpoints = 64;

Status Wrong(std::string message) { return Status(Code::kInvalidArgument, std::move(message)); }

// Digits only, nothing around them.
template <typename Number>
std::optional<Number> Decimal(std::string_view text) {
  Number value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end || text.empty() || text[0] == '-') return std::nullopt;
  return value;
}

struct Scheme {
  std::string_view name;
  Deployment::Kind kind;
  bool tls;
};
constexpr Scheme kSchemes[] = {
    {"redis", Deployment::Kind::kSingle, false},
    {"rediss", Deployment::Kind::kSingle, true},
    {"redis-cluster", Deployment::Kind::kCluster, false},
    {"rediss-cluster", Deployment::Kind::kCluster, true},
    {"redis-sentinel", Deployment::Kind::kSentinel, false},
    {"rediss-sentinel", Deployment::Kind::kSentinel, true},
};

bool IsHost(std::string_view host, bool bracketed) {
  if (host.empty() || host.size() > kMaxHost) return false;
  return std::all_of(host.begin(), host.end(), [bracketed](char c) {
    const bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return word || c == '.' || c == '-' || c == '_' || (bracketed && (c == ':' || c == '%'));
  });
}

Result<Endpoint> ParseEndpoint(std::string_view text, uint16_t default_port) {
  Endpoint endpoint;
  endpoint.port = default_port;
  std::string_view host = text, port;
  bool has_port = false;
  const bool bracketed = text.starts_with('[');
  if (bracketed) {
    const size_t end = text.find(']');
    if (end == text.npos) return Wrong("an IPv6 address is written in brackets: `[::1]:6379`");
    host = text.substr(1, end - 1);
    const std::string_view rest = text.substr(end + 1);
    has_port = !rest.empty();
    if (has_port && rest[0] != ':') return Wrong("behind `]` only a port may follow: `[::1]:6379`");
    port = rest.substr(has_port ? 1 : 0);
  } else if (const size_t colon = text.find(':'); colon != text.npos) {
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
    has_port = true;
  }
  if (!IsHost(host, bracketed)) return Wrong("a server is written `host:port`; an IPv6 address in brackets");
  if (has_port) {
    const std::optional<uint16_t> number = Decimal<uint16_t>(port);
    if (!number || *number == 0) return Wrong("the port of a server is a number from 1 to 65535");
    endpoint.port = *number;
  }
  endpoint.host = host;
  return endpoint;
}

Status ParseUser(std::string_view text, Deployment& deployment) {
  const size_t colon = text.find(':');
  if (colon == text.npos) return Wrong("write `user:password@`, or `:password@` for the default user");
  const std::optional<std::string> user = wire::PercentDecode(text.substr(0, colon));
  const std::optional<std::string> password = wire::PercentDecode(text.substr(colon + 1));
  if (!user || !password) return Wrong("user and password are percent-encoded UTF-8: `%` is written `%25`");
  if (password->empty()) return Wrong("a user needs a password: `user:password@`");
  deployment.user = *user;
  deployment.password = *password;
  return base::Ok();
}

Status ParseEndpoints(std::string_view text, Deployment& deployment) {
  const uint16_t default_port = deployment.kind == Deployment::Kind::kSentinel ? 26379 : 6379;
  while (true) {
    const size_t comma = text.find(',');
    Result<Endpoint> endpoint = ParseEndpoint(text.substr(0, comma), default_port);
    RETURN_IF_ERROR(endpoint.status());
    deployment.endpoints.push_back(std::move(endpoint).value());
    if (comma == text.npos) break;
    text.remove_prefix(comma + 1);
  }
  if (deployment.kind == Deployment::Kind::kSingle && deployment.endpoints.size() > 1) {
    return Wrong("several servers are a Cluster (`redis-cluster://`) or Sentinels (`redis-sentinel://`)");
  }
  if (deployment.endpoints.size() > kMaxEndpoints) return Wrong("at most 64 servers are named; the rest are learned");
  return base::Ok();
}

Status ParseDatabase(std::string_view text, Deployment& deployment) {
  if (text.empty()) return base::Ok();
  const std::optional<int> database = Decimal<int>(text);
  if (!database) return Wrong("the database is a number: `/0`");
  if (deployment.kind == Deployment::Kind::kCluster && *database != 0) return Wrong("a Cluster has database 0 only");
  deployment.database = *database;
  return base::Ok();
}

Status ParsePath(std::string_view path, Deployment& deployment) {
  if (!path.empty()) path.remove_prefix(1);
  if (deployment.kind != Deployment::Kind::kSentinel) return ParseDatabase(path, deployment);
  const size_t slash = path.find('/');
  const std::optional<std::string> name = wire::PercentDecode(path.substr(0, slash));
  if (!name || name->empty()) return Wrong("Sentinels are asked by name: `redis-sentinel://host:26379/mymaster`");
  deployment.primary_name = *name;
  return slash == path.npos ? base::Ok() : ParseDatabase(path.substr(slash + 1), deployment);
}

Status ParseQuery(std::string_view query, Deployment& deployment) {
  Result<wire::QueryParameters> parameters = wire::QueryParameters::Parse(query);
  RETURN_IF_ERROR(parameters.status());
  struct Known {
    std::string_view name;
    std::string& into;
    bool allowed;
    std::string_view where;
  };
  const bool sentinel = deployment.kind == Deployment::Kind::kSentinel;
  const Known known[] = {
      {"ca", deployment.ca_file, deployment.tls, "rediss"},
      {"cert", deployment.cert_file, deployment.tls, "rediss"},
      {"key", deployment.key_file, deployment.tls, "rediss"},
      {"servername", deployment.server_name, deployment.tls, "rediss"},
      {"sentinel_user", deployment.sentinel_user, sentinel, "redis-sentinel"},
      {"sentinel_password", deployment.sentinel_password, sentinel, "redis-sentinel"},
  };
  for (const auto& [name, value] : parameters->all()) {
    const auto* const found = std::find_if(std::begin(known), std::end(known),
                                           [&given = name](const Known& one) { return one.name == given; });
    if (found == std::end(known)) {
      return Wrong("known parameters are ca, cert, key, servername, sentinel_user and sentinel_password");
    }
    if (!found->allowed) return Wrong("`" + name + "` is for " + std::string(found->where) + ":// addresses only");
    if (value.empty()) return Wrong("`" + name + "` is empty");
    found->into = value;
  }
  if (deployment.cert_file.empty() != deployment.key_file.empty()) return Wrong("`cert` and `key` go together");
  if (!deployment.sentinel_user.empty() && deployment.sentinel_password.empty()) {
    return Wrong("`sentinel_user` needs a `sentinel_password`");
  }
  return base::Ok();
}

}  // namespace

std::string Endpoint::ToString() const {
  const bool bracketed = host.find(':') != host.npos;
  return (bracketed ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::string Deployment::ToString() const {
  std::string text = tls ? "rediss" : "redis";
  if (kind == Kind::kCluster) text += "-cluster";
  if (kind == Kind::kSentinel) text += "-sentinel";
  text += "://";
  for (size_t i = 0; i < endpoints.size(); ++i) text += (i == 0 ? "" : ",") + endpoints[i].ToString();
  if (kind == Kind::kSentinel) wire::AppendPercentEncoded(text += "/", primary_name);
  if (database != 0) text += "/" + std::to_string(database);
  return text;
}

Result<Deployment> ParseDeployment(std::string_view url) {
  const size_t mark = url.find("://");
  const auto* const scheme = std::find_if(std::begin(kSchemes), std::end(kSchemes),
                                          [&](const Scheme& one) { return one.name == url.substr(0, mark); });
  if (mark == url.npos || scheme == std::end(kSchemes)) {
    return Wrong(
        "a Redis address starts with redis://, rediss://, redis-cluster://, rediss-cluster://, redis-sentinel:// or "
        "rediss-sentinel://");
  }
  Deployment deployment;
  deployment.kind = scheme->kind;
  deployment.tls = scheme->tls;
  std::string_view rest = url.substr(mark + 3);
  if (rest.find('#') != rest.npos) return Wrong("`#` is written `%23` in user, password and name");
  std::string_view query;
  if (const size_t question = rest.find('?'); question != rest.npos) {
    query = rest.substr(question + 1);
    rest = rest.substr(0, question);
  }
  const size_t slash = std::min(rest.find('/'), rest.size());
  std::string_view authority = rest.substr(0, slash);
  if (const size_t at = authority.rfind('@'); at != authority.npos) {
    RETURN_IF_ERROR(ParseUser(authority.substr(0, at), deployment));
    authority.remove_prefix(at + 1);
  }
  RETURN_IF_ERROR(ParseEndpoints(authority, deployment));
  RETURN_IF_ERROR(ParsePath(rest.substr(slash), deployment));
  RETURN_IF_ERROR(ParseQuery(query, deployment));
  return deployment;
}

}  // namespace tocsin::redis
