// The table of commands. Sorted by name: FindCommand searches it.
#include <algorithm>

#include "commands/arguments.h"
#include "commands/command.h"
#include "commands/handlers.h"

namespace tocsin::commands {
namespace {

using auth::Scope;

constexpr Keys kNone = {}, kFirst = {1, 1, 1}, kSecond = {2, 2, 1}, kTwo = {1, 2, 1}, kAll = {1, -1, 1};

struct Doc {
  std::string_view group, since, summary;
};

constexpr Command InStore(std::string_view name, int arity, uint32_t flags, Scope scope, Keys keys, StoreHandler run,
                          Doc doc, std::string_view parent = {}) {
  return {.name = name,
          .arity = arity,
          .flags = flags,
          .scope = scope,
          .keys = keys,
          .run = run,
          .group = doc.group,
          .since = doc.since,
          .summary = doc.summary,
          .parent = parent};
}

constexpr Command OnCore(std::string_view name, int arity, uint32_t flags, Scope scope, ConnectionHandler answer,
                         StoreHandler run, Doc doc, std::string_view parent = {}) {
  return {.name = name,
          .arity = arity,
          .flags = flags,
          .scope = scope,
          .run = run,
          .answer = answer,
          .group = doc.group,
          .since = doc.since,
          .summary = doc.summary,
          .parent = parent};
}

constexpr Command Container(std::string_view name, int arity, uint32_t flags, Scope scope, ConnectionHandler answer,
                            Doc doc, std::span<const Command> subcommands) {
  return {.name = name,
          .arity = arity,
          .flags = flags,
          .scope = scope,
          .answer = answer,
          .group = doc.group,
          .since = doc.since,
          .summary = doc.summary,
          .subcommands = subcommands};
}

constexpr Command kXgroup[] = {
    InStore("create", -5, kWrite | kDenyOom, Scope::kConsume, kSecond, RunXgroupCreate,
            {"stream", "5.0.0", "Creates a consumer group."}, "xgroup"),
    InStore("createconsumer", 5, kWrite | kDenyOom, Scope::kConsume, kSecond, RunXgroupCreateconsumer,
            {"stream", "6.2.0", "Creates a consumer in a consumer group."}, "xgroup"),
    InStore("delconsumer", 5, kWrite, Scope::kConsume, kSecond, RunXgroupDelconsumer,
            {"stream", "5.0.0", "Deletes a consumer from a consumer group."}, "xgroup"),
    InStore("destroy", 4, kWrite, Scope::kAdmin, kSecond, RunXgroupDestroy,
            {"stream", "5.0.0", "Destroys a consumer group."}, "xgroup"),
    InStore("help", 2, kReadOnly | kAnyScope | kLoading | kStale, Scope::kRead, kNone, RunXgroupHelp,
            {"stream", "5.0.0", "Returns helpful text about the different subcommands."}, "xgroup"),
    InStore("setid", -5, kWrite, Scope::kAdmin, kSecond, RunXgroupSetid,
            {"stream", "5.0.0", "Sets the last-delivered ID of a consumer group."}, "xgroup"),
};

constexpr Command kXinfo[] = {
    InStore("consumers", 4, kReadOnly, Scope::kRead, kSecond, RunXinfoConsumers,
            {"stream", "5.0.0", "Returns a list of the consumers in a consumer group."}, "xinfo"),
    InStore("groups", 3, kReadOnly, Scope::kRead, kSecond, RunXinfoGroups,
            {"stream", "5.0.0", "Returns a list of the consumer groups of a stream."}, "xinfo"),
    InStore("help", 2, kReadOnly | kAnyScope | kLoading | kStale, Scope::kRead, kNone, RunXinfoHelp,
            {"stream", "5.0.0", "Returns helpful text about the different subcommands."}, "xinfo"),
    InStore("stream", -3, kReadOnly, Scope::kRead, kSecond, RunXinfoStream,
            {"stream", "5.0.0", "Returns information about a stream."}, "xinfo"),
};

constexpr Command kObject[] = {
    InStore("encoding", 3, kReadOnly, Scope::kRead, kSecond, RunObjectEncoding,
            {"generic", "2.2.3", "Returns the internal encoding of a key."}, "object"),
    InStore("help", 2, kReadOnly | kAnyScope | kLoading | kStale, Scope::kRead, kNone, RunObjectHelp,
            {"generic", "6.2.0", "Returns helpful text about the different subcommands."}, "object"),
    InStore("refcount", 3, kReadOnly, Scope::kRead, kSecond, RunObjectRefcount,
            {"generic", "2.2.3", "Returns the reference count of a key."}, "object"),
};

constexpr Command kMemory[] = {
    InStore("help", 2, kReadOnly | kAnyScope | kLoading | kStale, Scope::kRead, kNone, RunMemoryHelp,
            {"server", "4.0.0", "Returns helpful text about the different subcommands."}, "memory"),
    InStore("usage", -3, kReadOnly, Scope::kRead, kSecond, RunMemoryUsage,
            {"server", "4.0.0", "Estimates the memory usage of a key."}, "memory"),
};

constexpr Command kClient[] = {
    OnCore("getname", 2, kAnyScope | kNoScript | kLoading | kStale, Scope::kRead, AnswerClientGetname, nullptr,
           {"connection", "2.6.9", "Returns the name of the connection."}, "client"),
    OnCore("getredir", 2, kAnyScope | kNoScript | kLoading | kStale, Scope::kRead, AnswerClientGetredir, nullptr,
           {"connection", "6.0.0", "Returns the client ID to which tracking is redirected."}, "client"),
    OnCore("help", 2, kAnyScope | kNoScript | kLoading | kStale, Scope::kRead, AnswerClientHelp, nullptr,
           {"connection", "5.0.0", "Returns helpful text about the different subcommands."}, "client"),
    OnCore("id", 2, kAnyScope | kNoScript | kLoading | kStale, Scope::kRead, AnswerClientId, nullptr,
           {"connection", "5.0.0", "Returns the unique client ID of the connection."}, "client"),
    OnCore("info", 2, kAnyScope | kNoScript | kLoading | kStale, Scope::kRead, AnswerClientInfo, nullptr,
           {"connection", "6.2.0", "Returns information about the connection."}, "client"),
    OnCore("kill", -3, kAdmin | kNoMulti | kNoScript | kLoading | kStale, Scope::kAdmin, AnswerClientKill, nullptr,
           {"connection", "2.4.0", "Terminates open connections."}, "client"),
    OnCore("list", -2, kAdmin | kNoMulti | kNoScript | kLoading | kStale, Scope::kAdmin, AnswerClientList, nullptr,
           {"connection", "2.4.0", "Lists open connections."}, "client"),
    OnCore("no-evict", 3, kAnyScope | kNoScript | kLoading | kStale, Scope::kRead, AnswerClientNoEvict, nullptr,
           {"connection", "7.0.0", "Sets the client eviction mode of the connection."}, "client"),
    OnCore("no-touch", 3, kAnyScope | kNoScript | kLoading | kStale, Scope::kRead, AnswerClientNoTouch, nullptr,
           {"connection", "7.2.0", "Controls whether commands sent by the client affect the LRU of accessed keys."},
           "client"),
    OnCore("reply", 3, kAnyScope | kNoMulti | kNoScript | kLoading | kStale, Scope::kRead, AnswerClientReply, nullptr,
           {"connection", "3.2.0", "Instructs the server whether to reply to commands."}, "client"),
    OnCore("setinfo", 4, kAnyScope | kNoScript | kLoading | kStale, Scope::kRead, AnswerClientSetinfo, nullptr,
           {"connection", "7.2.0", "Sets information specific to the client or connection."}, "client"),
    OnCore("setname", 3, kAnyScope | kNoScript | kLoading | kStale, Scope::kRead, AnswerClientSetname, nullptr,
           {"connection", "2.6.9", "Sets the connection name."}, "client"),
    OnCore("trackinginfo", 2, kAnyScope | kNoScript | kLoading | kStale, Scope::kRead, AnswerClientTrackinginfo,
           nullptr, {"connection", "6.2.0", "Returns information about server-assisted client-side caching."},
           "client"),
    OnCore("unblock", -3, kAdmin | kNoMulti | kNoScript | kLoading | kStale, Scope::kAdmin, AnswerClientUnblock,
           nullptr,
           {"connection", "5.0.0", "Unblocks a client blocked by a blocking command from a different connection."},
           "client"),
};

constexpr Command kCommand[] = {
    OnCore("count", 2, kAnyScope | kLoading | kStale, Scope::kRead, AnswerCommandCount, nullptr,
           {"server", "2.8.13", "Returns a count of commands."}, "command"),
    OnCore("docs", -2, kAnyScope | kLoading | kStale, Scope::kRead, AnswerCommandDocs, nullptr,
           {"server", "7.0.0", "Returns documentary information about one, multiple or all commands."}, "command"),
    OnCore("getkeys", -3, kAnyScope | kLoading | kStale, Scope::kRead, AnswerCommandGetkeys, nullptr,
           {"server", "2.8.13", "Extracts the key names from an arbitrary command."}, "command"),
    OnCore("help", 2, kAnyScope | kLoading | kStale, Scope::kRead, AnswerCommandHelp, nullptr,
           {"server", "5.0.0", "Returns helpful text about the different subcommands."}, "command"),
    OnCore("info", -2, kAnyScope | kLoading | kStale, Scope::kRead, AnswerCommandInfo, nullptr,
           {"server", "2.8.13", "Returns information about one, multiple or all commands."}, "command"),
    OnCore("list", -2, kAnyScope | kLoading | kStale, Scope::kRead, AnswerCommandList, nullptr,
           {"server", "7.0.0", "Returns a list of command names."}, "command"),
};

constexpr Command kConfig[] = {
    InStore("get", -3, kReadOnly | kAdmin | kNoScript | kLoading | kStale, Scope::kAdmin, kNone, RunConfigGet,
            {"server", "2.0.0", "Returns the effective values of configuration parameters."}, "config"),
    OnCore("help", 2, kAdmin | kNoScript | kLoading | kStale, Scope::kAdmin, AnswerConfigHelp, nullptr,
           {"server", "5.0.0", "Returns helpful text about the different subcommands."}, "config"),
    OnCore("resetstat", 2, kAdmin | kNoScript | kLoading | kStale, Scope::kAdmin, AnswerConfigResetstat, nullptr,
           {"server", "2.0.0", "Resets the server's statistics."}, "config"),
    InStore("set", -4, kReadOnly | kAdmin | kNoScript | kLoading | kStale, Scope::kAdmin, kNone, RunConfigSet,
            {"server", "2.0.0", "Sets configuration parameters in-flight."}, "config"),
};

constexpr Command kCommands[] = {
    OnCore("auth", -2, kFast | kAnyScope | kNoAuth | kNoScript | kLoading | kStale, Scope::kRead, AnswerAuth, nullptr,
           {"connection", "1.0.0", "Authenticates the connection."}),
    Container("client", -2, 0, Scope::kRead, nullptr,
              {"connection", "2.4.0", "A container for client connection commands."}, kClient),
    Container("command", -1, kAnyScope | kLoading | kStale, Scope::kRead, AnswerCommand,
              {"server", "2.8.13", "Returns detailed information about all commands."}, kCommand),
    Container("config", -2, 0, Scope::kAdmin, nullptr,
              {"server", "2.0.0", "A container for server configuration commands."}, kConfig),
    InStore("dbsize", 1, kReadOnly | kFast, Scope::kRead, kNone, RunDbsize,
            {"server", "1.0.0", "Returns the number of keys in the database."}),
    InStore("del", -2, kWrite, Scope::kAdmin, kAll, RunDel, {"generic", "1.0.0", "Deletes one or more keys."}),
    OnCore("discard", 1, kReadOnly | kFast | kAnyScope | kInMulti | kNoScript | kLoading | kStale, Scope::kRead,
           AnswerDiscard, RunDiscard, {"transactions", "2.0.0", "Discards a transaction."}),
    OnCore("echo", 2, kFast | kAnyScope | kLoading | kStale, Scope::kRead, AnswerEcho, nullptr,
           {"connection", "1.0.0", "Returns the given string."}),
    OnCore("exec", 1, kReadOnly | kAnyScope | kInMulti | kNoScript | kLoading | kStale, Scope::kRead, AnswerExec,
           RunExecAbort, {"transactions", "1.2.0", "Executes all commands in a transaction."}),
    InStore("exists", -2, kReadOnly | kFast, Scope::kRead, kAll, RunExists,
            {"generic", "1.0.0", "Determines whether one or more keys exist."}),
    InStore("expire", -3, kWrite | kFast, Scope::kAdmin, kFirst, RunExpire,
            {"generic", "1.0.0", "Sets the expiration time of a key in seconds."}),
    InStore("expireat", -3, kWrite | kFast, Scope::kAdmin, kFirst, RunExpireat,
            {"generic", "1.2.0", "Sets the expiration time of a key to a Unix timestamp."}),
    InStore("expiretime", 2, kReadOnly | kFast, Scope::kRead, kFirst, RunExpiretime,
            {"generic", "7.0.0", "Returns the expiration time of a key as a Unix timestamp."}),
    InStore("flushall", -1, kWrite, Scope::kAdmin, kNone, RunFlushall,
            {"server", "1.0.0", "Removes all keys from all databases."}),
    InStore("flushdb", -1, kWrite, Scope::kAdmin, kNone, RunFlushdb,
            {"server", "1.0.0", "Remove all keys from the current database."}),
    OnCore("hello", -1, kFast | kAnyScope | kNoAuth | kNoScript | kLoading | kStale, Scope::kRead, AnswerHello, nullptr,
           {"connection", "6.0.0", "Handshakes with the server."}),
    InStore("info", -1, kReadOnly | kAnyScope | kLoading | kStale, Scope::kRead, kNone, RunInfo,
            {"server", "1.0.0", "Returns information and statistics about the server."}),
    InStore("keys", 2, kReadOnly, Scope::kRead, kNone, RunKeys,
            {"generic", "1.0.0", "Returns all key names that match a pattern."}),
    Container("memory", -2, 0, Scope::kRead, nullptr,
              {"server", "4.0.0", "A container for memory diagnostics commands."}, kMemory),
    OnCore("multi", 1, kFast | kAnyScope | kInMulti | kNoScript | kLoading | kStale, Scope::kRead, AnswerMulti, nullptr,
           {"transactions", "1.2.0", "Starts a transaction."}),
    Container("object", -2, 0, Scope::kRead, nullptr,
              {"generic", "2.2.3", "A container for object introspection commands."}, kObject),
    InStore("persist", 2, kWrite | kFast, Scope::kAdmin, kFirst, RunPersist,
            {"generic", "2.2.0", "Removes the expiration time of a key."}),
    InStore("pexpire", -3, kWrite | kFast, Scope::kAdmin, kFirst, RunPexpire,
            {"generic", "2.6.0", "Sets the expiration time of a key in milliseconds."}),
    InStore("pexpireat", -3, kWrite | kFast, Scope::kAdmin, kFirst, RunPexpireat,
            {"generic", "2.6.0", "Sets the expiration time of a key to a Unix milliseconds timestamp."}),
    InStore("pexpiretime", 2, kReadOnly | kFast, Scope::kRead, kFirst, RunPexpiretime,
            {"generic", "7.0.0", "Returns the expiration time of a key as a Unix milliseconds timestamp."}),
    OnCore("ping", -1, kFast | kAnyScope, Scope::kRead, AnswerPing, nullptr,
           {"connection", "1.0.0", "Returns the server's liveliness response."}),
    InStore("pttl", 2, kReadOnly | kFast, Scope::kRead, kFirst, RunPttl,
            {"generic", "2.6.0", "Returns the expiration time in milliseconds of a key."}),
    OnCore("quit", -1, kFast | kAnyScope | kNoAuth | kInMulti | kNoScript | kLoading | kStale, Scope::kRead, AnswerQuit,
           nullptr, {"connection", "1.0.0", "Closes the connection."}),
    InStore("randomkey", 1, kReadOnly, Scope::kRead, kNone, RunRandomkey,
            {"generic", "1.0.0", "Returns a random key name from the database."}),
    InStore("rename", 3, kWrite, Scope::kAdmin, kTwo, RunRename,
            {"generic", "1.0.0", "Renames a key and overwrites the destination."}),
    InStore("renamenx", 3, kWrite | kFast, Scope::kAdmin, kTwo, RunRenamenx,
            {"generic", "1.0.0", "Renames a key only when the target key name doesn't exist."}),
    OnCore("reset", 1, kReadOnly | kFast | kAnyScope | kNoAuth | kInMulti | kNoScript | kLoading | kStale, Scope::kRead,
           AnswerReset, RunReset, {"connection", "6.2.0", "Resets the connection."}),
    InStore("scan", -2, kReadOnly, Scope::kRead, kNone, RunScan,
            {"generic", "2.8.0", "Iterates over the key names in the database."}),
    OnCore("select", 2, kFast | kAnyScope | kLoading | kStale, Scope::kRead, AnswerSelect, nullptr,
           {"connection", "1.0.0", "Changes the selected database."}),
    OnCore("time", 1, kFast | kAnyScope | kLoading | kStale, Scope::kRead, AnswerTime, nullptr,
           {"server", "2.6.0", "Returns the server time."}),
    InStore("touch", -2, kReadOnly | kFast, Scope::kRead, kAll, RunExists,
            {"generic", "3.2.1",
             "Returns the number of existing keys out of those specified after updating the time they were last "
             "accessed."}),
    InStore("ttl", 2, kReadOnly | kFast, Scope::kRead, kFirst, RunTtl,
            {"generic", "1.0.0", "Returns the expiration time in seconds of a key."}),
    InStore("type", 2, kReadOnly | kFast, Scope::kRead, kFirst, RunType,
            {"generic", "1.0.0", "Determines the type of value stored at a key."}),
    InStore("unlink", -2, kWrite | kFast, Scope::kAdmin, kAll, RunDel,
            {"generic", "4.0.0", "Asynchronously deletes one or more keys."}),
    InStore("unwatch", 1, kReadOnly | kFast | kAnyScope | kNoScript | kLoading | kStale, Scope::kRead, kNone,
            RunUnwatch, {"transactions", "2.2.0", "Forgets about watched keys of a transaction."}),
    OnCore("wait", 3, kBlocking | kAnyScope, Scope::kRead, AnswerWait, nullptr,
           {"generic", "3.0.0",
            "Blocks until the asynchronous replication of all preceding write commands sent by the connection is "
            "completed."}),
    OnCore("waitaof", 4, kBlocking | kAnyScope | kNoScript, Scope::kRead, AnswerWaitaof, nullptr,
           {"generic", "7.2.0",
            "Blocks until all of the preceding write commands sent by the connection are written to the append-only "
            "file of the master and/or replicas."}),
    OnCore("watch", -2, kReadOnly | kFast | kAnyScope | kInMulti | kNoScript | kLoading | kStale, Scope::kRead,
           AnswerWatch, RunWatch,
           {"transactions", "2.2.0", "Monitors changes to keys to determine the execution of a transaction."}),
    InStore("xack", -4, kWrite | kFast, Scope::kConsume, kFirst, RunXack,
            {"stream", "5.0.0",
             "Returns the number of messages that were successfully acknowledged by the consumer group member of a "
             "stream."}),
    InStore("xackdel", -6, kWrite | kFast, Scope::kAdmin, kFirst, RunXackdel,
            {"stream", "8.2.0", "Acknowledges and deletes one or multiple messages for a stream consumer group."}),
    InStore("xadd", -5, kWrite | kDenyOom | kFast, Scope::kPublish, kFirst, RunXadd,
            {"stream", "5.0.0", "Appends a new message to a stream. Creates the key if it doesn't exist."}),
    InStore("xautoclaim", -6, kWrite | kFast, Scope::kConsume, kFirst, RunXautoclaim,
            {"stream", "6.2.0",
             "Changes, or acquires, ownership of messages in a consumer group, as if the messages were delivered to as "
             "consumer group member."}),
    InStore("xcfgset", -4, kWrite | kFast, Scope::kAdmin, kFirst, RunXcfgset,
            {"stream", "8.6.0", "Sets the IDMP configuration parameters for a stream."}),
    InStore("xclaim", -6, kWrite | kFast, Scope::kConsume, kFirst, RunXclaim,
            {"stream", "5.0.0",
             "Changes, or acquires, ownership of a message in a consumer group, as if the message was delivered a "
             "consumer group member."}),
    InStore("xdel", -3, kWrite | kFast, Scope::kAdmin, kFirst, RunXdel,
            {"stream", "5.0.0", "Returns the number of messages after removing them from a stream."}),
    InStore("xdelex", -5, kWrite | kFast, Scope::kAdmin, kFirst, RunXdelex,
            {"stream", "8.2.0", "Deletes one or multiple entries from the stream."}),
    Container("xgroup", -2, 0, Scope::kConsume, nullptr,
              {"stream", "5.0.0", "A container for consumer groups commands."}, kXgroup),
    Container("xinfo", -2, 0, Scope::kRead, nullptr,
              {"stream", "5.0.0", "A container for stream introspection commands."}, kXinfo),
    InStore("xlen", 2, kReadOnly | kFast, Scope::kRead, kFirst, RunXlen,
            {"stream", "5.0.0", "Return the number of messages in a stream."}),
    InStore("xnack", -7, kWrite | kFast, Scope::kConsume, kFirst, RunXnack,
            {"stream", "8.8.0", "Releases pending messages back to the group without acknowledging them."}),
    InStore("xpending", -3, kReadOnly, Scope::kConsume, kFirst, RunXpending,
            {"stream", "5.0.0",
             "Returns the information and entries from a stream consumer group's pending entries list."}),
    InStore("xrange", -4, kReadOnly, Scope::kRead, kFirst, RunXrange,
            {"stream", "5.0.0", "Returns the messages from a stream within a range of IDs."}),
    InStore("xread", -4, kReadOnly | kBlocking | kMovableKeys, Scope::kRead, kNone, RunXread,
            {"stream", "5.0.0",
             "Returns messages from multiple streams with IDs greater than the ones requested. Blocks until a message "
             "is available otherwise."}),
    InStore("xreadgroup", -7, kWrite | kUnsynced | kBlocking | kMovableKeys, Scope::kConsume, kNone, RunXreadgroup,
            {"stream", "5.0.0",
             "Returns new or historical messages from a stream for a consumer in a group. Blocks until a message is "
             "available otherwise."}),
    InStore("xrevrange", -4, kReadOnly, Scope::kRead, kFirst, RunXrevrange,
            {"stream", "5.0.0", "Returns the messages from a stream within a range of IDs in reverse order."}),
    InStore("xsetid", -3, kWrite | kDenyOom | kFast, Scope::kAdmin, kFirst, RunXsetid,
            {"stream", "5.0.0", "An internal command for replicating stream values."}),
    InStore("xtrim", -4, kWrite, Scope::kAdmin, kFirst, RunXtrim,
            {"stream", "5.0.0", "Deletes messages from the beginning of a stream."}),
};

char LowerOf(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

// `name` in any case before `lower`.
int Compare(std::string_view lower, std::string_view name) {
  const size_t size = std::min(lower.size(), name.size());
  for (size_t i = 0; i < size; ++i) {
    const auto a = static_cast<unsigned char>(lower[i]), b = static_cast<unsigned char>(LowerOf(name[i]));
    if (a != b) return a < b ? -1 : 1;
  }
  return lower.size() == name.size() ? 0 : lower.size() < name.size() ? -1 : 1;
}

const Command* Search(std::span<const Command> commands, std::string_view name) {
  const auto found =
      std::lower_bound(commands.begin(), commands.end(), name,
                       [](const Command& command, std::string_view n) { return Compare(command.name, n) < 0; });
  return found != commands.end() && Compare(found->name, name) == 0 ? &*found : nullptr;
}

}  // namespace

std::string Command::FullName() const {
  return parent.empty() ? std::string(name) : std::string(parent) + "|" + std::string(name);
}

std::span<const Command> AllCommands() { return kCommands; }
const Command* FindCommand(std::string_view name) { return Search(kCommands, name); }
const Command* FindSubcommand(const Command& command, std::string_view name) {
  return Search(command.subcommands, name);
}

}  // namespace tocsin::commands
