#include "load/options.h"

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <string_view>

namespace tocsin::bench {

namespace {

constexpr const char* kUsage =
    "usage: tocsin-bench WORK --peer tocsin|nchan|stack|relay|redis --port N --pids PID[,PID] [options]\n"
    "  --jwt-secret S --api-key K        what the server checks\n"
    "  --users N --first-user N --publishers N --rate N --seconds S --warm-up S\n"
    "  --connections N                   of the works that count connections\n"
    "  --commands N --pipeline N --streams N --entries N   of the works on the Redis port\n"
    "  --dir DIR --server-core N         of commit-loop, which needs no server\n"
    "Prints one JSON object. Started by bench/run.py; see bench/README.md.\n";

[[noreturn]] void WrongUsage(std::string_view what) {
  std::fprintf(stderr, "tocsin-bench: %.*s\n%s", static_cast<int>(what.size()), what.data(), kUsage);
  std::exit(2);
}

Peer ParsePeer(std::string_view name) {
  if (name == "tocsin") return Peer::kTocsin;
  if (name == "nchan") return Peer::kNchan;
  if (name == "stack") return Peer::kStack;
  if (name == "relay") return Peer::kRelay;
  if (name == "redis") return Peer::kRedis;
  WrongUsage("unknown peer");
}

std::vector<pid_t> ParsePids(const std::string& list) {
  std::vector<pid_t> pids;
  for (size_t at = 0; at < list.size();) {
    size_t end = list.find(',', at);
    end = end == std::string::npos ? list.size() : end;
    pids.push_back(std::atoi(list.substr(at, end - at).c_str()));
    at = end + 1;
  }
  return pids;
}

}  // namespace

Options ParseOptions(int argc, char** argv) {
  Options options;
  const std::map<std::string_view, std::function<void(const char*)>> flags = {
      {"--peer", [&](const char* v) { options.peer = ParsePeer(v); }},
      {"--port", [&](const char* v) { options.port = static_cast<uint16_t>(std::atoi(v)); }},
      {"--jwt-secret", [&](const char* v) { options.jwt_secret = v; }},
      {"--api-key", [&](const char* v) { options.api_key = v; }},
      {"--pids", [&](const char* v) { options.pids = ParsePids(v); }},
      {"--users", [&](const char* v) { options.users = std::atoi(v); }},
      {"--first-user", [&](const char* v) { options.first_user = std::atoi(v); }},
      {"--publishers", [&](const char* v) { options.publishers = std::atoi(v); }},
      {"--connections", [&](const char* v) { options.connections = std::atoi(v); }},
      {"--seconds", [&](const char* v) { options.seconds = std::atof(v); }},
      {"--warm-up", [&](const char* v) { options.warm_up_seconds = std::atof(v); }},
      {"--rate", [&](const char* v) { options.rate = std::atoi(v); }},
      {"--commands", [&](const char* v) { options.commands = std::atoi(v); }},
      {"--pipeline", [&](const char* v) { options.pipeline = std::atoi(v); }},
      {"--streams", [&](const char* v) { options.streams = std::atoi(v); }},
      {"--entries", [&](const char* v) { options.entries = std::atoi(v); }},
      {"--dir", [&](const char* v) { options.directory = v; }},
      {"--server-core", [&](const char* v) { options.server_core = std::atoi(v); }},
  };
  if (argc < 2) {
    WrongUsage("which work?");
  }
  options.work = argv[1];
  for (int i = 2; i < argc; i += 2) {
    const auto flag = flags.find(argv[i]);
    if (flag == flags.end() || i + 1 == argc) {
      WrongUsage(argv[i]);
    }
    flag->second(argv[i + 1]);
  }
  return options;
}

}  // namespace tocsin::bench
