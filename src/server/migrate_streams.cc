#include "server/migrate_streams.h"

#include <algorithm>
#include <set>

namespace tocsin::server {
namespace {

using base::Code;
using base::Result;
using base::Status;
using wire::RespReply;

constexpr size_t kPage = 500;

Status Refused(const std::string& stream, const RespCommand& command, const RespReply& reply) {
  return Status(Code::kInternal, "stream `" + stream + "`: " + command[0] + " was answered " + reply.text);
}

// One command whose error is a failure.
Result<RespReply> Ask(MigrationEnd& end, const std::string& stream, RespCommand command) {
  auto replies = end.Run(stream, {command});
  if (!replies.ok()) return replies.status();
  if (replies->front().is_error()) return Refused(stream, command, replies->front());
  return std::move(replies->front());
}

Status AskAll(MigrationEnd& end, const std::string& stream, const std::vector<RespCommand>& commands) {
  if (commands.empty()) return base::Ok();
  auto replies = end.Run(stream, commands);
  if (!replies.ok()) return replies.status();
  for (size_t i = 0; i < commands.size(); ++i) {
    if ((*replies)[i].is_error()) return Refused(stream, commands[i], (*replies)[i]);
  }
  return base::Ok();
}

// The value behind `name` in names and values by turns; a null where there is none.
const RespReply& Find(const RespReply& reply, std::string_view name) {
  static const RespReply kNone;
  for (size_t i = 0; i + 1 < reply.elements.size(); i += 2) {
    if (reply.elements[i].text == name) return reply.elements[i + 1];
  }
  return kNone;
}

std::string Text(const RespReply& reply) {
  return reply.type == RespReply::Type::kInteger ? std::to_string(reply.integer) : reply.text;
}

// The same command with what Redis 7 added to it, and without where the server does not know that.
Status AskEither(MigrationEnd& end, const std::string& stream, const RespCommand& newer, const RespCommand& older) {
  auto replies = end.Run(stream, {newer});
  if (!replies.ok()) return replies.status();
  if (!replies->front().is_error()) return base::Ok();
  return AskAll(end, stream, {older});
}

// Calls `take` with every entry: id, fields and values.
template <typename Take>
Status EachEntry(MigrationEnd& end, const std::string& stream, Take take) {
  std::string from = "-";
  for (;;) {
    auto page = Ask(end, stream, {"XRANGE", stream, from, "+", "COUNT", std::to_string(kPage)});
    if (!page.ok()) return page.status();
    std::vector<RespCommand> adds;
    for (const RespReply& entry : page->elements) {
      if (entry.elements.size() != 2) return Status(Code::kInternal, "XRANGE was answered otherwise");
      from = "(" + entry.elements[0].text;
    }
    RETURN_IF_ERROR(take(page->elements));
    if (page->elements.size() < kPage) return base::Ok();
  }
}

Status CopyEntries(const std::string& stream, MigrationEnd& from, MigrationEnd& to, const RespReply& about,
                   StreamFigures& figures, std::set<std::string>& ids) {
  RETURN_IF_ERROR(EachEntry(from, stream, [&](const std::vector<RespReply>& entries) {
    std::vector<RespCommand> adds;
    for (const RespReply& entry : entries) {
      RespCommand add = {"XADD", stream, entry.elements[0].text};
      for (const RespReply& word : entry.elements[1].elements) add.push_back(word.text);
      ids.insert(add[2]);
      adds.push_back(std::move(add));
    }
    figures.entries += entries.size();
    return AskAll(to, stream, adds);
  }));
  if (figures.entries == 0) {  // a stream may be there without an entry
    RETURN_IF_ERROR(AskAll(to, stream,
                           {{"XGROUP", "CREATE", stream, "tocsin-migrate", "$", "MKSTREAM"},
                            {"XGROUP", "DESTROY", stream, "tocsin-migrate"}}));
  }
  const std::string last = Find(about, "last-generated-id").text;
  const RespReply& deleted = Find(about, "max-deleted-entry-id");
  RespCommand set = {"XSETID", stream, last};
  RespCommand all = set;
  all.insert(all.end(), {"ENTRIESADDED", Text(Find(about, "entries-added")), "MAXDELETEDID",
                         deleted.text.empty() ? "0-0" : deleted.text});
  return AskEither(to, stream, all, set);
}

// The consumers of a group and what is pending with them.
Status CopyConsumers(const std::string& stream, const std::string& group, MigrationEnd& from, MigrationEnd& to,
                     const std::set<std::string>& ids, StreamFigures& figures) {
  auto consumers = Ask(from, stream, {"XINFO", "CONSUMERS", stream, group});
  if (!consumers.ok()) return consumers.status();
  std::vector<RespCommand> commands;
  for (const RespReply& consumer : consumers->elements) {
    commands.push_back({"XGROUP", "CREATECONSUMER", stream, group, Find(consumer, "name").text});
    ++figures.consumers;
  }
  RETURN_IF_ERROR(AskAll(to, stream, commands));
  std::string start = "-";
  for (;;) {
    auto page = Ask(from, stream, {"XPENDING", stream, group, start, "+", std::to_string(kPage)});
    if (!page.ok()) return page.status();
    commands.clear();
    for (const RespReply& one : page->elements) {
      if (one.elements.size() != 4) return Status(Code::kInternal, "XPENDING was answered otherwise");
      const std::string& id = one.elements[0].text;
      start = "(" + id;
      if (!ids.contains(id)) {
        ++figures.pending_gone;
        continue;
      }
      ++figures.pending;
      commands.push_back({"XCLAIM", stream, group, one.elements[1].text, "0", id, "IDLE", Text(one.elements[2]),
                          "RETRYCOUNT", Text(one.elements[3]), "FORCE", "JUSTID"});
    }
    RETURN_IF_ERROR(AskAll(to, stream, commands));
    if (page->elements.size() < kPage) return base::Ok();
  }
}

}  // namespace

Result<StreamFigures> CopyStream(const std::string& stream, MigrationEnd& from, MigrationEnd& to) {
  StreamFigures figures;
  auto about = Ask(from, stream, {"XINFO", "STREAM", stream});
  if (!about.ok()) return about.status();
  std::set<std::string> ids;  // that exist
  RETURN_IF_ERROR(CopyEntries(stream, from, to, *about, figures, ids));
  figures.last_id = Find(*about, "last-generated-id").text;
  auto groups = Ask(from, stream, {"XINFO", "GROUPS", stream});
  if (!groups.ok()) return groups.status();
  for (const RespReply& group : groups->elements) {
    const std::string name = Find(group, "name").text;
    RespCommand make = {"XGROUP", "CREATE", stream, name, Find(group, "last-delivered-id").text};
    const RespReply& read = Find(group, "entries-read");
    RespCommand all = make;
    if (read.type == RespReply::Type::kInteger) all.insert(all.end(), {"ENTRIESREAD", Text(read)});
    RETURN_IF_ERROR(AskEither(to, stream, all, make));
    RETURN_IF_ERROR(CopyConsumers(stream, name, from, to, ids, figures));
    ++figures.groups;
  }
  auto ttl = Ask(from, stream, {"PTTL", stream});
  if (!ttl.ok()) return ttl.status();
  if (ttl->integer > 0) {
    auto set = Ask(to, stream, {"PEXPIRE", stream, std::to_string(ttl->integer)});
    if (!set.ok()) return set.status();
  }
  return figures;
}

Result<StreamFigures> FiguresOf(const std::string& stream, MigrationEnd& end) {
  StreamFigures figures;
  auto about = Ask(end, stream, {"XINFO", "STREAM", stream});
  if (!about.ok()) return about.status();
  figures.entries = static_cast<uint64_t>(Find(*about, "length").integer);
  figures.last_id = Find(*about, "last-generated-id").text;
  auto groups = Ask(end, stream, {"XINFO", "GROUPS", stream});
  if (!groups.ok()) return groups.status();
  for (const RespReply& group : groups->elements) {
    ++figures.groups;
    figures.consumers += static_cast<uint64_t>(Find(group, "consumers").integer);
    figures.pending += static_cast<uint64_t>(Find(group, "pending").integer);
  }
  return figures;
}

}  // namespace tocsin::server
