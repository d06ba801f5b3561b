// INFO, CONFIG, MEMORY.
#include <algorithm>
#include <cstdio>

#include <sys/resource.h>
#include <unistd.h>

#include "commands/arguments.h"
#include "commands/client.h"
#include "commands/glob.h"
#include "commands/handlers.h"

namespace tocsin::commands {
namespace {

constexpr std::string_view kRedisVersion = "7.2.4";

// Resident memory, in bytes; 0 when the system does not tell.
uint64_t ResidentBytes() {
  std::FILE* const file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr) return 0;
  unsigned long total = 0, resident = 0;
  const int read = std::fscanf(file, "%lu %lu", &total, &resident);
  std::fclose(file);
  return read == 2 ? uint64_t{resident} * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)) : 0;
}

void Add(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(":").append(value).append("\r\n");
}
void Add(std::string& out, std::string_view name, uint64_t value) { Add(out, name, std::to_string(value)); }

using Section = void (*)(Call& call, std::string& out);

void ServerSection(Call& call, std::string& out) {
  const DatabaseOptions& options = call.db.options();
  const auto uptime_s = static_cast<uint64_t>((call.db.clock().MonotonicUs() - call.db.started_us()) / 1'000'000);
  Add(out, "redis_version", kRedisVersion);
  Add(out, "redis_mode", "standalone");
  Add(out, "tocsin_version", options.version);
  Add(out, "arch_bits", 64);
  Add(out, "process_id", static_cast<uint64_t>(getpid()));
  Add(out, "tcp_port", call.db.port());
  Add(out, "server_time_usec", static_cast<uint64_t>(call.db.clock().NowMs()) * 1'000);
  Add(out, "uptime_in_seconds", uptime_s);
  Add(out, "uptime_in_days", uptime_s / 86'400);
}

void ClientsSection(Call& call, std::string& out) {
  const Figures& figures = call.db.figures();
  Add(out, "connected_clients", figures.clients.load(std::memory_order_relaxed));
  Add(out, "cluster_connections", 0);
  Add(out, "blocked_clients", call.db.engine().waiting());
  Add(out, "tracking_clients", 0);
}

void MemorySection(Call&, std::string& out) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const uint64_t resident = ResidentBytes();
  Add(out, "used_memory", resident);
  Add(out, "used_memory_rss", resident);
  Add(out, "used_memory_peak", static_cast<uint64_t>(usage.ru_maxrss) * 1'024);
  Add(out, "maxmemory", 0);
  Add(out, "maxmemory_policy", "noeviction");
}

void PersistenceSection(Call& call, std::string& out) {
  const bool sync = call.db.options().durability == "sync";
  Add(out, "loading", 0);
  Add(out, "async_loading", 0);
  Add(out, "rdb_bgsave_in_progress", 0);
  Add(out, "rdb_last_bgsave_status", "ok");
  Add(out, "aof_enabled", 1);
  Add(out, "aof_rewrite_in_progress", 0);
  Add(out, "aof_last_write_status", "ok");
  Add(out, "tocsin_durability", call.db.options().durability);
  Add(out, "tocsin_synced_before_reply", sync ? 1 : 0);
}

void StatsSection(Call& call, std::string& out) {
  const Figures& figures = call.db.figures();
  Add(out, "total_connections_received", figures.connections_received.load(std::memory_order_relaxed));
  Add(out, "total_commands_processed", figures.commands.load(std::memory_order_relaxed));
  Add(out, "rejected_connections", figures.connections_rejected.load(std::memory_order_relaxed));
  Add(out, "total_error_replies", figures.errors.load(std::memory_order_relaxed));
  Add(out, "evicted_keys", 0);
}

void ReplicationSection(Call&, std::string& out) {
  Add(out, "role", "master");
  Add(out, "connected_slaves", 0);
}

void CpuSection(Call&, std::string& out) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    char text[32];
    std::snprintf(text, sizeof text, "%lld.%06ld", static_cast<long long>(time.tv_sec),
                  static_cast<long>(time.tv_usec));
    return std::string(text);
  };
  Add(out, "used_cpu_sys", seconds(usage.ru_stime));
  Add(out, "used_cpu_user", seconds(usage.ru_utime));
}

void ClusterSection(Call&, std::string& out) { Add(out, "cluster_enabled", 0); }

void KeyspaceSection(Call& call, std::string& out) {
  auto keys = call.db.engine().CountKeys();
  auto expiring = call.db.engine().CountExpiring();
  if (!keys.ok() || !expiring.ok() || *keys == 0) return;
  Add(out, "db0", "keys=" + std::to_string(*keys) + ",expires=" + std::to_string(*expiring));
}

struct NamedSection {
  std::string_view name, title;
  Section write;
};
constexpr NamedSection kSections[] = {
    {"server", "Server", ServerSection},
    {"clients", "Clients", ClientsSection},
    {"memory", "Memory", MemorySection},
    {"persistence", "Persistence", PersistenceSection},
    {"stats", "Stats", StatsSection},
    {"replication", "Replication", ReplicationSection},
    {"cpu", "CPU", CpuSection},
    {"cluster", "Cluster", ClusterSection},
    {"keyspace", "Keyspace", KeyspaceSection},
};

