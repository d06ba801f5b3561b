// Commands on keys, which are all streams: TYPE, EXISTS, DEL, KEYS, SCAN, RENAME, EXPIRE, FLUSHALL, ...
#include <algorithm>
#include <charconv>
#include <limits>

#include "commands/arguments.h"
#include "commands/database.h"
#include "commands/glob.h"
#include "commands/handlers.h"
#include "streams/errors.h"

namespace tocsin::commands {
namespace {

constexpr size_t kKeysAtOnce = 1'024;

template <typename T>
bool Failed(Call& call, const base::Result<T>& result) {
  if (!result.ok()) WriteFailure(call.reply, result.status());
  return !result.ok();
}

enum class Unit : uint8_t { kSeconds = 0, kMilliseconds = 1 };
enum class From : uint8_t { kNow, kEpoch };

struct ExpireConditions {
  bool nx = false, xx = false, gt = false, lt = false;
};

bool ReadConditions(Call& call, ExpireConditions& when) {
  for (const std::string_view option : call.args.subspan(3)) {
    if (Is(option, "nx")) {
      when.nx = true;
    } else if (Is(option, "xx")) {
      when.xx = true;
    } else if (Is(option, "gt")) {
      when.gt = true;
    } else if (Is(option, "lt")) {
      when.lt = true;
    } else {
      call.reply.Error("ERR Unsupported option " + std::string(option));
      return false;
    }
  }
  if (when.nx && (when.xx || when.gt || when.lt)) {
    call.reply.Error("ERR NX and XX, GT or LT options at the same time are not compatible");
    return false;
  }
  if (when.gt && when.lt) {
    call.reply.Error("ERR GT and LT options at the same time are not compatible");
    return false;
  }
  return true;
}

// nullopt: the error was written.
std::optional<int64_t> ReadExpiry(Call& call, Unit unit, From from) {
  const auto given = ReadInteger(call.reply, call.args[2]);
  if (!given) return std::nullopt;
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  const int64_t now_ms = call.db.clock().NowMs();
  int64_t at_ms = *given;
  const bool too_large =
      unit == Unit::kSeconds && (*given > kMax / 1000 || *given < std::numeric_limits<int64_t>::min() / 1000);
  if (!too_large && unit == Unit::kSeconds) at_ms *= 1000;
  if (too_large || (from == From::kNow && at_ms > kMax - now_ms)) {
    call.reply.Error("ERR invalid expire time in '" + Lower(call.args[0]) + "' command");
    return std::nullopt;
  }
  return from == From::kNow ? at_ms + now_ms : at_ms;
}

void RunExpiring(Call& call, Unit unit, From from) {
  ExpireConditions when;
  if (!ReadConditions(call, when)) return;
  const auto at_ms = ReadExpiry(call, unit, from);
  if (!at_ms) return;
  streams::StreamEngine& engine = call.db.engine();
  auto expiry = engine.ExpiryOf(call.args[1]);
  if (Failed(call, expiry)) return;
  if (!*expiry) return call.reply.Integer(0);
  const std::optional<int64_t> before = **expiry;
  const bool refused = (when.nx && before) || (when.xx && !before) || (when.gt && (!before || *at_ms <= *before)) ||
                       (when.lt && before && *at_ms >= *before);
  if (refused) return call.reply.Integer(0);
  if (call.db.IsIngest(call.args[1])) return call.reply.Error("ERR an ingest stream cannot expire");
  auto set = engine.SetExpiry(call.args[1], *at_ms);
  if (Failed(call, set)) return;
  call.reply.Integer(*set ? 1 : 0);
}

void RunTimeToLive(Call& call, Unit unit, From from) {
  auto expiry = call.db.engine().ExpiryOf(call.args[1]);
  if (Failed(call, expiry)) return;
  if (!*expiry) return call.reply.Integer(-2);
  if (!**expiry) return call.reply.Integer(-1);
  int64_t ms = ***expiry - (from == From::kNow ? call.db.clock().NowMs() : 0);
  ms = std::max<int64_t>(ms, 0);
  call.reply.Integer(unit == Unit::kSeconds ? (ms + (from == From::kNow ? 500 : 0)) / 1000 : ms);
}

// Calls `visit` with each key; false ends the walk (and is answered).
template <typename Visit>
bool ForEachKey(Call& call, Visit visit) {
  std::string after;
  for (;;) {
    auto keys = call.db.engine().Keys(after, kKeysAtOnce);
    if (Failed(call, keys)) return false;
    for (const std::string& key : *keys) {
      if (!visit(key)) return false;
    }
    if (keys->size() < kKeysAtOnce) return true;
    after = keys->back();
  }
}

void RunRenaming(Call& call, bool only_new) {
  const Arguments args = call.args;
  streams::StreamEngine& engine = call.db.engine();
  auto source = engine.Exists(args[1]);
  if (Failed(call, source)) return;
  if (!*source) return call.reply.Error("ERR no such key");
  for (const std::string_view key : {args[1], args[2]}) {
    if (!call.db.MayRemove(call, key) || !call.db.RouteFirst(call, key)) return;
  }
  if (only_new) {
    auto target = engine.Exists(args[2]);
    if (Failed(call, target)) return;
    if (*target) return call.reply.Integer(0);
  }
  auto last_from = call.db.LastIngestId(args[1]), last_to = call.db.LastIngestId(args[2]);
  if (Failed(call, last_from) || Failed(call, last_to)) return;
  base::Status status = engine.Rename(args[1], args[2]);
  if (status.ok()) status = call.db.KeepIngestIds(args[1], *last_from);
  if (status.ok()) status = call.db.KeepIngestIds(args[2], *last_to);
  if (!status.ok()) return WriteFailure(call.reply, status);
  if (only_new) return call.reply.Integer(1);
  call.reply.Simple("OK");
}

void RunFlushing(Call& call) {
  const Arguments args = call.args;
  if (args.size() > 2 || (args.size() == 2 && !Is(args[1], "sync") && !Is(args[1], "async"))) {
    return call.reply.Error(kSyntaxError);
  }
  std::vector<std::pair<std::string, std::optional<EntryId>>> ingest;
  for (const std::string& key : call.db.options().ingest_streams) {
    if (!call.db.RouteFirst(call, key)) return;
    auto last = call.db.LastIngestId(key);
    if (Failed(call, last)) return;
    ingest.emplace_back(key, *last);
  }
  base::Status status = call.db.engine().DeleteAll();
  for (const auto& [key, last] : ingest) {
    if (status.ok()) status = call.db.KeepIngestIds(key, last);
  }
  if (!status.ok()) return WriteFailure(call.reply, status);
  call.reply.Simple("OK");
}

}  // namespace

void RunType(Call& call) {
  auto exists = call.db.engine().Exists(call.args[1]);
  if (Failed(call, exists)) return;
  call.reply.Simple(*exists ? "stream" : "none");
}

void RunExists(Call& call) {
  int64_t count = 0;
  for (const std::string_view key : call.args.subspan(1)) {
    auto exists = call.db.engine().Exists(key);
    if (Failed(call, exists)) return;
    count += *exists ? 1 : 0;
  }
  call.reply.Integer(count);
}

void RunDel(Call& call) {
  for (const std::string_view key : call.args.subspan(1)) {
    if (!call.db.MayRemove(call, key) || !call.db.RouteFirst(call, key)) return;
  }
  int64_t count = 0;
  for (const std::string_view key : call.args.subspan(1)) {
    auto last = call.db.LastIngestId(key);
    if (Failed(call, last)) return;
    auto deleted = call.db.engine().DeleteKey(key);
    if (Failed(call, deleted)) return;
    const base::Status kept = call.db.KeepIngestIds(key, *last);
    if (!kept.ok()) return WriteFailure(call.reply, kept);
    count += *deleted ? 1 : 0;
  }
  call.reply.Integer(count);
}

void RunKeys(Call& call) {
  std::vector<std::string> found;
  size_t bytes = 0;
  const bool whole = ForEachKey(call, [&](const std::string& key) {
    if (!Glob(call.args[1], key)) return true;
    bytes += key.size() + 16;
    found.push_back(key);
    if (bytes < call.max_reply) return true;
    call.reply.Error("ERR the reply would be too large: use SCAN");
    return false;
  });
  if (!whole) return;
  call.reply.ArrayHead(found.size());
  for (const std::string& key : found) call.reply.Bulk(key);
}

void RunScan(Call& call) {
  const Arguments args = call.args;
  uint64_t cursor = 0;
  const char* const end = args[1].data() + args[1].size();
  const auto [rest, error] = std::from_chars(args[1].data(), end, cursor);
  if (args[1].empty() || error != std::errc() || rest != end) return call.reply.Error("ERR invalid cursor");
  std::string_view pattern = "*", type = "stream";
  int64_t count = 10;
  for (size_t i = 2; i < args.size(); i += 2) {
    if (i + 1 >= args.size()) return call.reply.Error(kSyntaxError);
    if (Is(args[i], "count")) {
      const auto given = ReadInteger(call.reply, args[i + 1]);
      if (!given) return;
      if (*given < 1) return call.reply.Error(kSyntaxError);
      count = *given;
    } else if (Is(args[i], "match")) {
      pattern = args[i + 1];
    } else if (Is(args[i], "type")) {
      type = args[i + 1];
    } else {
      return call.reply.Error(kSyntaxError);
    }
  }
  const size_t limit = static_cast<size_t>(std::min<int64_t>(count, 100'000));
  auto keys = call.db.engine().Keys(call.db.ScannedBy(cursor), limit);
  if (Failed(call, keys)) return;
  const uint64_t next = keys->size() < limit ? 0 : call.db.RememberScan(keys->back());
  std::erase_if(*keys, [&](const std::string& key) { return !Is(type, "stream") || !Glob(pattern, key); });
  call.reply.ArrayHead(2);
  call.reply.Bulk(std::to_string(next));
  call.reply.ArrayHead(keys->size());
  for (const std::string& key : *keys) call.reply.Bulk(key);
}

void RunRandomkey(Call& call) {
  auto keys = call.db.engine().Keys("", 1);
  if (Failed(call, keys)) return;
  if (keys->empty()) return call.reply.Null();
  call.reply.Bulk(keys->front());
}

void RunDbsize(Call& call) {
  auto count = call.db.engine().CountKeys();
  if (Failed(call, count)) return;
  call.reply.Integer(static_cast<int64_t>(*count));
}

void RunRename(Call& call) { RunRenaming(call, false); }
void RunRenamenx(Call& call) { RunRenaming(call, true); }
void RunFlushall(Call& call) { RunFlushing(call); }
void RunFlushdb(Call& call) { RunFlushing(call); }
void RunExpire(Call& call) { RunExpiring(call, Unit::kSeconds, From::kNow); }
void RunPexpire(Call& call) { RunExpiring(call, Unit::kMilliseconds, From::kNow); }
void RunExpireat(Call& call) { RunExpiring(call, Unit::kSeconds, From::kEpoch); }
void RunPexpireat(Call& call) { RunExpiring(call, Unit::kMilliseconds, From::kEpoch); }
void RunTtl(Call& call) { RunTimeToLive(call, Unit::kSeconds, From::kNow); }
void RunPttl(Call& call) { RunTimeToLive(call, Unit::kMilliseconds, From::kNow); }
void RunExpiretime(Call& call) { RunTimeToLive(call, Unit::kSeconds, From::kEpoch); }
void RunPexpiretime(Call& call) { RunTimeToLive(call, Unit::kMilliseconds, From::kEpoch); }

void RunPersist(Call& call) {
  auto expiry = call.db.engine().ExpiryOf(call.args[1]);
  if (Failed(call, expiry)) return;
  if (!*expiry || !**expiry) return call.reply.Integer(0);
  auto set = call.db.engine().SetExpiry(call.args[1], std::nullopt);
  if (Failed(call, set)) return;
  call.reply.Integer(1);
}

void RunObjectEncoding(Call& call) {
  auto exists = call.db.engine().Exists(call.args[2]);
  if (Failed(call, exists)) return;
  if (!*exists) return call.reply.Null();
  call.reply.Bulk("stream");
}

void RunObjectRefcount(Call& call) {
  auto exists = call.db.engine().Exists(call.args[2]);
  if (Failed(call, exists)) return;
  if (!*exists) return call.reply.Null();
  call.reply.Integer(1);
}

void RunObjectHelp(Call& call) {
  static constexpr std::string_view kLines[] = {
      "ENCODING <key>",
      "    Return the kind of internal representation used in order to store the value",
      "    associated with a <key>.",
      "REFCOUNT <key>",
      "    Return the number of references of the value associated with the specified",
      "    <key>.",
  };
  WriteHelp(call.reply, "OBJECT", kLines);
}

}  // namespace tocsin::commands
