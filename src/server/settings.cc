// The table of settings: name, help, and how its text becomes a value. A new setting is a line here and in config.h.
#include <algorithm>
#include <array>
#include <limits>
#include <numeric>

#include <arpa/inet.h>

#include "notifier/dead_letters.h"
#include "redis/address.h"
#include "server/config.h"
#include "server/setting_text.h"
#include "server/stream_rules.h"

namespace tocsin::server {
namespace {

using base::Code;
using base::Result;
using base::Status;

Status Allowed(std::string what) { return Status(Code::kInvalidArgument, std::move(what)); }

template <typename T>
Status SetNumber(std::string_view text, T least, T most, T& number) {
  T parsed = 0;
  if (!ParseNumber(text, parsed) || parsed < least || parsed > most) {
    return Allowed("a whole number from " + std::to_string(least) + " to " + std::to_string(most) + " is allowed");
  }
  number = parsed;
  return base::Ok();
}

Status SetBytes(std::string_view text, uint64_t least, uint64_t most, uint64_t& bytes) {
  Result<uint64_t> parsed = ParseBytes(text);
  if (!parsed.ok() || *parsed < least || *parsed > most) {
    return Allowed("bytes from " + std::to_string(least) + " to " + std::to_string(most) +
                   " are allowed, also with KiB, MiB, GiB or TiB behind the number");
  }
  bytes = *parsed;
  return base::Ok();
}

Result<Address> ParseAddress(std::string_view text) {
  const Status wrong = Allowed("HOST:PORT is allowed, for example 127.0.0.1:8080, [::1]:8080 or 0.0.0.0:8080");
  size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return wrong;
  Address address{.host = std::string(text.substr(0, colon)), .port = 0};
  if (!ParseNumber(text.substr(colon + 1), address.port)) return wrong;
  if (address.host.starts_with('[') && address.host.ends_with(']')) {
    address.host = address.host.substr(1, address.host.size() - 2);
    in6_addr parsed{};
    if (inet_pton(AF_INET6, address.host.c_str(), &parsed) != 1) return wrong;
    return address;
  }
  if (address.host.find_first_of(":[]/ @") != std::string::npos) return wrong;
  return address;
}

Status SetAddress(std::string_view text, Address& address) {
  Result<Address> parsed = ParseAddress(text);
  if (!parsed.ok()) return parsed.status();
  address = std::move(parsed).value();
  return base::Ok();
}

template <typename T, size_t N>
Status SetChoice(std::string_view text, const std::array<std::pair<std::string_view, T>, N>& choices, T& chosen) {
  std::string names;
  for (const auto& [name, value] : choices) {
    if (name == text) {
      chosen = value;
      return base::Ok();
    }
    names += names.empty() ? "" : (name == choices.back().first ? " and " : ", ");
    names += name;
  }
  return Allowed(names + " are allowed");
}

Status SetText(std::string_view text, std::string& value) {
  value = text;
  return base::Ok();
}

bool IsOrigin(std::string_view text) {
  size_t scheme = text.starts_with("https://") ? 8 : text.starts_with("http://") ? 7 : 0;
  return scheme != 0 && text.size() > scheme && text.find_first_of("/?#@* ", scheme) == std::string_view::npos;
}

Status SetOrigins(std::string_view list, std::vector<std::string>& origins) {
  std::vector<std::string> parsed;
  for (std::string_view origin : SplitList(list)) {
    if (!IsOrigin(origin)) {
      return Allowed("a comma list of exact origins is allowed, for example https://app.example (no path, no `*`)");
    }
    parsed.emplace_back(origin);
  }
  origins = std::move(parsed);
  return base::Ok();
}

Status SetPublicUrl(std::string_view text, std::string& url) {
  if (text.ends_with('/')) text.remove_suffix(1);
  if (!text.empty() && !IsOrigin(text)) return Allowed("http:// or https:// with a host is allowed, without a path");
  url = text;
  return base::Ok();
}

constexpr int kMaxStreamWeight = 100;

// NAME or NAME=WEIGHT; what is behind the last `=` is the weight, as a name may have any character but a comma.
Status SetStreams(std::string_view list, std::vector<IngestStream>& streams) {
  std::vector<IngestStream> parsed;
  const auto is_there = [&parsed](std::string_view name) {
    return std::any_of(parsed.begin(), parsed.end(), [name](const IngestStream& other) { return other.name == name; });
  };
  for (std::string_view part : SplitList(list)) {
    IngestStream stream;
    const size_t equals = part.rfind('=');
    stream.name = part.substr(0, equals);
    if (stream.name.empty()) return Allowed("a stream name stands before `=`: notifications_stream=4,bulk=1");
    if (equals != std::string_view::npos && (!ParseNumber(part.substr(equals + 1), stream.weight) ||
                                             stream.weight < 1 || stream.weight > kMaxStreamWeight)) {
      return Allowed("a weight from 1 to " + std::to_string(kMaxStreamWeight) + " stands behind the last `=` of `" +
                     std::string(part) + "`");
    }
    if (is_there(stream.name)) return Allowed("each stream once: `" + stream.name + "` is there twice");
    parsed.push_back(std::move(stream));
  }
  if (parsed.empty()) {
    return Allowed(
        "a comma list of stream names is allowed, each with a weight if need be: notifications_stream=4,bulk");
  }
  for (const IngestStream& stream : parsed) {
    const std::string dead = stream.name + std::string(notifier::kDeadSuffix);
    if (is_there(dead)) return Allowed("`" + dead + "` is where the dead letters of `" + stream.name + "` go");
  }
  streams = std::move(parsed);
  return base::Ok();
}

template <typename Rule>
Status SetRules(std::string_view list, Result<std::vector<Rule>> (*parse)(std::string_view), std::vector<Rule>& rules) {
  Result<std::vector<Rule>> parsed = parse(list);
  if (!parsed.ok()) return parsed.status();
  rules = std::move(parsed).value();
  return base::Ok();
}

Status SetDurability(std::string_view text, Durability& durability) {
  static constexpr std::array<std::pair<std::string_view, Durability>, 3> kChoices = {
      {{"sync", Durability::kSync}, {"interval", Durability::kInterval}, {"memory", Durability::kMemory}}};
  std::string_view name = text.substr(0, text.find(':'));
  if (name.size() != text.size()) {  // interval:200
    uint32_t ms = 0;
    if (name != "interval" || !ParseNumber(text.substr(name.size() + 1), ms) || ms == 0) {
      return Allowed("sync, interval:MILLISECONDS and memory are allowed");
    }
  }
  return SetChoice(name, kChoices, durability);
}

Status SetUserClaim(std::string_view text, std::string& claim) {
  if (text.empty() || text.size() > 128) return Allowed("the name of a claim is allowed, 1 to 128 bytes");
  claim = text;
  return base::Ok();
}

Status SetSecret(std::string_view text, std::string& secret) {
  if (!text.empty() && text.size() < auth::kMinSecret) {
    return Allowed("at least 32 bytes are allowed (`openssl rand -hex 32` makes some); this has " +
                   std::to_string(text.size()));
  }
  secret = text;
  return base::Ok();
}

Status SetDemo(std::string_view text, Demo& demo) {
  static constexpr std::array<std::pair<std::string_view, Demo>, 4> kChoices = {
      {{"on", Demo::kOn}, {"true", Demo::kOn}, {"off", Demo::kOff}, {"false", Demo::kOff}}};
  return SetChoice(text, kChoices, demo);
}

Status SetStore(std::string_view text, std::string& store) {
  if (text != "embedded") {
    if (text.find("://") == std::string_view::npos) {
      return Allowed("`embedded` is allowed, or the URL of a Redis, for example redis://127.0.0.1:6379");
    }
    auto deployment = redis::ParseDeployment(text);
    if (!deployment.ok()) return deployment.status();
  }
  return SetText(text, store);
}

constexpr std::array<std::pair<std::string_view, IngestFrom>, 2> kIngestFroms = {
    {{"$", IngestFrom::kNow}, {"0", IngestFrom::kStart}}};
constexpr std::array<std::pair<std::string_view, RedisAuth>, 2> kRedisAuth = {
    {{"required", RedisAuth::kRequired}, {"off", RedisAuth::kOff}}};
constexpr std::array<std::pair<std::string_view, base::Level>, 4> kLevels = {{{"debug", base::Level::kDebug},
                                                                              {"info", base::Level::kInfo},
                                                                              {"warn", base::Level::kWarn},
                                                                              {"error", base::Level::kError}}};

struct Setting {
  SettingHelp help;
  Status (*set)(Config&, std::string_view);
};

constexpr std::string_view kPlaces = "Where it stands and listens";
constexpr std::string_view kKeys = "Who may do what";
constexpr std::string_view kFlow = "What it reads and keeps";

constexpr Setting kSettings[] = {
    {{"data_dir", "DIR", "where the store and generated keys are kept (./tocsin-data)", kPlaces, false},
     [](Config& c, std::string_view v) {
       return v.empty() ? Allowed("the path of a directory is allowed") : SetText(v, c.data_dir);
     }},
    {{"listen", "HOST:PORT",
      "HTTP, WebSocket, SSE and pages (127.0.0.1:8080). Any address is allowed; beyond loopback put a proxy with "
      "TLS in front, since tokens and keys pass through it",
      kPlaces, false},
     [](Config& c, std::string_view v) { return SetAddress(v, c.listen); }},
    {{"redis_listen", "HOST:PORT", "Redis protocol (127.0.0.1:6380); empty: off", kPlaces, false},
     [](Config& c, std::string_view v) {
       if (v.empty()) {
         c.redis_listen.reset();
         return base::Ok();
       }
       Address address;
       RETURN_IF_ERROR(SetAddress(v, address));
       c.redis_listen = std::move(address);
       return base::Ok();
     }},
    {{"public_url", "URL", "how browsers reach this service, if by another name", kPlaces, false},
     [](Config& c, std::string_view v) { return SetPublicUrl(v, c.public_url); }},
    {{"tls_cert", "FILE", "not supported yet", kPlaces, false},
     [](Config& c, std::string_view v) { return SetText(v, c.tls_cert); }},
    {{"tls_key", "FILE", "not supported yet", kPlaces, false},
     [](Config& c, std::string_view v) { return SetText(v, c.tls_key); }},
    {{"cores", "N", "event-loop threads (one per CPU)", kPlaces, false},
     [](Config& c, std::string_view v) { return SetNumber(v, 1, 256, c.cores); }},
    {{"max_connections", "N", "beyond it new ones get 503 (18000)", kPlaces, false},
     [](Config& c, std::string_view v) { return SetNumber<size_t>(v, 1, 1'000'000, c.max_connections); }},
    {{"log_level", "LEVEL", "debug, info, warn or error (info)", kPlaces, false},
     [](Config& c, std::string_view v) { return SetChoice(v, kLevels, c.log_level); }},
    {{"demo", "on|off", "serve the demo inbox at / (off)", kPlaces, true},
     [](Config& c, std::string_view v) { return SetDemo(v, c.demo); }},

    {{"api_keys", "LIST",
      "comma list of name:secret[:scope+scope], or @FILE with one a line; scopes: publish, read, consume, admin "
      "(one key with every scope is generated into the data directory)",
      kKeys, false},
     [](Config& c, std::string_view v) { return SetText(v, c.api_keys); }},
    {{"redis_auth", "required|off", "off: no password on a loopback redis_listen (required)", kKeys, false},
     [](Config& c, std::string_view v) { return SetChoice(v, kRedisAuth, c.redis_auth); }},
    {{"jwt_hs256_secret", "SECRET",
      "user tokens are signed with it, 32 bytes or more (one is generated into the data directory). Others can "
      "read the flags of a running program: prefer the variable or the file",
      kKeys, false},
     [](Config& c, std::string_view v) { return SetSecret(v, c.jwt_hs256_secret); }},
    {{"jwt_public_key_file", "FILE", "user tokens are signed by these keys: PEM or JWK (Set); RS256, ES256, EdDSA",
      kKeys, false},
     [](Config& c, std::string_view v) { return SetText(v, c.jwt_public_key_file); }},
    {{"jwks_url", "URL", "not supported yet", kKeys, false},
     [](Config& c, std::string_view v) { return SetText(v, c.jwks_url); }},
    {{"jwt_issuer", "TEXT", "a token's `iss` must be this", kKeys, false},
     [](Config& c, std::string_view v) { return SetText(v, c.jwt_issuer); }},
    {{"jwt_audience", "TEXT", "a token's `aud` must name this", kKeys, false},
     [](Config& c, std::string_view v) { return SetText(v, c.jwt_audience); }},
    {{"jwt_user_claim", "CLAIM", "which claim is the user id (sub)", kKeys, false},
     [](Config& c, std::string_view v) { return SetUserClaim(v, c.jwt_user_claim); }},
    {{"jwt_leeway_s", "SECONDS", "how far the issuer's clock may be off, 0 to 60 (5)", kKeys, false},
     [](Config& c, std::string_view v) { return SetNumber<int64_t>(v, 0, auth::kMaxLeewayMs / 1000, c.jwt_leeway_s); }},
    {{"allowed_origins", "LIST", "pages of these origins may connect, exact (same origin only)", kKeys, false},
     [](Config& c, std::string_view v) { return SetOrigins(v, c.allowed_origins); }},

    {{"store", "STORE",
      "embedded (the default: no other process), or the URL of a Redis or Valkey that any number of nodes share: "
      "redis://HOST:PORT, redis-sentinel://HOST:PORT,.../NAME, redis-cluster://HOST:PORT,...; `rediss` for TLS",
      kFlow, false},
     [](Config& c, std::string_view v) { return SetStore(v, c.store); }},
    {{"partitions", "N",
      "on Redis: divides each ingest stream into `<stream>:{0}` to `<stream>:{N-1}`, for a Cluster (0: not divided)",
      kFlow, false},
     [](Config& c, std::string_view v) { return SetNumber(v, 0, 256, c.partitions); }},
    {{"wait_replicas", "N",
      "on Redis: a publish is answered when so many replicas have it too, and with 503 when they do not within a "
      "second (0)",
      kFlow, false},
     [](Config& c, std::string_view v) { return SetNumber(v, 0, 16, c.wait_replicas); }},
    {{"ingest_from", "$|0",
      "on Redis: where a stream is begun that was there before Tocsin; `$`: after what is in it, `0`: with all of it "
      "($)",
      kFlow, false},
     [](Config& c, std::string_view v) { return SetChoice(v, kIngestFroms, c.ingest_from); }},
    {{"durability", "LEVEL", "sync: an answer comes after fsync; others are not supported yet", kFlow, false},
     [](Config& c, std::string_view v) { return SetDurability(v, c.durability); }},
    {{"ingest_streams", "LIST",
      "what is read and routed to users, for example `notifications_stream=4,bulk=1`: where several have a backlog, "
      "each "
      "gets its weight's share (1 to 100; 1 where none is given). Publishes over HTTP go to the first "
      "(notifications_stream)",
      kFlow, false},
     [](Config& c, std::string_view v) { return SetStreams(v, c.ingest_streams); }},
    {{"redelivery", "LIST",
      "what groups do with entries that nobody acknowledged, for example `notifications_stream/email after=60s "
      "deliveries=5 backoff=2 longest=1h`: given again to whoever reads next, and after so many deliveries a dead "
      "letter; `*` is every group of the stream. On Redis consumers claim what is pending themselves, and a rule says "
      "after "
      "how many `deliveries` it is a dead letter (as in Redis: they stay where they are)",
      kFlow, false},
     [](Config& c, std::string_view v) { return SetRules(v, ParseRedelivery, c.redelivery); }},
    {{"retention", "LIST",
      "what is kept of streams, for example `notifications_stream age=7d entries=1000000 bytes=1GiB cap=4GiB`: entries "
      "that every group has acknowledged go beyond age, entries or bytes, others beyond cap; with needed=drop the "
      "first "
      "three spare nothing (ingest streams: age=24h entries=1000000 cap=4GiB; their dead letters: cap=1GiB)",
      kFlow, false},
     [](Config& c, std::string_view v) { return SetRules(v, ParseRetention, c.retention); }},
    {{"rate_limits", "LIST",
      "how much of a category a user gets at once, for example `* most=60 per=1m, marketing most=3 per=1h`: what is "
      "beyond is summed up, and one digest of it comes when the time is over; `*` is every category without a rule of "
      "its own. `critical` is not limited (no limits)",
      kFlow, false},
     [](Config& c, std::string_view v) { return SetRules(v, ParseRateLimits, c.rate_limits); }},
    {{"max_body", "BYTES", "of one request (1MiB)", kFlow, false},
     [](Config& c, std::string_view v) {
       uint64_t bytes = 0;
       RETURN_IF_ERROR(SetBytes(v, 1024, model::kMaxIngestBody * 16, bytes));
       c.max_body = bytes;
       return base::Ok();
     }},
    {{"log_max_entries", "N", "notifications kept per user; older ones are trimmed (10000)", kFlow, false},
     [](Config& c, std::string_view v) { return SetNumber<size_t>(v, 100, 10'000'000, c.log_max_entries); }},
    {{"min_free_bytes", "BYTES", "publishes get 507 when the disk has less left (64MiB)", kFlow, false},
     [](Config& c, std::string_view v) { return SetBytes(v, 0, 1ull << 50, c.min_free_bytes); }},
};

std::vector<std::string_view> Names() {
  std::vector<std::string_view> names;
  for (const Setting& setting : kSettings) names.push_back(setting.help.name);
  return names;
}

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0u);
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

}  // namespace

