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
  const Backend& backend = exchange.hub.backend();
  const base::Status health = backend.store.health();
  std::string body = "{\"ready\":";
  body += health.ok() ? "true" : "false";
  body += ",\"durability\":";
  wire::AppendJsonString(body, backend.options.durability);
  body += ",\"store\":";
  wire::AppendJsonString(body, health.ToString());
  body.append(",\"queued\":").append(std::to_string(backend.committer.queued())).append("}\n");
  exchange.respond(Json(health.ok() ? 200 : 503, std::move(body)));
}

void Metrics(Exchange& exchange) {
  const storage::CommitterStats stats = exchange.hub.backend().committer.stats();
  std::string body = base::MetricsText();
  auto add = [&body](std::string_view name, std::string_view help, uint64_t value) {
    body.append("# HELP ").append(name).append(" ").append(help).append("\n# TYPE ").append(name);
    body.append(" counter\n").append(name).append(" ").append(std::to_string(value)).append("\n");
  };
  add("tocsin_commit_turns_total", "Turns of the commit thread", stats.turns);
  add("tocsin_commit_syncs_total", "Syncs of the write-ahead log", stats.syncs);
  add("tocsin_commit_changes_total", "Changes committed", stats.changes);
  add("tocsin_commit_failed_turns_total", "Turns that failed: nothing of them was stored", stats.failed_turns);
  exchange.respond(
      {.status = 200, .content_type = "text/plain; version=0.0.4", .body = std::move(body), .headers = {}});
}

}  // namespace tocsin::gateway
