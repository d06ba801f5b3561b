#include "commands/entries.h"

#include "commands/arguments.h"

namespace tocsin::commands {

namespace {

// The fields, or nil.
void WriteFields(wire::RespWriter& reply, const streams::EntryView& entry);

void WriteClaimed(wire::RespWriter& reply, const streams::StreamEntries& read) {
  reply.ArrayHead(read.entries.size());
  for (size_t i = 0; i < read.entries.size(); ++i) {
    const bool claimed = i < read.claimed.size();
    reply.ArrayHead(4);
    WriteId(reply, read.entries.list[i].id());
    WriteFields(reply, read.entries.list[i]);
    reply.Integer(claimed ? read.claimed[i].idle_ms : 0);
    reply.Integer(claimed ? static_cast<int64_t>(read.claimed[i].deliveries) : 0);
  }
}

void WriteFields(wire::RespWriter& reply, const streams::EntryView& entry) {
  if (entry.gone()) return reply.NullArray();
  reply.ArrayHead(entry.size() * 2);
  streams::EntryView::Cursor cursor = entry.Walk();
  streams::FieldView field;
  while (cursor.Next(field)) {
    reply.Bulk(field.first);
    reply.Bulk(field.second);
  }
}

}  // namespace

void WriteEntry(wire::RespWriter& reply, const streams::EntryView& entry) {
  reply.ArrayHead(2);
  WriteId(reply, entry.id());
  WriteFields(reply, entry);
}

void WriteEntries(wire::RespWriter& reply, const streams::Entries& entries) {
  reply.ArrayHead(entries.size());
  for (const streams::EntryView& entry : entries.list) WriteEntry(reply, entry);
}

void WriteIds(wire::RespWriter& reply, const streams::Entries& entries) {
  reply.ArrayHead(entries.size());
  for (const streams::EntryView& entry : entries.list) WriteId(reply, entry.id());
}

void WriteReadAnswer(wire::RespWriter& reply, const streams::ReadRequest& request, const streams::ReadAnswer& answer) {
  if (!answer.ok()) return WriteFailure(reply, answer.status());
  if (answer->empty()) return reply.NullArray();
  const bool pairs = reply.version() == wire::RespVersion::k2;
  if (pairs) {
    reply.ArrayHead(answer->size());
  } else {
    reply.MapHead(answer->size());
  }
  for (const streams::StreamEntries& one : *answer) {
    if (pairs) reply.ArrayHead(2);
    reply.Bulk(request.streams[one.stream].key);
    if (request.claim_min_idle_ms && !request.streams[one.stream].after) {
      WriteClaimed(reply, one);
    } else {
      WriteEntries(reply, one.entries);
    }
  }
}

}  // namespace tocsin::commands
