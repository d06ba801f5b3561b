// For tests: nodes that share a redis-server, each with a client and logs on a Core of its own, which can be frozen.
#pragma once

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "logs/redis_logs.h"
#include "nodes/store_watch.h"
#include "redis/client_fixture.h"

namespace tocsin::nodes::fixture {

using redis::fixture::Eventually;
using redis::fixture::Server;
using redis::fixture::TestClient;

inline std::string Text(const wire::RespReply& reply) { return TestClient::Text(reply); }

class TestNode : public logs::LogListener {
 public:
  TestNode(const std::string& url, std::string name)
      : name_(std::move(name)), client_(std::make_unique<TestClient>(url)) {
    OnCore([this] {
      logs_ = std::make_unique<logs::RedisLogs>(redis(), core(),
                                                logs::RedisLogsOptions{.max_entries = 1'000'000,
                                                                       .node = name_,
                                                                       .listener = this,
                                                                       .on_epoch_missing = [this](int) { Prepare(); }});
    });
  }
  // What lives on the Core ends before, with End().
  ~TestNode() override { End(); }
  TestNode(const TestNode&) = delete;
  TestNode& operator=(const TestNode&) = delete;

  // Stops the client and ends the Core, whose timers know what lived on it; then runs `last` and lets go of the logs.
  // More than once is once.
  void End(const std::function<void()>& last = nullptr) {
    if (!client_) return;
    Thaw();
    OnCore([this] { redis().Stop(); });
    client_.reset();
    if (last) last();
    logs_.reset();
  }

  // The Core does nothing until Thaw(), as if the process was stopped.
  void Freeze() {
    frozen_ = true;
    std::promise<void> in;
    core().Post([this, &in] {
      in.set_value();
      frozen_.wait(true);
    });
    in.get_future().wait();
  }
  void Thaw() {
    frozen_ = false;
    frozen_.notify_all();
  }
  void OnCore(const std::function<void()>& task) { client_->thread().Run(task); }
  template <typename T>
  T Get(const std::function<T()>& read) {
    T got{};
    OnCore([&] { got = read(); });
    return got;
  }

  runtime::Core& core() { return client_->thread().core(); }
  redis::Client& redis() { return *client_->client(); }
  logs::RedisLogs& logs() { return *logs_; }
  const std::string& name() const { return name_; }

  // Makes the records of the buckets, and waits for them.
  void PrepareLogs() {
    auto done = std::make_shared<std::promise<bool>>();
    OnCore([&] { logs_->Prepare([done](const base::Result<int>& made) { done->set_value(made.ok()); }); });
    CHECK(done->get_future().get());
  }
  // The nids of a user's log, oldest first.
  std::vector<std::string> Nids(const std::string& user) {
    auto promise = std::make_shared<std::promise<std::vector<std::string>>>();
    logs_->Read(user, {}, 1'000'000, 1 << 30, [promise](const base::Result<logs::LogPiece>& piece) {
      std::vector<std::string> nids;
      if (piece.ok()) {
        for (const logs::LogLine& line : piece->lines) nids.push_back(line.entry->nid);
      }
      promise->set_value(std::move(nids));
    });
    return promise->get_future().get();
  }

  // Heard on the Core.
  void OnCommitted(std::vector<logs::LogUpdate> updates) override {
    for (logs::LogUpdate& update : updates) updates_.push_back(std::move(update));
  }
  std::vector<logs::LogUpdate> Updates() {
    return Get<std::vector<logs::LogUpdate>>([this] { return updates_; });
  }

 private:
  void Prepare() {
    logs_->Prepare([](const base::Result<int>&) {});
  }
  const std::string name_;
  std::atomic<bool> frozen_{false};
  std::unique_ptr<TestClient> client_;
  std::unique_ptr<logs::RedisLogs> logs_;
  std::vector<logs::LogUpdate> updates_;
};

// A node that watches its store, and nothing more.
class WatchNode final {
 public:
  explicit WatchNode(const std::string& url) {
    auto deployment = redis::ParseDeployment(url);
    CHECK_MSG(deployment.ok(), deployment.status().message());
    OnCore([&] {
      watch_ = std::make_unique<StoreWatch>(
          core(), deployment->kind,
          StoreWatch::Events{.assessed = [this](const Durability&) { ++assessed_; },
                             .lost =
                                 [this](const Buckets& buckets) {
                                   lost_buckets_ = buckets;
                                   ++lost_;
                                 },
                             .prepare =
                                 [this](std::function<void(const base::Status&)> then) {
                                   logs_->Prepare([then = std::move(then)](const base::Result<int>& made) {
                                     then(made.ok() ? base::Ok() : made.status());
                                   });
                                 }});
      client_ = redis::Connect(core(), {.deployment = *deployment, .name = "watch", .listener = watch_.get()});
      watch_->SetClient(*client_);
      logs_ = std::make_unique<logs::RedisLogs>(
          *client_, core(),
          logs::RedisLogsOptions{.node = "watch", .on_epoch_missing = [this](int) { watch_->LookSoon(); }});
      core().Every(50, [this] {
        if (client_) watch_->Tick();
      });
    });
  }
  ~WatchNode() {
    OnCore([this] {
      watch_->Stop();
      client_->Stop();
      logs_.reset();  // the timer looks no more
    });
    OnCore([this] { client_.reset(); });  // behind what its answers have posted, and before its Core
    thread_.reset();
  }
  WatchNode(const WatchNode&) = delete;
  WatchNode& operator=(const WatchNode&) = delete;

  void OnCore(const std::function<void()>& task) { thread_->Run(task); }
  runtime::Core& core() { return thread_->core(); }
  redis::Client& redis() { return *client_; }
  StoreWatch& watch() { return *watch_; }
  logs::RedisLogs& logs() { return *logs_; }
  bool healthy() const { return watch_->health().ok(); }
  void Look() {
    OnCore([this] { watch_->LookSoon(); });
  }
  int assessed() const { return assessed_; }
  int lost() const { return lost_; }  // how often it was told
  Buckets lost_buckets() {
    Buckets buckets;
    OnCore([&] { buckets = lost_buckets_; });
    return buckets;
  }

 private:
  std::unique_ptr<redis::fixture::CoreThread> thread_ = std::make_unique<redis::fixture::CoreThread>();
  std::unique_ptr<StoreWatch> watch_;
  std::unique_ptr<redis::Client> client_;
  std::unique_ptr<logs::RedisLogs> logs_;
  std::atomic<int> assessed_{0}, lost_{0};
  Buckets lost_buckets_;
};

}  // namespace tocsin::nodes::fixture
