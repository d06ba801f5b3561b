#include "gateway/user_session.h"

#include "base/log.h"
#include "base/random.h"
#include "model/topic.h"

namespace tocsin::gateway {

using base::Result;
using model::EntryId;

UserSession::UserSession(Hub& hub, Sink& sink, session::SessionOptions options)
    : hub_(&hub), sink_(sink), session_(std::make_unique<session::Session>(*this, std::move(options), hub.now())) {}

std::string UserSession::NewSid() { return base::SystemRandom().Hex(8); }

void UserSession::OpenLog(const std::string& user, const std::string&) { sink_.GoHome(hub_->backend().HomeOf(user)); }

void UserSession::Arrive(Hub& home) {
  hub_ = &home;
  hub_->OpenLog(session_->user(), session_->device(),
                [weak = weak_from_this()](logs::LiveLog& log, const Result<logs::LogOpening>& opening) {
                  auto self = weak.lock();
                  if (!self || self->session_->ended()) return;
                  if (opening.ok()) {
                    self->epoch_ = opening->epoch;
                  } else {
                    base::Log(base::Level::kError, "log_unreadable", {{"status", opening.status().ToString()}});
                  }
                  self->session_->OnLogOpened(&log, opening, self->hub_->now());
                });
}

void UserSession::OpenTopic(session::ChannelNumber channel, const std::string& topic) {
  hub_->OpenLog(model::TopicLog(topic), {},
                [weak = weak_from_this(), channel](logs::LiveLog& log, const Result<logs::LogOpening>& opening) {
                  auto self = weak.lock();
                  if (self && !self->session_->ended()) self->session_->OnTopicOpened(channel, &log, opening);
                });
}

void UserSession::LoadTopics() {
  hub_->LoadTopics(session_->user(), session_->device(),
                   [weak = weak_from_this()](const Result<logs::TopicRecords>& records) {
                     if (auto self = weak.lock()) self->session_->OnTopicsLoaded(records);
                   });
}

void UserSession::ReadLog(session::ChannelNumber channel, const logs::LiveLog& log, EntryId after, size_t max_entries,
                          size_t max_bytes) {
  hub_->backend().logs.Read(log.user(), after, max_entries, max_bytes,
                            [weak = weak_from_this(), channel](const Result<logs::LogPiece>& piece) {
                              auto self = weak.lock();
                              if (!self) return;
                              self->session_->OnLogRead(channel, piece);
                              self->sink_.OnRead();
                            });
}

void UserSession::ListLog(std::string i, EntryId before, size_t limit, logs::ListFilter filter) {
  hub_->backend().logs.List(session_->user(), before, limit, filter,
                            [weak = weak_from_this(), i = std::move(i)](const Result<logs::ListPage>& page) {
                              if (auto self = weak.lock()) self->session_->OnListed(i, page);
                            });
}

void UserSession::ListUrgent(session::ChannelNumber channel, const logs::LiveLog& log, size_t limit) {
  hub_->backend().logs.List(log.user(), EntryId::Max(), limit, logs::ListFilter::kUrgent,
                            [weak = weak_from_this(), channel](const Result<logs::ListPage>& page) {
                              if (auto self = weak.lock()) self->session_->OnUrgent(channel, page);
                            });
}

void UserSession::StoreReceipt(const std::string& topic, EntryId cursor) {
  hub_->StoreReceipt(session_->user(), session_->device(), topic, cursor);
}

void UserSession::StoreMark(std::string i, logs::MarkRequest request) {
  hub_->backend().logs.Mark(std::move(request),
                            [weak = weak_from_this(), i = std::move(i)](const Result<logs::Counts>& counts) {
                              if (auto self = weak.lock()) self->session_->OnMarked(i, counts);
                            });
}

}  // namespace tocsin::gateway
