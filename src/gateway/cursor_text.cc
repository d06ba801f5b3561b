#include "gateway/cursor_text.h"

#include <algorithm>
#include <charconv>

#include "model/limits.h"
#include "model/notification.h"
#include "model/topic.h"

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
  const std::string_view expected = "a cursor as this server gave it, `<epoch>:<ms>-<n>`";
  std::string_view rest = text.substr(std::min(text.find(','), text.size()));
  text.remove_suffix(rest.size());
  while (!rest.empty()) {
    rest.remove_prefix(1);
    const std::string_view one = rest.substr(0, rest.find(','));
    rest.remove_prefix(one.size());
    const size_t slash = std::min(one.find('/'), one.size());
    auto id = EntryId::Parse(one.substr(std::min(slash + 1, one.size())));
    if (!id || !model::IsValidTopic(one.substr(0, slash))) return Wrong(what, expected);
    parsed.topics.insert_or_assign(std::string(one.substr(0, slash)), *id);
  }
  const size_t colon = text.find(':');
  if (colon != std::string_view::npos) {
    parsed.epoch = text.substr(0, colon);
    text.remove_prefix(colon + 1);
  }
  auto cursor = EntryId::Parse(text);
  if (!cursor || (colon != std::string_view::npos && parsed.epoch.empty())) {
    return Wrong(what, expected);
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

std::string EpochCursorText(std::string_view epoch, const session::Session& session) {
  std::string text = EpochCursorText(epoch, session.told());
  session.ForEachTopic([&text](const session::Channel& channel) {
    text.append(",").append(channel.topic()).push_back('/');
    channel.told().AppendTo(text);
  });
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
      hello.since = {wire::Since::Kind::kNew, 0, true};
    } else if (auto ms = Number(*since); ms && *ms >= 0) {
      hello.since = {wire::Since::Kind::kTime, *ms, true};
    } else if (*since != "all") {
      return Wrong("since", "`all`, `new` or milliseconds since 1970");
    } else {
      hello.since.given = true;
    }
  }
  if (auto credit = query.Find("credit")) {
    auto number = Number(*credit);
    if (!number || *number < 1) return Wrong("credit", "a number from 1 to 1024");
    hello.credit = static_cast<int>(std::min<int64_t>(*number, model::kMaxCredit));
  }
  if (auto topics = query.Find("topics")) {
    hello.knows_topics = true;
    for (std::string_view rest = *topics; !rest.empty();) {
      const std::string_view topic = rest.substr(0, rest.find(','));
      rest.remove_prefix(std::min(topic.size() + 1, rest.size()));
      if (hello.topics.size() == model::kMaxTopics) return Wrong("topics", "at most 100, with commas between them");
      if (!topic.empty()) hello.topics.emplace_back(topic);
    }
  }
  const auto cur = query.Find("cur");
  const std::string_view text = request.last_event_id.empty() ? cur.value_or("") : request.last_event_id;
  if (!text.empty()) {
    auto cursor = ParseEpochCursor(text, request.last_event_id.empty() ? "cur" : "Last-Event-ID");
    if (!cursor.ok()) return cursor.status();
    hello.cursor = cursor->cursor;
    hello.knows_topics |= !cursor->topics.empty();
    hello.topic_cursors = std::move(cursor->topics);
    hello.epoch = cursor->epoch.empty() ? std::string(query.Find("epoch").value_or("")) : cursor->epoch;
  }
  return hello;
}

}  // namespace tocsin::gateway
