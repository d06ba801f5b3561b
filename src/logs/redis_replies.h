// What the scripts of the user logs answer, read back. Pure; kCorruption: not what they answer.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "logs/log_reader.h"
#include "logs/log_store.h"
#include "wire/resp.h"

namespace tocsin::logs {

base::Result<LogHead> DecodeHeadReply(const wire::RespReply& reply);

base::Result<LogOpening> DecodeOpening(const wire::RespReply& reply, std::string_view user);
base::Result<LogPiece> DecodePiece(const wire::RespReply& reply, model::EntryId after);
base::Result<LogTrace> DecodeTrace(const wire::RespReply& reply);
base::Result<ListPage> DecodePage(const wire::RespReply& reply);

struct MarkReply {
  Counts counts;
  LogUpdate update;  // without user; no entries: nothing was changed
  std::vector<std::string> watchers;
};
base::Result<MarkReply> DecodeMark(const wire::RespReply& reply);

struct AppendReply {
  LogUpdate update;                 // without user and entries
  std::vector<model::EntryId> ids;  // of each item; 0-0: the log had it; 0-1: passed over; 0-2: summed up
  // Items that took the place of an older one: which; the older one's nid; the change that says so, before the item.
  struct Replaced {
    size_t item;
    std::string nid;
    LogEntryPtr change;
  };
  std::vector<Replaced> replaced;
  std::vector<std::string> watchers;
  std::optional<uint64_t> other_preferences{};  // their tag: nothing was done, and there is nothing else here
};
base::Result<AppendReply> DecodeAppend(const wire::RespReply& reply, size_t items);

}  // namespace tocsin::logs
