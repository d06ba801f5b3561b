// Options: what the runner tells the load generator on its command line, as --name value.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

namespace tocsin::bench {

// Which dialect the server under test speaks.
enum class Peer { kTocsin, kNchan, kStack, kRelay, kRedis, kNone };

struct Options {
  std::string work;
  Peer peer = Peer::kNone;
  uint16_t port = 0;
  std::string jwt_secret;
  std::string api_key;
  std::vector<pid_t> pids;  // roots of the server's process trees
  int users = 500;
  int first_user = 0;  // of the latency work: several of them may share a store
  int publishers = 16;
  int connections = 10'000;
  double seconds = 5;
  double warm_up_seconds = 1;
  int rate = 2'000;  // per second, of the open loops
  // Of the works on the Redis port.
  int commands = 100'000;
  int pipeline = 1;
  int streams = 1;
  int entries = 300'000;
  std::string directory;  // where the commit loop writes
  int server_core = -1;
};

// Exits with 2 and a usage text on a wrong command line.
Options ParseOptions(int argc, char** argv);

}  // namespace tocsin::bench
