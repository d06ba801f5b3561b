// GET /v1/schedules and DELETE /v1/schedules/{nid}: what is to be delivered later, and cancelling it.
#include <charconv>

#include "auth/base64url.h"
#include "base/log.h"
#include "gateway/hub.h"
#include "gateway/routes.h"
#include "model/bytes.h"
#include "model/limits.h"
#include "notifier/router.h"
#include "wire/json.h"

namespace tocsin::gateway {
namespace {

using notifier::SchedulePage;
using notifier::SchedulePlace;

constexpr size_t kDefaultPage = 100;

std::string TokenOf(const SchedulePlace& place) {
  std::string bytes;
  model::PutBig64(bytes, static_cast<uint64_t>(place.deliver_at_ms));
  place.id.EncodeTo(bytes);
  model::PutString(bytes, place.stream);
  return auth::EncodeBase64Url(bytes + place.user);
}

std::optional<SchedulePlace> PlaceOf(std::string_view token) {
  const auto bytes = auth::DecodeBase64Url(token);
  constexpr size_t kFixed = 8 + model::EntryId::kEncodedSize;
  if (!bytes || bytes->size() <= kFixed) return std::nullopt;
  const uint64_t at = model::GetBig64(bytes->data());
  if (at > uint64_t{INT64_MAX}) return std::nullopt;
  model::ByteReader names(std::string_view(*bytes).substr(kFixed));
  std::string_view stream;
  if (!names.String(stream) || stream.empty()) return std::nullopt;
  return SchedulePlace{static_cast<int64_t>(at), model::EntryId::Decode(std::string_view(*bytes).substr(8)),
                       std::string(stream), std::string(names.rest())};
}

HttpResponse Listed(const SchedulePage& page) {
  std::string out = "{\"items\":[";
  for (const SchedulePage::Line& line : page.lines) {
    out += out.back() == '[' ? "{\"nid\":" : ",{\"nid\":";
    wire::AppendJsonString(out, notifier::NidOf(line.place.stream, line.place.id));
    out += ",\"deliver_at\":";
    wire::AppendJsonNumber(out, line.place.deliver_at_ms);
    out += ",\"users\":";
    wire::AppendJsonNumber(out, line.users);
    out += ",\"stream\":";
    wire::AppendJsonString(out, line.place.stream);
    if (!line.place.user.empty()) {
      out += ",\"user_id\":";
      wire::AppendJsonString(out, line.place.user);
    }
    out.push_back('}');
  }
  out.push_back(']');
  if (page.more) {
    out += ",\"after\":";
    wire::AppendJsonString(out, TokenOf(page.lines.back().place));
  }
  return Json(200, out + "}\n");
}

}  // namespace

void ListSchedules(Exchange& exchange) {
  size_t limit = kDefaultPage;
  if (auto text = exchange.request.query.Find("limit")) {
    auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), limit);
    const bool whole = error == std::errc() && end == text->data() + text->size();
    if (!whole || limit < 1 || limit > model::kMaxSchedulePage) {
      return exchange.respond(Problem(400, "bad_request", "`limit`: expected 1 to 1000"));
    }
  }
  SchedulePlace after;
  if (auto text = exchange.request.query.Find("after")) {
    auto place = PlaceOf(*text);
    if (!place) {
      return exchange.respond(Problem(400, "bad_request", "`after`: expected what the page before had as `after`"));
    }
    after = std::move(*place);
  }
  auto listed = [respond = exchange.respond](const base::Result<SchedulePage>& page) {
    respond(page.ok() ? Listed(*page) : ProblemOf(page.status()));
  };
  exchange.hub.backend().publisher.ListScheduled(std::move(after), limit, listed);
}

void CancelSchedule(Exchange& exchange) {
  const std::string nid = LastPart(exchange.request);
  auto cancelled = [respond = exchange.respond, nid](const base::Result<bool>& was) {
    if (!was.ok()) return respond(ProblemOf(was.status()));
    if (!*was) {
      return respond(Problem(404, "not_scheduled",
                             "no notification of that nid waits for its time: it was never "
                             "scheduled, was delivered or was cancelled"));
    }
    base::Log(base::Level::kInfo, "cancelled", {{"nid", nid}});
    respond(Json(200, "{\"cancelled\":true}\n"));
  };
  exchange.hub.backend().publisher.CancelScheduled(nid, cancelled);
}

}  // namespace tocsin::gateway
