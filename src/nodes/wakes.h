// Wakes: how a node hears that a log has grown which somebody connected to it follows. One small stream per node, which
// the others append to and the node reads. A wake-up is a hint: it carries where the log ends now, never what is in it.
//
// 1. A node that is gone has no stream (it expires), and nobody makes one for it: who wanted to wake it is told.
// 2. The stream is trimmed to kMaxWakes: a node that does not read loses hints, and time, but no data.
// 3. After any doubt (a lost connection, a stream that vanished) the node is told to look at everything it follows.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "logs/log_store.h"
#include "redis/client.h"
#include "runtime/core.h"

namespace tocsin::nodes {

class Wakes {
 public:
  struct Events {
    // Logs that others have appended to: head only.
    std::function<void(std::vector<logs::LogUpdate>)> woken;
    // Hints may have been lost.
    std::function<void()> doubt;
    // That node does not live any more, but that user's log is still watched for it.
    std::function<void(const std::string& user, const std::string& node)> dead;
  };
  static constexpr int kMaxWakes = 10'000;
  static constexpr int64_t kNodeTtlMs = 30'000;

  // Nothing is owned; all of it outlives the client's last answer.
  Wakes(runtime::Core& core, redis::Client& client, std::string node, Events events);

  // Makes this node's stream and begins to read it; `ready` once it stands.
  void Start(std::function<void()> ready);
  // About every five seconds: keeps the stream alive.
  void Tick();
  // Sends the hint at the end of the turn. With the node's own name it does nothing.
  void Add(const std::string& node, const logs::LogUpdate& update);
  // The node goes away: its stream too.
  void Stop();

 private:
  void Make();
  void Read();
  void OnRead(const base::Result<wire::RespReply>& reply);
  void ReadSoon(int64_t delay_ms);
  void Flush();
  void Send(const std::string& node, std::vector<std::string> fields);

  runtime::Core& core_;
  redis::Client& client_;
  const std::string node_, key_;
  const Events events_;
  std::function<void()> ready_;
  std::string last_ = "0-0";  // of what was read
  bool stopped_ = false, made_ = false, flushing_ = false;
  std::map<std::string, std::vector<std::string>> due_;  // by node: user, head, user, head, ...
};

// "<after> <last> <floor> <unread> <unseen> <low> <normal> <high> <critical>": what a hint says of a log.
std::string HeadText(const logs::LogUpdate& update);
// False: not such a text.
bool ParseHeadText(std::string_view text, logs::LogUpdate& update);

}  // namespace tocsin::nodes
