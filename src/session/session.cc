#include "session/session.h"

#include <algorithm>

#include "base/check.h"
#include "base/metrics.h"
#include "model/limits.h"

namespace tocsin::session {
namespace {

using base::Code;
using base::Result;
using model::EntryId;

// Of one session, waiting for an answer at once. A page may be long.
constexpr uint8_t kMaxMarksDue = 64;
constexpr uint8_t kMaxListsDue = 4;
constexpr int64_t kWarnBeforeExpiryMs = 60'000;

base::Counter welcomes("tocsin_sessions_total", "Sessions that were welcomed");
// What the client is told of a failure of ours. The status may name files of this machine; it is not for the client.
struct Failure {
  std::string_view code, message;
  Retry retry;
};

Failure FailureOf(Code code) {
  switch (code) {
    case Code::kNoSpace:
      return {"no_space", "the server's disk is full; nothing was stored", Retry::kLater};
    case Code::kResourceExhausted:
      return {"overload", "the server has too much to do now", Retry::kLater};
    case Code::kUnavailable:
    case Code::kCancelled:
      return {"unavailable", "the server cannot answer now; nothing was stored", Retry::kLater};
    default:
      return {"internal", "the server has failed; nothing was stored", Retry::kNo};
  }
}

}  // namespace

Session::Session(SessionHost& its_host, SessionOptions options, Moment now)
    : Carrier(its_host), options_(std::move(options)), heard_ms_(now.monotonic_ms), own_(*this, kOwnChannel, {}) {}

Session::~Session() = default;

void Session::OnMessage(std::string_view text, Moment now) {
  if (state_ != State::kAwaitHello) heard_ms_ = now.monotonic_ms;  // else chatter would put off the deadline
  pinged_ = false;
  for (wire::ClientFrameReader reader(text); auto object = reader.Next();) {
    if (state_ == State::kEnded) return;
    OnFrame(*object, now);
  }
}

void Session::OnFrame(std::string_view object, Moment now) {
  auto parsed = wire::ParseClientFrame(object);
  if (!parsed.ok()) return Bye(CloseCode::kProtocol, parsed.status().message());
  wire::ClientFrame& frame = *parsed;
  if (std::holds_alternative<wire::Unknown>(frame) || std::holds_alternative<wire::Pong>(frame)) return;
  if (auto* hello = std::get_if<wire::Hello>(&frame)) return On(*hello);
  if (state_ == State::kAwaitHello) return Bye(CloseCode::kProtocol, "the first frame must be `hello`");
  if (state_ == State::kOpening) {
    // A client that does not wait for the welcome cannot know a cursor or an item yet.
    return Bye(CloseCode::kProtocol, "wait for `welcome` before other frames");
  }
  if (auto* ack = std::get_if<wire::Ack>(&frame)) return On(*ack);
  if (auto* mark = std::get_if<wire::Mark>(&frame)) return On(*mark);
  if (auto* list = std::get_if<wire::List>(&frame)) return On(*list);
  if (auto* token = std::get_if<wire::AuthToken>(&frame)) return On(*token, now);
  if (auto* request = std::get_if<wire::Subscribe>(&frame)) return On(*request);
  if (auto* request = std::get_if<wire::Unsubscribe>(&frame)) return On(*request);
}

void Session::On(wire::Hello& hello) {
  if (state_ != State::kAwaitHello) return Bye(CloseCode::kProtocol, "a second `hello`");
  const std::string token = hello.token.empty() ? std::exchange(options_.header_token, {}) : std::move(hello.token);
  hello.token.clear();
  if (token.empty()) return Bye(CloseCode::kBadToken, "no token: send it as `tok` in `hello`");
  auto identity = host.Verify(token);
  if (!identity.ok()) {
    const bool expired = identity.status().code() == Code::kExpired;
    return Bye(expired ? CloseCode::kExpired : CloseCode::kBadToken, identity.status().message());
  }
  Begin(*identity, hello);
}

void Session::Begin(const auth::Identity& identity, const wire::Hello& hello) {
  CHECK(state_ == State::kAwaitHello);
  state_ = State::kOpening;
  opening_ = std::make_unique<Opening>();
  opening_->hello = hello;
  opening_->token_expires_ms = identity.expires_ms;
  user_ = identity.user;
  rights_ = identity.topics;
  device_ = hello.device;
  has_device = !device_.empty();
  const bool unlimited = options_.credit == SessionOptions::Credit::kUnlimited;
  credit = hello.credit > 0 ? static_cast<uint32_t>(hello.credit) : unlimited ? UINT32_MAX : model::kDefaultCredit;
  host.OpenLog(user_, device_);
}

void Session::OnLogOpened(logs::LiveLog* log, const Result<logs::LogOpening>& opened, Moment now) {
  if (state_ != State::kOpening || own_.open()) return;
  if (!opened.ok()) return Bye(CloseCode::kOverload, "the log cannot be read now");
  const wire::Hello& hello = opening_->hello;
  Position position{.cursor = hello.cursor, .same_epoch = hello.epoch == opened->epoch, .since = hello.since};
  position.stored = opened->device_cursor;
  if (auto sent = device_.empty() ? std::nullopt : log->SentCursor(device_)) {
    position.stored = std::max(position.stored.value_or(EntryId{}), *sent);
  }
  opening_->epoch = opened->epoch;
  opening_->own = own_.Open(*log, *opened, position);
  opening_->at = now;
  if (!hello.knows_topics) return SendWelcome({}, {});
  MakeTopics();
  topics_->Start(hello, position.same_epoch,
                 [this](std::span<const ChannelStart> topics, std::span<const Refusal> refused) {
                   if (state_ == State::kOpening) SendWelcome(topics, refused);
                 });
}

void Session::MakeTopics() {
  if (topics_) return;
  topics_ = std::make_unique<TopicChannels>(static_cast<Carrier&>(*this), rights_);
  has_topics = true;
}

void Session::SendWelcome(std::span<const ChannelStart> topics, std::span<const Refusal> refused) {
  const std::unique_ptr<Opening> opening = std::move(opening_);
  state_ = State::kLive;
  is_live = true;
  welcomes.Add();
  const int64_t left_ms = std::max<int64_t>(opening->token_expires_ms - opening->at.wall_ms, 0);
  expires_ms_ = opening->at.monotonic_ms + left_ms;
  Welcome welcome;
  welcome.sid = options_.sid;
  welcome.user = user_;
  welcome.epoch = opening->epoch;
  welcome.own = opening->own;
  welcome.own.counts = logs::Sum(welcome.own.counts, TopicCounts());
  welcome.knows_topics = opening->hello.knows_topics;
  welcome.topics = topics;
  welcome.refused = refused;
  welcome.now_ms = opening->at.wall_ms;
  welcome.ttl_s = left_ms / 1000;
  std::string frame;
  AppendWelcome(frame, welcome);
  host.Send(frame, told());
  Advance();
}

void Session::OnTopicsLoaded(const Result<logs::TopicRecords>& records) {
  if (state_ != State::kEnded && topics_) topics_->OnLoaded(records);
}

void Session::OnTopicOpened(ChannelNumber channel, logs::LiveLog* log, const Result<logs::LogOpening>& opened) {
  if (state_ != State::kEnded && topics_) topics_->OnOpened(channel, log, opened);
}

void Session::OnTopicTallied(ChannelNumber channel, const Result<TopicTally>& tally) {
  if (state_ != State::kEnded && topics_) topics_->OnTallied(channel, tally);
}

// Null: it has ended.
Channel* Session::ChannelOf(ChannelNumber number) {
  if (number == kOwnChannel) return &own_;
  return topics_ ? topics_->Find(number) : nullptr;
}

void Session::OnLogRead(ChannelNumber channel, const Result<logs::LogPiece>& piece) {
  if (Channel* found = ChannelOf(channel)) found->OnLogRead(piece);
}

void Session::OnUrgent(ChannelNumber channel, const Result<logs::ListPage>& page) {
  if (Channel* found = ChannelOf(channel)) found->OnUrgent(page);
}

void Session::Advance() {
  own_.Advance();
  if (topics_) topics_->Advance();
}

void Session::On(wire::Ack& ack) {
  if (!ack.nids.empty()) {
    own_.SettleEarly(ack.nids);
    if (topics_) topics_->SettleEarly(ack.nids);
  }
  Channel* channel = ack.channel.empty() ? &own_ : topics_ ? topics_->Find(ack.channel) : nullptr;
  if (ack.cursor && channel != nullptr && channel->open()) channel->Settle(std::min(*ack.cursor, channel->told()));
  Advance();
}

void Session::On(wire::Subscribe& request) {
  MakeTopics();
  const std::string i = request.correlator;
  if (!topics_->Subscribe(std::move(request))) {
    SendError(i, "overload", "too many `sub` wait for an answer", Retry::kLater);
  }
}

void Session::On(wire::Unsubscribe& request) {
  MakeTopics();
  topics_->Unsubscribe(request);
}

void Session::On(wire::Mark& mark) {
  const Channel* topic = mark.channel.empty() || !topics_ ? nullptr : topics_->Find(mark.channel);
  if (!mark.channel.empty() && (topic == nullptr || !topic->open())) {
    return SendError(mark.correlator, "no_topic", "`ch`: this session does not have that topic", Retry::kNo);
  }
  if (marks_due_ >= kMaxMarksDue) {
    return SendError(mark.correlator, "overload", "too many marks wait for an answer", Retry::kLater);
  }
  ++marks_due_;
  logs::MarkRequest request;
  request.user = user_;
  request.device = device_;
  request.op = mark.op;
  request.nids = std::move(mark.nids);
  request.upto = mark.upto;
  request.mid = std::move(mark.mark_id);
  if (topic == nullptr) return host.StoreMark(std::move(mark.correlator), std::move(request));
  host.StoreTopicMark(std::move(mark.correlator), std::move(request), topic->topic(),
                      topics_->CountedFrom(topic->topic()).value_or(EntryId::Max()));
}

void Session::On(wire::List& list) {
  EntryId before = EntryId::Max();
  if (!list.before.empty()) {
    auto parsed = EntryId::Parse(list.before);
    if (!parsed) return SendError(list.correlator, "bad_request", "`before`: not from an earlier page", Retry::kNo);
    before = *parsed;
  }
  auto filter = list.filter.empty() ? logs::ListFilter::kInbox : logs::ParseListFilter(list.filter);
  if (!filter) {
    return SendError(list.correlator, "bad_request", "`filter`: one of `inbox`, `unread`, `archived`, `all`",
                     Retry::kNo);
  }
  if (lists_due_ >= kMaxListsDue) {
    return SendError(list.correlator, "overload", "too many lists wait for an answer", Retry::kLater);
  }
  ++lists_due_;
  host.ListLog(std::move(list.correlator), before,
               static_cast<size_t>(list.limit > 0 ? list.limit : model::kDefaultListLimit), *filter);
}

void Session::On(wire::AuthToken& token, Moment now) {
  auto identity = host.Verify(token.token);
  if (!identity.ok()) {
    const bool expired = identity.status().code() == Code::kExpired;
    return SendError(token.correlator, expired ? "token_expired" : "bad_token", identity.status().message(),
                     Retry::kNo);
  }
  if (identity->user != user_) {
    return SendError(token.correlator, "wrong_user", "the token is another user's; this session keeps its own",
                     Retry::kNo);
  }
  const int64_t left_ms = std::max<int64_t>(identity->expires_ms - now.wall_ms, 0);
  expires_ms_ = now.monotonic_ms + left_ms;
  warned_ = false;
  rights_ = identity->topics;
  if (topics_) topics_->SetRights(rights_);
  std::string frame;
  AppendOkTtl(frame, token.correlator, left_ms / 1000);
  host.Send(frame, std::nullopt);
  Advance();  // with the credit of what has ended
}

void Session::OnListed(std::string_view i, const Result<logs::ListPage>& page) {
  if (state_ != State::kLive) return;
  --lists_due_;
  if (!page.ok()) return SendFailure(i, page.status());
  logs::ListPage shown = *page;
  logs::DropExpired(shown.lines, host.NowMs());
  std::string frame;
  AppendOkPage(frame, i, shown, own_.log()->last(), logs::Sum(own_.log()->counts(), TopicCounts()));
  host.Send(frame, std::nullopt);
}

void Session::OnMarked(std::string_view i, const Result<logs::Counts>& counts) {
  if (state_ != State::kLive) return;
  --marks_due_;
  if (!counts.ok()) return SendFailure(i, counts.status());
  std::string frame;
  // Those of the log, not of the mark: they belong to the id that is named with them.
  AppendOkCounts(frame, i, own_.log()->last(), logs::Sum(own_.log()->counts(), TopicCounts()));
  host.Send(frame, std::nullopt);
}

void Session::OnWritable() { Advance(); }

void Session::OnTick(Moment now) {
  if (state_ == State::kEnded) return;
  if (state_ == State::kAwaitHello) {
    if (now.monotonic_ms - heard_ms_ >= model::kUnauthenticatedMs) Bye(CloseCode::kProtocol, "no `hello` within 5 s");
    return;
  }
  if (state_ != State::kLive) return;
  const int64_t left_ms = expires_ms_ - now.monotonic_ms;
  if (left_ms <= 0) return Bye(CloseCode::kExpired);
  if (left_ms <= kWarnBeforeExpiryMs && !warned_) {
    warned_ = true;
    std::string frame;
    AppendWarn(frame, "token_expiring", left_ms);
    host.Send(frame, std::nullopt);
  }
  if (options_.liveness == SessionOptions::Liveness::kNone) return Advance();
  if (pinged_) {
    if (now.monotonic_ms - pinged_ms_ >= model::kPongMs) return Bye(CloseCode::kNoPong);
  } else if (now.monotonic_ms - heard_ms_ >= model::kPingMs) {
    pinged_ = true;
    pinged_ms_ = now.monotonic_ms;
    std::string frame;
    AppendPing(frame, now.wall_ms);
    host.Send(frame, std::nullopt);
    Advance();  // a wake-up that was lost costs no more than this
  }
}

void Session::Drain(int64_t after_ms) { End(CloseCode::kDrain, {}, after_ms); }
void Session::Bye(CloseCode code, std::string_view message) { End(code, message, -1); }

void Session::End(CloseCode code, std::string_view message, int64_t after_ms) {
  if (state_ == State::kEnded) return;
  state_ = State::kEnded;
  is_live = false;
  std::string frame;
  AppendBye(frame, code, message, after_ms);
  host.Send(frame, std::nullopt);
  host.End(code, message.empty() ? Explain(code) : message);
}

void Session::SendError(std::string_view i, std::string_view code, std::string_view message, Retry retry) {
  std::string frame;
  AppendError(frame, i, code, message, retry);
  host.Send(frame, std::nullopt);
}

void Session::SendFailure(std::string_view i, const base::Status& status) {
  const Failure failure = FailureOf(status.code());
  SendError(i, failure.code, failure.message, failure.retry);
}

}  // namespace tocsin::session
