// For tests: user logs on a redis-server of their own, asked from the test's thread, with a clock that stands still.
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "logs/redis_logs.h"
#include "redis/client_fixture.h"

namespace tocsin::logs {

class RedisWorld final : public LogListener {
 public:
  explicit RedisWorld(size_t max_entries = 1'000, const base::Clock* clock = nullptr,
                      std::vector<std::string> settings = {})
      : server_(std::make_unique<redis::fixture::Server>(std::move(settings))), client_(server_->url()) {
    Connect(max_entries, clock);
  }
  // On somebody else's servers.
  explicit RedisWorld(const std::string& url) : client_(url) { Connect(1'000, nullptr); }

  ~RedisWorld() override {
    OnStore([&] {
      client_.client()->Stop();
      logs_.reset();
    });
  }

  // Calls something that answers later, and waits for the answer.
  template <typename Answer>
  Answer Wait(const std::function<void(std::function<void(const Answer&)>)>& ask) {
    auto promise = std::make_shared<std::promise<Answer>>();
    std::future<Answer> answer = promise->get_future();
    ask([promise](const Answer& given) { promise->set_value(given); });
    return answer.get();
  }
  void OnStore(const std::function<void()>& task) { client_.thread().Run(task); }

  int Prepare() {
    auto made = Wait<base::Result<int>>([&](auto then) { OnStore([&] { logs_->Prepare(then); }); });
    CHECK_MSG(made.ok(), made.status().message());
    return *made;
  }
  base::Status RaiseFence(const std::string& stream, uint64_t fence) {
    return Wait<base::Status>([&](auto then) { OnStore([&] { logs_->RaiseFence(stream, fence, then); }); });
  }
  base::Result<Appended> Append(AppendRequest request) {
    return Wait<base::Result<Appended>>([&](auto then) { OnStore([&] { logs_->Append(std::move(request), then); }); });
  }
  // One item, from the next entry of the stream "s".
  base::Result<Appended> Append(const std::string& user, const std::string& nid,
                                model::Priority priority = model::Priority::kNormal,
                                const std::string& json = "\"body\":\"x\"") {
    return Append({.user = user, .stream = "s", .fence = 1, .items = {{{++source_, 0}, nid, priority, json}}});
  }
  base::Result<LogOpening> TryOpen(const std::string& user, const std::string& device = {}) {
    return Wait<base::Result<LogOpening>>([&](auto then) { logs_->Open(user, device, then); });
  }
  LogOpening Open(const std::string& user, const std::string& device = {}) { return TryOpen(user, device).value(); }
  LogPiece Read(const std::string& user, model::EntryId after = {}, size_t max_entries = 100'000,
                size_t max_bytes = 100 << 20) {
    return Wait<base::Result<LogPiece>>([&](auto then) { logs_->Read(user, after, max_entries, max_bytes, then); })
        .value();
  }
  ListPage List(const std::string& user, model::EntryId before = model::EntryId::Max(), size_t limit = 200,
                ListFilter filter = ListFilter::kAll) {
    return Wait<base::Result<ListPage>>([&](auto then) { logs_->List(user, before, limit, filter, then); }).value();
  }
  base::Status Ack(const std::string& user, const std::string& device, model::EntryId cursor,
                   Urgency urgency = Urgency::kNow) {
    return Wait<base::Status>([&](auto then) { logs_->Ack(user, device, cursor, urgency, then); });
  }
  base::Result<Counts> TryMark(const MarkRequest& request) {
    return Wait<base::Result<Counts>>([&](auto then) { logs_->Mark(request, then); });
  }
  Counts Mark(const MarkRequest& request) { return TryMark(request).value(); }
  // The nids and states of the items, and the ops of the changes: "a:unread b:read <read>".
  static std::string Shape(const std::vector<LogLine>& lines) {
    std::string shape;
    for (const LogLine& line : lines) {
      if (!shape.empty()) shape += " ";
      if (line.entry->is_item()) {
        shape.append(line.entry->nid).append(":").append(ItemStateName(line.state));
      } else {
        shape.append("<").append(model::MarkOpName(line.entry->change->op)).append(">");
      }
    }
    return shape;
  }
  std::string Shape(const std::string& user) { return Shape(Read(user).lines); }

  base::ManualClock& clock() { return clock_; }
  redis::fixture::Server& server() { return *server_; }
  redis::fixture::TestClient& client() { return client_; }
  RedisLogs& logs() { return *logs_; }

  // Written on the store Core; read after an answer.
  std::vector<LogUpdate> updates;
  std::vector<std::string> changed;
  std::vector<int> missing;

 private:
  void Connect(size_t max_entries, const base::Clock* clock) {
    RedisLogsOptions options;
    options.max_entries = max_entries;
    options.clock = clock != nullptr ? clock : &clock_;
    options.node = "node-a";
    options.listener = this;
    options.on_changed = [this](const LogUpdate& update, const std::vector<std::string>& watchers) {
      for (const std::string& watcher : watchers) changed.push_back(update.user + " to " + watcher);
    };
    options.on_epoch_missing = [this](int bucket) { missing.push_back(bucket); };
    OnStore([&] { logs_ = std::make_unique<RedisLogs>(*client_.client(), client_.thread().core(), options); });
  }
  void OnCommitted(std::vector<LogUpdate> committed) override {
    for (LogUpdate& update : committed) updates.push_back(std::move(update));
  }

  base::ManualClock clock_;
  std::unique_ptr<redis::fixture::Server> server_;
  redis::fixture::TestClient client_;
  std::unique_ptr<RedisLogs> logs_;
  uint64_t source_ = 0;
};

}  // namespace tocsin::logs