// What CONFIG GET tells and nobody can set: the rest of the settings is in the server's configuration.
struct Setting {
  std::string_view name, value;
};
constexpr Setting kSettings[] = {
    {"appendfsync", "always"},
    {"appendonly", "yes"},
    {"databases", "1"},
    {"maxmemory", "0"},
    {"maxmemory-policy", "noeviction"},
    {"proto-max-bulk-len", "16777216"},
    {"save", ""},
    {"timeout", "0"},
};

constexpr std::string_view kNodeBytes = "stream-node-max-bytes", kNodeEntries = "stream-node-max-entries";

}  // namespace

void RunInfo(Call& call) {
  std::string text;
  for (const NamedSection& section : kSections) {
    const auto asked = [&](std::string_view name) {
      return Is(name, section.name) || Is(name, "all") || Is(name, "default") || Is(name, "everything");
    };
    const Arguments names = call.args.subspan(1);
    if (!names.empty() && std::none_of(names.begin(), names.end(), asked)) continue;
    if (!text.empty()) text += "\r\n";
    text.append("# ").append(section.title).append("\r\n");
    section.write(call, text);
  }
  call.reply.Verbatim(text);
}

void RunMemoryUsage(Call& call) {
  const Arguments args = call.args;
  if (args.size() != 3 && (args.size() != 5 || !Is(args[3], "samples"))) return call.reply.Error(kSyntaxError);
  if (args.size() == 5) {
    const auto samples = ReadInteger(call.reply, args[4]);
    if (!samples) return;
    if (*samples < 0) return call.reply.Error(kSyntaxError);
  }
  auto bytes = call.db.engine().MemoryUsage(args[2]);
  if (!bytes.ok()) return WriteFailure(call.reply, bytes.status());
  if (!*bytes) return call.reply.Null();
  call.reply.Integer(static_cast<int64_t>(**bytes));
}

void RunMemoryHelp(Call& call) {
  static constexpr std::string_view kLines[] = {
      "USAGE <key> [SAMPLES <count>]",
      "    Return memory in bytes used by <key> and its value: what of the stream is in",
      "    memory now; the rest is on disk.",
  };
  WriteHelp(call.reply, "MEMORY", kLines);
}

void RunConfigGet(Call& call) {
  const streams::NodeLimits& nodes = call.db.engine().node_limits();
  std::vector<std::pair<std::string_view, std::string>> settings;
  for (const Setting& setting : kSettings) settings.emplace_back(setting.name, setting.value);
  settings.emplace_back(kNodeBytes, std::to_string(nodes.max_bytes));
  settings.emplace_back(kNodeEntries, std::to_string(nodes.max_entries));
  std::erase_if(settings, [&](const auto& setting) {
    const auto asked = [&](std::string_view pattern) { return Glob(Lower(pattern), setting.first); };
    const Arguments patterns = call.args.subspan(2);
    return std::none_of(patterns.begin(), patterns.end(), asked);
  });
  call.reply.MapHead(settings.size());
  for (const auto& [name, value] : settings) {
    call.reply.Bulk(name);
    call.reply.Bulk(value);
  }
}

// Holds until the server ends.
void RunConfigSet(Call& call) {
  const Arguments args = call.args;
  if (args.size() % 2 == 1) return WrongArity(call.reply, "config|set");
  streams::NodeLimits nodes = call.db.engine().node_limits();
  for (size_t i = 2; i < args.size(); i += 2) {
    const std::string name = Lower(args[i]);
    const auto failed = [&](std::string_view why) {
      call.reply.Error("ERR CONFIG SET failed (possibly related to argument '" + std::string(args[i]) + "') - " +
                       std::string(why));
    };
    if (name == kNodeBytes || name == kNodeEntries) {
      const auto value = ParseInteger(args[i + 1]);
      if (!value || *value < 0) return failed("argument must be a memory value");
      (name == kNodeBytes ? nodes.max_bytes : nodes.max_entries) = static_cast<uint64_t>(*value);
      continue;
    }
    const auto is_it = [&](const Setting& setting) { return setting.name == name; };
    const auto known = std::find_if(std::begin(kSettings), std::end(kSettings), is_it);
    if (known == std::end(kSettings)) {
      return call.reply.Error("ERR Unknown option or number of arguments for CONFIG SET - '" + std::string(args[i]) +
                              "'");
    }
    if (known->value != args[i + 1]) return failed("can't set immutable config");
  }
  call.db.engine().SetNodeLimits(nodes);
  call.reply.Simple("OK");
}

Next AnswerConfigResetstat(ConnectionCall& call) {
  Figures& figures = call.client.context().db.figures();
  for (auto* figure :
       {&figures.connections_received, &figures.connections_rejected, &figures.commands, &figures.errors}) {
    figure->store(0, std::memory_order_relaxed);
  }
  call.reply.Simple("OK");
  return Next::kGoOn;
}

Next AnswerConfigHelp(ConnectionCall& call) {
  static constexpr std::string_view kLines[] = {
      "GET <pattern>",
      "    Return parameters matching the glob-like <pattern> and their values.",
      "SET <directive> <value>",
      "    Set the configuration <directive> to <value>.",
      "RESETSTAT",
      "    Reset statistics reported by the INFO command.",
  };
  WriteHelp(call.reply, "CONFIG", kLines);
  return Next::kGoOn;
}

}  // namespace tocsin::commands
