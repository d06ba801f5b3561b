// Greeting: the first words with a server, without a socket: commands out, replies in. It logs in, names the
// connection, chooses the database and finds out who answers.
//
// 1. RESP3 by HELLO 3; a server that has no HELLO is spoken to in RESP2, with AUTH.
// 2. Done only when the server has loaded its data and is what was asked for: a replica, or a node of a Cluster where
//    one server was named, is a failure that says how to mend it.
// 3. Secrets are not repeated in messages.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "redis/client.h"
#include "wire/resp.h"

namespace tocsin::redis {

struct Login {
  enum class Role : uint8_t {
    kPrimary,      // of one server, or of those that Sentinels watch
    kClusterNode,  // a primary of a Cluster
    kAny,          // whoever answers, to be asked about the deployment
    kSentinel,
  };
  Role role = Role::kPrimary;
  std::string user, password;
  int database = 0;
  std::string name;
};

struct ServerIdentity {
  std::string run_id;   // empty for a Sentinel
  std::string version;  // as the server says it: "7.0.15"
};

class Greeting {
 public:
  enum class Step : uint8_t {
    kGoOn,   // send commands(), hand in a reply for each
    kWait,   // the server loads its data: send commands() a little later
    kDone,   // identity() is known
    kFailed  // failure()
  };

  Greeting(const Login& login, std::string address);

  // What is to be sent now.
  const std::vector<Arguments>& commands() const { return commands_; }
  // The reply to the next of commands(). kGoOn with no commands(): there are replies still to come.
  Step OnReply(const wire::RespReply& reply);

  const ServerIdentity& identity() const { return identity_; }
  const base::Status& failure() const { return failure_; }

 private:
  enum class Stage : uint8_t { kHello, kAuth, kName, kSelect, kInfo };

  Step Fail(std::string message);
  Step Explain(const wire::RespReply& reply, std::string_view command);
  Step OnHello(const wire::RespReply& reply);
  Step OnInfo(std::string_view text);
  Step LookAround();

  const Login& login_;
  const std::string address_;
  std::vector<Arguments> commands_;
  std::vector<Stage> expected_;  // a reply for each, in this order
  ServerIdentity identity_;
  base::Status failure_;
};

}  // namespace tocsin::redis
