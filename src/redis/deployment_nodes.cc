// DeploymentClient: the nodes, as they come, go and change.
#include <algorithm>

#include "base/log.h"
#include "base/metrics.h"
#include "redis/cluster.h"
#include "redis/deployment_client.h"
#include "redis/sentinel.h"

namespace tocsin::redis {
namespace {

using base::Result;
using base::Status;

constexpr int64_t kKeepUnlistedMs = 30'000;  // a node without slots, to which ASK may still point
constexpr int64_t kSweepMs = 1'000;

base::Counter losses("tocsin_redis_lost_total", "Connections to Redis primaries that were lost");

Login LoginOf(const ClientOptions& options) {
  const Deployment& deployment = options.deployment;
  return {.role = deployment.kind == Deployment::Kind::kCluster ? Login::Role::kClusterNode : Login::Role::kPrimary,
          .user = deployment.user,
          .password = deployment.password,
          .database = deployment.database,
          .name = options.name};
}

}  // namespace

void DeploymentClient::Start() {
  if (options_.deployment.tls) {
    Result<std::unique_ptr<TlsContext>> tls = TlsContext::Make(options_.deployment);
    if (!tls.ok()) {
      base::Log(base::Level::kError, "redis_tls", {{"why", tls.status().message()}});
      topology_failure_ = tls.status();
      return;  // every call waits, and is told at the end of its patience
    }
    tls_ = std::move(tls).value();
    surroundings_.tls = tls_.get();
  }
  switch (options_.deployment.kind) {
    case Deployment::Kind::kSingle:
      topology_ = std::make_unique<FixedTopology>(*this, options_.deployment.endpoints.front());
      break;
    case Deployment::Kind::kSentinel:
      topology_ = std::make_unique<SentinelTopology>(surroundings_, *this, options_.deployment, options_.name);
      break;
    case Deployment::Kind::kCluster:
      topology_ = std::make_unique<ClusterTopology>(surroundings_, *this, options_.deployment, options_.name);
      break;
  }
  topology_->Start();
}

Node* DeploymentClient::NodeOf(uint16_t slot) const {
  if (by_slot_.empty()) return nullptr;
  return by_slot_.size() == 1 ? by_slot_.front() : by_slot_[slot];
}

void DeploymentClient::TellHealth() {
  if (topology_) topology_->SetHealth(connected() ? Poller::Health::kGood : Poller::Health::kBad);
}

void DeploymentClient::OnNodeOpen(Node& node) {
  TellHealth();
  if (options_.listener != nullptr) options_.listener->OnPrimary(node.address(), node.run_id());
}

void DeploymentClient::OnNodeLost(Node& node, const Status& why) {
  losses.Add();
  TellHealth();
  if (topology_) topology_->Refresh();
  if (options_.listener != nullptr) options_.listener->OnLost(node.address(), why);
}

void DeploymentClient::OnNodeRefused(Node&, const Status&) {
  if (topology_) topology_->Refresh();
}

Node& DeploymentClient::NodeAt(const Endpoint& endpoint) {
  std::unique_ptr<Node>& node = nodes_[endpoint.ToString()];
  if (!node) {
    node = std::make_unique<Node>(surroundings_, *this, endpoint, LoginOf(options_));
    node->Start();
  }
  return *node;
}

void DeploymentClient::OnTopologyFailure(const Status& why) { topology_failure_ = why; }

void DeploymentClient::OnRanges(const std::vector<SlotRange>& ranges) {
  if (stopped_) return;
  by_slot_.assign(clustered() ? kSlots : 1, nullptr);
  listed_.clear();
  for (const SlotRange& range : ranges) {
    Node& node = NodeAt(range.primary);
    if (std::find(listed_.begin(), listed_.end(), node.address()) == listed_.end()) listed_.push_back(node.address());
    if (!clustered()) {
      by_slot_.front() = &node;
    } else {
      std::fill(by_slot_.begin() + range.first, by_slot_.begin() + range.last + 1, &node);
    }
  }
  topology_failure_ = base::Ok();
  TellHealth();
  RetireUnlisted();
  for (const RequestPtr& request : unplaced_.Take()) Dispatch(request);
}

// A node that has left the deployment: what waits for it goes where it belongs now.
void DeploymentClient::RetireUnlisted() {
  std::deque<RequestPtr> again;
  for (auto one = nodes_.begin(); one != nodes_.end();) {
    Node& node = *one->second;
    const bool listed = std::find(listed_.begin(), listed_.end(), one->first) != listed_.end();
    if (listed) {
      ++one;
      continue;
    }
    for (RequestPtr& request : node.TakeWaiting()) again.push_back(std::move(request));
    if (clustered() && surroundings_.NowMs() - node.used_ms() < kKeepUnlistedMs) {
      ++one;
      continue;
    }
    node.Retire();
    retired_.push_back(std::move(one->second));
    one = nodes_.erase(one);
  }
  for (const RequestPtr& request : again) Dispatch(request);
  SweepRetired();
}

void DeploymentClient::SweepRetired() {
  if (sweeping_ || retired_.empty()) return;
  sweeping_ = true;
  surroundings_.core.After(kSweepMs, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self || self->stopped_) return;
    self->sweeping_ = false;
    std::erase_if(self->retired_, [](const auto& node) { return node->idle(); });
    self->SweepRetired();
  });
}

std::string DeploymentClient::AddressOf(std::string_view key) const {
  const Node* node = NodeOf(SlotOf(key));
  return node != nullptr ? node->address() : std::string();
}

bool DeploymentClient::connected() const {
  return !listed_.empty() && std::all_of(listed_.begin(), listed_.end(), [this](const std::string& address) {
    const auto node = nodes_.find(address);
    return node != nodes_.end() && node->second->open();
  });
}

}  // namespace tocsin::redis
