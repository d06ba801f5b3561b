// Config: every setting of `tocsin serve` in one struct, read from a TOML file, the environment and the command line.
//
// 1. One setting has one name in three spellings: `data_dir` in the file, TOCSIN_DATA_DIR, `--data-dir`. Flag over
//    variable over file over default.
// 2. A setting that does not exist is refused, with the nearest name. So is a variable TOCSIN_X that is nearly one of
//    ours; others (`TOCSIN_PORT_80_TCP`, which Kubernetes sets for a service of that name) are left alone.
// 3. A value that is wrong is refused where it stands, with what is allowed. Secrets are not repeated in messages.
// 4. What a later version will do is refused too (CheckSupported), so that nobody believes to have it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "auth/jwt.h"
#include "base/log.h"
#include "base/result.h"
#include "model/limits.h"
#include "notifier/retention_rule.h"
#include "state/rate_limit.h"
#include "streams/redelivery.h"

namespace tocsin::server {

struct Address {
  std::string host;  // a name, an IPv4 or an IPv6 address (without brackets)
  uint16_t port = 0;

  std::string ToString() const;  // "127.0.0.1:8080", "[::1]:8080"
  // 127.0.0.0/8, ::1 and `localhost`: nobody else's machine can reach it.
  bool IsLoopback() const;
  friend bool operator==(const Address&, const Address&) = default;
};

enum class RedisAuth : uint8_t { kRequired, kOff };
enum class Durability : uint8_t { kSync, kInterval, kMemory };
enum class Demo : uint8_t { kOff, kOn };
// Where the built-in group begins on a stream of a Redis that was there before it.
enum class IngestFrom : uint8_t { kNow, kStart };

// What the built-in group reads.
struct IngestStream {
  std::string name;
  int weight = 1;
  friend bool operator==(const IngestStream&, const IngestStream&) = default;
};

struct Config {
  std::string data_dir = "./tocsin-data";
  Address listen{"127.0.0.1", 8080};
  std::optional<Address> redis_listen = Address{"127.0.0.1", 6380};  // nothing: off
  RedisAuth redis_auth = RedisAuth::kRequired;
  std::string store = "embedded";  // or a URL, as redis/address.h reads it
  int partitions = 0;              // of each ingest stream, on Redis; 0: it is not divided
  int wait_replicas = 0;           // that a publish waits for, on Redis
  IngestFrom ingest_from = IngestFrom::kNow;
  std::string api_keys{};  // as auth::ApiKeys::Parse takes it; empty: one is generated
  std::string jwt_hs256_secret{};
  std::string jwt_public_key_file{};
  std::string jwks_url{};
  std::string jwt_issuer{};
  std::string jwt_audience{};
  std::string jwt_user_claim = "sub";
  int64_t jwt_leeway_s = 5;
  int cores = 0;  // 0: as many as there are CPUs
  std::vector<IngestStream> ingest_streams = {{"notifications_stream", 1}};
  std::vector<streams::RedeliveryRule> redelivery{};
  std::vector<notifier::RetentionRule> retention{};
  std::vector<state::RateLimit> rate_limits{};
  std::vector<std::string> allowed_origins{};
  std::string public_url{};
  std::string tls_cert{};
  std::string tls_key{};
  Durability durability = Durability::kSync;
  size_t max_connections = model::kMaxConnections;
  size_t max_body = model::kMaxIngestBody;
  size_t log_max_entries = model::kLogMaxEntries;
  uint64_t min_free_bytes = 64ull << 20;
  base::Level log_level = base::Level::kInfo;
  Demo demo = Demo::kOff;
};

// Name as in the file (`data_dir`), and the text of the value. Of a name given twice the last counts.
using Assignment = std::pair<std::string, std::string>;

// One setting, for the reader of flags and its help.
struct SettingHelp {
  std::string_view name;         // "data_dir"
  std::string_view placeholder;  // "DIR"
  std::string_view summary;      // what it is, and its default
  std::string_view group;        // heading in the help
  bool is_switch;                // the flag may stand without a value, which means `on`
};
std::span<const SettingHelp> AllSettings();

// Sets one setting. kNotFound: there is none of that name (the message suggests one); kInvalidArgument: the value.
base::Status Assign(Config& config, std::string_view name, std::string_view value);

// Environment variables as the process was given them: "NAME=value".
std::vector<std::string> Environment();

// File (if any), then variables, then flags; then what must hold between settings. Failures name the place: the file
// and line, the variable or the flag.
base::Result<Config> LoadConfig(const std::string& file, std::span<const std::string> environment,
                                std::span<const Assignment> flags);

// kInvalidArgument for what is a setting already but not built yet. For `serve`; clients do not mind.
base::Status CheckSupported(const Config& config);

// The name nearest to `wrong` (a few typing mistakes away), or nothing.
std::string_view NearestName(std::string_view wrong, std::span<const std::string_view> names);

}  // namespace tocsin::server
