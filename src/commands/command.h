// Command: one entry of the table of Redis commands, and what a handler is given. A handler parses the arguments with
// Redis' own error texts, calls the engine and appends exactly one reply.
//
// There are two kinds. Commands of the connection (HELLO, AUTH, CLIENT, MULTI, ...) are answered on the Core by Client;
// commands of the store run on the commit thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "auth/api_keys.h"
#include "streams/commands.h"
#include "wire/resp.h"

namespace tocsin::storage {
class Batch;
}

namespace tocsin::commands {

class Client;
class Database;
struct StoreSession;

using Arguments = std::span<const std::string_view>;  // the command's name first

// A command that found nothing and wants to wait for it.
struct Blocking {
  streams::ReadRequest request;
  int64_t timeout_ms = 0;  // 0: for ever
};

enum class MayBlock : uint8_t { kNo, kYes };

// A command of the store, on the commit thread.
struct Call {
  Database& db;
  StoreSession& session;
  storage::Batch& turn;
  Arguments args;
  wire::RespWriter& reply;
  auth::Scopes scopes;
  size_t max_reply;  // bytes of entries that the reply may hold, about
  MayBlock may_block = MayBlock::kNo;
  std::optional<Blocking> blocking = {};  // set: no reply was written, wait
};
using StoreHandler = void (*)(Call&);

// A command of the connection, on its Core. What may follow in the same batch.
enum class Next : uint8_t {
  kGoOn,
  kStore,   // (of a handler:) the store has to run it, too
  kSubmit,  // nothing behind it may run before it is answered
  kHost,    // Client::host_request() is to be answered by the gateway first
  kClose,   // the connection ends when this is answered
};
struct ConnectionCall {
  Client& client;
  Arguments args;
  wire::RespWriter& reply;
};
using ConnectionHandler = Next (*)(ConnectionCall&);

// As COMMAND INFO tells them; the ones that change what the server does say so.
enum Flag : uint32_t {
  kWrite = 1u << 0,  // its change is synced; stands for the flag of that name
  kReadOnly = 1u << 1,
  kDenyOom = 1u << 2,
  kAdmin = 1u << 3,
  kFast = 1u << 4,
  kBlocking = 1u << 5,  // may wait when it has an argument BLOCK
  kNoAuth = 1u << 6,    // allowed before AUTH
  kNoMulti = 1u << 7,   // refused inside MULTI
  kInMulti = 1u << 8,   // runs inside MULTI, instead of being queued
  kMovableKeys = 1u << 9,
  kLoading = 1u << 10,
  kStale = 1u << 11,
  kNoScript = 1u << 12,
  kUnsynced = 1u << 13,  // ours: writes what no answer rests on, so it may be synced later
  kAnyScope = 1u << 14,  // ours: every key may call it, whatever its scopes
};

struct Keys {
  int first = 0, last = 0, step = 0;  // as COMMAND INFO tells them; 0: no keys
};

struct Command {
  std::string_view name;                    // in lower case; of a subcommand, without its parent's
  int arity = 0;                            // with the name; negative: at least so many
  uint32_t flags = 0;                       // Flag
  auth::Scope scope = auth::Scope::kAdmin;  // the key of the caller must have it
  Keys keys = {};
  StoreHandler run = nullptr;          // on the commit thread
  ConnectionHandler answer = nullptr;  // on the Core; first, where there are both
  std::string_view group = {};         // "stream", "generic", ...
  std::string_view since = {};         // the version of Redis
  std::string_view summary = {};
  std::span<const Command> subcommands = {};
  std::string_view parent = {};

  bool Has(Flag flag) const { return (flags & flag) != 0; }
  bool TakesArguments(size_t count) const {
    return arity >= 0 ? count == static_cast<size_t>(arity) : count >= static_cast<size_t>(-arity);
  }
  std::string FullName() const;  // "xgroup|create"
};

// All commands, by name.
std::span<const Command> AllCommands();
// nullptr: there is none of that name (any case).
const Command* FindCommand(std::string_view name);
const Command* FindSubcommand(const Command& command, std::string_view name);

}  // namespace tocsin::commands
