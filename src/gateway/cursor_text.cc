#include "gateway/cursor_text.h"

#include <algorithm>
#include <charconv>

#include "model/limits.h"
#include "model/notification.h"

namespace tocsin::gateway {
namespace {

using base::Code;
using base::Result;
using base::Status;
using model::EntryId;

Status Wrong(std::string_view what, std::string_view expected) {
  return Status(Code::kInvalidArgument, "`" + std::string(what) + "`: expected " + std::string(expected));
}

std::optional<int64_t> Number(std::string_view text) {
  int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

Result<EpochCursor> ParseEpochCursor(std::string_view text, std::string_view what) {
  EpochCursor parsed;
  const size_t colon = text.find(':');
  if (colon != std::string_view::npos) {
    parsed.epoch = text.substr(0, colon);
    text.remove_prefix(colon + 1);
  }
  auto cursor = EntryId::Parse(text);
  if (!cursor || (colon != std::string_view::npos && parsed.epoch.empty())) {
    return Wrong(what, "a cursor as this server gave it, `<epoch>:<ms>-<n>`");
  }
  parsed.cursor = *cursor;
  return parsed;
}

std::string EpochCursorText(std::string_view epoch, EntryId cursor) {
  std::string text(epoch);
  text.push_back(':');
  cursor.AppendTo(text);
  return text;
}

Result<wire::Hello> HelloFromQuery(const HttpRequest& request) {
  wire::Hello hello;
  const wire::QueryParameters& query = request.query;
  if (auto device = query.Find("dev")) {
    if (!model::IsValidDeviceId(*device)) return Wrong("dev", "1 to 128 printable ASCII characters");
    hello.device = *device;
  }
  if (auto lang = query.Find("lang")) hello.lang = lang->substr(0, model::kMaxLang);
  if (auto since = query.Find("since")) {
    if (*since == "new") {
      hello.since.kind = wire::Since::Kind::kNew;
    } else if (auto ms = Number(*since); ms && *ms >= 0) {
      hello.since = {wire::Since::Kind::kTime, *ms};
    } else if (*since != "all") {
      return Wrong("since", "`all`, `new` or milliseconds since 1970");
    }
  }
  if (auto credit = query.Find("credit")) {
    auto number = Number(*credit);
    if (!number || *number < 1) return Wrong("credit", "a number from 1 to 1024");
    hello.credit = static_cast<int>(std::min<int64_t>(*number, model::kMaxCredit));
  }
  const auto cur = query.Find("cur");
  const std::string_view text = request.last_event_id.empty() ? cur.value_or("") : request.last_event_id;
  if (!text.empty()) {
    auto cursor = ParseEpochCursor(text, request.last_event_id.empty() ? "cur" : "Last-Event-ID");
    if (!cursor.ok()) return cursor.status();
    hello.cursor = cursor->cursor;
    hello.epoch = cursor->epoch.empty() ? std::string(query.Find("epoch").value_or("")) : cursor->epoch;
  }
  return hello;
}

}  // namespace tocsin::gateway
