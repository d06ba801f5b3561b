#include "gateway/event_peer.h"

#include "gateway/cursor_text.h"
#include "gateway/routes.h"
#include "wire/json.h"

namespace tocsin::gateway {
namespace {

constexpr std::string_view kHead =
    "HTTP/1.1 200 OK\r\n"
    "Content-Type: text/event-stream\r\n"
    "Cache-Control: no-store\r\n"
    "X-Accel-Buffering: no\r\n";  // nginx would hold events back

}  // namespace

EventPeer::EventPeer(Connection& connection) : connection_(connection), spoke_ms_(connection.hub().now().monotonic_ms) {
  session::SessionOptions options;
  options.sid = UserSession::NewSid();
  options.liveness = session::SessionOptions::Liveness::kNone;
  options.credit = session::SessionOptions::Credit::kUnlimited;
  session_ = std::make_shared<UserSession>(connection.hub(), *this, std::move(options));
}

void EventPeer::Begin(const auth::Identity& identity, const wire::Hello& hello) {
  session_->session().Begin(identity, hello);
}

void EventPeer::SendFrame(std::string_view frame, std::optional<model::EntryId> cur) {
  if (connection_.closing()) return;
  std::string& out = connection_.output();
  if (cur) {
    out.append("id: ").append(EpochCursorText(session_->epoch(), session_->session())).push_back('\n');
  }
  out.append("data: ").append(frame).append("\n\n");
  spoke_ms_ = connection_.hub().now().monotonic_ms;
}

void EventPeer::OnTick(session::Moment now) {
  session_->session().OnTick(now);
  if (now.monotonic_ms - spoke_ms_ < model::kPingMs || connection_.closing()) return;
  spoke_ms_ = now.monotonic_ms;
  connection_.output() += ":\n\n";  // a comment: proxies see life, and a dead peer is found out
}

void EventPeer::OnDrain(int64_t after_ms) {
  if (connection_.closing()) return;
  connection_.output().append("retry: ").append(std::to_string(after_ms)).append("\n");
  session_->session().Drain(after_ms);
}

void EventPeer::EndSession(session::CloseCode, std::string_view) { connection_.CloseAfterFlush(); }

// GET /v1/events?dev=&since=&lang=&credit=, Last-Event-ID.
void Events(Exchange& exchange) {
  auto hello = HelloFromQuery(exchange.request);
  if (!hello.ok()) return exchange.respond(ProblemOf(hello.status()));
  if (exchange.connection.unsent() > 0 || exchange.request.method == wire::Method::kHead) {
    return exchange.respond(Problem(400, "bad_request", "an event stream needs a connection of its own"));
  }
  std::string& out = exchange.connection.output();
  out += kHead;
  out.append("Date: ").append(exchange.hub.HttpDate()).append("\r\n");
  if (!exchange.request.origin.empty()) {
    out.append("Access-Control-Allow-Origin: ").append(exchange.request.origin).append("\r\n");
    out += "Access-Control-Allow-Credentials: true\r\nVary: Origin\r\n";
  }
  out += "Connection: close\r\n\r\n: connected\n\n";
  auto peer = std::make_unique<EventPeer>(exchange.connection);
  EventPeer& events = *peer;
  exchange.connection.SetPeer(std::move(peer));
  events.Begin(exchange.identity, *hello);
}

}  // namespace tocsin::gateway
