// Client: commands for a Redis or Valkey deployment: one server, the primary that Sentinel names, or a Cluster.
//
// 1. It lives on one Core: made, called, answered and destroyed on its thread. Nothing blocks there.
// 2. Each call is answered exactly once, never inside the call. What the server says is a reply, its errors too
//    (RespReply::is_error). A failure of ours is kUnavailable (not connected within the patience, the connection was
//    lost, no answer in time: the command may have run) or kCancelled (the client was stopped: the same).
// 3. Nothing that may have run is sent again. What a server refused without running it is followed up here and not
//    seen by the caller, within the patience: MOVED, ASK, TRYAGAIN, LOADING, CLUSTERDOWN, MASTERDOWN, READONLY after a
//    failover, NOSCRIPT.
// 4. Calls of one slot are sent in the order called, all of a turn in one write. What rule 3 sends again may overtake:
//    who needs an order waits for the answer.
// 5. Memory is bounded: beyond kMaxRedisQueuedBytes (model/limits.h) of calls that wait, a call is answered
// kResourceExhausted.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "redis/address.h"
#include "runtime/core.h"
#include "wire/resp.h"

namespace tocsin::redis {

using Arguments = std::vector<std::string>;  // the command's name first; any bytes
using Then = std::function<void(base::Result<wire::RespReply>)>;

// A Lua script, known to servers by its SHA-1. Sent whole to a server that does not have it.
class Script {
 public:
  explicit Script(std::string source);
  const std::string& source() const { return source_; }
  const std::string& sha1() const { return sha1_; }  // 40 hex digits

 private:
  std::string source_, sha1_;
};

struct CallOptions {
  // From the call to its answer: for a connection (after an outage too) and for the reply.
  int64_t patience_ms = 2'000;
};

class Client {
 public:
  // What happened to the deployment, for whoever keeps state about it.
  class Listener {
   public:
    virtual ~Listener() = default;
    // A primary is connected and answers. `run_id` is the server process' own (INFO server): another one than before
    // under the same name is a restart or a failover, after which data may be missing. Called before any call is sent
    // to that connection; calls made from inside come first.
    virtual void OnPrimary(const std::string& address, const std::string& run_id) = 0;
    virtual void OnLost(const std::string& address, const base::Status& why) = 0;
  };

  virtual ~Client() = default;  // Stop()

  // Sends to the primary that holds the slot of `key`; all keys of the command must be of that slot. Not for commands
  // that block.
  virtual void Call(std::string_view key, Arguments command, Then then, CallOptions options = {}) = 0;
  // EVALSHA, and EVAL where the server does not have the script. `keys` not empty.
  virtual void Eval(const Script& script, std::vector<std::string> keys, Arguments arguments, Then then,
                    CallOptions options = {}) = 0;
  // The same for commands that block (XREADGROUP BLOCK, WAITAOF, ...), on a connection of their own. The patience is to
  // be longer than the block. WAIT and WAITAOF are about everything that was answered before the call. Answers a number
  // for CancelBlocking().
  virtual uint64_t CallBlocking(std::string_view key, Arguments command, Then then, CallOptions options) = 0;
  // Answered kCancelled, unless it has been answered.
  virtual void CancelBlocking(uint64_t call) = 0;
  // To every primary, one after the other as each is connected; `then` gets all replies with their addresses, or the
  // first failure.
  struct PrimaryReply {
    std::string address;
    wire::RespReply reply;
  };
  virtual void CallEveryPrimary(Arguments command, std::function<void(base::Result<std::vector<PrimaryReply>>)> then,
                                CallOptions options = {}) = 0;

  // The address of the primary that holds `key` now; empty: not known.
  virtual std::string AddressOf(std::string_view key) const = 0;
  virtual bool connected() const = 0;  // to every primary that is known
  // Everything that waits is answered kCancelled.
  virtual void Stop() = 0;
};

// CRC16 of the key, or of what stands between the first `{` and the next `}`, modulo 16,384 (Redis Cluster
// specification).
uint16_t SlotOf(std::string_view key);

struct ClientOptions {
  Deployment deployment;
  std::string name = "tocsin";           // CLIENT SETNAME
  Client::Listener* listener = nullptr;  // not owned
};

// Begins to connect. On the Core's thread, or before it runs.
std::unique_ptr<Client> Connect(runtime::Core& core, ClientOptions options);

}  // namespace tocsin::redis
