// Request: one call on its way. Made by the client, carried by the node that it is for, answered once.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "redis/client.h"

namespace tocsin::redis {

struct Request {
  enum class Manner : uint8_t {
    kPipelined,  // on the node's one connection
    kBlocking,   // on a connection of its own
    kGate,       // not sent: answered once it is known who the primaries are
  };

  Arguments command;  // of an EVALSHA: the digest stands second
  Then then;          // null: answered
  std::shared_ptr<const Script> script;
  Manner manner = Manner::kPipelined;
  uint16_t slot = 0;
  std::string pinned;      // the address it is for, whatever the slot; empty: by slot
  bool asking = false;     // the next send is the one that an ASK told to
  bool under_way = false;  // sent, and not answered or given back
  int tries = 0;           // how often a server has refused it
  uint64_t number = 0;
  size_t cost = 0;                                                      // bytes held
  std::string last_refusal;                                             // what a server said
  std::multimap<int64_t, std::shared_ptr<Request>>::iterator deadline;  // in the client's list, until answered

  bool answered() const { return then == nullptr; }
};
using RequestPtr = std::shared_ptr<Request>;

// Requests in the order in which they came. Those that are answered meanwhile do not pile up.
class WaitingRequests {
 public:
  void Push(const RequestPtr& request);
  std::deque<RequestPtr> Take() { return std::exchange(requests_, {}); }
  bool empty() const { return requests_.empty(); }

 private:
  std::deque<RequestPtr> requests_;
  size_t look_at_ = 0;  // how many there are when the answered ones are looked for next
};

enum class ScriptForm : uint8_t {
  kDigest,  // EVALSHA
  kWhole,   // EVAL with the source
};
// Appends the command as it goes over the wire.
void AppendRequest(std::string& out, const Request& request, ScriptForm form);

}  // namespace tocsin::redis
