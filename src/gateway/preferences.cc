// GET, PUT and DELETE /v1/users/{id}/preferences with an API key, and /v1/me/preferences with the user's own token:
// what the user has said about deliveries.
#include "state/preferences.h"

#include "gateway/hub.h"
#include "gateway/routes.h"

namespace tocsin::gateway {
namespace {

using state::Preferences;

void Store(Exchange& exchange, const std::string& user, const Preferences& preferences, HttpResponse good) {
  exchange.hub.backend().logs.SetPreferences(
      user, preferences, [respond = exchange.respond, good = std::move(good)](const base::Status& stored) {
        respond(stored.ok() ? good : ProblemOf(stored));
      });
}

}  // namespace

void GetPreferences(Exchange& exchange) {
  const std::string user = UserOf(exchange, "/preferences");
  if (user.empty()) return;
  auto found = [respond = exchange.respond](const base::Result<Preferences>& preferences) {
    if (!preferences.ok()) return respond(ProblemOf(preferences.status()));
    respond(Json(200, state::RenderPreferences(*preferences) + "\n"));
  };
  exchange.hub.backend().logs.GetPreferences(user, found);
}

void PutPreferences(Exchange& exchange) {
  const std::string user = UserOf(exchange, "/preferences");
  if (user.empty()) return;
  Preferences preferences;
  if (auto error = state::ParsePreferences(exchange.request.body, preferences)) {
    return exchange.respond(
        ProblemAt(400, error->field.empty() ? "bad_request" : "bad_field", error->message, -1, error->field));
  }
  Store(exchange, user, preferences, Json(200, state::RenderPreferences(preferences) + "\n"));
}

void DeletePreferences(Exchange& exchange) {
  const std::string user = UserOf(exchange, "/preferences");
  if (user.empty()) return;
  HttpResponse gone;
  gone.status = 204;
  Store(exchange, user, {}, std::move(gone));
}

}  // namespace tocsin::gateway
