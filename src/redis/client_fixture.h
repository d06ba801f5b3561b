// For tests: a client on a Core of its own, called from the test's thread.
#pragma once

#include <algorithm>
#include <array>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "redis/client.h"
#include "redis/server_fixture.h"

namespace tocsin::redis::fixture {

class TestClient final : public Client::Listener {
 public:
  using Reply = base::Result<wire::RespReply>;

  explicit TestClient(const std::string& url, std::function<void(Client&)> when_primary = nullptr)
      : when_primary_(std::move(when_primary)) {
    base::Result<Deployment> deployment = ParseDeployment(url);
    CHECK_MSG(deployment.ok(), deployment.status().message());
    thread_.Run([&] {
      client_ = Connect(thread_.core(), {.deployment = deployment.value(), .name = "test", .listener = this});
    });
  }
  ~TestClient() override {
    thread_.Run([this] { client_.reset(); });
  }
  TestClient(const TestClient&) = delete;
  TestClient& operator=(const TestClient&) = delete;

  void OnPrimary(const std::string& address, const std::string& run_id) override {
    events_.push_back("primary " + address);
    run_ids_.push_back(run_id);
    if (when_primary_) when_primary_(*client_);
  }
  void OnLost(const std::string& address, const base::Status&) override { events_.push_back("lost " + address); }

  // Begins a call; the future has the answer.
  std::future<Reply> Begin(const std::string& key, Arguments command, CallOptions options = {}) {
    auto promise = std::make_shared<std::promise<Reply>>();
    std::future<Reply> future = promise->get_future();
    thread_.core().Post([=, this, command = std::move(command)] {
      client_->Call(
          key, command, [promise](Reply reply) { promise->set_value(std::move(reply)); }, options);
    });
    return future;
  }
  Reply Call(const std::string& key, Arguments command, CallOptions options = {}) {
    return Begin(key, std::move(command), options).get();
  }
  // For people: "OK", "3", "-ERR ...", "(nil)", "[a, b]", "! unavailable: ...".
  std::string Say(const std::string& key, Arguments command, CallOptions options = {}) {
    return Text(Call(key, std::move(command), options));
  }
  // Why there is no connection, once that is known.
  std::string WhyNot() {
    std::string said;
    Eventually([&] {
      said = Say("a", {"PING"}, {.patience_ms = 50});
      return said.find("not connected yet") == said.npos && said.find("no primary of Redis is known") == said.npos;
    });
    return said;
  }
  Reply Eval(const Script& script, std::vector<std::string> keys, Arguments arguments, CallOptions options = {}) {
    std::promise<Reply> promise;
    Run([&](Client& client) {
      client.Eval(
          script, std::move(keys), std::move(arguments),
          [&promise](Reply reply) { promise.set_value(std::move(reply)); }, options);
    });
    return promise.get_future().get();
  }
  void Run(const std::function<void(Client&)>& task) {
    thread_.Run([&] { task(*client_); });
  }
  bool Connected() {
    bool connected = false;
    Run([&](Client& client) { connected = client.connected(); });
    return connected;
  }
  std::vector<std::string> Events() {
    std::vector<std::string> events;
    thread_.Run([&] { events = events_; });
    return events;
  }
  std::vector<std::string> RunIds() {
    std::vector<std::string> ids;
    thread_.Run([&] { ids = run_ids_; });
    return ids;
  }
  CoreThread& thread() { return thread_; }
  std::unique_ptr<Client>& client() { return client_; }  // on its thread

  static std::string Text(const wire::RespReply& reply) {
    using Type = wire::RespReply::Type;
    switch (reply.type) {
      case Type::kError:
        return "-" + reply.text;
      case Type::kInteger:
      case Type::kBool:
        return std::to_string(reply.integer);
      case Type::kNull:
        return "(nil)";
      case Type::kDouble:
        return std::to_string(reply.number);
      case Type::kArray:
      case Type::kMap:
      case Type::kSet:
      case Type::kPush: {
        std::string text = "[";
        for (size_t i = 0; i < reply.elements.size(); ++i) text += (i > 0 ? ", " : "") + Text(reply.elements[i]);
        return text + "]";
      }
      default:
        return reply.text;
    }
  }
  static std::string Text(const Reply& reply) {
    return reply.ok() ? Text(reply.value()) : "! " + reply.status().ToString();
  }

 private:
  std::function<void(Client&)> when_primary_;
  CoreThread thread_;
  std::unique_ptr<Client> client_;
  std::vector<std::string> events_, run_ids_;
};

}  // namespace tocsin::redis::fixture
