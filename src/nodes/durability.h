// Durability of a Redis or Valkey: what "stored" means there, read from what the servers say about themselves. Pure
// functions over facts; whoever asks the servers is elsewhere.
//
// 1. Nothing is assumed. What a server does not say (managed services refuse CONFIG) counts as the weaker, and the
//    reason says so.
// 2. The weakest primary counts: a user's log may be on any of them.
// 3. The level is about a crash or power loss of a server that comes back with its own disk. A failover to a replica is
//    another thing: Redis replicates after it has answered, at every level. The reason says it where there are
//    replicas.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "wire/resp.h"

namespace tocsin::nodes {

// Of what an answer may have been lost with the power: nothing; about two seconds; more than that.
enum class Level : uint8_t { kSync, kInterval, kMemory };
std::string_view LevelName(Level level);  // "sync", "interval", "memory"

// What one primary says. A fact that it does not say, or not in a form that we know, is absent.
struct ServerFacts {
  std::string address;
  std::string version;  // redis_version: of a Valkey the Redis version that it stands for
  std::string product;  // "Redis 7.0.15", "Valkey 8.0.1": for people
  std::string role;     // "master" or "slave", as Redis words it
  std::optional<bool> aof_enabled;
  std::optional<std::string> appendfsync;   // "always", "everysec", "no"
  std::optional<bool> no_fsync_on_rewrite;  // no-appendfsync-on-rewrite
  std::optional<std::string> save;          // "3600 1 300 100"; empty: no snapshots
  std::optional<uint64_t> maxmemory;        // bytes; 0: no limit
  std::optional<std::string> maxmemory_policy;
  std::optional<uint64_t> min_replicas_to_write;
  std::optional<uint64_t> connected_replicas;
};

// The commands whose replies hold the facts, each to be sent to every primary.
std::span<const std::vector<std::string>> FactCommands();
// Takes what a reply to one of them holds, whichever it is. An error reply, or one of an unknown shape, holds nothing.
void Learn(ServerFacts& facts, const wire::RespReply& reply);

struct DurabilityOptions {
  // Replicas that every append is confirmed by (WAIT) before it is answered; 0: WAIT is not used.
  uint64_t wait_replicas = 0;
};

struct Durability {
  Level level = Level::kMemory;
  std::string why;  // one to three sentences: what the level rests on, and what would raise it
  // Not empty: these servers must not be used as a store; what is wrong and how to mend it.
  std::string refusal;
};

// `primaries`: every primary of the deployment. None at all: refused.
Durability Assess(std::span<const ServerFacts> primaries, const DurabilityOptions& options = {});

}  // namespace tocsin::nodes
