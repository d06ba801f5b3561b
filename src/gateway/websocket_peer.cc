#include "gateway/websocket_peer.h"

#include "gateway/http.h"
#include "gateway/origin.h"

namespace tocsin::gateway {
namespace {

using wire::WsDecoder;

// More than this in one message is cut into several: a reader should not have to hold a megabyte to parse a line.
constexpr size_t kMaxMessageOut = 128 << 10;

}  // namespace

WebSocketPeer::WebSocketPeer(Connection& connection, std::string header_token) : connection_(connection) {
  session::SessionOptions options;
  options.sid = UserSession::NewSid();
  options.header_token = std::move(header_token);
  session_ = std::make_shared<UserSession>(connection.hub(), *this, std::move(options));
}

WebSocketPeer::~WebSocketPeer() = default;

size_t WebSocketPeer::OnInput(std::span<char> bytes) {
  std::string_view payload;
  size_t consumed = 0;
  switch (decoder_.Next(bytes, consumed, payload)) {
    case WsDecoder::Event::kNeedMore:
      break;
    case WsDecoder::Event::kPiece:
      OnText(payload, false);
      break;
    case WsDecoder::Event::kMessage:
      OnText(payload, true);
      break;
    case WsDecoder::Event::kPing:
      wire::AppendWsFrame(connection_.output(), wire::WsOpcode::kPong, payload);
      break;
    case WsDecoder::Event::kPong:
      break;
    case WsDecoder::Event::kClose:
      Close(decoder_.close_code(), {});
      break;
    case WsDecoder::Event::kError:
      Close(decoder_.close_code(), decoder_.error());
      break;
  }
  return consumed;
}

void WebSocketPeer::OnText(std::string_view piece, bool complete) {
  if (decoder_.opcode() != wire::WsOpcode::kText) return Close(1003, "frames are text");
  if (!complete) {
    fragments_ += piece;
    return;
  }
  if (!decoder_.in_pieces()) return session_->session().OnMessage(piece, connection_.hub().now());
  fragments_ += piece;
  std::string message;
  message.swap(fragments_);
  session_->session().OnMessage(message, connection_.hub().now());
}

void WebSocketPeer::SendFrame(std::string_view frame, std::optional<model::EntryId>) {
  if (connection_.closing()) return;  // nothing follows a close frame
  if (!lines_.empty()) {
    if (lines_.size() + frame.size() > kMaxMessageOut) {
      BeforeFlush();
    } else {
      lines_.push_back('\n');
    }
  }
  lines_ += frame;
  connection_.Touch();
}

void WebSocketPeer::BeforeFlush() {
  if (lines_.empty()) return;
  wire::AppendWsFrame(connection_.output(), wire::WsOpcode::kText, lines_);
  std::string().swap(lines_);
}

void WebSocketPeer::EndSession(session::CloseCode code, std::string_view message) {
  Close(static_cast<uint16_t>(code), message);
}

void WebSocketPeer::Close(uint16_t code, std::string_view reason) {
  if (connection_.closing()) return;
  BeforeFlush();
  wire::AppendWsClose(connection_.output(), code, reason);
  connection_.CloseAfterFlush();
}

void WebSocketPeer::RefuseOrigin() { session_->session().Bye(session::CloseCode::kOrigin); }

void UpgradeToWebSocket(Connection& connection, const wire::RequestHead& head, const wire::WsUpgrade& upgrade) {
  HttpRequest request;
  request.authorization = std::string(head.Find("authorization").value_or(std::string_view()));
  wire::AppendUpgradeResponse(connection.output(), upgrade);
  auto peer = std::make_unique<WebSocketPeer>(connection, std::string(request.Credential()));
  WebSocketPeer& socket = *peer;
  const auto origin = head.Find("origin");
  const bool allowed = !origin || IsAllowedOrigin(connection.hub().backend().options, *origin, head.host);
  connection.SetPeer(std::move(peer));
  if (!allowed) socket.RefuseOrigin();
}

}  // namespace tocsin::gateway
