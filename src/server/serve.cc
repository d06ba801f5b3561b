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
#include "logs/embedded_logs.h"
#include "logs/user_logs.h"
#include "notifier/delivery_limit.h"
#include "notifier/embedded_publisher.h"
#include "notifier/retention.h"
#include "notifier/router.h"
#include "runtime/worker_pool.h"
#include "server/credentials.h"
#include "server/stream_rules.h"
#include "server/version.h"
#include "server/welcome.h"
#include "storage/committer.h"
#include "storage/store.h"
#include "streams/engine.h"

namespace tocsin::server {
namespace {

using base::Level;
using base::Status;

constexpr int kReaderThreads = 4;
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

// Waits for the signal, then lets the sessions go: at once when there are none.
void WaitAndDrain(const sigset_t& signals, gateway::Gateway& gateway) {
  int signal_number = 0;
  sigwait(&signals, &signal_number);
  base::Log(Level::kInfo, "draining", {{"connections", gateway.connections()}});
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

  // The store, and what lives on its commit thread: the router takes what the changes staged, what time ends is ended,
  // then streams and logs write what became of it.
  auto store = storage::OpenStore({.dir = config.data_dir, .min_free_bytes = config.min_free_bytes});
  if (!store.ok()) return Fail(store.status());
  auto credentials = LoadCredentials(config, random);
  if (!credentials.ok()) return Fail(credentials.status());
  const gateway::GatewayOptions options = MakeGatewayOptions(config, *credentials);

  gateway::Fanout fanout;
  streams::StreamEngine streams(**store, clock);
  logs::UserLogs user_logs(**store, clock, {.max_entries = config.log_max_entries, .id_floor = {}}, &fanout);
  notifier::Router router(streams, user_logs, clock, options.ingest_streams);
  streams.SetRedelivery(config.redelivery);
  notifier::DeliveryLimit delivery_limit(streams, clock);
  notifier::Retention retention(streams, clock, WithDefaults(config.retention, options.ingest_streams));
  storage::Committer committer(**store, clock, {&router, &delivery_limit, &retention, &streams, &user_logs});
  router.SetCommitter(committer);

  // The doors.
  runtime::WorkerPool readers("reader", kReaderThreads);
  const int cores =
      config.cores > 0 ? config.cores : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  logs::EmbeddedLogs log_store(**store, committer, user_logs, readers);
  notifier::EmbeddedPublisher publisher(**store, committer, streams, options.ingest_stream);
  gateway::EmbeddedEngine engine{committer, streams};
  const auto route_now = [&router](storage::Batch& batch) { return router.RouteAll(batch); };
  gateway::Gateway gateway({log_store, publisher, clock, random, &engine, route_now}, options, cores);
  fanout.SetBackend(&gateway.backend());
  committer.Start();
  committer.Wake();  // entries that the last run accepted and did not route
  if (Status started = gateway.Start(); !started.ok()) return Fail(started);

  Address listening = config.listen;
  listening.port = gateway.port();
  std::string redis = "off";
  if (config.redis_listen) redis = Address{config.redis_listen->host, gateway.redis_port()}.ToString();
  base::Log(Level::kInfo, "ready",
            {{"http", listening.ToString()},
             {"redis", redis},
             {"durability", publisher.durability()},
             {"data_dir", config.data_dir}});
  std::printf("ready http=%s redis=%s durability=%s\n", listening.ToString().c_str(), redis.c_str(),
              publisher.durability().c_str());
  if (config.demo == Demo::kOn) std::fputs(WelcomeText(config, listening, *credentials, clock).c_str(), stdout);
  std::fflush(stdout);

  WaitAndDrain(signals, gateway);
  // Readers and the committer post to the Cores, so those end last.
  readers.Stop();
  committer.Stop();
  gateway.Stop();
  base::Log(Level::kInfo, "stopped");
  return 0;
}

}  // namespace tocsin::server
