#include "redis/node.h"

#include <algorithm>

#include "base/log.h"
#include "base/metrics.h"

namespace tocsin::redis {
namespace {

constexpr int64_t kFirstBackoffMs = 50;
constexpr int64_t kMaxBackoffMs = 1'500;  // with the time a connection takes, back within two seconds of the server
constexpr size_t kIdleLanes = 8;
constexpr int64_t kSuspectMs = 500;  // what a suspect has for the answers that it owes

base::Counter connects("tocsin_redis_connects_total", "Connections to Redis that were opened, the first one too");
base::Counter connect_failures("tocsin_redis_connect_failures_total", "Tries to connect to Redis that failed");
base::Gauge connected("tocsin_redis_connected", "Redis primaries that calls are sent to, over all cores");

bool IsWait(std::string_view command) {
  const auto is = [command](std::string_view name) {
    return std::equal(command.begin(), command.end(), name.begin(), name.end(),
                      [](char a, char b) { return (a & ~0x20) == b; });
  };
  return is("WAIT") || is("WAITAOF");
}

}  // namespace

Node::Node(Surroundings& surroundings, Owner& owner, Endpoint endpoint, Login login)
    : surroundings_(surroundings),
      owner_(owner),
      endpoint_(std::move(endpoint)),
      address_(endpoint_.ToString()),
      login_(std::move(login)),
      failure_(base::Code::kUnavailable, address_ + ": not connected yet"),
      used_ms_(surroundings.NowMs()) {}

Node::~Node() { Abandon(); }

void Node::Start() { Connect(); }

void Node::Connect() {
  connection_ = std::make_shared<Connection>(surroundings_, *this, endpoint_, login_);
  connection_->Open();
}

void Node::ConnectLater() {
  if (retired_) return;
  backoff_ms_ = std::clamp(2 * backoff_ms_, kFirstBackoffMs, kMaxBackoffMs);
  const auto half = static_cast<uint64_t>(backoff_ms_ / 2);
  const int64_t delay_ms = backoff_ms_ - static_cast<int64_t>(surroundings_.random.Below(half + 1));
  surroundings_.core.After(delay_ms, [this, alive = std::weak_ptr<bool>(alive_)] {
    if (!alive.expired() && !connection_ && !retired_) Connect();
  });
}

void Node::OnOpen(Connection& connection) {
  if (&connection != connection_.get()) {
    if (Lane* lane = LaneOf(connection)) OnLaneOpen(*lane);
    return;
  }
  connects.Add();
  connected.Add(1);
  backoff_ms_ = 0;
  scripts_.clear();
  log_.Recovered();
  run_id_ = connection.identity().run_id;
  base::Log(base::Level::kInfo, "redis_connected",
            {{"address", address_}, {"version", connection.identity().version}, {"run_id", run_id_}});
  const std::deque<RequestPtr> waiting = TakeWaiting();
  owner_.OnNodeOpen(*this);
  for (const RequestPtr& request : waiting) Send(request);
}

void Node::OnClosed(Connection& connection, const base::Status& why) {
  if (&connection != connection_.get()) return OnLaneClosed(connection);
  const bool was_open = !run_id_.empty();
  connection_.reset();
  run_id_.clear();
  suspicion_ = base::Ok();
  failure_ = why;
  log_.Failed(address_, why.message(), surroundings_.NowMs());
  ConnectLater();
  if (was_open) {
    connected.Add(-1);
    owner_.OnNodeLost(*this, why);
  } else {
    connect_failures.Add();
    owner_.OnNodeRefused(*this, why);
  }
}

void Node::Submit(const RequestPtr& request) {
  used_ms_ = surroundings_.NowMs();
  if (open()) return Send(request);
  waiting_.Push(request);
}

void Node::Send(const RequestPtr& request) {
  if (request->answered()) return;
  if (request->manner == Request::Manner::kBlocking) return SendBlocking(request);
  if (!open()) return waiting_.Push(request);
  SendOn(*connection_, request);
}

ScriptForm Node::FormOf(const Request& request) {
  if (!request.script) return ScriptForm::kDigest;
  return scripts_.insert(request.script->sha1()).second ? ScriptForm::kWhole : ScriptForm::kDigest;
}

void Node::SendOn(Connection& connection, const RequestPtr& request) {
  if (std::exchange(request->asking, false)) connection.Send({"ASKING"}, nullptr);
  ++under_way_;
  request->under_way = true;
  connection.Send(*request, FormOf(*request),
                  [this, request](base::Result<wire::RespReply> reply, Connection::Fate fate) {
                    --under_way_;
                    OnAnswer(request, std::move(reply), fate);
                    CloseIfSuspect();
                  });
}

void Node::OnAnswer(const RequestPtr& request, base::Result<wire::RespReply> reply, Connection::Fate fate) {
  request->under_way = false;
  if (request->answered()) return;
  switch (fate) {
    case Connection::Fate::kAnswered:
      if (request->script && reply->is_error() && reply->text.starts_with("NOSCRIPT")) {
        scripts_.erase(request->script->sha1());
      }
      return owner_.OnReply(*this, request, std::move(reply).value());
    case Connection::Fate::kMayHaveRun:
      return owner_.OnMayHaveRun(*this, request, reply.status());
    case Connection::Fate::kNotSent:
      return owner_.OnNotSent(*this, request);
  }
}

void Node::Forget(const RequestPtr& request) {
  const auto lane =
      std::find_if(lanes_.begin(), lanes_.end(), [&](const auto& one) { return one->request == request; });
  if (lane == lanes_.end()) return;
  // The connection may be the one that runs now.
  std::shared_ptr<Connection> connection = (*lane)->connection;
  lanes_.erase(lane);
  connection->Abandon();
  surroundings_.core.Post([connection = std::move(connection)] {});
}

void Node::Suspect(const base::Status& why) {
  if (!open()) return;
  suspicion_ = why;
  surroundings_.core.After(kSuspectMs, [this, alive = std::weak_ptr<bool>(alive_), suspect = connection_] {
    if (!alive.expired() && suspect == connection_) suspect->Close(suspicion_);
  });
}

void Node::CloseIfSuspect() {
  const std::shared_ptr<Connection> connection = connection_;
  if (connection && !suspicion_.ok() && under_way_ == 0) connection->Close(suspicion_);
}

// Beyond a few, connections that wait for the next blocking command are let go.
void Node::TrimLanes() {
  size_t idle = 0;
  for (size_t i = lanes_.size(); i-- > 0;) {
    if (lanes_[i]->request || (++idle <= kIdleLanes && !retired_)) continue;
    std::shared_ptr<Connection> connection = lanes_[i]->connection;
    lanes_.erase(lanes_.begin() + static_cast<ptrdiff_t>(i));
    connection->Abandon();
    surroundings_.core.Post([connection = std::move(connection)] {});
  }
}

void Node::Retire() {
  retired_ = true;
  if (connection_ && !connection_->open()) {
    connection_->Abandon();
    connection_.reset();
  }
}

void Node::Abandon() {
  alive_ = std::make_shared<bool>(true);  // timers that are set find the old one gone
  retired_ = true;
  if (!run_id_.empty()) connected.Add(-1);
  run_id_.clear();
  if (connection_) connection_->Abandon();
  connection_.reset();
  for (const auto& lane : lanes_) lane->connection->Abandon();
  lanes_.clear();
  waiting_.Take();
}

bool Node::idle() const {
  return waiting_.empty() && under_way_ == 0 &&
         std::none_of(lanes_.begin(), lanes_.end(), [](const auto& lane) { return lane->request != nullptr; });
}

Node::Lane* Node::LaneOf(const Connection& connection) {
  for (const auto& lane : lanes_) {
    if (lane->connection.get() == &connection) return lane.get();
  }
  return nullptr;
}

void Node::SendBlocking(const RequestPtr& request) {
  for (const auto& lane : lanes_) {
    if (lane->request || !lane->connection->open()) continue;
    lane->request = request;
    return OnLaneOpen(*lane);
  }
  auto lane = std::make_unique<Lane>();
  lane->request = request;
  lane->connection =
      std::make_shared<Connection>(surroundings_, *this, endpoint_, login_, Connection::Watching::kNothing);
  lanes_.push_back(std::move(lane));
  lanes_.back()->connection->Open();
}

void Node::OnLaneOpen(Lane& lane) {
  const RequestPtr request = lane.request;
  if (!request) return;
  Connection& connection = *lane.connection;
  // Another process than the one that was announced: that comes first.
  if (connection.identity().run_id != run_id_) {
    const std::shared_ptr<Connection> held = lane.connection;
    return held->Close(base::Status(base::Code::kUnavailable, address_ + ": was restarted"));
  }
  if (std::exchange(request->asking, false)) connection.Send({"ASKING"}, nullptr);
  // WAIT is about the last command of its own connection: one now comes after all that others have had an answer to.
  if (IsWait(request->command.front())) connection.Send({"PING"}, nullptr);
  request->under_way = true;
  connection.Send(*request, ScriptForm::kWhole,
                  [this, &lane, request](base::Result<wire::RespReply> reply, Connection::Fate fate) {
                    lane.request.reset();  // it is given back here, and not by OnLaneClosed
                    OnAnswer(request, std::move(reply), fate);
                    if (fate == Connection::Fate::kAnswered) TrimLanes();
                  });
}

void Node::OnLaneClosed(Connection& connection) {
  const auto lane =
      std::find_if(lanes_.begin(), lanes_.end(), [&](const auto& one) { return one->connection.get() == &connection; });
  if (lane == lanes_.end()) return;
  const RequestPtr request = std::move((*lane)->request);
  std::shared_ptr<Connection> held = std::move((*lane)->connection);
  lanes_.erase(lane);
  surroundings_.core.Post([held = std::move(held)] {});
  if (request && !request->answered()) owner_.OnNotSent(*this, request);  // the others have had their word
}

}  // namespace tocsin::redis
