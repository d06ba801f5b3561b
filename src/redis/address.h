// Deployment: where a Redis or Valkey is and how to get in, read from one URL as redis-cli and the client libraries
// write it:
//
//   redis://[[user]:password@]host[:port][/db]           one server (rediss:// with TLS)
//   redis-cluster://[[user]:password@]host[:port],...    a Cluster, any of its nodes   (rediss-cluster://)
//   redis-sentinel://[[user]:password@]host[:port],.../primary-name[/db]   the Sentinels (rediss-sentinel://)
//
// Query parameters: `ca`, `cert`, `key` (files, PEM), `servername`, `sentinel_user`, `sentinel_password`. User and
// password are percent-encoded.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tocsin::redis {

struct Endpoint {
  std::string host;  // a name, an IPv4 or an IPv6 address (without brackets)
  uint16_t port = 6379;
  std::string ToString() const;  // "127.0.0.1:6379", "[::1]:6379"
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

struct Deployment {
  enum class Kind : uint8_t { kSingle, kCluster, kSentinel } kind = Kind::kSingle;
  std::vector<Endpoint> endpoints;  // at least one
  std::string primary_name;         // kSentinel
  std::string user, password;       // empty: none
  std::string sentinel_user, sentinel_password;
  int database = 0;
  bool tls = false;
  std::string ca_file, cert_file, key_file;  // empty: the system's CAs; no client certificate
  std::string server_name;                   // to be found in the certificate; empty: the host connected to

  std::string ToString() const;  // without secrets
};

// kInvalidArgument says what is allowed where. Secrets are not repeated in messages.
base::Result<Deployment> ParseDeployment(std::string_view url);

}  // namespace tocsin::redis
