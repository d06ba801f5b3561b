// ClusterTopology: the slot map of a Cluster, as its nodes tell it (CLUSTER SLOTS, which every version has). Any node
// can be asked, a replica too.
#pragma once

#include <string>
#include <vector>

#include "redis/poller.h"
#include "redis/topology.h"

namespace tocsin::redis {

class ClusterTopology final : public Topology, public Poller::Owner {
 public:
  ClusterTopology(Surroundings& surroundings, Topology::Owner& owner, const Deployment& deployment,
                  const std::string& client_name);

  void Start() override { poller_.Now(); }
  void Stop() override { poller_.Stop(); }
  void Refresh() override { poller_.Now(); }
  void SetHealth(Poller::Health health) override { poller_.SetHealth(health); }

  void Ask(Connection& connection) override;
  void OnPollFailure(const base::Status& why) override { owner_.OnTopologyFailure(why); }

 private:
  void OnSlots(const Endpoint& asked, const wire::RespReply& reply);
  void Fail(const std::string& node, std::string_view why);

  Topology::Owner& owner_;
  uint64_t epoch_ = 0;  // of the node that is asked
  Poller poller_;
};

// The ranges of a reply to CLUSTER SLOTS, and every node that it names. What makes no sense is left out. A node without
// a host is `asked`.
struct SlotMap {
  std::vector<SlotRange> ranges;
  std::vector<Endpoint> nodes;
};
SlotMap ReadSlots(const wire::RespReply& reply, const std::string& asked_host);

}  // namespace tocsin::redis
