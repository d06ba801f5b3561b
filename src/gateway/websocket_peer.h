// WebSocketPeer: `tocsin.v1` over one WebSocket. Frames that a turn produced leave together: one text message, its JSON
// objects separated by line ends.
#pragma once

#include <memory>
#include <string>

#include "gateway/connection.h"
#include "gateway/user_session.h"
#include "wire/websocket.h"

namespace tocsin::gateway {

class WebSocketPeer final : public Peer, public UserSession::Sink {
 public:
  // `header_token`: of the upgrade request; empty: none.
  WebSocketPeer(Connection& connection, std::string header_token);
  ~WebSocketPeer() override;

  size_t OnInput(std::span<char> bytes) override;
  void BeforeFlush() override;
  void OnWritable() override { session_->session().OnWritable(); }
  void OnTick(session::Moment now) override { session_->session().OnTick(now); }
  void OnMoved() override { session_->Arrive(connection_.hub()); }
  void OnDrain(int64_t after_ms) override { session_->session().Drain(after_ms); }
  // The page's origin is not allowed: said in a bye, because a browser could not see why an upgrade failed.
  void RefuseOrigin();

 private:
  void SendFrame(std::string_view frame, std::optional<model::EntryId> cur) override;
  bool SendCongested() const override {
    return connection_.closing() || connection_.unsent() + lines_.size() >= model::kSendWindow;
  }
  void EndSession(session::CloseCode code, std::string_view message) override;
  void GoHome(Hub& home) override { connection_.MoveTo(home); }
  void Close(uint16_t code, std::string_view reason);
  void OnText(std::string_view piece, bool complete);

  Connection& connection_;
  wire::WsDecoder decoder_;
  std::string lines_;      // frames of this turn
  std::string fragments_;  // of a message that came in pieces
  std::shared_ptr<UserSession> session_;
};

// Answers 101 and makes the connection a WebSocket.
void UpgradeToWebSocket(Connection& connection, const wire::RequestHead& head, const wire::WsUpgrade& upgrade);

}  // namespace tocsin::gateway
