// Client: a device of a user with its own model of the log, built exactly as the protocol demands.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "connection.h"
#include "wire/json.h"
#include "world.h"

namespace tocsin::tests {

class Client {
 public:
  Client(World& world, size_t user, std::string device);

  size_t user() const { return user_; }
  // Something that a client may do now, of all that it may.
  void Step();
  // Connected, everything read and acknowledged, all marks answered; does what is missing for that.
  bool CatchUp();
  void ConnectionLost() { connection_ = 0; }
  void CompareWith(const ReferenceLog& log) const;

 private:
  struct Item {
    std::string nid;
    int state = 0;
  };
  // What a client keeps. Goes back as a whole when an older copy is restored.
  struct State {
    std::string epoch;
    std::optional<EntryId> cursor;
    EntryId base;  // the state holds everything above it
    std::map<EntryId, Item> items;
  };

  void Connect();
  void Read(size_t frames);
  void Receive(const std::string& text);
  void OnWelcome(wire::JsonValue frame);
  void OnNotifications(wire::JsonValue frame);
  void OnChange(wire::JsonValue frame);
  void OnReply(wire::JsonValue frame);
  void Ack();
  void ForgeAck();
  void Mark();
  void List();
  void Send(const std::string& frame);
  Connection* connection() { return world_.Find(connection_); }

  World& world_;
  const size_t user_;
  const std::string device_;
  uint64_t connection_ = 0;
  bool welcomed_ = false;
  State state_;
  std::set<std::string> early_;  // copies that this connection brought, not acknowledged
  std::optional<State> older_;
  std::map<int64_t, std::string> unanswered_;  // marks with a mid, by `i`
  int64_t next_i_ = 1;
};

}  // namespace tocsin::tests
