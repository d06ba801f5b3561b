// SentinelTopology: the primary that the Sentinels name. One Sentinel is listened to (+switch-master), each in turn is
// asked; the Sentinels that they know are learned.
#pragma once

#include <string>
#include <vector>

#include "redis/poller.h"
#include "redis/topology.h"

namespace tocsin::redis {

class SentinelTopology final : public Topology, public Poller::Owner {
 public:
  SentinelTopology(Surroundings& surroundings, Topology::Owner& owner, const Deployment& deployment,
                   const std::string& client_name);

  void Start() override { poller_.Now(); }
  void Stop() override { poller_.Stop(); }
  void Refresh() override { poller_.Now(); }
  void SetHealth(Poller::Health health) override { poller_.SetHealth(health); }

  void Ask(Connection& connection) override;
  void OnPush(const wire::RespReply& reply) override;
  void OnPollFailure(const base::Status& why) override { owner_.OnTopologyFailure(why); }

 private:
  // What one Sentinel has said so far.
  struct Answer {
    Endpoint primary;
    uint64_t epoch = 0;
  };
  void OnAddress(const std::string& sentinel, const wire::RespReply& reply);
  void OnPrimary(const wire::RespReply& reply);
  void OnSentinels(Connection& connection, const wire::RespReply& reply);
  void Fail(std::string message);

  Topology::Owner& owner_;
  const std::string primary_name_;
  Answer answer_;
  Endpoint told_;  // what the owner has
  Poller poller_;
};

}  // namespace tocsin::redis
