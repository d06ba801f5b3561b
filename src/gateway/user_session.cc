#include "gateway/user_session.h"

#include <set>

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

void UserSession::TallyTopic(session::ChannelNumber channel, const std::string& topic) {
  using Window = std::shared_ptr<const logs::TopicWindow>;
  hub_->LoadWindow(topic, [weak = weak_from_this(), channel, topic](const Result<Window>& window) {
    auto self = weak.lock();
    if (!self) return;
    if (!window.ok()) return self->session_->OnTopicTallied(channel, window.status());
    self->hub_->backend().logs.topics().States(
        self->session_->user(), topic, [weak, channel, window = *window](const Result<logs::TopicStates>& states) {
          auto session = weak.lock();
          if (!session) return;
          if (!states.ok()) return session->session_->OnTopicTallied(channel, states.status());
          session->session_->OnTopicTallied(channel, session::TopicTally{window, *states});
        });
  });
}

void UserSession::StoreTopicMark(std::string i, logs::MarkRequest request, const std::string& topic,
                                 EntryId counted_from) {
  auto looked_up = [weak = weak_from_this(), i = std::move(i), request = std::move(request), topic,
                    counted_from](const Result<std::shared_ptr<const logs::TopicWindow>>& window) {
    auto self = weak.lock();
    if (!self) return;
    if (!window.ok()) return self->session_->OnMarked(i, window.status());
    logs::TopicMark mark{.user = request.user,
                         .device = request.device,
                         .topic = topic,
                         .op = request.op,
                         .upto = request.upto,
                         .mid = request.mid,
                         .oldest = {},
                         .counted_from = counted_from,
                         .items = {}};
    const std::vector<logs::TopicItem>& items = (*window)->items;
    if (!items.empty()) mark.oldest = items.front().id;
    const std::set<std::string_view> nids(request.nids.begin(), request.nids.end());
    for (const logs::TopicItem& item : items) {
      if (request.upto ? item.id <= *request.upto : nids.contains(item.nid)) mark.items.push_back(item);
    }
    if (mark.upto) mark.upto = std::min(*mark.upto, (*window)->last);
    self->hub_->backend().logs.topics().Mark(std::move(mark), [weak, i](const Result<logs::Counts>& counts) {
      if (auto session = weak.lock()) session->session_->OnMarked(i, counts);
    });
  };
  hub_->LoadWindow(topic, std::move(looked_up));
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
