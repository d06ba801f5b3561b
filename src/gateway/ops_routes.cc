// What operators and probes call.
#include "base/metrics.h"
#include "gateway/connection.h"
#include "gateway/routes.h"
#include "wire/json.h"

namespace tocsin::gateway {

// The process answers.
void Healthz(Exchange& exchange) { exchange.respond(Json(200, "{\"status\":\"ok\"}\n")); }

// Publishes would be accepted; 503 with the reason otherwise.
void Readyz(Exchange& exchange) {
  const notifier::Publisher& publisher = exchange.hub.backend().publisher;
  const base::Status health = publisher.health();
  std::string body = "{\"ready\":";
  body += health.ok() ? "true" : "false";
  body += ",\"durability\":";
  wire::AppendJsonString(body, publisher.durability());
  body += ",\"store\":";
  wire::AppendJsonString(body, health.ToString());
  body.append(",\"queued\":").append(std::to_string(publisher.queued())).append("}\n");
  exchange.respond(Json(health.ok() ? 200 : 503, std::move(body)));
}

void Metrics(Exchange& exchange) {
  std::string body = base::MetricsText() + exchange.hub.backend().publisher.MetricsText();
  exchange.respond(
      {.status = 200, .content_type = "text/plain; version=0.0.4", .body = std::move(body), .headers = {}});
}

}  // namespace tocsin::gateway
