// What a route's handler gets and gives back.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "auth/api_keys.h"
#include "auth/jwt.h"
#include "base/result.h"
#include "wire/http.h"
#include "wire/uri.h"

namespace tocsin::gateway {

class Connection;
class Hub;

struct HttpRequest {
  wire::Method method = wire::Method::kGet;
  std::string path;  // decoded
  wire::QueryParameters query;
  std::string host, origin, authorization, api_key, content_type, cookie, idempotency_key, last_event_id;
  std::string if_none_match;
  std::string body;
  std::string_view Credential() const;  // of `Authorization: Bearer ...`; empty: none
};

struct HttpResponse {
  int status = 200;
  std::string content_type;  // empty: no body
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
};

// Answers one request, once, from any thread; the connection may have gone meanwhile.
class Responder {
 public:
  Responder(Hub& hub, uint64_t connection, uint64_t request) : hub_(&hub), connection_(connection), request_(request) {}
  void operator()(HttpResponse response) const;
  Hub& hub() const { return *hub_; }

 private:
  Hub* hub_;
  uint64_t connection_, request_;
};

// application/problem+json (RFC 9457). `detail` says what was wrong and how to mend it.
HttpResponse Problem(int status, std::string_view code, std::string_view detail);
// The member of the body that was wrong; `index` < 0: the body was one notification.
HttpResponse ProblemAt(int status, std::string_view code, std::string_view detail, int64_t index,
                       std::string_view field);
// What a failure of ours looks like to a client: 507, 503 with Retry-After, ...
HttpResponse ProblemOf(const base::Status& status);
HttpResponse Json(int status, std::string body);

// Everything a handler needs; lives for the call.
struct Exchange {
  Hub& hub;
  Connection& connection;
  HttpRequest& request;
  Responder respond;
  auth::ApiKey key;         // of routes that take a key
  auth::Identity identity;  // of routes that take a user's token
};

}  // namespace tocsin::gateway
