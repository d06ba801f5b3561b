// XREAD and XREADGROUP, waiting or not.
#include <algorithm>

#include "commands/arguments.h"
#include "commands/database.h"
#include "commands/entries.h"
#include "commands/handlers.h"
#include "streams/errors.h"

namespace tocsin::commands {
namespace {

enum class Kind : uint8_t { kRead, kReadGroup };

// Entries of one reply, about: who wants more asks again.
constexpr size_t kMaxRead = 16 << 20;

struct ReadArguments {
  streams::ReadRequest request;
  std::optional<int64_t> block_ms;
  size_t first_stream = 0;  // the argument; 0: no STREAMS
  size_t streams = 0;
};

bool ReadBlock(Call& call, std::string_view text, ReadArguments& read) {
  const auto timeout = ReadInteger(call.reply, text, "ERR timeout is not an integer or out of range");
  if (!timeout) return false;
  if (*timeout < 0) {
    call.reply.Error("ERR timeout is negative");
    return false;
  }
  read.block_ms = *timeout;
  return true;
}

bool ReadCount(Call& call, std::string_view text, ReadArguments& read) {
  const auto count = ReadInteger(call.reply, text);
  if (!count) return false;
  read.request.count = *count <= 0 ? SIZE_MAX : static_cast<size_t>(*count);
  return true;
}

bool ReadClaim(Call& call, std::string_view text, ReadArguments& read) {
  const auto idle = ReadInteger(call.reply, text, "ERR min-idle-time is not an integer");
  if (!idle) return false;
  if (*idle < 0) {
    call.reply.Error("ERR min-idle-time must be a positive integer");
    return false;
  }
  read.request.claim_min_idle_ms = idle;
  return true;
}

// False where the option may stand for XREADGROUP only.
bool CheckGroupOption(Call& call, Kind kind, std::string_view option) {
  if (kind == Kind::kReadGroup) return true;
  call.reply.Error("ERR The " + std::string(option) +
                   " option is only supported by XREADGROUP. You called XREAD instead.");
  return false;
}

bool FindStreams(Call& call, Kind kind, size_t at, ReadArguments& read) {
  read.first_stream = at;
  read.streams = call.args.size() - at;
  if (read.streams % 2 == 0) {
    read.streams /= 2;
    return true;
  }
  const bool group = kind == Kind::kReadGroup;
  call.reply.Error(std::string("ERR Unbalanced '") + (group ? "xreadgroup" : "xread") +
                   "' list of streams: for each stream key an ID or '" + (group ? '>' : '$') + "' must be specified.");
  return false;
}

bool ReadOptions(Call& call, Kind kind, ReadArguments& read) {
  const Arguments args = call.args;
  for (size_t i = 1; i < args.size(); ++i) {
    const size_t more = args.size() - i - 1;
    if (more >= 1 && Is(args[i], "block")) {
      if (!ReadBlock(call, args[++i], read)) return false;
    } else if (more >= 1 && Is(args[i], "count")) {
      if (!ReadCount(call, args[++i], read)) return false;
    } else if (more >= 1 && Is(args[i], "streams")) {
      if (!FindStreams(call, kind, i + 1, read)) return false;
      break;
    } else if (more >= 2 && Is(args[i], "group")) {
      if (!CheckGroupOption(call, kind, "GROUP")) return false;
      read.request.group = std::string(args[i + 1]);
      read.request.consumer = std::string(args[i + 2]);
      i += 2;
    } else if (more >= 1 && Is(args[i], "claim")) {
      if (!CheckGroupOption(call, kind, "CLAIM") || !ReadClaim(call, args[++i], read)) return false;
    } else if (Is(args[i], "noack")) {
      if (!CheckGroupOption(call, kind, "NOACK")) return false;
      read.request.acks = streams::Acks::kNone;
    } else {
      call.reply.Error(kSyntaxError);
      return false;
    }
  }
  if (read.first_stream == 0) {
    call.reply.Error(kSyntaxError);
  } else if (kind == Kind::kReadGroup && !read.request.group) {
    call.reply.Error("ERR Missing GROUP option for XREADGROUP");
  } else {
    return true;
  }
  return false;
}

// The id of one stream, in the order in which Redis looks: the group first, then the id.
bool ReadFrom(Call& call, Kind kind, std::string_view key, std::string_view text, ReadArguments& read) {
  streams::StreamEngine& engine = call.db.engine();
  streams::ReadRequest::From from{.key = std::string(key)};
  if (kind == Kind::kReadGroup) {
    if (!call.db.MayUseGroup(call, key, *read.request.group)) return false;
    // Nobody takes a notification from the router before it has reached its users.
    if (read.request.group == call.db.options().own_group && !call.db.RouteFirst(call, key)) return false;
    auto there = engine.HasGroup(key, *read.request.group);
    if (!there.ok() || !*there) {
      WriteFailure(call.reply, there.ok() ? streams::NoSuchKeyOrGroup(key, *read.request.group, streams::kInReadGroup)
                                          : there.status());
      return false;
    }
  }
  if (text == "$") {
    if (kind == Kind::kReadGroup) {
      call.reply.Error(
          "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by "
          "specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result "
          "set.");
      return false;
    }
    auto last = engine.LastId(key);
    if (!last.ok()) {
      WriteFailure(call.reply, last.status());
      return false;
    }
    from.after = *last;
  } else if (text == ">") {
    if (kind == Kind::kRead) {
      call.reply.Error(
          "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.");
      return false;
    }
  } else {
    from.after = ReadId(call.reply, text);
    if (!from.after) return false;
    if (kind == Kind::kReadGroup && *from.after == EntryId::Max()) from.after.reset();  // what `>` is to Redis
  }
  read.request.streams.push_back(std::move(from));
  return true;
}

void RunReading(Call& call, Kind kind) {
  ReadArguments read;
  if (!ReadOptions(call, kind, read)) return;
  for (size_t i = read.first_stream; i < read.first_stream + read.streams; ++i) {
    if (!ReadFrom(call, kind, call.args[i], call.args[i + read.streams], read)) return;
  }
  read.request.max_bytes = std::min(kMaxRead, call.max_reply) / std::max<size_t>(read.streams, 1);
  const streams::ReadAnswer answer = call.db.engine().ReadMany(read.request);
  if (read.block_ms && call.may_block == MayBlock::kYes && answer.ok() && answer->empty()) {
    call.blocking = Blocking{.request = std::move(read.request), .timeout_ms = *read.block_ms};
    return;
  }
  WriteReadAnswer(call.reply, read.request, answer);
}

}  // namespace

void RunXread(Call& call) { RunReading(call, Kind::kRead); }
void RunXreadgroup(Call& call) { RunReading(call, Kind::kReadGroup); }

}  // namespace tocsin::commands
