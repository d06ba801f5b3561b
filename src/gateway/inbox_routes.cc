// GET /v1/users/{id}/inbox and /unread, POST /v1/users/{id}/mark with an API key, and /v1/me/... with the user's own
// token: what the frames `list` and `mark` do on a socket, for who has none. Of the user's own log.
#include <charconv>

#include "gateway/hub.h"
#include "gateway/routes.h"
#include "model/limits.h"
#include "model/notification.h"
#include "session/server_frame.h"
#include "wire/json.h"

namespace tocsin::gateway {
namespace {

using base::Result;
using model::EntryId;

struct PageRequest {
  EntryId before = EntryId::Max();
  size_t limit = model::kDefaultListLimit;
  logs::ListFilter filter = logs::ListFilter::kInbox;
};

// False: it was answered what is wrong with the query.
bool ReadQuery(Exchange& exchange, PageRequest& page) {
  const auto wrong = [&exchange](std::string_view what) {
    exchange.respond(Problem(400, "bad_request", what));
    return false;
  };
  const wire::QueryParameters& query = exchange.request.query;
  if (auto text = query.Find("limit")) {
    auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), page.limit);
    const bool whole = error == std::errc() && end == text->data() + text->size();
    if (!whole || page.limit < 1 || page.limit > static_cast<size_t>(model::kMaxListLimit)) {
      return wrong("`limit`: expected 1 to 200");
    }
  }
  if (auto text = query.Find("before")) {
    auto before = EntryId::Parse(*text);
    if (!before) return wrong("`before`: expected what the page before had as `before`");
    page.before = *before;
  }
  if (auto text = query.Find("filter")) {
    auto filter = logs::ParseListFilter(*text);
    if (!filter) return wrong("`filter`: expected one of `inbox`, `unread`, `archived`, `all`");
    page.filter = *filter;
  }
  return true;
}

std::string Counted(const logs::LogHead& head) {
  std::string counts;
  session::AppendCounts(counts, head.last, head.counts);
  return counts;
}

// `counts` of the log as it is when it is asked.
void RespondWithCounts(Hub& hub, const std::string& user, std::string body, const Responder& respond) {
  hub.backend().logs.Open(user, {}, [body = std::move(body), respond](const Result<logs::LogOpening>& opening) {
    if (!opening.ok()) return respond(ProblemOf(opening.status()));
    respond(Json(200, body + "\"counts\":" + Counted(opening->head) + "}\n"));
  });
}

HttpResponse Wrong(std::string_view field, std::string_view expected) {
  return ProblemAt(400, "bad_field", "expected " + std::string(expected), -1, field);
}

// What is wrong with it, if anything is.
std::optional<HttpResponse> ReadNids(wire::JsonValue value, std::vector<std::string>& nids) {
  const std::string rule = "an array of 1 to " + std::to_string(model::kMaxMarkIds) + " nids";
  if (!value.is_array()) return Wrong("ids", rule);
  for (wire::ElementReader e(value); e.Next();) {
    if (!e.value().is_string() || nids.size() == model::kMaxMarkIds) return Wrong("ids", rule);
    nids.push_back(wire::Text(e.value()));
    if (nids.back().empty()) return Wrong("ids", "nids that are not empty");
  }
  if (nids.empty()) return Wrong("ids", rule);
  return std::nullopt;
}

std::optional<HttpResponse> ReadMember(std::string_view name, wire::JsonValue value, logs::MarkRequest& mark) {
  if (name == "ids") return ReadNids(value, mark.nids);
  const bool known = name == "op" || name == "upto" || name == "mid";
  if (!known) {
    return ProblemAt(400, "unknown_field", "there is no such field; `op`, `ids`, `upto` and `mid` are known", -1, name);
  }
  if (!value.is_string()) return Wrong(name, "a string");
  const std::string text = wire::Text(value);
  if (name == "op") {
    auto op = model::ParseMarkOp(text);
    if (!op) return Wrong(name, "one of `read`, `unread`, `seen`, `archive`, `delete`");
    mark.op = *op;
  } else if (name == "upto") {
    mark.upto = EntryId::Parse(text);
    if (!mark.upto) return Wrong(name, "an id of the user's log, `<ms>-<n>`");
  } else {
    if (text.empty() || text.size() > model::kMaxDeviceId) return Wrong(name, "1 to 128 bytes");
    mark.mid = text;
  }
  return std::nullopt;
}

std::optional<HttpResponse> ReadMark(std::string_view body, logs::MarkRequest& mark) {
  auto object = wire::ParseJson(body);
  if (!object.ok()) return ProblemOf(object.status());
  if (!object->is_object()) return Problem(400, "bad_request", "expected an object with `op`, and `ids` or `upto`");
  bool has_op = false;
  for (wire::MemberReader member(*object); member.Next();) {
    has_op |= member.key() == "op";
    if (auto problem = ReadMember(member.key(), member.value(), mark)) return problem;
  }
  if (!has_op) return Wrong("op", "one of `read`, `unread`, `seen`, `archive`, `delete`");
  if (mark.upto.has_value() != mark.nids.empty()) return Wrong("ids", "either `ids` or `upto`");
  return std::nullopt;
}

}  // namespace

void GetInbox(Exchange& exchange) {
  const std::string user = UserOf(exchange, "/inbox");
  PageRequest page;
  if (user.empty() || !ReadQuery(exchange, page)) return;
  Hub& hub = exchange.hub;
  auto listed = [&hub, user, respond = exchange.respond](const Result<logs::ListPage>& found) {
    if (!found.ok()) return respond(ProblemOf(found.status()));
    std::vector<logs::LogLine> lines = found->lines;
    logs::DropExpired(lines, hub.now().wall_ms);
    std::string body = "{\"items\":[";
    for (const logs::LogLine& line : lines) {
      if (body.back() != '[') body.push_back(',');
      session::AppendItem(body, line);
    }
    body += "],";
    if (found->before) {
      body += "\"before\":\"";
      found->before->AppendTo(body);
      body += "\",";
    }
    RespondWithCounts(hub, user, std::move(body), respond);
  };
  hub.backend().logs.List(user, page.before, page.limit, page.filter, listed);
}

void GetUnread(Exchange& exchange) {
  const std::string user = UserOf(exchange, "/unread");
  if (!user.empty()) RespondWithCounts(exchange.hub, user, "{", exchange.respond);
}

void PostMark(Exchange& exchange) {
  logs::MarkRequest mark;
  mark.user = UserOf(exchange, "/mark");
  if (mark.user.empty()) return;
  if (auto problem = ReadMark(exchange.request.body, mark)) return exchange.respond(std::move(*problem));
  Hub& hub = exchange.hub;
  const std::string user = mark.user;
  hub.backend().logs.Mark(std::move(mark),
                          [&hub, user, respond = exchange.respond](const Result<logs::Counts>& marked) {
                            if (!marked.ok()) return respond(ProblemOf(marked.status()));
                            RespondWithCounts(hub, user, "{", respond);
                          });
}

}  // namespace tocsin::gateway
