#include "commands/entries.h"

#include "commands/arguments.h"

namespace tocsin::commands {

void WriteEntry(wire::RespWriter& reply, const streams::EntryView& entry) {
  reply.ArrayHead(2);
  WriteId(reply, entry.id());
  if (entry.gone()) return reply.NullArray();
  reply.ArrayHead(entry.size() * 2);
  streams::EntryView::Cursor cursor = entry.Walk();
  streams::FieldView field;
  while (cursor.Next(field)) {
    reply.Bulk(field.first);
    reply.Bulk(field.second);
  }
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
    WriteEntries(reply, one.entries);
  }
}

}  // namespace tocsin::commands
