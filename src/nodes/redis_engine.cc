#include "nodes/redis_engine.h"

#include <chrono>
#include <future>
#include <utility>

#include "base/log.h"
#include "nodes/dead_letter.h"
#include "nodes/keys.h"
#include "notifier/scheduled_row.h"

namespace tocsin::nodes {
namespace {

using base::Code;
using base::Result;
using base::Status;

constexpr int64_t kHeartbeatMs = 5'000;
// How often every watched log is compared with the store: a wake-up that was lost costs no more than this.
constexpr int64_t kCompareMs = 25'000;
constexpr int64_t kGoodbyeMs = 300;

redis::ClientOptions OptionsOf(const RedisEngineOptions& options, const std::string& node, StoreWatch& watch) {
  redis::ClientOptions client;
  client.deployment = options.deployment;
  client.name = "tocsin-" + node;
  client.listener = &watch;
  return client;
}

std::vector<std::string> AllPartitions(const RedisEngineOptions& options) {
  std::vector<std::string> all;
  for (const std::string& stream : options.ingest_streams) {
    for (std::string& partition : PartitionsOf(stream, options.partitions)) all.push_back(std::move(partition));
  }
  return all;
}

}  // namespace

std::vector<std::string> PartitionsOf(const std::string& stream, int partitions) {
  if (partitions == 0) return {stream};
  std::vector<std::string> names;
  for (int i = 0; i < partitions; ++i) names.push_back(stream + ":{" + std::to_string(i) + "}");
  return names;
}

struct RedisEngine::Starting {
  std::promise<Status> answer;
  std::atomic<bool> given{false};
  void Give(Status status) {
    if (!given.exchange(true)) answer.set_value(std::move(status));
  }
};

RedisEngine::RedisEngine(RedisEngineOptions options, const base::Clock& clock, base::Random& random,
                         logs::LogListener& listener)
    : options_(std::move(options)),
      node_(random.Hex(6)),
      listener_(listener),
      core_(-1, clock),
      watch_(core_, options_.deployment.kind,
             {.assessed = [this](const Durability& durability) { OnAssessed(durability); },
              .lost = [this](const Buckets& buckets) { OnLost(buckets); },
              .prepare =
                  [this](std::function<void(const Status&)> then) {
                    logs_.Prepare(
                        [then = std::move(then)](Result<int> made) { then(made.ok() ? base::Ok() : made.status()); });
                  }},
             {.wait_replicas = static_cast<uint64_t>(options_.wait_replicas)}),
      client_(redis::Connect(core_, OptionsOf(options_, node_, watch_))),
      logs_(*client_, core_,
            {.max_entries = options_.log_max_entries,
             .clock = &clock,
             .random = &random,
             .node = node_,
             .listener = &listener,
             .on_changed =
                 [this](const logs::LogUpdate& update, const std::vector<std::string>& watchers) {
                   for (const std::string& node : watchers) wakes_.Add(node, update);
                 },
             .on_epoch_missing = [this](int) { watch_.LookSoon(); }}),
      wakes_(core_, *client_, node_,
             {.woken = [this](std::vector<logs::LogUpdate> updates) { listener_.OnCommitted(std::move(updates)); },
              .doubt =
                  [this] {
                    doubt_ = true;
                    watch_.LookSoon();  // a stream that vanished may not be all that did
                  },
              .dead = [this](const std::string& user, const std::string& node) { logs_.DropWatcher(user, node); }}),
      publisher_(core_, *client_, watch_, PartitionsOf(options_.ingest_streams.front(), options_.partitions),
                 AllPartitions(options_), options_.wait_replicas),
      digests_(
          core_, logs_, options_.rate_limits, [this] { return routers_.front()->at_work(); },
          [this](const std::string& nid, const std::string& user, const model::Notification& digest, int64_t until_ms,
                 std::function<void(const Status&)> then) {
            schedules_.front()->Hold({notifier::HeldTimer(nid, user, digest, until_ms)}, std::move(then));
          },
          [this](std::vector<logs::Appended> appended) { OnAppended(std::move(appended)); }),
      retention_(core_, *client_, options_.retention, [this](const std::string& stream) { return Owns(stream); }),
      delivery_limit_(core_, *client_, options_.redelivery, [this](const std::string& stream) { return Owns(stream); }),
      starting_(std::make_shared<Starting>()) {
  watch_.SetClient(*client_);
  const std::vector<std::string> all = AllPartitions(options_);
  const size_t partitions = all.size() / options_.ingest_streams.size();
  for (size_t i = 0; i < all.size(); ++i) {
    const std::string& stream = all[i];
    const auto appended = [this](std::vector<logs::Appended> more) { OnAppended(std::move(more)); };
    schedules_.push_back(
        std::make_unique<RedisSchedule>(core_, *client_, clock, logs_, stream, appended, options_.rate_limits));
    routers_.push_back(std::make_unique<RedisRouter>(core_, *client_, logs_, *schedules_.back(), stream, node_,
                                                     options_.ingest_from, appended, options_.rate_limits));
    routers_.back()->ShareWith(share_, options_.weights.empty() ? 1 : options_.weights[i / partitions]);
  }
  core_.Every(kTickMs, [this] { Tick(); });
}

RedisEngine::~RedisEngine() { Stop(); }

Status RedisEngine::Start() {
  std::future<Status> answer = starting_->answer.get_future();
  thread_ = std::thread([this] { core_.Run(); });
  const std::chrono::milliseconds patience(options_.start_patience_ms);
  if (answer.wait_for(patience) == std::future_status::ready) return answer.get();
  starting_->given = true;
  const Status health = watch_.health();
  return Status(Code::kUnavailable,
                options_.deployment.ToString() + ": " +
                    (health.ok() ? "the Redis store answers, but refuses what a node needs: the log says what"
                                 : std::string(health.message())));
}

void RedisEngine::OnAssessed(const Durability& durability) {
  if (!durability.refusal.empty()) {
    return starting_->Give(Status(Code::kInvalidArgument, options_.deployment.ToString() + ": " + durability.refusal));
  }
  if (!begun_) Begin();
}

// Ready when others can wake this node, and every group is there.
void RedisEngine::Begin() {
  begun_ = true;
  // Released when the last of them has it; also when all ends before that, so it may not look at us.
  auto ready = std::shared_ptr<void>(nullptr, [starting = starting_](void*) { starting->Give(base::Ok()); });
  wakes_.Start([ready] {});
  for (auto& router : routers_) router->Prepare([ready] {});
}

void RedisEngine::Tick() {
  watch_.Tick();
  if (!begun_) return;
  for (auto& router : routers_) router->Tick();
  digests_.Tick();
  retention_.Tick();
  delivery_limit_.Tick();
  const int64_t now_us = core_.clock().MonotonicUs();
  if (now_us >= next_heartbeat_us_) {
    next_heartbeat_us_ = now_us + kHeartbeatMs * 1000;
    wakes_.Tick();
  }
  if ((doubt_ || now_us >= next_compare_us_) && client_->connected()) {
    doubt_ = false;
    next_compare_us_ = now_us + kCompareMs * 1000;
    logs_.WatchAgain();
  }
}

// Whether it is this node that trims the stream: the one that routes it, or the stream it belongs to. Others than
// ingest streams belong to the first.
bool RedisEngine::Owns(const std::string& stream) const {
  for (const auto& router : routers_) {
    if (stream == router->stream() || stream == DeadLettersOf(router->stream())) {
      return router->at_work();
    }
  }
  return routers_.front()->at_work();
}

void RedisEngine::OnLost(const Buckets& buckets) {
  listener_.OnLogsLost([buckets](std::string_view user) { return buckets[static_cast<size_t>(logs::BucketOf(user))]; });
  doubt_ = true;
  publisher_.CountLost();
  for (auto& router : routers_) router->RouteAgain();
}

void RedisEngine::OnAppended(std::vector<logs::Appended> appended) {
  std::vector<logs::LogUpdate> ours;
  for (logs::Appended& one : appended) {
    bool mine = false;
    for (const std::string& node : one.watchers) {
      mine |= node == node_;
      wakes_.Add(node, one.update);
    }
    if (mine) ours.push_back(std::move(one.update));
  }
  if (!ours.empty()) listener_.OnCommitted(std::move(ours));
}

void RedisEngine::Release() {
  core_.Post([this] {
    if (std::exchange(released_, true)) return;
    for (auto& router : routers_) router->Release();
  });
}

void RedisEngine::Stop() {
  if (!thread_.joinable()) {
    client_->Stop();
    return;
  }
  Release();
  core_.Post([this] {
    wakes_.Stop();
    watch_.Stop();
    core_.After(kGoodbyeMs, [this] {
      client_->Stop();
      core_.Post([this] { core_.Stop(); });  // after what the answers have posted
    });
  });
  thread_.join();
}

}  // namespace tocsin::nodes
