#include "redis/cluster.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace tocsin::redis {
namespace {

constexpr int64_t kPeriodMs = 30'000;

Login LoginOf(const Deployment& deployment, const std::string& client_name) {
  return {.role = Login::Role::kAny,
          .user = deployment.user,
          .password = deployment.password,
          .database = 0,
          .name = client_name};
}

// [host, port, id, ...]
std::optional<Endpoint> EndpointOf(const wire::RespReply& node, const std::string& asked_host) {
  if (node.elements.size() < 2) return std::nullopt;
  const int64_t port = node.elements[1].integer;
  if (port <= 0 || port > 65'535) return std::nullopt;
  const std::string& host = node.elements[0].text;
  return Endpoint{host.empty() || host == "?" ? asked_host : host, static_cast<uint16_t>(port)};
}

// `cluster_current_epoch:7` in the text of CLUSTER INFO; 0 where it does not stand there.
uint64_t EpochOf(std::string_view text) {
  constexpr std::string_view kField = "cluster_current_epoch:";
  const size_t at = text.find(kField);
  if (at == text.npos) return 0;
  uint64_t epoch = 0;
  std::from_chars(text.data() + at + kField.size(), text.data() + text.size(), epoch);
  return epoch;
}

}  // namespace

SlotMap ReadSlots(const wire::RespReply& reply, const std::string& asked_host) {
  SlotMap map;
  for (const wire::RespReply& range : reply.elements) {
    if (range.elements.size() < 3) continue;
    const int64_t first = range.elements[0].integer, last = range.elements[1].integer;
    if (first < 0 || last < first || last >= static_cast<int64_t>(kSlots)) continue;
    for (size_t i = 2; i < range.elements.size(); ++i) {
      const std::optional<Endpoint> node = EndpointOf(range.elements[i], asked_host);
      if (!node) continue;
      if (i == 2) map.ranges.push_back({static_cast<uint16_t>(first), static_cast<uint16_t>(last), *node});
      if (std::find(map.nodes.begin(), map.nodes.end(), *node) == map.nodes.end()) map.nodes.push_back(*node);
    }
  }
  return map;
}

ClusterTopology::ClusterTopology(Surroundings& surroundings, Topology::Owner& owner, const Deployment& deployment,
                                 const std::string& client_name)
    : owner_(owner),
      poller_(surroundings, *this, deployment.endpoints, LoginOf(deployment, client_name), kPeriodMs,
              "redis_cluster_lost") {}

void ClusterTopology::Fail(const std::string& node, std::string_view why) {
  poller_.Failed(base::Status(base::Code::kUnavailable, node + std::string(why)));
}

void ClusterTopology::Ask(Connection& connection) {
  using Fate = Connection::Fate;
  using Reply = base::Result<wire::RespReply>;
  epoch_ = 0;
  connection.Send({"CLUSTER", "INFO"}, [this](const Reply& reply, Fate fate) {
    if (fate == Fate::kAnswered) epoch_ = EpochOf(reply->text);
  });
  connection.Send({"CLUSTER", "SLOTS"}, [this, asked = connection.endpoint()](const Reply& reply, Fate fate) {
    if (fate == Fate::kAnswered) OnSlots(asked, reply.value());
  });
}

void ClusterTopology::OnSlots(const Endpoint& asked, const wire::RespReply& reply) {
  const std::string node = asked.ToString();
  if (reply.is_error()) {
    const bool alone = reply.text.find("cluster support disabled") != std::string::npos;
    return Fail(node, alone ? " is no node of a Cluster: write redis://" + node
                            : " refuses CLUSTER SLOTS (" + reply.text.substr(0, 200) + ")");
  }
  const SlotMap map = ReadSlots(reply, asked.host);
  if (map.ranges.empty()) return Fail(node, " knows of no slots: is the Cluster made?");
  if (!poller_.Accepts(epoch_)) return Fail(node, " has an old view of the Cluster");
  poller_.Learn(map.nodes);
  owner_.OnRanges(map.ranges);
  poller_.Done(Poller::Afterwards::kClose);
}

}  // namespace tocsin::redis
