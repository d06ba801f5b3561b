#include "server/serve.h"

#include <cstdio>
#include <thread>

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/random.h"
#include "gateway/gateway.h"
#include "redis/address.h"
#include "server/credentials.h"
#include "server/engine.h"
#include "server/version.h"
#include "server/welcome.h"

namespace tocsin::server {
namespace {

using base::Level;
using base::Status;

constexpr int kDrainSeconds = 30;

int Fail(const Status& status) {
  std::fprintf(stderr, "tocsin: cannot start: %s\n", std::string(status.message()).c_str());
  return 1;
}

// A process may open fewer files than we take connections: as many as the system lets us.
void RaiseFileLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// SIGTERM and SIGINT, taken from every thread so that one place waits for them.
sigset_t BlockStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return signals;
}

gateway::GatewayOptions MakeGatewayOptions(const Config& config, const Credentials& credentials) {
  gateway::GatewayOptions options;
  options.listen_host = config.listen.host;
  options.listen_port = config.listen.port;
  options.allowed_origins = config.allowed_origins;
  options.public_url = config.public_url;
  options.max_connections = config.max_connections;
  options.max_body = config.max_body;
  options.ingest_stream = config.ingest_streams.front().name;
  options.ingest_streams.clear();
  for (const IngestStream& stream : config.ingest_streams) options.ingest_streams.push_back(stream.name);
  if (config.redis_listen) {
    options.redis_listen_host = config.redis_listen->host;
    options.redis_listen_port = config.redis_listen->port;
  }
  options.redis_without_password = config.redis_auth == RedisAuth::kOff;
  options.version = std::string(kVersion);
  options.demo = config.demo == Demo::kOn;
  options.api_keys = credentials.api_keys;
  options.token_keys = credentials.token_keys;
  options.token_options = credentials.token_options;
  return options;
}

// Where everything is kept, without secrets.
std::string StoreName(const Config& config) {
  if (config.store == "embedded") return config.data_dir;
  auto deployment = redis::ParseDeployment(config.store);
  return deployment.ok() ? deployment->ToString() : std::string();
}

// Waits for the signal, then lets the sessions go: at once when there are none.
void WaitAndDrain(const sigset_t& signals, Engine& engine, gateway::Gateway& gateway) {
  int signal_number = 0;
  sigwait(&signals, &signal_number);
  base::Log(Level::kInfo, "draining", {{"connections", gateway.connections()}});
  engine.Drain();
  gateway.Drain();
  timespec tick{0, 50'000'000};
  for (int waited_ms = 0; waited_ms < kDrainSeconds * 1000 && gateway.connections() > 0; waited_ms += 50) {
    // A second signal: enough of it.
    timespec now = tick;
    if (sigtimedwait(&signals, nullptr, &now) > 0) break;
  }
}

}  // namespace

int Serve(const Config& config) {
  const sigset_t signals = BlockStopSignals();
  RaiseFileLimit();
  base::Random& random = base::SystemRandom();
  const base::Clock& clock = base::SystemClock();

  const bool embedded = config.store == "embedded";
  auto credentials = LoadCredentials(config, random);
  if (!credentials.ok()) return Fail(credentials.status());
  const gateway::GatewayOptions options = MakeGatewayOptions(config, *credentials);

  // The store and what works on it, then the doors before it.
  gateway::Fanout fanout;
  auto opened = (embedded ? OpenEmbedded : OpenRedisNode)(config, options, clock, random, fanout);
  if (!opened.ok()) return Fail(opened.status());
  Engine& engine = **opened;
  const int cores =
      config.cores > 0 ? config.cores : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  const gateway::Gateway::Parts parts = engine.parts();
  gateway::Gateway gateway(parts, options, cores);
  fanout.SetBackend(&gateway.backend());
  if (Status begun = engine.Begin(); !begun.ok()) return Fail(begun);
  if (Status started = gateway.Start(); !started.ok()) return Fail(started);

  Address listening = config.listen;
  listening.port = gateway.port();
  std::string redis = "off";
  if (gateway.redis_port() != 0) redis = Address{config.redis_listen->host, gateway.redis_port()}.ToString();
  base::Log(Level::kInfo, "ready",
            {{"http", listening.ToString()},
             {"redis", redis},
             {"durability", parts.publisher.durability()},
             {"store", StoreName(config)}});
  std::printf("ready http=%s redis=%s durability=%s\n", listening.ToString().c_str(), redis.c_str(),
              parts.publisher.durability().c_str());
  if (config.demo == Demo::kOn) std::fputs(WelcomeText(config, listening, *credentials, clock).c_str(), stdout);
  std::fflush(stdout);

  WaitAndDrain(signals, engine, gateway);
  engine.End();  // it posts to the Cores, so those end last
  gateway.Stop();
  base::Log(Level::kInfo, "stopped");
  return 0;
}

}  // namespace tocsin::server
