// DeploymentClient: the calls of a Client: where each goes, what becomes of a refusal, and when patience ends.
//
// 1. Every request is in deadlines_ from Call() to its answer, and in at most one other place: a node, unplaced_ (no
//    node is known for its slot), or a timer that will dispatch it again.
// 2. Held by shared_ptr: timers and posted tasks that come late find it gone.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/random.h"
#include "redis/client.h"
#include "redis/node.h"
#include "redis/refusal.h"
#include "redis/request.h"
#include "redis/resolver.h"
#include "redis/tls.h"
#include "redis/topology.h"

namespace tocsin::redis {

class DeploymentClient final : public std::enable_shared_from_this<DeploymentClient>,
                               public Node::Owner,
                               public Topology::Owner {
 public:
  DeploymentClient(runtime::Core& core, ClientOptions options);
  ~DeploymentClient() override = default;
  DeploymentClient(const DeploymentClient&) = delete;
  DeploymentClient& operator=(const DeploymentClient&) = delete;

  void Start();
  void Stop();
  void Call(std::string_view key, Arguments command, Then then, CallOptions options);
  void Eval(const Script& script, std::vector<std::string> keys, Arguments arguments, Then then, CallOptions options);
  uint64_t CallBlocking(std::string_view key, Arguments command, Then then, CallOptions options);
  void CancelBlocking(uint64_t call);
  void CallEveryPrimary(Arguments command, std::function<void(base::Result<std::vector<Client::PrimaryReply>>)> then,
                        CallOptions options);
  std::string AddressOf(std::string_view key) const;
  bool connected() const;

 private:
  struct Sweep;  // a command to every primary

  void OnNodeOpen(Node& node) override;
  void OnNodeLost(Node& node, const base::Status& why) override;
  void OnNodeRefused(Node& node, const base::Status& why) override;
  void OnReply(Node& node, const RequestPtr& request, wire::RespReply reply) override;
  void OnNotSent(Node& node, const RequestPtr& request) override;
  void OnMayHaveRun(Node& node, const RequestPtr& request, const base::Status& why) override;
  void OnRanges(const std::vector<SlotRange>& ranges) override;
  void OnTopologyFailure(const base::Status& why) override;

  // Null where the call was answered with a failure instead.
  RequestPtr Admit(Arguments command, Then then, CallOptions options);
  void Dispatch(const RequestPtr& request);
  void RetryLater(const RequestPtr& request);
  void Follow(Node& node, const RequestPtr& request, const Refusal& refusal);
  void Finish(const RequestPtr& request, base::Result<wire::RespReply> result);
  void ArmDeadline();
  void OnDeadline();
  base::Status Overdue(const Request& request) const;
  void StepSweep(const std::shared_ptr<Sweep>& sweep);
  Node* NodeOf(uint16_t slot) const;
  Node& NodeAt(const Endpoint& endpoint);
  void TellHealth();
  void RetireUnlisted();
  void SweepRetired();
  bool clustered() const { return options_.deployment.kind == Deployment::Kind::kCluster; }

  const ClientOptions options_;
  base::SeededRandom random_;
  Resolver resolver_;
  std::unique_ptr<TlsContext> tls_;
  base::Status tls_failure_;
  Surroundings surroundings_;
  bool stopped_ = false, sweeping_ = false;

  std::unordered_map<std::string, std::unique_ptr<Node>> nodes_;  // by address
  std::vector<std::unique_ptr<Node>> retired_;
  std::vector<Node*> by_slot_;       // of every slot; one where one has all; empty: nothing is known
  std::vector<std::string> listed_;  // the addresses of by_slot_
  std::unique_ptr<Topology> topology_;
  base::Status topology_failure_;
  WaitingRequests unplaced_;

  std::multimap<int64_t, RequestPtr> deadlines_;
  int64_t armed_ms_ = 0;  // when the next look at deadlines_ comes; 0: none does
  size_t held_bytes_ = 0;
  uint64_t next_number_ = 1;
  std::unordered_map<uint64_t, RequestPtr> blocking_;
  std::unordered_map<std::string, std::shared_ptr<const Script>> scripts_;  // by digest
};

}  // namespace tocsin::redis
