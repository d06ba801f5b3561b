// The embedded store, and what lives on its commit thread: the router takes what the changes staged, what time ends is
// ended, then streams and logs write what became of it.
#include "logs/embedded_logs.h"
#include "logs/user_logs.h"
#include "logs/user_preferences.h"
#include "notifier/delivery.h"
#include "notifier/delivery_limit.h"
#include "notifier/embedded_publisher.h"
#include "notifier/idempotency.h"
#include "notifier/rate_limiter.h"
#include "notifier/retention.h"
#include "notifier/router.h"
#include "notifier/schedule.h"
#include "runtime/worker_pool.h"
#include "server/engine.h"
#include "server/stream_rules.h"
#include "storage/committer.h"
#include "storage/store.h"
#include "streams/engine.h"

namespace tocsin::server {
namespace {

using base::Status;

constexpr int kReaderThreads = 4;

class EmbeddedStore final : public Engine {
 public:
  EmbeddedStore(std::unique_ptr<storage::Store> store, const Config& config, const gateway::GatewayOptions& options,
                const base::Clock& clock, base::Random& random, gateway::Fanout& fanout)
      : clock_(clock),
        random_(random),
        store_(std::move(store)),
        streams_(*store_, clock),
        user_logs_(*store_, clock, {.max_entries = config.log_max_entries, .id_floor = {}}, &fanout),
        preferences_(*store_, user_logs_),
        delivery_(*store_, clock, user_logs_),
        schedule_(*store_, clock, delivery_),
        limiter_(*store_, clock, state::RateLimits(config.rate_limits), delivery_),
        router_(streams_, delivery_, schedule_, clock, options.ingest_streams),
        delivery_limit_(streams_, clock),
        retention_(streams_, clock, WithDefaults(config.retention, options.ingest_streams)),
        idempotency_(*store_, clock),
        committer_(*store_, clock,
                   {&delivery_, &router_, &schedule_, &limiter_, &delivery_.expiry(), &delivery_limit_, &retention_,
                    &streams_, &user_logs_, &preferences_, &idempotency_}),
        readers_("reader", kReaderThreads),
        logs_(*store_, committer_, user_logs_, preferences_, readers_),
        publisher_(*store_, committer_, streams_, idempotency_, schedule_, options.ingest_streams) {
    delivery_.Ask(preferences_, schedule_, limiter_);
    streams_.SetRedelivery(config.redelivery);
    router_.SetCommitter(committer_);
    for (const IngestStream& stream : config.ingest_streams) router_.SetWeight(stream.name, stream.weight);
  }

  gateway::Gateway::Parts parts() override {
    return {logs_,   publisher_, clock_,
            random_, &engine_,   [this](storage::Batch& batch) { return router_.RouteAll(batch); }};
  }
  Status Begin() override {
    committer_.Start();
    committer_.Wake();  // entries that the last run accepted and did not route
    return base::Ok();
  }
  void End() override {
    readers_.Stop();
    committer_.Stop();
  }

 private:
  const base::Clock& clock_;
  base::Random& random_;
  const std::unique_ptr<storage::Store> store_;
  streams::StreamEngine streams_;
  logs::UserLogs user_logs_;
  logs::UserPreferences preferences_;
  notifier::Delivery delivery_;
  notifier::Schedule schedule_;
  notifier::RateLimiter limiter_;
  notifier::Router router_;
  notifier::DeliveryLimit delivery_limit_;
  notifier::Retention retention_;
  notifier::Idempotency idempotency_;
  storage::Committer committer_;
  runtime::WorkerPool readers_;
  logs::EmbeddedLogs logs_;
  notifier::EmbeddedPublisher publisher_;
  gateway::EmbeddedEngine engine_{committer_, streams_};
};

}  // namespace

base::Result<std::unique_ptr<Engine>> OpenEmbedded(const Config& config, const gateway::GatewayOptions& options,
                                                   const base::Clock& clock, base::Random& random,
                                                   gateway::Fanout& fanout) {
  auto store = storage::OpenStore({.dir = config.data_dir, .min_free_bytes = config.min_free_bytes});
  if (!store.ok()) return store.status();
  return std::unique_ptr<Engine>(
      std::make_unique<EmbeddedStore>(std::move(*store), config, options, clock, random, fanout));
}

}  // namespace tocsin::server
