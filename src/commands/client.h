// Client: one Redis connection's state and what it makes of each command: answers those of the connection, puts those
// of the store into a Batch, refuses what the caller may not. On the connection's Core; sockets are the gateway's.
//
// 1. Commands take effect in the order in which they come, and so do their replies: HELLO and AUTH hold for what
//    follows them, never for what came before.
// 2. Before authentication only HELLO, AUTH, QUIT and RESET run.
// 3. What MULTI queues is bounded (kMaxQueued): beyond it the transaction is refused as a whole.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/api_keys.h"
#include "auth/guess_limiter.h"
#include "base/clock.h"
#include "commands/batch.h"
#include "commands/command.h"
#include "commands/database.h"

namespace tocsin::commands {

enum class Authentication : uint8_t { kRequired, kOff };

// What the clients of a server share; outlives them.
struct ClientContext {
  Database& db;  // options() and figures() only: the rest belongs to the commit thread
  const auth::ApiKeys& keys;
  auth::GuessLimiter& guesses;
  Authentication authentication = Authentication::kRequired;
  const base::Clock& clock;
};

// What only the gateway can answer.
struct HostRequest {
  enum class Kind : uint8_t { kList, kKill, kUnblock };
  Kind kind = Kind::kList;
  // Which clients; all that are given must hold.
  std::vector<uint64_t> ids = {};
  std::optional<std::string> address = {}, local_address = {}, user = {}, type = {};
  std::optional<int64_t> max_age_s = {};
  bool skip_caller = true;
  bool old_form = false;            // CLIENT KILL addr: answers OK or an error
  bool unblock_with_error = false;  // CLIENT UNBLOCK id ERROR
  uint64_t caller = 0;
  wire::RespVersion version = wire::RespVersion::k2;
};

class Client {
 public:
  static constexpr size_t kMaxQueued = 32 << 20;  // bytes

  // `peer`, `local`: addresses with port, as text.
  Client(ClientContext& context, std::string peer, std::string local, std::string peer_ip);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Takes one command (at least its name): its reply, or the command itself, comes to the end of `batch`.
  Next Take(Arguments args, Batch& batch);
  // Of the last Take that answered kHost.
  const HostRequest& host_request() const { return host_request_; }

  uint64_t id() const { return id_; }
  bool authenticated() const { return authenticated_; }
  wire::RespVersion version() const { return version_; }
  bool in_multi() const { return multi_ != nullptr; }
  // It has used WATCH: session() must be told when it ends.
  bool has_watched() const { return has_watched_; }
  void SetWatched() { has_watched_ = true; }
  const std::shared_ptr<StoreSession>& session() const { return session_; }
  // For CLIENT LIST: what the gateway knows of it.
  struct Sockets {
    int64_t now_us = 0;
    size_t input = 0, output = 0;
    bool blocked = false;
  };
  std::string Describe(const Sockets& sockets) const;
  bool Matches(const HostRequest& request, const Sockets& sockets) const;
  const std::string& peer() const { return peer_; }

  // For the handlers.

  ClientContext& context() { return context_; }
  Batch& batch() { return *batch_; }
  bool LogIn(wire::RespWriter& reply, std::string_view name, std::string_view secret);
  void SetVersion(wire::RespVersion version) { version_ = version; }
  bool SetName(wire::RespWriter& reply, std::string_view name);
  void SetLibrary(std::string_view attribute, std::string_view value);
  const std::string& name() const { return name_; }
  auth::Scopes scopes() const { return scopes_; }
  void BeginMulti();
  // The end of MULTI: its commands become one step of the batch. kStore: one of them was refused.
  Next Execute();
  void DiscardMulti() { multi_.reset(); }
  void Reset();
  void AskHost(HostRequest request);
  enum class Replies : uint8_t { kOn, kOff, kSkipNext, kSkipThis };
  void SetReplies(Replies replies) { replies_ = replies; }
  // CLIENT REPLY SKIP; says nothing after CLIENT REPLY OFF.
  void SkipReply() {
    if (replies_ != Replies::kOff) replies_ = Replies::kSkipNext;
  }

 private:
  struct Queued {
    const Command* command;
    std::vector<std::string> args;
  };
  struct Multi {
    std::vector<Queued> queued;
    size_t bytes = 0;
    bool refused = false;
  };

  Next TakeOne(Arguments args, Batch& batch);
  // The command, or null when it was refused.
  const Command* Choose(Arguments args, wire::RespWriter& reply);
  bool MayRun(const Command& command, wire::RespWriter& reply);
  Next Run(const Command& command, Arguments args);
  void Queue(const Command& command, Arguments args, wire::RespWriter& reply);
  void Become(const auth::ApiKey& key);

  ClientContext& context_;
  const uint64_t id_;
  const std::string peer_, local_, peer_ip_;
  const int64_t since_us_;
  int64_t last_us_;
  bool authenticated_ = false;
  auth::Scopes scopes_;
  std::string user_;
  std::string name_, library_, library_version_;
  wire::RespVersion version_ = wire::RespVersion::k2;
  Replies replies_ = Replies::kOn;
  const Command* last_command_ = nullptr;
  std::unique_ptr<Multi> multi_;
  std::shared_ptr<StoreSession> session_;
  HostRequest host_request_;
  bool has_watched_ = false;
  Batch* batch_ = nullptr;  // of the present Take
};

}  // namespace tocsin::commands
