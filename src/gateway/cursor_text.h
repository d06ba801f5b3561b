// Cursors as the HTTP twins write them: `<epoch>:<entry id>` in Last-Event-ID, `cur=` and the body of POST /v1/ack.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "gateway/http.h"
#include "model/entry_id.h"
#include "wire/client_frame.h"

namespace tocsin::gateway {

struct EpochCursor {
  std::string epoch;  // empty: not given
  model::EntryId cursor;
};
// `<epoch>:<id>` or `<id>`. kInvalidArgument names `what`.
base::Result<EpochCursor> ParseEpochCursor(std::string_view text, std::string_view what);
std::string EpochCursorText(std::string_view epoch, model::EntryId cursor);

// The hello that a request says with its query (dev, since, lang, cur, epoch, credit) and its Last-Event-ID.
base::Result<wire::Hello> HelloFromQuery(const HttpRequest& request);

}  // namespace tocsin::gateway
