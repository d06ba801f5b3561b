// XINFO.
#include "commands/arguments.h"
#include "commands/database.h"
#include "commands/entries.h"
#include "commands/handlers.h"

namespace tocsin::commands {
namespace {

void WriteNumber(wire::RespWriter& reply, std::string_view name, uint64_t number) {
  reply.Bulk(name);
  reply.Integer(static_cast<int64_t>(number));
}

void WriteOptional(wire::RespWriter& reply, std::string_view name, const std::optional<int64_t>& number) {
  reply.Bulk(name);
  if (number) return reply.Integer(*number);
  reply.Null();
}

void WriteNamedId(wire::RespWriter& reply, std::string_view name, EntryId id) {
  reply.Bulk(name);
  WriteId(reply, id);
}

void WriteEdge(wire::RespWriter& reply, std::string_view name, const streams::Entries& entries) {
  reply.Bulk(name);
  if (entries.empty()) return reply.Null();
  WriteEntry(reply, entries.list.front());
}

// What both forms of XINFO STREAM begin with: seven pairs.
void WriteStreamHead(wire::RespWriter& reply, const streams::StreamReport& report) {
  WriteNumber(reply, "length", report.length);
  WriteNumber(reply, "radix-tree-keys", report.radix_keys);
  WriteNumber(reply, "radix-tree-nodes", report.radix_nodes);
  WriteNamedId(reply, "last-generated-id", report.last_id);
  WriteNamedId(reply, "max-deleted-entry-id", report.max_deleted);
  WriteNumber(reply, "entries-added", report.entries_added);
  WriteNamedId(reply, "recorded-first-entry-id", report.first_id);
}

void WriteFullConsumer(wire::RespWriter& reply, const streams::FullReport::OfConsumer& consumer) {
  reply.MapHead(5);
  reply.Bulk("name");
  reply.Bulk(consumer.report.name);
  reply.Bulk("seen-time");
  reply.Integer(consumer.report.seen_ms);
  reply.Bulk("active-time");
  reply.Integer(consumer.report.active_ms);
  WriteNumber(reply, "pel-count", consumer.report.pending);
  reply.Bulk("pending");
  reply.ArrayHead(consumer.pending.size());
  for (const streams::PendingEntry& pending : consumer.pending) {
    reply.ArrayHead(3);
    WriteId(reply, pending.id);
    reply.Integer(pending.delivered_ms);
    reply.Integer(static_cast<int64_t>(pending.deliveries));
  }
}

void WriteFullGroup(wire::RespWriter& reply, const streams::FullReport::OfGroup& group) {
  reply.MapHead(7);
  reply.Bulk("name");
  reply.Bulk(group.report.name);
  WriteNamedId(reply, "last-delivered-id", group.report.last_id);
  WriteOptional(reply, "entries-read", group.report.entries_read);
  WriteOptional(reply, "lag", group.report.lag);
  WriteNumber(reply, "pel-count", group.report.pending);
  reply.Bulk("pending");
  reply.ArrayHead(group.pending.size());
  for (const streams::PendingEntry& pending : group.pending) {
    reply.ArrayHead(4);
    WriteId(reply, pending.id);
    reply.Bulk(pending.consumer);
    reply.Integer(pending.delivered_ms);
    reply.Integer(static_cast<int64_t>(pending.deliveries));
  }
  reply.Bulk("consumers");
  reply.ArrayHead(group.consumers.size());
  for (const auto& consumer : group.consumers) WriteFullConsumer(reply, consumer);
}

void RunFull(Call& call) {
  const Arguments args = call.args;
  int64_t count = 10;
  if (args.size() == 5 || args.size() > 6 || !Is(args[3], "full") || (args.size() == 6 && !Is(args[4], "count"))) {
    return WrongSubcommand(call.reply, args);
  }
  if (args.size() == 6) {
    const auto given = ReadInteger(call.reply, args[5]);
    if (!given) return;
    if (*given >= 0) count = *given;
  }
  auto full = call.db.engine().ReportFull(args[2], static_cast<size_t>(count));
  if (!full.ok()) return WriteFailure(call.reply, full.status());
  wire::RespWriter& reply = call.reply;
  reply.MapHead(9);
  WriteStreamHead(reply, full->report);
  reply.Bulk("entries");
  WriteEntries(reply, full->entries);
  reply.Bulk("groups");
  reply.ArrayHead(full->groups.size());
  for (const auto& group : full->groups) WriteFullGroup(reply, group);
}

}  // namespace

void RunXinfoStream(Call& call) {
  const Arguments args = call.args;
  if (args.size() > 3) {
    // The key is looked for first.
    auto exists = call.db.engine().Exists(args[2]);
    if (!exists.ok()) return WriteFailure(call.reply, exists.status());
    if (!*exists) return call.reply.Error("ERR no such key");
    return RunFull(call);
  }
  auto report = call.db.engine().ReportStream(args[2]);
  if (!report.ok()) return WriteFailure(call.reply, report.status());
  call.reply.MapHead(10);
  WriteStreamHead(call.reply, *report);
  WriteNumber(call.reply, "groups", report->groups);
  WriteEdge(call.reply, "first-entry", report->first);
  WriteEdge(call.reply, "last-entry", report->last);
}

void RunXinfoGroups(Call& call) {
  auto groups = call.db.engine().ReportGroups(call.args[2]);
  if (!groups.ok()) return WriteFailure(call.reply, groups.status());
  wire::RespWriter& reply = call.reply;
  reply.ArrayHead(groups->size());
  for (const streams::GroupReport& group : *groups) {
    reply.MapHead(6);
    reply.Bulk("name");
    reply.Bulk(group.name);
    WriteNumber(reply, "consumers", group.consumers);
    WriteNumber(reply, "pending", group.pending);
    WriteNamedId(reply, "last-delivered-id", group.last_id);
    WriteOptional(reply, "entries-read", group.entries_read);
    WriteOptional(reply, "lag", group.lag);
  }
}

void RunXinfoConsumers(Call& call) {
  auto consumers = call.db.engine().ReportConsumers(call.args[2], call.args[3]);
  if (!consumers.ok()) return WriteFailure(call.reply, consumers.status());
  wire::RespWriter& reply = call.reply;
  reply.ArrayHead(consumers->size());
  for (const streams::ConsumerReport& consumer : *consumers) {
    reply.MapHead(4);
    reply.Bulk("name");
    reply.Bulk(consumer.name);
    WriteNumber(reply, "pending", consumer.pending);
    reply.Bulk("idle");
    reply.Integer(consumer.idle_ms);
    reply.Bulk("inactive");
    reply.Integer(consumer.inactive_ms);
  }
}

void RunXinfoHelp(Call& call) {
  static constexpr std::string_view kLines[] = {
      "CONSUMERS <key> <groupname>",
      "    Show consumers of <groupname>.",
      "GROUPS <key>",
      "    Show the stream consumer groups.",
      "STREAM <key> [FULL [COUNT <count>]",
      "    Show information about the stream.",
  };
  WriteHelp(call.reply, "XINFO", kLines);
}

}  // namespace tocsin::commands