std::string Address::ToString() const {
  bool brackets = host.find(':') != std::string::npos;
  return (brackets ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

bool Address::IsLoopback() const {
  if (host == "localhost") return true;
  in_addr v4{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
  in6_addr v6{};
  return inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

std::span<const SettingHelp> AllSettings() {
  static const std::vector<SettingHelp> kAll = [] {
    std::vector<SettingHelp> help;
    for (const Setting& setting : kSettings) help.push_back(setting.help);
    return help;
  }();
  return kAll;
}

std::string_view NearestName(std::string_view wrong, std::span<const std::string_view> names) {
  std::string_view nearest;
  size_t best = (wrong.size() <= 5 ? 1 : std::max<size_t>(2, wrong.size() / 4)) + 1;  // more is another word
  for (std::string_view name : names) {
    size_t distance = wrong.size() > 64 ? 64 : EditDistance(wrong, name);
    if (distance < best) {
      best = distance;
      nearest = name;
    }
  }
  return nearest;
}

Status Assign(Config& config, std::string_view name, std::string_view value) {
  for (const Setting& setting : kSettings) {
    if (setting.help.name != name) continue;
    return setting.set(config, Trim(value));
  }
  std::vector<std::string_view> names = Names();
  std::string_view nearest = NearestName(name, names);
  std::string message = "there is no setting `" + std::string(name) + "`";
  message += nearest.empty() ? "; `tocsin serve --help` lists them" : "; did you mean `" + std::string(nearest) + "`?";
  return Status(Code::kNotFound, std::move(message));
}

}  // namespace tocsin::server
