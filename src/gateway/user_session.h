// UserSession: a session::Session at home: on the hub of its user, with a log to pull from. Its transport (WebSocket,
// SSE, a pull) is its Sink. Answers that come late find it gone, not dangling: they hold a weak_ptr.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/hub.h"
#include "session/session.h"

namespace tocsin::gateway {

class UserSession final : public session::SessionHost, public std::enable_shared_from_this<UserSession> {
 public:
  class Sink {
   public:
    virtual ~Sink() = default;
    virtual void SendFrame(std::string_view frame, std::optional<model::EntryId> cur) = 0;
    virtual bool SendCongested() const = 0;
    // A read of the log was answered. What it brought was sent before; it may have brought nothing.
    virtual void OnRead() {}
    // The bye was sent.
    virtual void EndSession(session::CloseCode code, std::string_view message) = 0;
    // Be on `home` and call Arrive() there. A sink that is there already does so at once.
    virtual void GoHome(Hub& home) = 0;
  };

  // `sink` outlives it.
  UserSession(Hub& hub, Sink& sink, session::SessionOptions options);
  ~UserSession() override = default;

  session::Session& session() { return *session_; }
  // The sink is on `home` now: opens the log.
  void Arrive(Hub& home);
  // The log's identity for this user; empty before the welcome.
  const std::string& epoch() const { return epoch_; }

  // A name for a session in logs and in `welcome`: 16 hex digits.
  static std::string NewSid();

 private:
  void Send(std::string_view frame, std::optional<model::EntryId> cur) override { sink_.SendFrame(frame, cur); }
  bool Congested() const override { return sink_.SendCongested(); }
  void End(session::CloseCode code, std::string_view message) override { sink_.EndSession(code, message); }
  base::Result<auth::Identity> Verify(std::string_view token) override { return hub_->tokens().Verify(token); }
  int64_t NowMs() const override { return hub_->now().wall_ms; }
  void OpenLog(const std::string& user, const std::string& device) override;
  void OpenTopic(session::ChannelNumber channel, const std::string& topic) override;
  void LoadTopics() override;
  void TallyTopic(session::ChannelNumber channel, const std::string& topic) override;
  void StoreTopicMark(std::string i, logs::MarkRequest request, const std::string& topic,
                      model::EntryId counted_from) override;
  void CloseLog(logs::LiveLog& log) override { hub_->ReleaseLog(log); }
  void ReadLog(session::ChannelNumber channel, const logs::LiveLog& log, model::EntryId after, size_t max_entries,
               size_t max_bytes) override;
  void ListLog(std::string i, model::EntryId before, size_t limit, logs::ListFilter filter) override;
  void ListUrgent(session::ChannelNumber channel, const logs::LiveLog& log, size_t limit) override;
  void StoreReceipt(const std::string& topic, model::EntryId cursor) override;
  void StoreMark(std::string i, logs::MarkRequest request) override;

  Hub* hub_;
  Sink& sink_;
  std::string epoch_;
  std::unique_ptr<session::Session> session_;
};

}  // namespace tocsin::gateway
