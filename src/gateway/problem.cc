#include "base/log.h"
#include "gateway/http.h"
#include "wire/json.h"

namespace tocsin::gateway {
namespace {

using base::Code;
using wire::AppendJsonNumber;
using wire::AppendJsonString;

}  // namespace

HttpResponse ProblemAt(int status, std::string_view code, std::string_view detail, int64_t index,
                       std::string_view field) {
  HttpResponse response;
  response.status = status;
  response.content_type = "application/problem+json";
  std::string& out = response.body;
  out += "{\"type\":";
  AppendJsonString(out, "/docs/errors#" + std::string(code));
  out += ",\"title\":";
  AppendJsonString(out, wire::ReasonPhrase(status));
  out += ",\"status\":";
  AppendJsonNumber(out, int64_t{status});
  out += ",\"code\":";
  AppendJsonString(out, code);
  out += ",\"detail\":";
  AppendJsonString(out, detail);
  if (!field.empty()) {
    out += ",\"field\":";
    AppendJsonString(out, field);
  }
  if (index >= 0) {
    out += ",\"index\":";
    AppendJsonNumber(out, index);
  }
  out += "}\n";
  return response;
}

HttpResponse Problem(int status, std::string_view code, std::string_view detail) {
  return ProblemAt(status, code, detail, -1, {});
}

HttpResponse ProblemOf(const base::Status& status) {
  auto later = [](HttpResponse response, std::string_view seconds) {
    response.headers.emplace_back("Retry-After", seconds);
    return response;
  };
  switch (status.code()) {
    case Code::kInvalidArgument:
      return Problem(400, "bad_request", status.message());
    case Code::kUnauthenticated:
      return Problem(401, "bad_token", status.message());
    case Code::kExpired:
      return Problem(401, "token_expired", status.message());
    case Code::kPermissionDenied:
      return Problem(403, "not_allowed", status.message());
    case Code::kNotFound:
      return Problem(404, "not_found", status.message());
    case Code::kConflict:
      return Problem(409, "conflict", status.message());
    case Code::kTooLarge:
      return Problem(413, "too_large", status.message());
    case Code::kResourceExhausted:
      return later(Problem(429, "overload", status.message()), "1");
    case Code::kNoSpace:
      return later(Problem(507, "no_space", "the disk of the server is full: nothing was stored"), "10");
    case Code::kUnavailable:
    case Code::kCancelled:
      return later(Problem(503, "unavailable", status.message()), "1");
    default:
      base::Log(base::Level::kError, "request_failed", {{"error", status.ToString()}});
      return Problem(500, "internal", "the server could not do this; its log says why");
  }
}

HttpResponse Json(int status, std::string body) {
  return {.status = status, .content_type = "application/json", .body = std::move(body), .headers = {}};
}

std::string_view HttpRequest::Credential() const {
  constexpr std::string_view kScheme = "Bearer ";
  std::string_view value = authorization;
  if (value.size() <= kScheme.size() || !wire::EqualsIgnoreCase(value.substr(0, kScheme.size()), kScheme)) return {};
  return value.substr(kScheme.size());
}

}  // namespace tocsin::gateway
