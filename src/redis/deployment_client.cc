#include "redis/deployment_client.h"

#include <algorithm>

#include "base/metrics.h"
#include "model/limits.h"

namespace tocsin::redis {
namespace {

using base::Code;
using base::Result;
using base::Status;

constexpr int64_t kFirstRetryMs = 10, kMaxRetryMs = 400;
constexpr int kHastyTries = 4;        // redirects that are followed at once
constexpr size_t kRequestCost = 256;  // of what surrounds the bytes

base::Counter calls("tocsin_redis_calls_total", "Calls to Redis");
base::Counter moved("tocsin_redis_redirects_total", "Calls that a Redis node sent elsewhere", "kind=\"moved\"");
base::Counter asked("tocsin_redis_redirects_total", "Calls that a Redis node sent elsewhere", "kind=\"ask\"");
base::Counter retries("tocsin_redis_retries_total", "Calls that Redis refused without running, sent again");
base::Counter failed_time("tocsin_redis_failures_total", "Calls to Redis without a reply", "reason=\"time\"");
base::Counter failed_lost("tocsin_redis_failures_total", "Calls to Redis without a reply", "reason=\"lost\"");
base::Counter failed_full("tocsin_redis_failures_total", "Calls to Redis without a reply", "reason=\"full\"");
base::Gauge waiting("tocsin_redis_waiting_bytes", "Bytes of calls to Redis that are not answered");

uint64_t Seed() { return base::SystemRandom().Next(); }

}  // namespace

DeploymentClient::DeploymentClient(runtime::Core& core, ClientOptions options)
    : options_(std::move(options)),
      random_(Seed()),
      resolver_(core),
      surroundings_{.core = core, .random = random_, .resolver = resolver_} {}

void DeploymentClient::Stop() {
  if (stopped_) return;
  stopped_ = true;
  if (topology_) topology_->Stop();
  for (const auto& [address, node] : nodes_) node->Abandon();
  for (const auto& node : retired_) node->Abandon();
  unplaced_.Take();
  while (!deadlines_.empty()) {
    Finish(RequestPtr(deadlines_.begin()->second), Status(Code::kCancelled, "the client of Redis was stopped"));
  }
  resolver_.Stop();
}

RequestPtr DeploymentClient::Admit(Arguments command, Then then, CallOptions options) {
  calls.Add();
  size_t cost = kRequestCost;
  for (const std::string& argument : command) cost += sizeof(std::string) + argument.size();
  Status failure;
  if (stopped_) {
    failure = Status(Code::kCancelled, "the client of Redis was stopped");
  } else if (held_bytes_ + cost > model::kMaxRedisQueuedBytes) {
    failed_full.Add();
    failure = Status(Code::kResourceExhausted, "too much waits for Redis");
  }
  if (!failure.ok()) {
    surroundings_.core.Post([then = std::move(then), failure] { then(failure); });
    return nullptr;
  }
  auto request = std::make_shared<Request>();
  request->command = std::move(command);
  request->then = std::move(then);
  request->number = next_number_++;
  request->cost = cost;
  held_bytes_ += cost;
  waiting.Add(static_cast<int64_t>(cost));
  const int64_t deadline_ms = surroundings_.NowMs() + std::max<int64_t>(options.patience_ms, 0);
  request->deadline = deadlines_.emplace_hint(deadlines_.end(), deadline_ms, request);
  ArmDeadline();
  return request;
}

void DeploymentClient::Finish(const RequestPtr& request, Result<wire::RespReply> result) {
  if (request->answered()) return;
  deadlines_.erase(request->deadline);
  held_bytes_ -= request->cost;
  waiting.Add(-static_cast<int64_t>(request->cost));
  if (request->manner == Request::Manner::kBlocking) blocking_.erase(request->number);
  const Then then = std::exchange(request->then, nullptr);
  request->command = {};
  then(std::move(result));
}

void DeploymentClient::Call(std::string_view key, Arguments command, Then then, CallOptions options) {
  const RequestPtr request = Admit(std::move(command), std::move(then), options);
  if (!request) return;
  request->slot = SlotOf(key);
  Dispatch(request);
}

void DeploymentClient::Eval(const Script& script, std::vector<std::string> keys, Arguments arguments, Then then,
                            CallOptions options) {
  CHECK(!keys.empty());
  const uint16_t slot = SlotOf(keys.front());
  Arguments command;
  command.reserve(3 + keys.size() + arguments.size());
  command.insert(command.end(), {"EVALSHA", script.sha1(), std::to_string(keys.size())});
  std::move(keys.begin(), keys.end(), std::back_inserter(command));
  std::move(arguments.begin(), arguments.end(), std::back_inserter(command));
  const RequestPtr request = Admit(std::move(command), std::move(then), options);
  if (!request) return;
  std::shared_ptr<const Script>& known = scripts_[script.sha1()];
  if (!known) known = std::make_shared<const Script>(script);
  request->script = known;
  request->slot = slot;
  Dispatch(request);
}

uint64_t DeploymentClient::CallBlocking(std::string_view key, Arguments command, Then then, CallOptions options) {
  if (blocking_.size() >= model::kMaxRedisBlockingCalls && !stopped_) {
    failed_full.Add();
    surroundings_.core.Post(
        [then = std::move(then)] { then(Status(Code::kResourceExhausted, "too many blocking calls wait for Redis")); });
    return 0;
  }
  const RequestPtr request = Admit(std::move(command), std::move(then), options);
  if (!request) return 0;
  request->slot = SlotOf(key);
  request->manner = Request::Manner::kBlocking;
  blocking_.emplace(request->number, request);
  Dispatch(request);
  return request->number;
}

void DeploymentClient::CancelBlocking(uint64_t call) {
  const auto found = blocking_.find(call);
  if (found == blocking_.end()) return;
  const RequestPtr request = found->second;
  for (const auto& [address, node] : nodes_) node->Forget(request);
  for (const auto& node : retired_) node->Forget(request);
  Finish(request, Status(Code::kCancelled, "the call was cancelled"));
}

void DeploymentClient::Dispatch(const RequestPtr& request) {
  if (request->answered() || stopped_) return;
  if (request->manner == Request::Manner::kGate) {
    if (!by_slot_.empty()) return Finish(request, wire::RespReply{});
    return unplaced_.Push(request);
  }
  Node* node = nullptr;
  if (request->pinned.empty()) {
    node = NodeOf(request->slot);
  } else if (const auto found = nodes_.find(request->pinned); found != nodes_.end()) {
    node = found->second.get();
  } else {
    return Finish(request, Status(Code::kUnavailable, request->pinned + " is no primary any more"));
  }
  if (node == nullptr) return unplaced_.Push(request);
  node->Submit(request);
}

void DeploymentClient::RetryLater(const RequestPtr& request) {
  const int64_t most = std::min(kFirstRetryMs << std::min(request->tries, 6), kMaxRetryMs);
  const int64_t delay_ms = most / 2 + static_cast<int64_t>(random_.Below(static_cast<uint64_t>(most / 2) + 1));
  surroundings_.core.After(delay_ms, [weak = weak_from_this(), request] {
    if (const auto self = weak.lock()) self->Dispatch(request);
  });
}

void DeploymentClient::OnReply(Node& node, const RequestPtr& request, wire::RespReply reply) {
  std::optional<Refusal> refusal;
  if (reply.is_error()) refusal = ParseRefusal(reply.text);
  const bool redirect = refusal && (refusal->kind == Refusal::Kind::kMoved || refusal->kind == Refusal::Kind::kAsk);
  if (!refusal || (redirect && (!clustered() || !request->pinned.empty())) ||
      (refusal->kind == Refusal::Kind::kNoScript && !request->script)) {
    return Finish(request, std::move(reply));
  }
  ++request->tries;
  request->last_refusal = node.address() + " said " + reply.text.substr(0, 200);
  retries.Add();
  Follow(node, request, *refusal);
}

void DeploymentClient::Follow(Node& node, const RequestPtr& request, const Refusal& refusal) {
  Endpoint to = refusal.to;
  if (to.host.empty()) to.host = node.endpoint().host;
  switch (refusal.kind) {
    case Refusal::Kind::kMoved:
      moved.Add();
      if (by_slot_.size() == kSlots) by_slot_[refusal.slot] = &NodeAt(to);
      topology_->Refresh();
      return request->tries <= kHastyTries ? Dispatch(request) : RetryLater(request);
    case Refusal::Kind::kAsk:
      asked.Add();
      if (request->tries > kHastyTries) return RetryLater(request);
      request->asking = true;
      return NodeAt(to).Submit(request);
    case Refusal::Kind::kNoScript:
      return request->tries <= kHastyTries ? Dispatch(request) : RetryLater(request);
    case Refusal::Kind::kReadonly:
      node.Suspect(Status(Code::kUnavailable, node.address() + " became a replica"));
      topology_->Refresh();
      return RetryLater(request);
    case Refusal::Kind::kClusterDown:
    case Refusal::Kind::kMasterDown:
      topology_->Refresh();
      return RetryLater(request);
    case Refusal::Kind::kTryAgain:
    case Refusal::Kind::kLoading:
      return RetryLater(request);
  }
}

void DeploymentClient::OnNotSent(Node&, const RequestPtr& request) {
  if (request->manner == Request::Manner::kPipelined) return Dispatch(request);
  ++request->tries;
  RetryLater(request);
}

void DeploymentClient::OnMayHaveRun(Node&, const RequestPtr& request, const Status& why) {
  failed_lost.Add();
  Finish(request, Status(Code::kUnavailable, std::string(why.message()) + "; the command may have run"));
}

void DeploymentClient::ArmDeadline() {
  if (deadlines_.empty() || stopped_) return;
  const int64_t next_ms = deadlines_.begin()->first;
  if (armed_ms_ != 0 && armed_ms_ <= next_ms) return;
  armed_ms_ = next_ms;
  surroundings_.core.After(std::max<int64_t>(next_ms - surroundings_.NowMs(), 0), [weak = weak_from_this(), next_ms] {
    const auto self = weak.lock();
    if (!self || self->stopped_ || self->armed_ms_ != next_ms) return;
    self->armed_ms_ = 0;
    self->OnDeadline();
  });
}

void DeploymentClient::OnDeadline() {
  const int64_t now_ms = surroundings_.NowMs();
  while (!deadlines_.empty() && deadlines_.begin()->first <= now_ms) {
    const RequestPtr request = deadlines_.begin()->second;
    const Status why = Overdue(*request);
    if (request->manner == Request::Manner::kBlocking) {
      for (const auto& [address, node] : nodes_) node->Forget(request);
      for (const auto& node : retired_) node->Forget(request);
    }
    failed_time.Add();
    // A server that is silent may have been replaced.
    if (request->under_way && topology_) topology_->Refresh();
    Finish(request, why);
  }
  ArmDeadline();
}

Status DeploymentClient::Overdue(const Request& request) const {
  const Node* node = NodeOf(request.slot);
  if (request.under_way) return Status(Code::kUnavailable, "no answer from Redis in time; the command may have run");
  if (!request.last_refusal.empty()) return Status(Code::kUnavailable, request.last_refusal);
  if (node != nullptr && !node->open()) return node->failure();
  if (node == nullptr && !topology_failure_.ok()) {
    return Status(Code::kUnavailable, std::string(topology_failure_.message()));
  }
  return Status(Code::kUnavailable, "no primary of Redis is known in time");
}

struct DeploymentClient::Sweep {
  Arguments command;
  std::function<void(Result<std::vector<Client::PrimaryReply>>)> then;
  int64_t deadline_ms;
  std::vector<std::string> addresses;
  std::vector<Client::PrimaryReply> replies;
};

void DeploymentClient::CallEveryPrimary(Arguments command,
                                        std::function<void(Result<std::vector<Client::PrimaryReply>>)> then,
                                        CallOptions options) {
  auto sweep = std::make_shared<Sweep>();
  sweep->command = std::move(command);
  sweep->then = std::move(then);
  sweep->deadline_ms = surroundings_.NowMs() + options.patience_ms;
  const RequestPtr gate = Admit(
      {},
      [weak = weak_from_this(), sweep](const Result<wire::RespReply>& known) {
        const auto self = weak.lock();
        if (!known.ok() || !self) return sweep->then(known.status());
        sweep->addresses = self->listed_;
        self->StepSweep(sweep);
      },
      options);
  if (!gate) return;
  gate->manner = Request::Manner::kGate;
  surroundings_.core.Post([weak = weak_from_this(), gate] {
    if (const auto self = weak.lock()) self->Dispatch(gate);
  });
}

void DeploymentClient::StepSweep(const std::shared_ptr<Sweep>& sweep) {
  if (sweep->replies.size() == sweep->addresses.size()) return sweep->then(std::move(sweep->replies));
  const std::string address = sweep->addresses[sweep->replies.size()];
  const RequestPtr request = Admit(sweep->command,
                                   [weak = weak_from_this(), sweep, address](Result<wire::RespReply> reply) {
                                     const auto self = weak.lock();
                                     if (!reply.ok() || !self) return sweep->then(reply.status());
                                     sweep->replies.push_back({address, std::move(reply).value()});
                                     self->StepSweep(sweep);
                                   },
                                   {.patience_ms = sweep->deadline_ms - surroundings_.NowMs()});
  if (!request) return;
  request->pinned = address;
  Dispatch(request);
}

}  // namespace tocsin::redis
