// EventPeer: server-sent events, the one-way twin of the WebSocket. The same frames as JSON in `data:`; `id:` is
// `<epoch>:<cursor>`, so that a browser's EventSource resumes by itself.
#pragma once

#include <memory>
#include <string>

#include "gateway/connection.h"
#include "gateway/user_session.h"
#include "wire/client_frame.h"

namespace tocsin::gateway {

class EventPeer final : public Peer, public UserSession::Sink {
 public:
  explicit EventPeer(Connection& connection);
  // Once it is the connection's peer.
  void Begin(const auth::Identity& identity, const wire::Hello& hello);

  size_t OnInput(std::span<char> bytes) override { return bytes.size(); }  // a client says nothing here
  void OnWritable() override { session_->session().OnWritable(); }
  void OnTick(session::Moment now) override;
  void OnMoved() override { session_->Arrive(connection_.hub()); }
  void OnDrain(int64_t after_ms) override;

 private:
  void SendFrame(std::string_view frame, std::optional<model::EntryId> cur) override;
  bool SendCongested() const override { return connection_.closing() || connection_.Congested(); }
  void EndSession(session::CloseCode code, std::string_view message) override;
  void GoHome(Hub& home) override { connection_.MoveTo(home); }

  Connection& connection_;
  int64_t spoke_ms_;  // monotonic: when something was last sent
  std::shared_ptr<UserSession> session_;
};

}  // namespace tocsin::gateway
