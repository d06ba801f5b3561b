// COMMAND: the table, told to clients.
#include <algorithm>
#include <vector>

#include "commands/arguments.h"
#include "commands/client.h"
#include "commands/glob.h"
#include "commands/handlers.h"

namespace tocsin::commands {
namespace {

struct NamedFlag {
  Flag flag;
  std::string_view name;
};
constexpr NamedFlag kFlags[] = {
    {kWrite, "write"},       {kReadOnly, "readonly"}, {kDenyOom, "denyoom"},  {kAdmin, "admin"},
    {kNoScript, "noscript"}, {kBlocking, "blocking"}, {kLoading, "loading"},  {kStale, "stale"},
    {kFast, "fast"},         {kNoAuth, "no_auth"},    {kNoMulti, "no_multi"}, {kMovableKeys, "movablekeys"},
};

std::vector<std::string> Categories(const Command& command) {
  std::vector<std::string> categories;
  if (command.Has(kWrite)) categories.emplace_back("@write");
  if (command.Has(kReadOnly)) categories.emplace_back("@read");
  if (command.group == "stream" || command.group == "connection")
    categories.push_back("@" + std::string(command.group));
  if (command.group == "generic") categories.emplace_back("@keyspace");
  if (command.group == "transactions") categories.emplace_back("@transaction");
  if (command.Has(kAdmin)) categories.emplace_back("@admin");
  categories.emplace_back(command.Has(kFast) ? "@fast" : "@slow");
  if (command.Has(kBlocking)) categories.emplace_back("@blocking");
  return categories;
}

void WriteCommand(wire::RespWriter& reply, const Command& command) {
  reply.ArrayHead(10);
  reply.Bulk(command.FullName());
  reply.Integer(command.arity);
  const auto has = [&](const NamedFlag& flag) { return command.Has(flag.flag); };
  reply.SetHead(static_cast<size_t>(std::count_if(std::begin(kFlags), std::end(kFlags), has)));
  for (const NamedFlag& flag : kFlags) {
    if (has(flag)) reply.Simple(flag.name);
  }
  reply.Integer(command.keys.first);
  reply.Integer(command.keys.last);
  reply.Integer(command.keys.step);
  const std::vector<std::string> categories = Categories(command);
  reply.SetHead(categories.size());
  for (const std::string& category : categories) reply.Simple(category);
  reply.ArrayHead(0);  // tips
  reply.ArrayHead(0);  // key specifications
  reply.ArrayHead(command.subcommands.size());
  for (const Command& subcommand : command.subcommands) WriteCommand(reply, subcommand);
}

void WriteDocs(wire::RespWriter& reply, const Command& command) {
  reply.Bulk(command.FullName());
  reply.MapHead(command.subcommands.empty() ? 3 : 4);
  reply.Bulk("summary");
  reply.Bulk(command.summary);
  reply.Bulk("since");
  reply.Bulk(command.since);
  reply.Bulk("group");
  reply.Bulk(command.group);
  if (command.subcommands.empty()) return;
  reply.Bulk("subcommands");
  reply.MapHead(command.subcommands.size());
  for (const Command& subcommand : command.subcommands) WriteDocs(reply, subcommand);
}

// "xgroup|create" too.
const Command* FindByFullName(std::string_view name) {
  const size_t bar = name.find('|');
  const Command* command = FindCommand(name.substr(0, bar));
  if (command == nullptr || bar == name.npos) return command;
  return FindSubcommand(*command, name.substr(bar + 1));
}

// The arguments of XREAD and XREADGROUP that are keys. A group or a consumer may be called STREAMS.
std::vector<std::string_view> KeysBehindStreams(Arguments args) {
  for (size_t i = 1; i < args.size(); ++i) {
    if (Is(args[i], "group")) {
      i += 2;
      continue;
    }
    if (!Is(args[i], "streams")) continue;
    const auto rest = args.subspan(i + 1);
    const auto keys = rest.subspan(0, rest.size() / 2);
    return {keys.begin(), keys.end()};
  }
  return {};
}

}  // namespace

Next AnswerCommand(ConnectionCall& call) {
  call.reply.ArrayHead(AllCommands().size());
  for (const Command& command : AllCommands()) WriteCommand(call.reply, command);
  return Next::kGoOn;
}

Next AnswerCommandCount(ConnectionCall& call) {
  call.reply.Integer(static_cast<int64_t>(AllCommands().size()));
  return Next::kGoOn;
}

Next AnswerCommandInfo(ConnectionCall& call) {
  const Arguments names = call.args.subspan(2);
  if (names.empty()) return AnswerCommand(call);
  call.reply.ArrayHead(names.size());
  for (const std::string_view name : names) {
    if (const Command* command = FindByFullName(name)) {
      WriteCommand(call.reply, *command);
    } else {
      call.reply.Null();
    }
  }
  return Next::kGoOn;
}

Next AnswerCommandDocs(ConnectionCall& call) {
  std::vector<const Command*> commands;
  if (call.args.size() == 2) {
    for (const Command& command : AllCommands()) commands.push_back(&command);
  }
  for (const std::string_view name : call.args.subspan(2)) {
    if (const Command* command = FindByFullName(name)) commands.push_back(command);
  }
  call.reply.MapHead(commands.size());
  for (const Command* command : commands) WriteDocs(call.reply, *command);
  return Next::kGoOn;
}

Next AnswerCommandList(ConnectionCall& call) {
  const Arguments args = call.args;
  std::string_view pattern = "*";
  if (args.size() == 5 && Is(args[2], "filterby") && Is(args[3], "pattern")) {
    pattern = args[4];
  } else if (args.size() != 2) {
    call.reply.Error(kSyntaxError);
    return Next::kGoOn;
  }
  std::vector<std::string> names;
  for (const Command& command : AllCommands()) {
    if (Glob(pattern, command.FullName())) names.push_back(command.FullName());
    for (const Command& subcommand : command.subcommands) {
      if (Glob(pattern, subcommand.FullName())) names.push_back(subcommand.FullName());
    }
  }
  call.reply.ArrayHead(names.size());
  for (const std::string& name : names) call.reply.Bulk(name);
  return Next::kGoOn;
}

Next AnswerCommandGetkeys(ConnectionCall& call) {
  const Arguments args = call.args.subspan(2);
  const Command* command = FindCommand(args[0]);
  if (command != nullptr && !command->subcommands.empty() && args.size() > 1)
    command = FindSubcommand(*command, args[1]);
  if (command == nullptr) {
    call.reply.Error("ERR Invalid command specified");
    return Next::kGoOn;
  }
  if (!command->TakesArguments(args.size())) {
    call.reply.Error("ERR Invalid number of arguments specified for command");
    return Next::kGoOn;
  }
  std::vector<std::string_view> keys;
  if (command->Has(kMovableKeys)) {
    keys = KeysBehindStreams(args);
  } else if (command->keys.first > 0) {
    const int last = command->keys.last < 0 ? static_cast<int>(args.size()) + command->keys.last : command->keys.last;
    for (int i = command->keys.first; i <= last; i += command->keys.step) keys.push_back(args[static_cast<size_t>(i)]);
  }
  if (keys.empty()) {
    call.reply.Error("ERR The command has no key arguments");
    return Next::kGoOn;
  }
  call.reply.ArrayHead(keys.size());
  for (const std::string_view key : keys) call.reply.Bulk(key);
  return Next::kGoOn;
}

Next AnswerCommandHelp(ConnectionCall& call) {
  static constexpr std::string_view kLines[] = {
      "(no subcommand)",
      "    Return details about all commands.",
      "COUNT",
      "    Return the total number of commands in this server.",
      "LIST",
      "    Return a list of all commands in this server.",
      "INFO [<command-name> ...]",
      "    Return details about multiple commands.",
      "    If no command names are given, documentation details for all",
      "    commands are returned.",
      "DOCS [<command-name> ...]",
      "    Return documentation details about multiple commands.",
      "    If no command names are given, documentation details for all",
      "    commands are returned.",
      "GETKEYS <full-command>",
      "    Return the keys from a full command.",
  };
  WriteHelp(call.reply, "COMMAND", kLines);
  return Next::kGoOn;
}

}  // namespace tocsin::commands
