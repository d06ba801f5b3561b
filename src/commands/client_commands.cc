// CLIENT.
#include "commands/arguments.h"
#include "commands/client.h"
#include "commands/handlers.h"

namespace tocsin::commands {
namespace {

Next Done(ConnectionCall& call, std::string_view error) {
  call.reply.Error(error);
  return Next::kGoOn;
}

Next Ok(ConnectionCall& call) {
  call.reply.Simple("OK");
  return Next::kGoOn;
}

bool IsClientType(std::string_view type) {
  return Is(type, "normal") || Is(type, "master") || Is(type, "slave") || Is(type, "replica") || Is(type, "pubsub");
}

// One `ID n`, `TYPE t`, ... of CLIENT KILL.
bool ReadFilter(ConnectionCall& call, std::string_view name, std::string_view value, HostRequest& request) {
  if (Is(name, "id")) {
    const auto id = ParseInteger(value);
    if (!id || *id < 1) {
      call.reply.Error("ERR client-id should be greater than 0");
      return false;
    }
    request.ids.push_back(static_cast<uint64_t>(*id));
  } else if (Is(name, "type")) {
    if (!IsClientType(value)) {
      call.reply.Error("ERR Unknown client type '" + std::string(value) + "'");
      return false;
    }
    request.type = Lower(value);
  } else if (Is(name, "addr")) {
    request.address = std::string(value);
  } else if (Is(name, "laddr")) {
    request.local_address = std::string(value);
  } else if (Is(name, "user")) {
    request.user = std::string(value);
  } else if (Is(name, "maxage")) {
    const auto age = ParseInteger(value);
    if (!age || *age < 1) {
      call.reply.Error("ERR maxage is not an integer or out of range");
      return false;
    }
    request.max_age_s = age;
  } else if (Is(name, "skipme")) {
    if (!Is(value, "yes") && !Is(value, "no")) {
      call.reply.Error(kSyntaxError);
      return false;
    }
    request.skip_caller = Is(value, "yes");
  } else {
    call.reply.Error(kSyntaxError);
    return false;
  }
  return true;
}

}  // namespace

Next AnswerClientId(ConnectionCall& call) {
  call.reply.Integer(static_cast<int64_t>(call.client.id()));
  return Next::kGoOn;
}

Next AnswerClientGetname(ConnectionCall& call) {
  if (call.client.name().empty()) {
    call.reply.Null();
  } else {
    call.reply.Bulk(call.client.name());
  }
  return Next::kGoOn;
}

Next AnswerClientSetname(ConnectionCall& call) {
  return call.client.SetName(call.reply, call.args[2]) ? Ok(call) : Next::kGoOn;
}

Next AnswerClientSetinfo(ConnectionCall& call) {
  const std::string attribute = Lower(call.args[2]);
  if (attribute != "lib-name" && attribute != "lib-ver") {
    return Done(call, "ERR Unrecognized option '" + std::string(call.args[2]) + "'");
  }
  for (const char c : call.args[3]) {
    if (c < '!' || c > '~') {
      return Done(call, "ERR " + attribute + " cannot contain spaces, newlines or special characters.");
    }
  }
  call.client.SetLibrary(attribute, call.args[3]);
  return Ok(call);
}

Next AnswerClientInfo(ConnectionCall& call) {
  call.reply.Verbatim(call.client.Describe({.now_us = call.client.context().clock.MonotonicUs()}) + "\n");
  return Next::kGoOn;
}

Next AnswerClientList(ConnectionCall& call) {
  const Arguments args = call.args;
  HostRequest request{.kind = HostRequest::Kind::kList};
  if (args.size() == 4 && Is(args[2], "type")) {
    if (!IsClientType(args[3])) return Done(call, "ERR Unknown client type '" + std::string(args[3]) + "'");
    request.type = Lower(args[3]);
  } else if (args.size() > 3 && Is(args[2], "id")) {
    for (const std::string_view text : args.subspan(3)) {
      const auto id = ParseInteger(text);
      if (!id || *id < 1) return Done(call, "ERR Invalid client ID");
      request.ids.push_back(static_cast<uint64_t>(*id));
    }
  } else if (args.size() != 2) {
    return Done(call, kSyntaxError);
  }
  call.client.AskHost(std::move(request));
  return Next::kHost;
}

Next AnswerClientKill(ConnectionCall& call) {
  const Arguments args = call.args;
  HostRequest request{.kind = HostRequest::Kind::kKill};
  if (args.size() == 3) {
    request.old_form = true;
    request.skip_caller = false;
    request.address = std::string(args[2]);
  } else {
    for (size_t i = 2; i < args.size(); i += 2) {
      if (i + 1 >= args.size()) return Done(call, kSyntaxError);
      if (!ReadFilter(call, args[i], args[i + 1], request)) return Next::kGoOn;
    }
  }
  call.client.AskHost(std::move(request));
  return Next::kHost;
}

Next AnswerClientUnblock(ConnectionCall& call) {
  const Arguments args = call.args;
  HostRequest request{.kind = HostRequest::Kind::kUnblock, .skip_caller = false};
  if (args.size() == 4) {
    if (!Is(args[3], "timeout") && !Is(args[3], "error")) {
      return Done(call, "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
    }
    request.unblock_with_error = Is(args[3], "error");
  }
  const auto id = ReadInteger(call.reply, args[2]);
  if (!id) return Next::kGoOn;
  request.ids.push_back(static_cast<uint64_t>(*id));
  call.client.AskHost(std::move(request));
  return Next::kHost;
}

Next AnswerClientReply(ConnectionCall& call) {
  if (Is(call.args[2], "on")) {
    call.client.SetReplies(Client::Replies::kOn);
    return Ok(call);
  }
  if (Is(call.args[2], "off")) {
    call.client.SetReplies(Client::Replies::kOff);
  } else if (Is(call.args[2], "skip")) {
    call.client.SkipReply();
  } else {
    return Done(call, kSyntaxError);
  }
  return Next::kGoOn;
}

Next AnswerClientNoEvict(ConnectionCall& call) {
  if (!Is(call.args[2], "on") && !Is(call.args[2], "off")) return Done(call, kSyntaxError);
  return Ok(call);
}

Next AnswerClientNoTouch(ConnectionCall& call) { return AnswerClientNoEvict(call); }

Next AnswerClientGetredir(ConnectionCall& call) {
  call.reply.Integer(-1);
  return Next::kGoOn;
}

Next AnswerClientTrackinginfo(ConnectionCall& call) {
  call.reply.MapHead(3);
  call.reply.Bulk("flags");
  call.reply.SetHead(1);
  call.reply.Bulk("off");
  call.reply.Bulk("redirect");
  call.reply.Integer(-1);
  call.reply.Bulk("prefixes");
  call.reply.ArrayHead(0);
  return Next::kGoOn;
}

Next AnswerClientHelp(ConnectionCall& call) {
  static constexpr std::string_view kLines[] = {
      "GETNAME",
      "    Return the name of the current connection.",
      "GETREDIR",
      "    Return the client ID we are redirecting to when tracking is enabled.",
      "ID",
      "    Return the ID of the current connection.",
      "INFO",
      "    Return information about the current client connection.",
      "KILL <ip:port>",
      "    Kill connection made from <ip:port>.",
      "KILL <option> <value> [<option> <value> [...]]",
      "    Kill connections. Options are:",
      "    * ADDR (<ip:port>|<unixsocket>:0)",
      "      Kill connections made from the specified address",
      "    * LADDR (<ip:port>|<unixsocket>:0)",
      "      Kill connections made to specified local address",
      "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
      "      Kill connections by type.",
      "    * USER <username>",
      "      Kill connections authenticated by <username>.",
      "    * SKIPME (YES|NO)",
      "      Skip killing current connection (default: yes).",
      "    * ID <client-id>",
      "      Kill connections by client id.",
      "    * MAXAGE <maxage>",
      "      Kill connections older than the specified age.",
      "LIST [options ...]",
      "    Return information about client connections. Options:",
      "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
      "      Return clients of specified type.",
      "    * ID <id> [<id> ...]",
      "      Return clients of specified IDs only.",
      "NO-EVICT (ON|OFF)",
      "    Protect current client connection from eviction.",
      "NO-TOUCH (ON|OFF)",
      "    Will not touch LRU/LFU stats when this mode is on.",
      "REPLY (ON|OFF|SKIP)",
      "    Control the replies sent to the current connection.",
      "SETNAME <name>",
      "    Assign the name <name> to the current connection.",
      "SETINFO <option> <value>",
      "    Set client meta attr. Options are:",
      "    * LIB-NAME: the client lib name.",
      "    * LIB-VER: the client lib version.",
      "TRACKINGINFO",
      "    Report tracking status for the current connection.",
      "UNBLOCK <clientid> [TIMEOUT|ERROR]",
      "    Unblock the specified blocked client.",
  };
  WriteHelp(call.reply, "CLIENT", kLines);
  return Next::kGoOn;
}

}  // namespace tocsin::commands
