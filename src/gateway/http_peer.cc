#include "gateway/http_peer.h"

#include <algorithm>

#include "base/metrics.h"
#include "gateway/origin.h"
#include "gateway/websocket_peer.h"
#include "model/limits.h"
#include "wire/websocket.h"

namespace tocsin::gateway {
namespace {

using wire::Method;
using wire::RequestParser;

constexpr size_t kMaxPipelined = 32;
constexpr int64_t kBodyMs = 30'000;
constexpr std::string_view kWebSocketPath = "/v1/ws";

base::Counter requests("tocsin_http_requests_total", "HTTP requests");
base::Counter refused("tocsin_http_refused_total", "HTTP requests refused before their handler ran");

std::string_view CodeOf(int status) {
  switch (status) {
    case 408:
      return "timeout";
    case 413:
      return "too_large";
    case 431:
      return "head_too_large";
    case 501:
      return "not_implemented";
    case 505:
      return "http_version";
    default:
      return "bad_request";
  }
}

std::string Copy(std::optional<std::string_view> value) { return std::string(value.value_or(std::string_view())); }

}  // namespace

struct HttpPeer::Incoming {
  HttpRequest request;
  const Route* route = nullptr;
  uint64_t number = 0;
  auth::ApiKey key;
  auth::Identity identity;
};

HttpPeer::HttpPeer(Connection& connection) : connection_(connection), since_ms_(connection.hub().now().monotonic_ms) {}
HttpPeer::~HttpPeer() = default;

size_t HttpPeer::OnInput(std::span<char> bytes) {
  if (failed_) return bytes.size();
  const std::string_view text(bytes.data(), bytes.size());
  return incoming_ ? ReadBody(text) : ReadHead(text);
}

size_t HttpPeer::ReadHead(std::string_view bytes) {
  if (slots_ && slots_->size() >= kMaxPipelined) {
    connection_.PauseInput();
    return 0;
  }
  const bool was_idle = parser_.idle();
  wire::RequestHead head;
  switch (parser_.ReadHead(bytes, head)) {
    case RequestParser::Step::kHead:
      since_ms_ = connection_.hub().now().monotonic_ms;
      requests.Add();
      Begin(head);
      // A request without a body is complete now, whether or not anything follows it.
      return head.size + (incoming_ ? ReadBody(bytes.substr(head.size)) : 0);
    case RequestParser::Step::kError:
      Fail(parser_.error());
      return 0;
    default:
      if (was_idle) since_ms_ = connection_.hub().now().monotonic_ms;
      return 0;
  }
}

HttpPeer::Slot& HttpPeer::NewSlot(const wire::RequestHead& head) {
  if (!slots_) slots_ = std::make_unique<std::deque<Slot>>();
  Slot& slot = slots_->emplace_back();
  slot.request = next_request_++;
  slot.method = head.method;
  slot.connection = wire::ConnectionFor(head);
  slot.close = slot.connection == wire::Connection::kClose;
  return slot;
}

void HttpPeer::Begin(const wire::RequestHead& head) {
  if (head.path == kWebSocketPath && head.method == Method::kGet && !slots_ && wire::WantsWebSocket(head)) {
    wire::WsUpgrade upgrade;
    wire::WsRefusal refusal;
    if (wire::CheckUpgrade(head, upgrade, refusal)) return UpgradeToWebSocket(connection_, head, upgrade);
    return Fail({refusal.status, refusal.message});
  }
  incoming_ = std::make_unique<Incoming>();
  Incoming& incoming = *incoming_;
  HttpRequest& request = incoming.request;
  incoming.number = NewSlot(head).request;
  request.method = head.method;
  request.host = head.host;
  request.origin = Copy(head.Find("origin"));
  request.authorization = Copy(head.Find("authorization"));
  request.api_key = Copy(head.Find("x-api-key"));
  request.content_type = Copy(head.Find("content-type"));
  request.cookie = Copy(head.Find("cookie"));
  request.idempotency_key = Copy(head.Find("idempotency-key"));
  request.last_event_id = Copy(head.Find("last-event-id"));
  request.if_none_match = Copy(head.Find("if-none-match"));

  auto path = wire::PercentDecode(head.path);
  if (!path) return Refuse(incoming, Problem(400, "bad_request", "the path has a bad percent escape"));
  request.path = std::move(*path);
  auto query = wire::QueryParameters::Parse(head.query);
  if (!query.ok()) return Refuse(incoming, ProblemOf(query.status()));
  request.query = std::move(*query);

  if (!CheckOrigin(incoming)) return;
  std::string allowed;
  if (request.path == kWebSocketPath && head.method == Method::kGet) {
    HttpResponse response = Problem(426, "upgrade_required", "this is a WebSocket address: connect with ws://, alone");
    response.headers.emplace_back("Upgrade", "websocket");
    return Refuse(incoming, std::move(response));
  }
  incoming.route = FindRoute(head.method, request.path, allowed);
  if (incoming.route == nullptr) {
    if (allowed.empty()) return Refuse(incoming, Problem(404, "not_found", "there is nothing at " + request.path));
    if (head.method == Method::kOptions) return Preflight(incoming, allowed);
    HttpResponse response = Problem(405, "method_not_allowed", "this address takes " + allowed);
    response.headers.emplace_back("Allow", allowed);
    return Refuse(incoming, std::move(response));
  }
  if (!Authorize(incoming)) return;
  const size_t max_body = std::min(incoming.route->max_body, connection_.hub().backend().options.max_body);
  parser_.SetBodyLimit(max_body);
  if (head.expect_continue && head.framing != wire::BodyFraming::kNone && slots_->size() == 1 &&
      head.content_length <= max_body) {
    wire::AppendContinue(connection_.output());
  }
}

bool HttpPeer::CheckOrigin(Incoming& incoming) {
  const HttpRequest& request = incoming.request;
  if (request.origin.empty()) return true;
  if (IsAllowedOrigin(connection_.hub().backend().options, request.origin, request.host)) {
    slots_->back().cors_origin = request.origin;
    return true;
  }
  Refuse(incoming, Problem(403, "origin_not_allowed",
                           "pages of this origin may not call this server: add it to `allowed_origins`"));
  return false;
}

void HttpPeer::Preflight(Incoming& incoming, std::string_view allowed) {
  HttpResponse response;
  response.status = 204;
  response.headers.emplace_back("Access-Control-Allow-Methods", allowed);
  response.headers.emplace_back("Access-Control-Allow-Headers",
                                "authorization, content-type, idempotency-key, last-event-id, x-api-key");
  response.headers.emplace_back("Access-Control-Max-Age", "600");
  Refuse(incoming, std::move(response));
}

bool HttpPeer::Authorize(Incoming& incoming) {
  switch (incoming.route->access) {
    case Access::kOpen:
      return true;
    case Access::kKey:
      return AuthorizeKey(incoming);
    case Access::kUser:
      return AuthorizeUser(incoming);
    case Access::kPage:
      if (IsOwnHost(connection_.hub().backend().options, incoming.request.host)) return true;
      Refuse(incoming, Problem(421, "wrong_host", "pages are served under localhost, 127.0.0.1 and `public_url` only"));
      return false;
  }
  return false;
}

bool HttpPeer::AuthorizeKey(Incoming& incoming) {
  const Backend& backend = connection_.hub().backend();
  const HttpRequest& request = incoming.request;
  const std::string_view secret = request.api_key.empty() ? request.Credential() : std::string_view(request.api_key);
  if (!backend.guesses.Allowed(connection_.peer_address())) {
    HttpResponse response = Problem(429, "too_many_wrong_keys", "too many wrong keys came from this address");
    response.headers.emplace_back("Retry-After",
                                  std::to_string(backend.guesses.RetryAfterSeconds(connection_.peer_address())));
    Refuse(incoming, std::move(response));
    return false;
  }
  if (secret.empty()) {
    Refuse(incoming, Problem(401, "no_key", "send an API key in the header `x-api-key`"));
    return false;
  }
  auto key = backend.options.api_keys.Check(secret);
  if (!key.ok()) {
    backend.guesses.CountWrong(connection_.peer_address());
    Refuse(incoming, Problem(401, "wrong_key", "the API key is not one of this server's"));
    return false;
  }
  if (!key->scopes.Has(incoming.route->scope)) {
    Refuse(incoming,
           Problem(403, "scope_missing",
                   "this API key lacks the scope `" + std::string(auth::ScopeName(incoming.route->scope)) + "`"));
    return false;
  }
  incoming.key = std::move(*key);
  return true;
}

bool HttpPeer::AuthorizeUser(Incoming& incoming) {
  std::string_view token = incoming.request.Credential();
  if (token.empty()) token = SessionCookie(incoming.request.cookie);
  if (token.empty()) {
    Refuse(incoming, Problem(401, "no_token",
                             "send the user's token as `Authorization: Bearer ...`, or as the cookie "
                             "that POST /v1/session sets"));
    return false;
  }
  auto identity = connection_.hub().tokens().Verify(token);
  if (!identity.ok()) {
    Refuse(incoming, ProblemOf(identity.status()));
    return false;
  }
  incoming.identity = std::move(*identity);
  return true;
}

// Answers before the handler. A body that was announced is not waited for: the connection ends with the answer.
void HttpPeer::Refuse(Incoming& incoming, HttpResponse response) {
  refused.Add();
  if (response.status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  const uint64_t number = incoming.number;
  incoming.route = nullptr;
  Respond(number, std::move(response));
}

// The framing is lost: the last answer of this connection.
void HttpPeer::Fail(const wire::HttpError& error) {
  failed_ = true;
  if (incoming_) {
    const uint64_t number = incoming_->number;
    incoming_.reset();
    slots_->back().close = true;
    Respond(number, Problem(error.status, CodeOf(error.status), error.message));
  } else {
    wire::RequestHead head;
    Slot& slot = NewSlot(head);
    slot.close = true;
    HttpResponse response = Problem(error.status, CodeOf(error.status), error.message);
    if (error.status == 426) {
      response.headers.emplace_back("Upgrade", "websocket");
      response.headers.emplace_back("Sec-WebSocket-Version", "13");
    }
    Respond(slot.request, std::move(response));
  }
}

size_t HttpPeer::ReadBody(std::string_view bytes) {
  size_t total = 0;
  while (true) {
    std::string_view piece;
    size_t consumed = 0;
    const RequestParser::Step step = parser_.ReadBody(bytes.substr(total), piece, consumed);
    total += consumed;
    switch (step) {
      case RequestParser::Step::kBody:
        if (incoming_->route != nullptr) incoming_->request.body += piece;
        continue;
      case RequestParser::Step::kEnd:
        since_ms_ = connection_.hub().now().monotonic_ms;
        Finish();
        return total;
      case RequestParser::Step::kError:
        Fail(parser_.error());
        return total;
      default:
        return total;
    }
  }
}

void HttpPeer::Finish() {
  std::unique_ptr<Incoming> incoming = std::move(incoming_);
  if (incoming->route == nullptr) return;  // it was answered already
  Exchange exchange{connection_.hub(),        connection_,
                    incoming->request,        Responder(connection_.hub(), connection_.number(), incoming->number),
                    std::move(incoming->key), std::move(incoming->identity)};
  incoming->route->handle(exchange);
}

void HttpPeer::Respond(uint64_t request, HttpResponse response) {
  if (!slots_) return;
  auto slot = std::find_if(slots_->begin(), slots_->end(), [&](const Slot& s) { return s.request == request; });
  if (slot == slots_->end() || slot->answered) return;
  slot->answered = true;
  slot->response = std::move(response);
  Flush();
}

void HttpPeer::Flush() {
  while (slots_ && !slots_->empty() && slots_->front().answered) {
    Write(slots_->front());
    const bool close = slots_->front().close;
    slots_->pop_front();
    if (close) {
      slots_.reset();
      return connection_.CloseAfterFlush();
    }
  }
  if (!slots_ || slots_->size() < kMaxPipelined) connection_.ResumeInputLater();
  if (slots_ && slots_->empty()) {
    slots_.reset();
    since_ms_ = connection_.hub().now().monotonic_ms;
  }
}

void HttpPeer::Write(const Slot& slot) {
  const HttpResponse& response = slot.response;
  std::vector<wire::HttpHeader> headers;
  headers.reserve(response.headers.size() + 5);
  headers.push_back({"Date", connection_.hub().HttpDate()});
  if (!response.content_type.empty()) headers.push_back({"Content-Type", response.content_type});
  if (!slot.cors_origin.empty()) {
    headers.push_back({"Access-Control-Allow-Origin", slot.cors_origin});
    headers.push_back({"Access-Control-Allow-Credentials", "true"});
    headers.push_back({"Vary", "Origin"});
  }
  for (const auto& [name, value] : response.headers) headers.push_back({name, value});
  wire::ResponseHead head;
  head.status = response.status;
  if (response.status != 204 && response.status != 304) head.content_length = response.body.size();
  head.connection = slot.close ? wire::Connection::kClose : slot.connection;
  head.headers = headers;
  std::string& out = connection_.output();
  wire::AppendResponseHead(out, head);
  if (slot.method != Method::kHead) out += response.body;
}

// What was asked is answered, then the connection ends.
bool HttpPeer::OnInputEnd() {
  incoming_.reset();
  if (!slots_) return false;
  slots_->back().close = true;
  return true;
}

void HttpPeer::OnTick(session::Moment now) {
  const int64_t waited_ms = now.monotonic_ms - since_ms_;
  if (incoming_) {
    if (waited_ms >= kBodyMs) Fail({408, "the body did not arrive within 30 s"});
  } else if (slots_) {
    return;  // the answer is ours to give
  } else if (!parser_.idle()) {
    if (waited_ms >= model::kUnauthenticatedMs) Fail({408, "the request head did not arrive within 5 s"});
  } else if (waited_ms >= (next_request_ == 1 ? model::kUnauthenticatedMs : model::kKeepAliveMs)) {
    connection_.CloseAfterFlush();
  }
}

void HttpPeer::OnDrain(int64_t) {
  if (!slots_ && !incoming_) return connection_.CloseAfterFlush();
  if (slots_) slots_->back().close = true;
}

void Responder::operator()(HttpResponse response) const {
  Hub* hub = hub_;
  const uint64_t connection = connection_, request = request_;
  if (runtime::Core::Current() != &hub->core()) {
    hub->core().Post([hub, connection, request, response = std::move(response)]() mutable {
      Responder(*hub, connection, request)(std::move(response));
    });
    return;
  }
  Connection* found = hub->Find(connection);
  if (found == nullptr) return;
  if (auto* peer = dynamic_cast<HttpPeer*>(found->peer())) peer->Respond(request, std::move(response));
}

}  // namespace tocsin::gateway
