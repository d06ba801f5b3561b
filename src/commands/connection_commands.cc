// Commands of the connection: PING, HELLO, AUTH, MULTI and its kin, and what the store does for them.
#include <algorithm>

#include "commands/arguments.h"
#include "commands/client.h"
#include "commands/handlers.h"

namespace tocsin::commands {
namespace {

constexpr std::string_view kRedisVersion = "7.2.4";  // the dialect that is spoken

struct Hello {
  wire::RespVersion version;
  std::optional<std::pair<std::string_view, std::string_view>> login = {};
  std::optional<std::string_view> name = {};
};

bool ReadHello(ConnectionCall& call, Hello& hello) {
  const Arguments args = call.args;
  if (args.size() >= 2) {
    const auto version = ReadInteger(call.reply, args[1], "ERR Protocol version is not an integer or out of range");
    if (!version) return false;
    if (*version != 2 && *version != 3) {
      call.reply.Error("NOPROTO unsupported protocol version");
      return false;
    }
    hello.version = *version == 3 ? wire::RespVersion::k3 : wire::RespVersion::k2;
  }
  for (size_t i = 2; i < args.size(); ++i) {
    const size_t more = args.size() - 1 - i;
    if (more >= 2 && Is(args[i], "auth")) {
      hello.login = {args[i + 1], args[i + 2]};
      i += 2;
    } else if (more >= 1 && Is(args[i], "setname")) {
      hello.name = args[++i];
    } else {
      call.reply.Error("ERR Syntax error in HELLO option '" + std::string(args[i]) + "'");
      return false;
    }
  }
  return true;
}

}  // namespace

Next AnswerPing(ConnectionCall& call) {
  if (call.args.size() > 2) {
    WrongArity(call.reply, "ping");
  } else if (call.args.size() == 2) {
    call.reply.Bulk(call.args[1]);
  } else {
    call.reply.Simple("PONG");
  }
  return Next::kGoOn;
}

Next AnswerEcho(ConnectionCall& call) {
  call.reply.Bulk(call.args[1]);
  return Next::kGoOn;
}

Next AnswerHello(ConnectionCall& call) {
  Client& client = call.client;
  Hello hello{.version = client.version()};
  if (!ReadHello(call, hello)) return Next::kGoOn;
  if (hello.login && !client.LogIn(call.reply, hello.login->first, hello.login->second)) return Next::kGoOn;
  if (!client.authenticated()) {
    call.reply.Error(
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> "
        "<pass> option can be used to authenticate the client and select the RESP protocol version at the same time");
    return Next::kGoOn;
  }
  if (hello.name && !client.SetName(call.reply, *hello.name)) return Next::kGoOn;
  client.SetVersion(hello.version);
  wire::RespWriter reply(client.batch().ReadyReplies(), hello.version);
  reply.MapHead(7);
  reply.Bulk("server");
  reply.Bulk("redis");
  reply.Bulk("version");
  reply.Bulk(kRedisVersion);
  reply.Bulk("proto");
  reply.Integer(static_cast<int>(hello.version));
  reply.Bulk("id");
  reply.Integer(static_cast<int64_t>(client.id()));
  reply.Bulk("mode");
  reply.Bulk("standalone");
  reply.Bulk("role");
  reply.Bulk("master");
  reply.Bulk("modules");
  reply.ArrayHead(0);
  return Next::kGoOn;
}

Next AnswerAuth(ConnectionCall& call) {
  const Arguments args = call.args;
  if (args.size() > 3) {
    call.reply.Error(kSyntaxError);
    return Next::kGoOn;
  }
  if (args.size() == 2 && call.client.context().authentication == Authentication::kOff) {
    call.reply.Error(
        "ERR AUTH <password> called without any password configured for the default user. Are you sure your "
        "configuration is correct?");
    return Next::kGoOn;
  }
  const std::string_view name = args.size() == 3 ? args[1] : auth::kDefaultKeyName;
  if (call.client.LogIn(call.reply, name, args.back())) call.reply.Simple("OK");
  return Next::kGoOn;
}

Next AnswerSelect(ConnectionCall& call) {
  const auto index = ReadInteger(call.reply, call.args[1]);
  if (!index) return Next::kGoOn;
  if (*index < INT32_MIN || *index > INT32_MAX) {
    call.reply.Error("ERR value is out of range, value must between -2147483648 and 2147483647");
  } else if (*index != 0) {
    call.reply.Error("ERR DB index is out of range");
  } else {
    call.reply.Simple("OK");
  }
  return Next::kGoOn;
}

Next AnswerQuit(ConnectionCall& call) {
  call.reply.Simple("OK");
  return Next::kClose;
}

Next AnswerReset(ConnectionCall& call) {
  call.client.Reset();
  return Next::kStore;
}

void RunReset(Call& call) {
  call.session.Forget(call.db.engine());
  call.reply.Simple("RESET");
}

Next AnswerTime(ConnectionCall& call) {
  const int64_t now_ms = call.client.context().clock.NowMs();
  call.reply.ArrayHead(2);
  call.reply.Bulk(std::to_string(now_ms / 1'000));
  call.reply.Bulk(std::to_string(now_ms % 1'000 * 1'000));
  return Next::kGoOn;
}

// There are no replicas: none has it, now or later, so nobody is kept waiting.
Next AnswerWait(ConnectionCall& call) {
  const auto replicas = ReadInteger(call.reply, call.args[1]);
  if (!replicas) return Next::kGoOn;
  const auto timeout = ReadInteger(call.reply, call.args[2], "ERR timeout is not an integer or out of range");
  if (!timeout) return Next::kGoOn;
  if (*timeout < 0) {
    call.reply.Error("ERR timeout is negative");
  } else {
    call.reply.Integer(0);
  }
  return Next::kGoOn;
}

// What this connection was answered is synced here already.
Next AnswerWaitaof(ConnectionCall& call) {
  const auto local = ReadInteger(call.reply, call.args[1], "ERR value is out of range, must be between 0 and 1");
  if (!local) return Next::kGoOn;
  if (*local < 0 || *local > 1) {
    call.reply.Error("ERR value is out of range, must be between 0 and 1");
    return Next::kGoOn;
  }
  const auto replicas = ReadInteger(call.reply, call.args[2]);
  if (!replicas) return Next::kGoOn;
  const auto timeout = ReadInteger(call.reply, call.args[3], "ERR timeout is not an integer or out of range");
  if (!timeout) return Next::kGoOn;
  call.reply.ArrayHead(2);
  call.reply.Integer(call.client.context().db.options().durability == "sync" ? 1 : 0);
  call.reply.Integer(0);
  return Next::kGoOn;
}

Next AnswerMulti(ConnectionCall& call) {
  if (call.client.in_multi()) {
    call.reply.Error("ERR MULTI calls can not be nested");
  } else {
    call.client.BeginMulti();
    call.reply.Simple("OK");
  }
  return Next::kGoOn;
}

Next AnswerExec(ConnectionCall& call) {
  if (call.client.in_multi()) return call.client.Execute();
  call.reply.Error("ERR EXEC without MULTI");
  return Next::kGoOn;
}

// Of a transaction with a refused command.
void RunExecAbort(Call& call) {
  call.session.Forget(call.db.engine());
  call.reply.Error("EXECABORT Transaction discarded because of previous errors.");
}

Next AnswerDiscard(ConnectionCall& call) {
  if (!call.client.in_multi()) {
    call.reply.Error("ERR DISCARD without MULTI");
    return Next::kGoOn;
  }
  call.client.DiscardMulti();
  return Next::kStore;
}

void RunDiscard(Call& call) { RunUnwatch(call); }

Next AnswerWatch(ConnectionCall& call) {
  if (!call.client.in_multi()) {
    call.client.SetWatched();
    return Next::kStore;
  }
  call.reply.Error("ERR WATCH inside MULTI is not allowed");
  return Next::kGoOn;
}

void RunWatch(Call& call) {
  constexpr size_t kMaxWatched = 10'000;
  for (const std::string_view key : call.args.subspan(1)) {
    auto& watched = call.session.watched;
    const bool known = std::any_of(watched.begin(), watched.end(), [&](const auto& one) { return one.key == key; });
    if (known) continue;
    if (watched.size() >= kMaxWatched) return call.reply.Error("ERR too many watched keys");
    call.db.engine().Watch(key);
    watched.push_back({std::string(key), call.db.engine().ChangesOf(key)});
  }
  call.reply.Simple("OK");
}

void RunUnwatch(Call& call) {
  call.session.Forget(call.db.engine());
  call.reply.Simple("OK");
}

}  // namespace tocsin::commands
