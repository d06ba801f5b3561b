// How entries are written into replies.
#pragma once

#include "commands/command.h"
#include "streams/chunk.h"

namespace tocsin::commands {

// [id, [field, value, ...]]; of an entry that is gone, [id, nil].
void WriteEntry(wire::RespWriter& reply, const streams::EntryView& entry);
void WriteEntries(wire::RespWriter& reply, const streams::Entries& entries);
// The ids only (JUSTID).
void WriteIds(wire::RespWriter& reply, const streams::Entries& entries);
// The reply to XREAD and XREADGROUP: nil when there is nothing. With CLAIM each entry also has how long it was idle and
// how often it was delivered before, 0 and 0 of a new one.
void WriteReadAnswer(wire::RespWriter& reply, const streams::ReadRequest& request, const streams::ReadAnswer& answer);

}  // namespace tocsin::commands
