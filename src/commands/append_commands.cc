// XADD, XTRIM, XDEL, XSETID, XLEN, XRANGE, XREVRANGE.
#include <algorithm>

#include "commands/arguments.h"
#include "commands/database.h"
#include "commands/entries.h"
#include "commands/handlers.h"
#include "model/limits.h"

namespace tocsin::commands {
namespace {

using streams::Trim;

// The options of XADD and XTRIM, up to the id of XADD.
struct AddOrTrim {
  streams::MakeStream make_stream = streams::MakeStream::kYes;
  Trim trim;
  std::optional<streams::Once> once = {};
  streams::AddId id;
  size_t at = 2;  // the argument that is looked at; at last the one behind the options
};
enum class For : uint8_t { kAdd, kTrim };

constexpr std::string_view kTwoStrategies =
    "ERR syntax error, MAXLEN and MINID options at the same time are not compatible";

bool ReadStrategy(Call& call, AddOrTrim& read, Trim::By by) {
  if (read.trim.by != Trim::By::kNothing) {
    call.reply.Error(kTwoStrategies);
    return false;
  }
  const Arguments args = call.args;
  const size_t more = args.size() - 1 - read.at;
  read.trim.exactness = Trim::Exactness::kExact;
  if (more >= 2 && (args[read.at + 1] == "~" || args[read.at + 1] == "=")) {
    if (args[read.at + 1] == "~") read.trim.exactness = Trim::Exactness::kApproximate;
    ++read.at;
  }
  const std::string_view threshold = args[++read.at];
  read.trim.by = by;
  if (by == Trim::By::kMinId) {
    const auto id = ReadId(call.reply, threshold);
    if (id) read.trim.min_id = *id;
    return id.has_value();
  }
  const auto length = ReadInteger(call.reply, threshold);
  if (!length) return false;
  if (*length < 0) {
    call.reply.Error("ERR The MAXLEN argument must be >= 0.");
    return false;
  }
  read.trim.max_length = static_cast<uint64_t>(*length);
  return true;
}

bool ReadLimit(Call& call, AddOrTrim& read) {
  const auto limit = ReadInteger(call.reply, call.args[++read.at]);
  if (!limit) return false;
  if (*limit < 0) {
    call.reply.Error("ERR The LIMIT argument must be >= 0.");
    return false;
  }
  read.trim.limit = static_cast<uint64_t>(*limit);
  return true;
}

// IDMPAUTO producer, IDMP producer id.
bool ReadOnce(Call& call, AddOrTrim& read) {
  const size_t words = Is(call.args[read.at], "idmp") ? 2 : 1;
  if (read.once || call.args.size() - read.at <= words) {
    call.reply.Error(kSyntaxError);
    return false;
  }
  read.once = streams::Once{.producer = call.args[++read.at]};
  if (words == 2) read.once->id = call.args[++read.at];
  if (!read.once->producer.empty() && (!read.once->id || !read.once->id->empty())) return true;
  call.reply.Error("ERR the ids of IDMP and IDMPAUTO cannot be empty");
  return false;
}

// What must hold between the options.
bool CheckTrim(Call& call, const Trim& trim, For what) {
  if (trim.limit.value_or(0) != 0 && trim.by == Trim::By::kNothing) {
    call.reply.Error("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy");
  } else if (what == For::kTrim && trim.by == Trim::By::kNothing) {
    call.reply.Error("ERR syntax error, XTRIM must be called with a trimming strategy");
  } else if (trim.limit && trim.exactness == Trim::Exactness::kExact) {
    call.reply.Error("ERR syntax error, LIMIT cannot be used without the special ~ option");
  } else {
    return true;
  }
  return false;
}

bool ReadOptions(Call& call, AddOrTrim& read, For what) {
  const Arguments args = call.args;
  for (; read.at < args.size(); ++read.at) {
    const std::string_view option = args[read.at];
    const bool more = read.at + 1 < args.size();
    if (what == For::kAdd && option == "*") break;
    if (more && Is(option, "maxlen")) {
      if (!ReadStrategy(call, read, Trim::By::kMaxLength)) return false;
    } else if (more && Is(option, "minid")) {
      if (!ReadStrategy(call, read, Trim::By::kMinId)) return false;
    } else if (more && Is(option, "limit")) {
      if (!ReadLimit(call, read)) return false;
    } else if (const auto refs = ParseRefs(option)) {
      read.trim.refs = *refs;
    } else if (what == For::kTrim) {
      call.reply.Error(kSyntaxError);
      return false;
    } else if (Is(option, "nomkstream")) {
      read.make_stream = streams::MakeStream::kNo;
    } else if (Is(option, "idmpauto") || Is(option, "idmp")) {
      if (!ReadOnce(call, read)) return false;
    } else {
      const auto id = streams::ParseAddId(option);
      if (!id) {
        call.reply.Error(streams::kInvalidId);
        return false;
      }
      read.id = *id;
      break;
    }
  }
  return CheckTrim(call, read.trim, what);
}

void RunRange(Call& call, streams::Direction direction) {
  const Arguments args = call.args;
  const bool forward = direction == streams::Direction::kForward;
  const auto start = ReadRangeStart(call.reply, args[forward ? 2 : 3]);
  if (!start) return;
  const auto end = ReadRangeEnd(call.reply, args[forward ? 3 : 2]);
  if (!end) return;
  std::optional<size_t> count;
  for (size_t i = 4; i < args.size(); ++i) {
    if (i + 1 >= args.size() || !Is(args[i], "count")) return call.reply.Error(kSyntaxError);
    const auto number = ReadInteger(call.reply, args[++i]);
    if (!number) return;
    count = static_cast<size_t>(std::max<int64_t>(*number, 0));
  }
  streams::StreamEngine& engine = call.db.engine();
  if (count == size_t{0}) {
    auto exists = engine.Exists(args[1]);
    if (!exists.ok()) return WriteFailure(call.reply, exists.status());
    return *exists ? call.reply.NullArray() : call.reply.ArrayHead(0);
  }
  const streams::RangeOptions options{.count = count.value_or(SIZE_MAX), .max_bytes = call.max_reply};
  auto entries =
      forward ? engine.Range(args[1], *start, *end, options) : engine.RevRange(args[1], *end, *start, options);
  if (!entries.ok()) return WriteFailure(call.reply, entries.status());
  if (entries->more) return call.reply.Error("ERR the reply would be too large: ask for fewer entries with COUNT");
  WriteEntries(call.reply, *entries);
}

}  // namespace

void RunXadd(Call& call) {
  AddOrTrim read;
  if (!ReadOptions(call, read, For::kAdd)) return;
  const Arguments args = call.args;
  const size_t first_field = read.at + 1;
  if (args.size() < first_field + 2 || (args.size() - first_field) % 2 == 1) return WrongArity(call.reply, "xadd");
  if (read.once && read.id.kind != streams::AddId::Kind::kAuto) {
    return call.reply.Error("ERR IDMP and IDMPAUTO can be used only with auto-generated IDs");
  }
  std::vector<streams::FieldView> fields;
  fields.reserve((args.size() - first_field) / 2);
  for (size_t i = first_field; i < args.size(); i += 2) fields.emplace_back(args[i], args[i + 1]);
  streams::AppendOptions options{.id = read.id, .make_stream = read.make_stream, .trim = read.trim, .once = read.once};
  const bool ingest = call.db.IsIngest(args[1]);
  if (ingest) {
    options.max_future_ms = model::kMaxFutureIdMs;
    options.trim = {};
  }
  auto id = call.db.engine().Append(args[1], fields, options);
  if (!id.ok()) return WriteFailure(call.reply, id.status());
  if (!*id) return call.reply.Null();
  if (ingest && read.trim.by != Trim::By::kNothing) {
    // What the trim takes must have been routed, the new entry too.
    if (!call.db.RouteFirst(call, args[1])) return;
    auto trimmed = call.db.engine().TrimStream(args[1], read.trim);
    if (!trimmed.ok()) return WriteFailure(call.reply, trimmed.status());
  }
  WriteId(call.reply, **id);
}

void RunXtrim(Call& call) {
  AddOrTrim read;
  if (!ReadOptions(call, read, For::kTrim)) return;
  if (!call.db.RouteFirst(call, call.args[1])) return;
  auto trimmed = call.db.engine().TrimStream(call.args[1], read.trim);
  if (!trimmed.ok()) return WriteFailure(call.reply, trimmed.status());
  call.reply.Integer(static_cast<int64_t>(*trimmed));
}

void RunXdel(Call& call) {
  // No key, nothing to delete, whatever the ids.
  auto exists = call.db.engine().Exists(call.args[1]);
  if (!exists.ok()) return WriteFailure(call.reply, exists.status());
  if (!*exists) return call.reply.Integer(0);
  std::vector<EntryId> ids;
  for (const std::string_view text : call.args.subspan(2)) {
    const auto id = ReadId(call.reply, text);
    if (!id) return;
    ids.push_back(*id);
  }
  if (!call.db.RouteFirst(call, call.args[1])) return;
  auto deleted = call.db.engine().Delete(call.args[1], ids);
  if (!deleted.ok()) return WriteFailure(call.reply, deleted.status());
  call.reply.Integer(static_cast<int64_t>(*deleted));
}

void RunXsetid(Call& call) {
  const Arguments args = call.args;
  const auto last = ReadId(call.reply, args[2]);
  if (!last) return;
  streams::SetIdOptions options{.last_id = *last};
  for (size_t i = 3; i < args.size(); i += 2) {
    const bool more = i + 1 < args.size();
    if (more && Is(args[i], "entriesadded")) {
      const auto added = ReadInteger(call.reply, args[i + 1]);
      if (!added) return;
      if (*added < 0) return call.reply.Error("ERR entries_added must be positive");
      options.entries_added = static_cast<uint64_t>(*added);
    } else if (more && Is(args[i], "maxdeletedid")) {
      options.max_deleted = ReadId(call.reply, args[i + 1]);
      if (!options.max_deleted) return;
      if (*last < *options.max_deleted) {
        return call.reply.Error("ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id");
      }
    } else {
      return call.reply.Error(kSyntaxError);
    }
  }
  if (call.db.IsIngest(args[1])) {
    // Its ids name notifications: none may come again.
    options.max_future_ms = model::kMaxFutureIdMs;
    auto now = call.db.engine().LastId(args[1]);
    if (!now.ok()) return WriteFailure(call.reply, now.status());
    if (*last < *now) {
      return call.reply.Error("ERR The ID specified in XSETID is smaller than the last one of an ingest stream");
    }
  }
  const base::Status status = call.db.engine().SetId(args[1], options);
  if (!status.ok()) return WriteFailure(call.reply, status);
  call.reply.Simple("OK");
}

void RunXlen(Call& call) {
  auto length = call.db.engine().Length(call.args[1]);
  if (!length.ok()) return WriteFailure(call.reply, length.status());
  call.reply.Integer(static_cast<int64_t>(*length));
}

void RunXrange(Call& call) { RunRange(call, streams::Direction::kForward); }
void RunXrevrange(Call& call) { RunRange(call, streams::Direction::kBackward); }

}  // namespace tocsin::commands
