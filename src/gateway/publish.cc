// POST /v1/notifications: validated on the Core, appended by the publisher, answered when it is durable.
#include "wire/publish.h"

#include <algorithm>

#include "auth/digest.h"
#include "base/metrics.h"
#include "gateway/connection.h"
#include "gateway/routes.h"
#include "wire/json.h"
#include "wire/notification_fields.h"

namespace tocsin::gateway {
namespace {

base::Counter accepted("tocsin_notifications_accepted_total", "Notifications accepted over HTTP");

HttpResponse Accepted(const std::vector<std::string>& nids, std::string_view durability) {
  accepted.Add(static_cast<int64_t>(nids.size()));
  std::string body = "{\"items\":[";
  for (const std::string& nid : nids) {
    body += body.back() == '[' ? "{\"nid\":" : ",{\"nid\":";
    wire::AppendJsonString(body, nid);
    body.push_back('}');
  }
  body += "],\"durability\":";
  wire::AppendJsonString(body, durability);
  body += "}\n";
  return Json(202, std::move(body));
}

}  // namespace

void Publish(Exchange& exchange) {
  const HttpRequest& request = exchange.request;
  auto type = wire::ParsePublishType(request.content_type);
  if (!type) {
    return exchange.respond(Problem(415, "content_type", "send application/json or application/x-ndjson"));
  }
  const bool printable = std::all_of(request.idempotency_key.begin(), request.idempotency_key.end(),
                                     [](char c) { return c > ' ' && c < 0x7F; });
  if (request.idempotency_key.size() > model::kMaxIdempotencyKey || !printable) {
    return exchange.respond(Problem(400, "bad_idempotency_key",
                                    "`Idempotency-Key`: expected 1 to 255 printable ASCII characters without spaces"));
  }
  std::vector<model::Notification> notifications;
  if (auto error = wire::ParsePublish(*type, request.body, exchange.hub.now().wall_ms, notifications)) {
    return exchange.respond(ProblemAt(400, "bad_field", error->message, error->index, error->field));
  }
  if (request.query.Find("dry_run") == "1") {
    return exchange.respond(Json(200, "{\"valid\":" + std::to_string(notifications.size()) + "}\n"));
  }
  const Backend& backend = exchange.hub.backend();
  std::vector<model::StreamFields> entries;
  entries.reserve(notifications.size());
  for (const model::Notification& notification : notifications) entries.push_back(wire::ToFields(notification));
  notifier::IdempotencyKey key;
  if (!request.idempotency_key.empty()) {
    key = {exchange.key.name, request.idempotency_key, std::string(auth::AsBytes(auth::Sha256(request.body)))};
  }
  auto answer = [&backend, respond = exchange.respond](const base::Result<std::vector<std::string>>& nids) {
    if (!nids.ok() && nids.status().code() == base::Code::kConflict) {
      return respond(Problem(409, "idempotency_conflict", nids.status().message()));
    }
    respond(nids.ok() ? Accepted(*nids, backend.publisher.durability()) : ProblemOf(nids.status()));
  };
  backend.publisher.Publish({std::move(entries), std::move(key)}, answer);
}

}  // namespace tocsin::gateway
