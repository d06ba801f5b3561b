#include "session/topic_channels.h"

#include <algorithm>
#include <utility>

#include "model/limits.h"

namespace tocsin::session {

using base::Result;
using model::EntryId;

namespace {

constexpr std::string_view kForbidden = "topic_forbidden";
constexpr std::string_view kForbiddenMessage = "the token's claim `topics` does not allow this topic";

}  // namespace

void TopicChannels::Start(const wire::Hello& hello, bool same_epoch, Started started) {
  started_ = std::move(started);
  Opening& opening = openings_.emplace_back();
  opening.is_hello = true;
  opening.same_epoch = same_epoch;
  opening.request.topics = hello.topics;
  opening.request.cursors = hello.topic_cursors;
  opening.request.since = hello.since;
  Load();
}

bool TopicChannels::Subscribe(wire::Subscribe request) {
  if (openings_.size() >= kMaxWaiting) return false;
  openings_.emplace_back().request = std::move(request);
  if (openings_.size() == 1) Load();
  return true;
}

// Where a device stands in a topic may have been stored since the session began.
void TopicChannels::Load() {
  openings_.front().loading = true;
  carrier_.host.LoadTopics();
}

bool TopicChannels::Allows(std::string_view topic, Kind kind) const {
  return kind == Kind::kBroadcast || rights_.Name(topic) || (kind == Kind::kFollowedByBackEnd && !rights_.limited);
}

void TopicChannels::Refuse(std::string_view topic, std::string_view code, std::string_view message) {
  openings_.front().refused.push_back({std::string(topic), code, message});
}

void TopicChannels::OnLoaded(const Result<logs::TopicRecords>& records) {
  if (openings_.empty() || !openings_.front().loading) return;
  if (!records.ok()) return carrier_.Bye(CloseCode::kOverload, "the topics cannot be read now");
  Opening& opening = openings_.front();
  // Those that the host opens at once must not end it before all were asked for.
  const wire::Since since = opening.request.since;
  if (opening.is_hello) {
    Open(std::string(model::kBroadcast), Kind::kBroadcast, {}, *records, {.since = since});
    for (const logs::TopicFollow& follow : records->follows) {
      const Kind kind = follow.by == logs::TopicFollow::By::kUser ? Kind::kFollowedByUser : Kind::kFollowedByBackEnd;
      Position position{.since = since};
      if (!since.given) position.from = follow.from;
      Open(follow.topic, kind, follow.from, *records, position);
    }
  }
  for (const std::string& topic : opening.request.topics) {
    Position position{.since = since};
    if (!since.given) position.since.kind = wire::Since::Kind::kNew;
    Open(topic, Kind::kAskedFor, {}, *records, position);
  }
  opening.loading = false;
  OpenIfDone();
}

void TopicChannels::Open(const std::string& topic, Kind kind, EntryId from, const logs::TopicRecords& records,
                         Position position) {
  Opening& opening = openings_.front();
  const auto answered = [&](const auto& list) {
    return std::any_of(list.begin(), list.end(), [&](const auto& one) { return one.topic == topic; });
  };
  if (answered(opening.started) || answered(opening.refused)) return;
  if (auto found = topics_.find(topic); found != topics_.end()) {
    if (found->second->channel.open()) opening.started.push_back(found->second->channel.Now());
    return;  // else it was asked for by this very request
  }
  if (!model::IsValidTopic(topic)) return Refuse(topic, "bad_topic", model::kTopicRule);
  if (!Allows(topic, kind)) return Refuse(topic, kForbidden, kForbiddenMessage);
  if (topics_.size() >= model::kMaxTopics) {
    return Refuse(topic, "too_many_topics", "a session has at most 100 topics, those that its user follows included");
  }
  if (auto cursor = opening.request.cursors.find(topic); cursor != opening.request.cursors.end()) {
    position.cursor = cursor->second;
    position.same_epoch = opening.same_epoch;
  }
  if (auto stored = records.cursors.find(topic); stored != records.cursors.end()) position.stored = stored->second;
  const ChannelNumber number = ++last_number_;
  topics_.emplace(topic, std::make_unique<Topic>(carrier_, number, topic, kind, from));
  opening.waiting.emplace(number, position);
  carrier_.host.OpenTopic(number, topic);
}

void TopicChannels::OnOpened(ChannelNumber number, logs::LiveLog* log, const Result<logs::LogOpening>& opened) {
  if (openings_.empty()) return;
  Opening& opening = openings_.front();
  auto waiting = opening.waiting.find(number);
  if (waiting == opening.waiting.end()) return;
  if (!opened.ok()) return carrier_.Bye(CloseCode::kOverload, "a topic's log cannot be read now");
  if (Channel* channel = Find(number)) {  // else it was ended before it began
    opening.started.push_back(channel->Open(*log, *opened, waiting->second));
    return carrier_.host.TallyTopic(number, channel->topic());
  }
  opening.waiting.erase(waiting);
  OpenIfDone();
}

void TopicChannels::OnTallied(ChannelNumber number, const Result<TopicTally>& tally) {
  const bool opens = !openings_.empty() && openings_.front().waiting.contains(number);
  if (!tally.ok()) {  // without it a session can go on, but not begin
    if (opens) carrier_.Bye(CloseCode::kOverload, "what the user did with a topic's items cannot be read now");
    return;
  }
  if (Channel* channel = Find(number)) channel->SetTally(*tally, CountedFrom(channel->topic()));
  if (!opens) return;
  openings_.front().waiting.erase(number);
  OpenIfDone();
}

void TopicChannels::OnChange(const logs::LogEntryPtr& change) {
  if (Channel* channel = Find(change->change->topic)) channel->OnChange(change);
}

logs::Counts TopicChannels::counts() const {
  logs::Counts counts;
  for (const auto& [name, topic] : topics_) counts = logs::Sum(counts, topic->channel.counts());
  return counts;
}

std::optional<EntryId> TopicChannels::CountedFrom(std::string_view name) const {
  auto found = topics_.find(name);
  if (found == topics_.end() || found->second->kind == Kind::kAskedFor) return std::nullopt;
  return found->second->from;
}

void TopicChannels::OpenIfDone() {
  if (openings_.front().loading || !openings_.front().waiting.empty()) return;
  Opening done = std::move(openings_.front());
  openings_.pop_front();
  std::sort(done.started.begin(), done.started.end(),
            [](const ChannelStart& a, const ChannelStart& b) { return a.topic < b.topic; });
  if (done.is_hello) {
    std::exchange(started_, nullptr)(done.started, done.refused);
  } else {
    std::string frame;
    AppendOkTopics(frame, done.request.correlator, done.started, done.refused);
    carrier_.host.Send(frame, std::nullopt);
    Advance();
  }
  if (!openings_.empty()) Load();
}

void TopicChannels::Unsubscribe(const wire::Unsubscribe& request) {
  std::vector<std::string> ended;
  for (const std::string& topic : request.topics) {
    if (topics_.erase(topic) > 0) ended.push_back(topic);
  }
  std::string frame;
  AppendOkEnded(frame, request.correlator, ended);
  carrier_.host.Send(frame, std::nullopt);
  Advance();  // with what credit they had
}

void TopicChannels::SetRights(model::TopicRights rights) {
  rights_ = std::move(rights);
  std::erase_if(topics_, [this](const auto& entry) {
    if (Allows(entry.first, entry.second->kind)) return false;
    std::string frame;
    AppendEnd(frame, {entry.first, kForbidden, kForbiddenMessage});
    carrier_.host.Send(frame, std::nullopt);
    return true;
  });
}

Channel* TopicChannels::Find(std::string_view topic) {
  auto found = topics_.find(topic);
  return found == topics_.end() ? nullptr : &found->second->channel;
}

Channel* TopicChannels::Find(ChannelNumber number) {
  for (auto& [name, topic] : topics_) {
    if (topic->channel.number() == number) return &topic->channel;
  }
  return nullptr;
}

void TopicChannels::Advance() {
  for (auto& [name, topic] : topics_) topic->channel.Advance();
}

void TopicChannels::SettleEarly(const std::vector<std::string>& nids) {
  for (auto& [name, topic] : topics_) topic->channel.SettleEarly(nids);
}

bool TopicChannels::reading() const {
  return std::any_of(topics_.begin(), topics_.end(), [](const auto& entry) { return entry.second->channel.reading(); });
}

void TopicChannels::ForEach(const std::function<void(const Channel&)>& visit) const {
  for (const auto& [name, topic] : topics_) {
    if (topic->channel.open()) visit(topic->channel);
  }
}

}  // namespace tocsin::session
