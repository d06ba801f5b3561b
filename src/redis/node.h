// Node: one server of the deployment and the connections to it: the one that all calls share, kept up with backoff, and
// those of commands that block.
//
// 1. A request that comes while there is no connection waits, in order, for the next one.
// 2. Every request handed in comes back to the owner: with a reply, as not sent, or as one that may have run. Never
//    inside Submit().
// 3. OnNodeOpen comes before anything that waited is sent; what is submitted from inside goes first.
// 4. Retired, it connects no more and ends when nothing is under way.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "redis/connection.h"
#include "redis/outage_log.h"
#include "redis/request.h"

namespace tocsin::redis {

class Node final : public Connection::Owner {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void OnNodeOpen(Node& node) = 0;
    // It was open before.
    virtual void OnNodeLost(Node& node, const base::Status& why) = 0;
    // A try to connect has failed; the next one comes by itself.
    virtual void OnNodeRefused(Node& node, const base::Status& why) = 0;
    virtual void OnReply(Node& node, const RequestPtr& request, wire::RespReply reply) = 0;
    virtual void OnNotSent(Node& node, const RequestPtr& request) = 0;
    virtual void OnMayHaveRun(Node& node, const RequestPtr& request, const base::Status& why) = 0;
  };

  Node(Surroundings& surroundings, Owner& owner, Endpoint endpoint, Login login);
  ~Node() override;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  void Start();  // begins to connect; once
  void Submit(const RequestPtr& request);
  // Ends a blocking request's connection. The request has been answered.
  void Forget(const RequestPtr& request);
  // The server is not what it was taken for: sends nothing more, and connects anew, from the greeting on, when what is
  // under way has been answered.
  void Suspect(const base::Status& why);
  // What waits for a connection, to be sent elsewhere.
  std::deque<RequestPtr> TakeWaiting() { return waiting_.Take(); }
  void Retire();
  // Closes everything without a word.
  void Abandon();

  bool open() const { return connection_ && connection_->open() && suspicion_.ok(); }
  bool idle() const;  // nothing waits, nothing is under way
  const std::string& address() const { return address_; }
  const Endpoint& endpoint() const { return endpoint_; }
  const std::string& run_id() const { return run_id_; }
  // Why it is not open.
  const base::Status& failure() const { return failure_; }
  int64_t used_ms() const { return used_ms_; }

 private:
  struct Lane {  // a connection of its own
    std::shared_ptr<Connection> connection;
    RequestPtr request;  // null: idle
  };

  void OnOpen(Connection& connection) override;
  void OnClosed(Connection& connection, const base::Status& why) override;

  void Connect();
  void ConnectLater();
  void Send(const RequestPtr& request);
  void SendOn(Connection& connection, const RequestPtr& request);
  void SendBlocking(const RequestPtr& request);
  void OnLaneOpen(Lane& lane);
  void OnLaneClosed(Connection& connection);
  void OnAnswer(const RequestPtr& request, base::Result<wire::RespReply> reply, Connection::Fate fate);
  void CloseIfSuspect();
  void TrimLanes();
  ScriptForm FormOf(const Request& request);
  Lane* LaneOf(const Connection& connection);

  Surroundings& surroundings_;
  Owner& owner_;
  const Endpoint endpoint_;
  const std::string address_;
  const Login login_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);

  std::shared_ptr<Connection> connection_;
  std::string run_id_;
  base::Status failure_, suspicion_;
  OutageLog log_{"redis_lost"};
  int64_t backoff_ms_ = 0;
  bool retired_ = false;
  int64_t used_ms_;
  size_t under_way_ = 0;                     // pipelined
  std::unordered_set<std::string> scripts_;  // sent whole on this connection, by digest
  WaitingRequests waiting_;
  std::vector<std::unique_ptr<Lane>> lanes_;
};

}  // namespace tocsin::redis
