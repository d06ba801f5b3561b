// The pages that are built in: what error codes mean under /docs, and the demo inbox at `/` when it is on.
#include "gateway/assets.h"
#include "gateway/connection.h"
#include "gateway/routes.h"

namespace tocsin::gateway {

void Page(Exchange& exchange) {
  const HttpRequest& request = exchange.request;
  const bool docs = request.path.starts_with("/docs/");
  std::string path = request.path;
  if (docs && path.find('.') == std::string::npos) path += ".html";  // /docs/errors
  auto asset = docs || exchange.hub.backend().options.demo ? FindAsset(path) : std::nullopt;
  if (!asset) {
    const bool root = request.path == "/";
    return exchange.respond(Problem(
        404, "not_found",
        root ? "the demo inbox is off: start with `tocsin serve --demo`" : "there is nothing at " + request.path));
  }
  HttpResponse response;
  response.headers = {{"ETag", std::string(asset->etag)},
                      {"Cache-Control", "no-cache"},
                      {"Content-Security-Policy", std::string(kPageSecurityPolicy)},
                      {"X-Content-Type-Options", "nosniff"},
                      {"Referrer-Policy", "no-referrer"}};
  if (request.if_none_match == asset->etag) {
    response.status = 304;
  } else {
    response.content_type = asset->content_type;
    response.body = asset->content;
  }
  exchange.respond(std::move(response));
}

}  // namespace tocsin::gateway
