// What later versions of Redis have added around removal and redelivery: XDELEX and XACKDEL (8.2), XCFGSET (8.6), XNACK
// (8.8).
#include "commands/arguments.h"
#include "commands/database.h"
#include "commands/handlers.h"

namespace tocsin::commands {
namespace {

// `IDS numids id ...` from `at` on, and the options that may stand before or behind it.
struct IdBlock {
  std::vector<EntryId> ids;
  streams::Refs refs = streams::Refs::kKeep;
  bool found = false;
};

// Moves `at` to the last argument of the block.
bool ReadIdBlock(Call& call, size_t& at, IdBlock& block) {
  const Arguments args = call.args;
  const auto count = at + 1 < args.size() ? ParseInteger(args[at + 1]) : std::nullopt;
  if (!count || *count < 1) {
    call.reply.Error("ERR Number of IDs must be a positive integer");
    return false;
  }
  const size_t first = at + 2;
  if (static_cast<uint64_t>(*count) > args.size() - first) {
    call.reply.Error("ERR The `numids` parameter must match the number of arguments");
    return false;
  }
  for (const std::string_view text : args.subspan(first, static_cast<size_t>(*count))) {
    const auto id = ReadId(call.reply, text);
    if (!id) return false;
    block.ids.push_back(*id);
  }
  block.found = true;
  at = first + static_cast<size_t>(*count) - 1;
  return true;
}

bool ReadRemoval(Call& call, size_t first, IdBlock& block) {
  for (size_t at = first; at < call.args.size(); ++at) {
    if (const auto refs = ParseRefs(call.args[at])) {
      block.refs = *refs;
    } else if (Is(call.args[at], "ids") && !block.found) {
      if (!ReadIdBlock(call, at, block)) return false;
    } else {
      call.reply.Error(kSyntaxError);
      return false;
    }
  }
  if (!block.found) call.reply.Error(kSyntaxError);
  return block.found;
}

void WriteRemovals(Call& call, const base::Result<std::vector<streams::Removal>>& removals) {
  if (!removals.ok()) return WriteFailure(call.reply, removals.status());
  call.reply.ArrayHead(removals->size());
  for (const streams::Removal removal : *removals) call.reply.Integer(static_cast<int64_t>(removal));
}

}  // namespace

std::optional<streams::Refs> ParseRefs(std::string_view text) {
  if (Is(text, "keepref")) return streams::Refs::kKeep;
  if (Is(text, "delref")) return streams::Refs::kDelete;
  if (Is(text, "acked")) return streams::Refs::kAcked;
  return std::nullopt;
}

void RunXdelex(Call& call) {
  IdBlock block;
  if (!ReadRemoval(call, 2, block)) return;
  if (!call.db.RouteFirst(call, call.args[1])) return;
  WriteRemovals(call, call.db.engine().DeleteEx(call.args[1], block.ids, block.refs));
}

void RunXackdel(Call& call) {
  IdBlock block;
  if (!ReadRemoval(call, 3, block)) return;
  const Arguments args = call.args;
  if (!call.db.MayUseGroup(call, args[1], args[2]) || !call.db.RouteFirst(call, args[1])) return;
  WriteRemovals(call, call.db.engine().AckDelete(args[1], args[2], block.ids, block.refs));
}

void RunXnack(Call& call) {
  const Arguments args = call.args;
  using Mode = streams::NackOptions::Mode;
  streams::NackOptions options;
  if (Is(args[3], "silent")) {
    options.mode = Mode::kSilent;
  } else if (Is(args[3], "fail")) {
    options.mode = Mode::kFail;
  } else if (Is(args[3], "fatal")) {
    options.mode = Mode::kFatal;
  } else {
    return call.reply.Error(kSyntaxError);
  }
  IdBlock block;
  for (size_t at = 4; at < args.size(); ++at) {
    if (Is(args[at], "ids") && !block.found) {
      if (!ReadIdBlock(call, at, block)) return;
    } else if (Is(args[at], "force")) {
      options.force = true;
    } else if (Is(args[at], "retrycount") && at + 1 < args.size()) {
      const auto count = ReadInteger(call.reply, args[++at]);
      if (!count) return;
      if (*count < 0) return call.reply.Error(kNotAnInteger);
      options.retry_count = static_cast<uint64_t>(*count);
    } else {
      return call.reply.Error(kSyntaxError);
    }
  }
  if (!block.found) return call.reply.Error(kSyntaxError);
  if (!call.db.MayUseGroup(call, args[1], args[2])) return;
  auto released = call.db.engine().Nack(args[1], args[2], block.ids, options);
  if (!released.ok()) return WriteFailure(call.reply, released.status());
  call.reply.Integer(static_cast<int64_t>(*released));
}

void RunXcfgset(Call& call) {
  constexpr int64_t kMaxDurationS = 86'400, kMaxSize = 10'000;
  const Arguments args = call.args;
  std::optional<int64_t> duration_s;
  std::optional<uint64_t> size;
  for (size_t at = 2; at < args.size(); at += 2) {
    const auto value = at + 1 < args.size() ? ParseInteger(args[at + 1]) : std::nullopt;
    if (at + 1 < args.size() && Is(args[at], "idmp-duration")) {
      if (!value || *value < 1 || *value > kMaxDurationS) {
        return call.reply.Error("ERR IDMP-DURATION must be between 1 and 86400 seconds");
      }
      duration_s = value;
    } else if (at + 1 < args.size() && Is(args[at], "idmp-maxsize")) {
      if (!value || *value < 1 || *value > kMaxSize) {
        return call.reply.Error("ERR IDMP-MAXSIZE must be between 1 and 10000 entries");
      }
      size = static_cast<uint64_t>(*value);
    } else {
      return call.reply.Error(kSyntaxError);
    }
  }
  if (!duration_s && !size) return call.reply.Error("ERR At least one parameter must be specified");
  const base::Status status = call.db.engine().ConfigureOnce(args[1], duration_s, size);
  if (!status.ok()) return WriteFailure(call.reply, status);
  call.reply.Simple("OK");
}

}  // namespace tocsin::commands
