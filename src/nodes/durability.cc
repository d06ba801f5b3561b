#include "nodes/durability.h"

#include <algorithm>
#include <charconv>

namespace tocsin::nodes {
namespace {

constexpr std::string_view kOldest = "6.2";

std::string_view Trimmed(std::string_view line) {
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
  return line;
}

std::optional<uint64_t> Number(std::string_view text) {
  uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<bool> YesNo(std::string_view text) {
  if (text == "yes" || text == "1") return true;
  if (text == "no" || text == "0") return false;
  return std::nullopt;
}

// INFO's names and CONFIG's do not overlap but in `maxmemory`, which means the same in both.
void LearnOne(ServerFacts& facts, std::string_view name, std::string_view value) {
  if (name == "redis_version") {
    facts.version = value;
    if (facts.product.empty()) facts.product = "Redis " + facts.version;
  } else if (name == "valkey_version") {
    facts.product = "Valkey " + std::string(value);
  } else if (name == "role") {
    facts.role = value;
  } else if (name == "aof_enabled" || name == "appendonly") {
    // Off is the weaker: a file that CONFIG promises and INFO does not have is none.
    std::optional<bool> on = YesNo(value);
    if (on.has_value()) facts.aof_enabled = *on && facts.aof_enabled.value_or(true);
  } else if (name == "appendfsync") {
    facts.appendfsync = value;
  } else if (name == "no-appendfsync-on-rewrite") {
    facts.no_fsync_on_rewrite = YesNo(value);
  } else if (name == "save") {
    facts.save = value;
  } else if (name == "maxmemory") {
    facts.maxmemory = Number(value);
  } else if (name == "maxmemory-policy" || name == "maxmemory_policy") {
    facts.maxmemory_policy = value;
  } else if (name == "min-replicas-to-write") {
    facts.min_replicas_to_write = Number(value);
  } else if (name == "connected_slaves") {
    facts.connected_replicas = Number(value);
  }
}

void LearnLines(ServerFacts& facts, std::string_view text) {
  while (!text.empty()) {
    size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = Trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    size_t colon = line.find(':');
    if (colon != std::string_view::npos && line[0] != '#') {
      LearnOne(facts, line.substr(0, colon), line.substr(colon + 1));
    }
  }
}

// major * 1,000 + minor; nothing for what does not begin with two numbers.
std::optional<uint64_t> VersionNumber(std::string_view version) {
  size_t dot = version.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  std::string_view rest = version.substr(dot + 1);
  std::optional<uint64_t> major = Number(version.substr(0, dot));
  std::optional<uint64_t> minor = Number(rest.substr(0, rest.find_first_not_of("0123456789")));
  if (!major || !minor || *major > 1'000 || *minor >= 1'000) return std::nullopt;
  return *major * 1'000 + *minor;
}

std::string RefusalOf(const ServerFacts& facts) {
  if (facts.role == "slave") {
    return facts.address + " is a replica and takes no writes: name its primary, or its Sentinels (redis-sentinel://)";
  }
  std::optional<uint64_t> version = VersionNumber(facts.version);
  if (!version) {
    return "the version of " + facts.address + " is not known: its user must be allowed to run INFO (ACL: +info)";
  }
  if (*version < *VersionNumber(kOldest)) {
    return facts.address + " is " + facts.product + ": Tocsin needs Redis " + std::string(kOldest) + " or Valkey";
  }
  const std::string policy = facts.maxmemory_policy.value_or("noeviction");
  // A limit that is not known counts as one.
  if (policy != "noeviction" && facts.maxmemory != 0u) {
    return facts.address + " may evict keys (maxmemory-policy " + policy +
           "), and an evicted stream or log is lost: set maxmemory-policy noeviction, or maxmemory 0";
  }
  return "";
}

// What the file on disk is worth, and what would be worth more. A finding for each server; the weakest is told.
struct Finding {
  Level level;
  std::string why;
};

Finding WithoutFile(const ServerFacts& facts, std::string said) {
  if (!facts.save)
    return {Level::kMemory, std::move(said) + "; a crash may lose what was written since the last snapshot"};
  if (facts.save->empty())
    return {Level::kMemory, std::move(said) + " and no snapshots are made: a crash loses everything"};
  return {Level::kMemory,
          std::move(said) + ": a crash loses what was written since the last snapshot (save " + *facts.save + ")"};
}

Finding Look(const ServerFacts& facts) {
  constexpr std::string_view kMend = ". For `sync` set appendonly yes and appendfsync always";
  if (!facts.aof_enabled) {
    Finding finding =
        WithoutFile(facts, facts.address + " does not say whether it has an append-only file, so none is assumed");
    finding.why += ". Let the user run INFO and CONFIG GET (ACL: +info +config|get)";
    return finding;
  }
  if (!*facts.aof_enabled) {
    Finding finding = WithoutFile(facts, facts.address + " has appendonly no");
    finding.why += kMend;
    return finding;
  }
  if (!facts.appendfsync) {
    return {Level::kMemory,
            facts.address +
                " has an append-only file and does not say when it is synced, so the weakest is assumed "
                "(appendfsync no). Let the user run CONFIG GET (ACL: +config|get), where the service has it"};
  }
  if (*facts.appendfsync != "always" && *facts.appendfsync != "everysec") {
    return {Level::kMemory, facts.address + " has appendfsync " + *facts.appendfsync +
                                ": a power loss may lose what the kernel had not written, about 30 s. For `sync` set "
                                "appendfsync always"};
  }
  if (facts.no_fsync_on_rewrite.value_or(false)) {
    return {Level::kMemory,
            facts.address +
                " has no-appendfsync-on-rewrite yes: while it rewrites its file or makes a snapshot nothing "
                "is synced, whatever appendfsync says. Set it to no"};
  }
  if (*facts.appendfsync == "everysec") {
    return {Level::kInterval,
            facts.address +
                " has appendfsync everysec: a power loss may lose the last one or two seconds. For `sync` "
                "set appendfsync always"};
  }
  return {Level::kSync, facts.address + " has appendonly yes and appendfsync always"};
}

// What a failover may take, which no level covers.
std::string OfFailover(std::span<const ServerFacts> primaries, const DurabilityOptions& options) {
  const bool replicated = std::any_of(primaries.begin(), primaries.end(), [](const ServerFacts& facts) {
    return facts.connected_replicas.value_or(0) > 0 || facts.min_replicas_to_write.value_or(0) > 0;
  });
  if (options.wait_replicas > 0) {
    return ". An answer waits for " + std::to_string(options.wait_replicas) +
           " replicas (WAIT), which narrows what a failover may lose, and does not rule it out";
  }
  if (!replicated) return "";
  uint64_t least = UINT64_MAX;
  for (const ServerFacts& facts : primaries) least = std::min(least, facts.min_replicas_to_write.value_or(0));
  std::string text = ". A failover may lose what had not reached the replica yet";
  if (least > 0) {
    text += "; min-replicas-to-write " + std::to_string(least) + " stops a primary that is cut off from its replicas";
  }
  return text;
}

std::string OfOthers(size_t weakest, size_t all) {
  if (all == 1) return "";
  if (weakest == all) return ". All " + std::to_string(all) + " primaries are at this level";
  return ". " + std::to_string(weakest) + " of " + std::to_string(all) +
         " primaries are at this level; the weakest counts";
}

}  // namespace

std::string_view LevelName(Level level) {
  switch (level) {
    case Level::kSync:
      return "sync";
    case Level::kInterval:
      return "interval";
    case Level::kMemory:
      break;
  }
  return "memory";
}

std::span<const std::vector<std::string>> FactCommands() {
  // Patterns, and one at a time: before Redis 7 CONFIG GET takes one argument.
  static const std::vector<std::vector<std::string>> kCommands = {
      {"INFO"},
      {"CONFIG", "GET", "*append*"},
      {"CONFIG", "GET", "maxmemory*"},
      {"CONFIG", "GET", "min-replicas-to-write"},
      {"CONFIG", "GET", "save"},
  };
  return kCommands;
}

void Learn(ServerFacts& facts, const wire::RespReply& reply) {
  using Type = wire::RespReply::Type;
  if (reply.type == Type::kBulk || reply.type == Type::kVerbatim) return LearnLines(facts, reply.text);
  if (reply.type != Type::kArray && reply.type != Type::kMap) return;
  for (size_t i = 0; i + 1 < reply.elements.size(); i += 2) {
    LearnOne(facts, reply.elements[i].text, reply.elements[i + 1].text);
  }
}

Durability Assess(std::span<const ServerFacts> primaries, const DurabilityOptions& options) {
  Durability answer;
  if (primaries.empty()) {
    answer.why = answer.refusal = "no primary is known";
    return answer;
  }
  std::vector<Finding> findings;
  for (const ServerFacts& facts : primaries) {
    if (answer.refusal.empty()) answer.refusal = RefusalOf(facts);
    findings.push_back(Look(facts));
  }
  const Finding& weakest = *std::max_element(findings.begin(), findings.end(),
                                             [](const Finding& a, const Finding& b) { return a.level < b.level; });
  const auto as_weak = static_cast<size_t>(
      std::count_if(findings.begin(), findings.end(), [&](const Finding& f) { return f.level == weakest.level; }));
  answer.level = weakest.level;
  answer.why = weakest.why + OfOthers(as_weak, findings.size()) + OfFailover(primaries, options) + ".";
  return answer;
}

}  // namespace tocsin::nodes
