// XGROUP, XACK, XPENDING, XCLAIM, XAUTOCLAIM.
#include <algorithm>
#include <limits>

#include "commands/arguments.h"
#include "commands/database.h"
#include "commands/entries.h"
#include "commands/handlers.h"
#include "streams/errors.h"

namespace tocsin::commands {
namespace {

bool ReadIds(Call& call, size_t first, std::vector<EntryId>& ids) {
  for (const std::string_view text : call.args.subspan(first)) {
    const auto id = ReadId(call.reply, text);
    if (!id) return false;
    ids.push_back(*id);
  }
  return true;
}

enum class GroupOptions : uint8_t { kCreate, kSetId };

// `<id | $>` at 4 and the options behind it.
bool ReadGroupOptions(Call& call, GroupOptions what, streams::GroupCreateOptions& options) {
  const Arguments args = call.args;
  for (size_t i = 5; i < args.size(); ++i) {
    if (what == GroupOptions::kCreate && Is(args[i], "mkstream")) {
      options.make_stream = streams::MakeStream::kYes;
    } else if (Is(args[i], "entriesread") && i + 1 < args.size()) {
      const auto read = ReadInteger(call.reply, args[++i]);
      if (!read) return false;
      if (*read < -1) {
        call.reply.Error("ERR value for ENTRIESREAD must be positive or -1");
        return false;
      }
      options.entries_read = *read == -1 ? std::nullopt : read;
    } else {
      WrongSubcommand(call.reply, args);
      return false;
    }
  }
  return true;
}

bool ReadGroupStart(Call& call, streams::GroupCreateOptions& options) {
  if (call.args[4] == "$") {
    options.from_end = true;
    return true;
  }
  const auto id = ReadId(call.reply, call.args[4]);
  if (id) options.start = *id;
  return id.has_value();
}

void WritePending(Call& call, const streams::PendingSummary& summary) {
  wire::RespWriter& reply = call.reply;
  reply.ArrayHead(4);
  reply.Integer(static_cast<int64_t>(summary.count));
  if (summary.count == 0) {
    reply.Null();
    reply.Null();
    return reply.NullArray();
  }
  WriteId(reply, summary.smallest);
  WriteId(reply, summary.largest);
  reply.ArrayHead(summary.consumers.size());
  for (const auto& [name, count] : summary.consumers) {
    reply.ArrayHead(2);
    reply.Bulk(name);
    reply.Bulk(std::to_string(count));
  }
}

// The forms with a range: IDLE, start, end, count, consumer.
bool ReadPendingRange(Call& call, streams::PendingRangeOptions& options) {
  const Arguments args = call.args;
  size_t at = 3;
  if (Is(args[3], "idle")) {
    const auto idle = ReadInteger(call.reply, args[4]);
    if (!idle) return false;
    options.min_idle_ms = *idle;
    if (args.size() < 8) {
      call.reply.Error(kSyntaxError);
      return false;
    }
    at = 5;
  }
  const auto count = ReadInteger(call.reply, args[at + 2]);
  if (!count) return false;
  options.count = static_cast<size_t>(std::max<int64_t>(*count, 0));
  const auto start = ReadRangeStart(call.reply, args[at]);
  if (!start) return false;
  const auto end = ReadRangeEnd(call.reply, args[at + 1]);
  if (!end) return false;
  options.start = *start;
  options.end = *end;
  if (at + 3 < args.size()) options.consumer = args[at + 3];
  return true;
}

bool ReadClaimOptions(Call& call, size_t at, streams::ClaimOptions& options) {
  const Arguments args = call.args;
  const auto number = [&](size_t i, std::string_view option) {
    return ReadInteger(call.reply, args[i], "ERR Invalid " + std::string(option) + " option argument for XCLAIM");
  };
  for (; at < args.size(); ++at) {
    const bool more = at + 1 < args.size();
    if (Is(args[at], "force")) {
      options.force = true;
    } else if (Is(args[at], "justid")) {
      options.answer = streams::Answer::kIdsOnly;
    } else if (more && Is(args[at], "idle")) {
      options.idle_ms = number(++at, "IDLE");
      options.time_ms.reset();
      if (!options.idle_ms) return false;
    } else if (more && Is(args[at], "time")) {
      options.time_ms = number(++at, "TIME");
      if (!options.time_ms) return false;
      if (*options.time_ms == -1) options.time_ms.reset();  // Redis' own mark of "not given"
    } else if (more && Is(args[at], "retrycount")) {
      const auto count = number(++at, "RETRYCOUNT");
      if (!count) return false;
      options.retry_count = *count >= 0 ? std::optional<uint64_t>(static_cast<uint64_t>(*count)) : std::nullopt;
    } else if (more && Is(args[at], "lastid")) {
      options.last_id = ReadId(call.reply, args[++at]);
      if (!options.last_id) return false;
    } else {
      call.reply.Error("ERR Unrecognized XCLAIM option '" + std::string(args[at]) + "'");
      return false;
    }
  }
  return true;
}

void AnswerOk(Call& call, const base::Status& status) {
  if (!status.ok()) return WriteFailure(call.reply, status);
  call.reply.Simple("OK");
}

template <typename T>
void AnswerNumber(Call& call, const base::Result<T>& number) {
  if (!number.ok()) return WriteFailure(call.reply, number.status());
  call.reply.Integer(static_cast<int64_t>(*number));
}

}  // namespace

void RunXgroupCreate(Call& call) {
  streams::GroupCreateOptions options;
  if (!ReadGroupOptions(call, GroupOptions::kCreate, options)) return;
  const Arguments args = call.args;
  if (options.make_stream == streams::MakeStream::kNo) {
    // Redis wants the key before it reads the id.
    auto exists = call.db.engine().Exists(args[2]);
    if (!exists.ok()) return WriteFailure(call.reply, exists.status());
    if (!*exists) return AnswerOk(call, call.db.engine().GroupCreate(args[2], args[3], options));
  }
  if (!ReadGroupStart(call, options)) return;
  AnswerOk(call, call.db.engine().GroupCreate(args[2], args[3], options));
}

void RunXgroupSetid(Call& call) {
  streams::GroupCreateOptions options;
  if (!ReadGroupOptions(call, GroupOptions::kSetId, options)) return;
  const Arguments args = call.args;
  if (!call.db.MayUseGroup(call, args[2], args[3])) return;
  auto there = call.db.engine().HasGroup(args[2], args[3]);
  if (!there.ok()) return WriteFailure(call.reply, there.status());
  if (!*there) return AnswerOk(call, call.db.engine().GroupSetId(args[2], args[3], options));  // says what is missing
  if (args[4] == "-" || args[4] == "+") {
    options.start = args[4] == "-" ? EntryId() : EntryId::Max();  // XGROUP SETID takes them, XGROUP CREATE does not
  } else if (!ReadGroupStart(call, options)) {
    return;
  }
  AnswerOk(call, call.db.engine().GroupSetId(args[2], args[3], options));
}

void RunXgroupDestroy(Call& call) {
  if (!call.db.MayUseGroup(call, call.args[2], call.args[3])) return;
  AnswerNumber(call, call.db.engine().GroupDestroy(call.args[2], call.args[3]));
}

void RunXgroupCreateconsumer(Call& call) {
  if (!call.db.MayUseGroup(call, call.args[2], call.args[3])) return;
  AnswerNumber(call, call.db.engine().CreateConsumer(call.args[2], call.args[3], call.args[4]));
}

void RunXgroupDelconsumer(Call& call) {
  if (!call.db.MayUseGroup(call, call.args[2], call.args[3])) return;
  AnswerNumber(call, call.db.engine().DeleteConsumer(call.args[2], call.args[3], call.args[4]));
}

void RunXgroupHelp(Call& call) {
  static constexpr std::string_view kLines[] = {
      "CREATE <key> <groupname> <id|$> [option]",
      "    Create a new consumer group. Options are:",
      "    * MKSTREAM",
      "      Create the empty stream if it does not exist.",
      "    * ENTRIESREAD entries_read",
      "      Set the group's entries_read counter (internal use).",
      "CREATECONSUMER <key> <groupname> <consumer>",
      "    Create a new consumer in the specified group.",
      "DELCONSUMER <key> <groupname> <consumer>",
      "    Remove the specified consumer.",
      "DESTROY <key> <groupname>",
      "    Remove the specified group.",
      "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
      "    Set the current group ID and entries_read counter.",
  };
  WriteHelp(call.reply, "XGROUP", kLines);
}

void RunXack(Call& call) {
  const Arguments args = call.args;
  // Nothing to acknowledge where there is no group, whatever the ids.
  auto there = call.db.engine().HasGroup(args[1], args[2]);
  if (!there.ok()) return WriteFailure(call.reply, there.status());
  if (!*there) return call.reply.Integer(0);
  if (!call.db.MayUseGroup(call, args[1], args[2])) return;
  std::vector<EntryId> ids;
  if (!ReadIds(call, 3, ids)) return;
  AnswerNumber(call, call.db.engine().Ack(args[1], args[2], ids));
}

void RunXpending(Call& call) {
  const Arguments args = call.args;
  streams::StreamEngine& engine = call.db.engine();
  if (args.size() == 3) {
    auto summary = engine.PendingOf(args[1], args[2]);
    if (!summary.ok()) return WriteFailure(call.reply, summary.status());
    return WritePending(call, *summary);
  }
  if (args.size() < 6 || args.size() > 9) return call.reply.Error(kSyntaxError);
  streams::PendingRangeOptions options;
  if (!ReadPendingRange(call, options)) return;
  auto pending = engine.PendingRange(args[1], args[2], options);
  if (!pending.ok()) return WriteFailure(call.reply, pending.status());
  call.reply.ArrayHead(pending->size());
  for (const streams::PendingEntry& entry : *pending) {
    call.reply.ArrayHead(4);
    WriteId(call.reply, entry.id);
    call.reply.Bulk(entry.consumer);
    call.reply.Integer(entry.idle_ms);
    call.reply.Integer(static_cast<int64_t>(entry.deliveries));
  }
}

void RunXclaim(Call& call) {
  const Arguments args = call.args;
  streams::StreamEngine& engine = call.db.engine();
  auto there = engine.HasGroup(args[1], args[2]);
  if (!there.ok()) return WriteFailure(call.reply, there.status());
  if (!*there) return WriteFailure(call.reply, streams::NoSuchKeyOrGroup(args[1], args[2]));
  if (!call.db.MayUseGroup(call, args[1], args[2])) return;
  const auto min_idle = ReadInteger(call.reply, args[4], "ERR Invalid min-idle-time argument for XCLAIM");
  if (!min_idle) return;
  streams::ClaimOptions options{.min_idle_ms = std::max<int64_t>(*min_idle, 0)};
  std::vector<EntryId> ids;
  size_t at = 5;
  for (; at < args.size(); ++at) {
    const auto id = streams::ParseId(args[at]);
    if (!id) break;
    ids.push_back(*id);
  }
  if (!ReadClaimOptions(call, at, options)) return;
  auto claimed = engine.Claim(args[1], args[2], args[3], ids, options);
  if (!claimed.ok()) return WriteFailure(call.reply, claimed.status());
  if (options.answer == streams::Answer::kIdsOnly) return WriteIds(call.reply, *claimed);
  WriteEntries(call.reply, *claimed);
}

void RunXautoclaim(Call& call) {
  const Arguments args = call.args;
  constexpr int64_t kMaxCount = std::numeric_limits<int64_t>::max() / 16;
  const auto min_idle = ReadInteger(call.reply, args[4], "ERR Invalid min-idle-time argument for XAUTOCLAIM");
  if (!min_idle) return;
  const auto start = ReadRangeStart(call.reply, args[5]);
  if (!start) return;
  streams::AutoClaimOptions options{.min_idle_ms = std::max<int64_t>(*min_idle, 0), .start = *start};
  for (size_t i = 6; i < args.size(); ++i) {
    if (i + 1 < args.size() && Is(args[i], "count")) {
      const auto count = ParseInteger(args[++i]);
      if (!count || *count < 1 || *count > kMaxCount) return call.reply.Error("ERR COUNT must be > 0");
      options.count = static_cast<size_t>(*count);
    } else if (Is(args[i], "justid")) {
      options.answer = streams::Answer::kIdsOnly;
    } else {
      return call.reply.Error(kSyntaxError);
    }
  }
  if (!call.db.MayUseGroup(call, args[1], args[2])) return;
  auto claimed = call.db.engine().AutoClaim(args[1], args[2], args[3], options);
  if (!claimed.ok()) return WriteFailure(call.reply, claimed.status());
  call.reply.ArrayHead(3);
  WriteId(call.reply, claimed->next);
  if (options.answer == streams::Answer::kIdsOnly) {
    WriteIds(call.reply, claimed->entries);
  } else {
    WriteEntries(call.reply, claimed->entries);
  }
  call.reply.ArrayHead(claimed->deleted.size());
  for (const EntryId id : claimed->deleted) WriteId(call.reply, id);
}

}  // namespace tocsin::commands
