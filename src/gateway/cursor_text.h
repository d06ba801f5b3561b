// Cursors as the HTTP twins write them: `<epoch>:<entry id>` in Last-Event-ID, `cur=` and the body of POST /v1/ack.
// With topics, behind it each of theirs: `,<topic>/<entry id>`.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "gateway/http.h"
#include "model/entry_id.h"
#include "session/session.h"
#include "wire/client_frame.h"

namespace tocsin::gateway {

struct EpochCursor {
  std::string epoch;  // empty: not given
  model::EntryId cursor;
  std::map<std::string, model::EntryId> topics;
};
// Without an epoch, too: `<id>` or `<id>,<topic>/<id>`. kInvalidArgument names `what`.
base::Result<EpochCursor> ParseEpochCursor(std::string_view text, std::string_view what);
std::string EpochCursorText(std::string_view epoch, model::EntryId cursor);
// Where the session's client stands in all its channels.
std::string EpochCursorText(std::string_view epoch, const session::Session& session);

// The hello that a request says with its query (dev, since, lang, cur, epoch, credit, topics) and its Last-Event-ID.
base::Result<wire::Hello> HelloFromQuery(const HttpRequest& request);

}  // namespace tocsin::gateway
