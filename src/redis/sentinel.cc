#include "redis/sentinel.h"

#include <charconv>
#include <optional>

namespace tocsin::redis {
namespace {

constexpr int64_t kPeriodMs = 10'000;
constexpr const char* kSwitch = "+switch-master";

template <typename Number>
std::optional<Number> NumberOf(std::string_view text) {
  Number number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || rest != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<Endpoint> EndpointOf(std::string_view host, std::string_view port) {
  const std::optional<uint16_t> number = NumberOf<uint16_t>(port);
  if (host.empty() || !number || *number == 0) return std::nullopt;
  return Endpoint{std::string(host), *number};
}

Login LoginOf(const Deployment& deployment, const std::string& client_name) {
  return {.role = Login::Role::kSentinel,
          .user = deployment.sentinel_user,
          .password = deployment.sentinel_password,
          .database = 0,
          .name = client_name};
}

}  // namespace

SentinelTopology::SentinelTopology(Surroundings& surroundings, Topology::Owner& owner, const Deployment& deployment,
                                   const std::string& client_name)
    : owner_(owner),
      primary_name_(deployment.primary_name),
      poller_(surroundings, *this, deployment.endpoints, LoginOf(deployment, client_name), kPeriodMs,
              "redis_sentinel_lost") {}

void SentinelTopology::Fail(std::string message) {
  poller_.Failed(base::Status(base::Code::kUnavailable, std::move(message)));
}

// Three questions in one write. A connection that is lost meanwhile reports that to the poller by itself, and one that
// was passed over answers no more.
void SentinelTopology::Ask(Connection& connection) {
  using Fate = Connection::Fate;
  using Reply = base::Result<wire::RespReply>;
  answer_ = {};
  const std::string sentinel = connection.endpoint().ToString();
  connection.Send({"SENTINEL", "GET-MASTER-ADDR-BY-NAME", primary_name_},
                  [this, sentinel](const Reply& reply, Fate fate) {
                    if (fate == Fate::kAnswered) OnAddress(sentinel, reply.value());
                  });
  connection.Send({"SENTINEL", "MASTER", primary_name_}, [this](const Reply& reply, Fate fate) {
    if (fate == Fate::kAnswered) OnPrimary(reply.value());
  });
  connection.Send({"SENTINEL", "SENTINELS", primary_name_}, [this, &connection](const Reply& reply, Fate fate) {
    if (fate == Fate::kAnswered) OnSentinels(connection, reply.value());
  });
}

void SentinelTopology::OnAddress(const std::string& sentinel, const wire::RespReply& reply) {
  if (reply.is_error()) return Fail(sentinel + " does not answer as a Sentinel (" + reply.text.substr(0, 200) + ")");
  if (reply.elements.size() != 2) {
    return Fail("the Sentinel " + sentinel + " does not know `" + primary_name_ +
                "`: check the name behind the addresses");
  }
  const std::optional<Endpoint> primary = EndpointOf(reply.elements[0].text, reply.elements[1].text);
  if (!primary) return Fail("the Sentinel " + sentinel + " names no address for `" + primary_name_ + "`");
  answer_.primary = *primary;
}

void SentinelTopology::OnPrimary(const wire::RespReply& reply) {
  // Without the right to ask, every epoch is as good as any other.
  const wire::RespReply* epoch = FieldOf(reply, "config-epoch");
  if (epoch != nullptr) answer_.epoch = NumberOf<uint64_t>(epoch->text).value_or(0);
}

void SentinelTopology::OnSentinels(Connection& connection, const wire::RespReply& reply) {
  std::vector<Endpoint> others;
  for (const wire::RespReply& one : reply.elements) {
    const wire::RespReply* host = FieldOf(one, "ip");
    const wire::RespReply* port = FieldOf(one, "port");
    if (host == nullptr || port == nullptr) continue;
    if (std::optional<Endpoint> endpoint = EndpointOf(host->text, port->text)) others.push_back(*std::move(endpoint));
  }
  if (!reply.is_error()) poller_.Learn(others);
  const Answer answer = answer_;
  if (poller_.Accepts(answer.epoch) && answer.primary != told_) {
    told_ = answer.primary;
    owner_.OnRanges({SlotRange{.first = 0, .last = kSlots - 1, .primary = told_}});
  }
  connection.Subscribe(kSwitch);
  poller_.Done(Poller::Afterwards::kKeep);
}

// "<name> <old host> <old port> <new host> <new port>"
void SentinelTopology::OnPush(const wire::RespReply& reply) {
  if (reply.elements.size() != 3 || reply.elements[0].text != "message" || reply.elements[1].text != kSwitch) return;
  std::vector<std::string_view> words;
  std::string_view rest = reply.elements[2].text;
  while (!rest.empty()) {
    const size_t space = std::min(rest.find(' '), rest.size());
    words.push_back(rest.substr(0, space));
    rest.remove_prefix(std::min(space + 1, rest.size()));
  }
  if (words.size() != 5 || words[0] != primary_name_) return;
  const std::optional<Endpoint> primary = EndpointOf(words[3], words[4]);
  if (!primary || *primary == told_) return;
  poller_.NewEpoch();
  told_ = *primary;
  owner_.OnRanges({SlotRange{.first = 0, .last = kSlots - 1, .primary = told_}});
  poller_.Now();
}

}  // namespace tocsin::redis
