#include "session/session.h"

#include <algorithm>

#include "base/check.h"
#include "base/metrics.h"
#include "model/limits.h"

namespace tocsin::session {
namespace {

using base::Code;
using base::Result;
using logs::LogLine;
using model::EntryId;

// Marks and lists of one session that may wait for an answer at once.
constexpr uint16_t kMaxRepliesDue = 64;
constexpr int64_t kWarnBeforeExpiryMs = 60'000;

base::Counter delivered("tocsin_items_sent_total", "Items sent to sessions, repeats included");
base::Counter acked("tocsin_items_acked_total", "Items that devices have acknowledged");
base::Counter welcomes("tocsin_sessions_total", "Sessions that were welcomed");
base::Counter gaps("tocsin_resumes_total", "Sessions by how they resumed", "resume=\"gap\"");
base::Counter resets("tocsin_resumes_total", "Sessions by how they resumed", "resume=\"reset\"");

std::string_view ErrorCode(Code code) {
  switch (code) {
    case Code::kInvalidArgument:
      return "bad_request";
    case Code::kTooLarge:
      return "too_large";
    case Code::kNoSpace:
      return "no_space";
    case Code::kResourceExhausted:
      return "overload";
    case Code::kUnavailable:
    case Code::kCancelled:
      return "unavailable";
    case Code::kExpired:
      return "token_expired";
    case Code::kUnauthenticated:
      return "bad_token";
    default:
      return "internal";
  }
}

Retry RetryOf(Code code) {
  return code == Code::kNoSpace || code == Code::kUnavailable || code == Code::kResourceExhausted ||
                 code == Code::kCancelled
             ? Retry::kLater
             : Retry::kNo;
}

// The last id before a moment.
EntryId Before(int64_t ms) {
  if (ms <= 0) return {};
  return *EntryId{static_cast<uint64_t>(ms), 0}.Previous();
}

}  // namespace

Session::Session(SessionHost& host, SessionOptions options, Moment now)
    : host_(host), options_(std::move(options)), heard_ms_(now.monotonic_ms) {}

Session::~Session() {
  if (log_ != nullptr) log_->Leave(*this);
}

void Session::OnMessage(std::string_view text, Moment now) {
  heard_ms_ = now.monotonic_ms;
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
  if (auto* hello = std::get_if<wire::Hello>(&frame)) return On(*hello, now);
  if (state_ == State::kAwaitHello) return Bye(CloseCode::kProtocol, "the first frame must be `hello`");
  if (state_ == State::kOpening) {
    // A client that does not wait for the welcome cannot know a cursor or an item yet.
    return Bye(CloseCode::kProtocol, "wait for `welcome` before other frames");
  }
  if (auto* ack = std::get_if<wire::Ack>(&frame)) return On(*ack);
  if (auto* mark = std::get_if<wire::Mark>(&frame)) return On(*mark);
  if (auto* list = std::get_if<wire::List>(&frame)) return On(*list);
  if (auto* token = std::get_if<wire::AuthToken>(&frame)) return On(*token, now);
}

void Session::On(wire::Hello& hello, Moment) {
  if (state_ != State::kAwaitHello) return Bye(CloseCode::kProtocol, "a second `hello`");
  const std::string token = hello.token.empty() ? std::exchange(options_.header_token, {}) : std::move(hello.token);
  hello.token.clear();
  if (token.empty()) return Bye(CloseCode::kBadToken, "no token: send it as `tok` in `hello`");
  auto identity = host_.Verify(token);
  if (!identity.ok()) {
    const bool expired = identity.status().code() == Code::kExpired;
    return Bye(expired ? CloseCode::kExpired : CloseCode::kBadToken, identity.status().message());
  }
  Begin(*identity, hello);
}

void Session::Begin(const auth::Identity& identity, const wire::Hello& hello) {
  CHECK(state_ == State::kAwaitHello);
  state_ = State::kOpening;
  hello_ = hello;
  user_ = identity.user;
  token_expires_ms_ = identity.expires_ms;
  credit_ = static_cast<uint32_t>(hello.credit > 0 ? hello.credit : model::kDefaultCredit);
  host_.OpenLog(user_, hello_.device);
}

// Where the client stands (semantics: Cursor, prev, cur). Sets told_.
Resume Session::Place(const logs::LogOpening& opening, std::string_view epoch) {
  const EntryId floor = log_->floor(), last = log_->last();
  auto start = [&] {
    switch (hello_.since.kind) {
      case wire::Since::Kind::kAll:
        return floor;
      case wire::Since::Kind::kNew:
        return last;
      case wire::Since::Kind::kTime:
        return std::clamp(Before(hello_.since.ms), floor, last);
    }
    return floor;
  };
  std::optional<EntryId> cursor = hello_.cursor;
  if (cursor) {
    if (hello_.epoch != epoch || *cursor > last) {
      told_ = start();
      return Resume::kReset;
    }
    Settle(*cursor);  // the cursor of a hello counts as a receipt
  } else {
    cursor = opening.device_cursor;
    if (auto sent = hello_.device.empty() ? std::nullopt : log_->SentCursor(hello_.device)) {
      cursor = std::max(cursor.value_or(EntryId{}), *sent);
    }
    if (!cursor) {
      told_ = start();
      return Resume::kFresh;
    }
    receipt_ = *cursor;
  }
  told_ = std::max(*cursor, floor);
  return *cursor < floor ? Resume::kGap : Resume::kOk;
}

void Session::OnLogOpened(logs::LiveLog* log, const Result<logs::LogOpening>& opening, std::string_view epoch,
                          Moment now) {
  if (state_ != State::kOpening) return;
  if (!opening.ok()) return Bye(CloseCode::kOverload, "the log cannot be read now");
  log_ = log;
  log_->Follow(*this);
  state_ = State::kLive;
  const Resume resume = Place(*opening, epoch);
  if (resume == Resume::kGap) gaps.Add();
  if (resume == Resume::kReset) resets.Add();
  welcomes.Add();

  Welcome welcome;
  welcome.sid = options_.sid;
  welcome.user = user_;
  welcome.epoch = epoch;
  welcome.head = log_->last();
  welcome.floor = log_->floor();
  welcome.cur = told_;
  welcome.resume = resume;
  welcome.counts = log_->counts();
  welcome.now_ms = now.wall_ms;
  welcome.ttl_s = (token_expires_ms_ - now.wall_ms) / 1000;
  std::string frame;
  AppendWelcome(frame, welcome);
  host_.Send(frame, told_);
  hello_.epoch.clear();
  hello_.lang.clear();
  Pull();
}

void Session::Pull() {
  if (state_ != State::kLive || reading_) return;
  while (told_ < log_->last() && !waits_for_credit_ && !host_.Congested()) {
    const size_t room = credit_ > in_flight_ ? credit_ - in_flight_ : 0;
    const size_t wanted = room + 1;  // one more than there is credit for tells whether a state change comes next
    const EntryId before = told_;
    if (log_->TailCovers(told_)) {
      Deliver(log_->Tail(told_, wanted), log_->last());
      if (told_ == before) return;
      continue;
    }
    reading_ = true;
    reading_to_ = log_->last();
    host_.ReadLog(told_, wanted, model::kFrameTarget);
    if (reading_ || told_ == before) return;  // OnLogRead goes on
  }
}

void Session::OnLogRead(const Result<logs::LogPiece>& piece) {
  if (state_ != State::kLive || !reading_) return;
  if (!piece.ok()) {
    reading_ = false;
    return Bye(CloseCode::kOverload, "the log cannot be read now");
  }
  Deliver(*piece, reading_to_);
  reading_ = false;
  Pull();
}

// Sends the lines in order until credit ends. `covered`: where the log ended when they were read.
void Session::Deliver(const logs::LogPiece& piece, EntryId covered) {
  std::vector<LogLine> items;
  size_t bytes = 0;
  for (const LogLine& line : piece.lines) {
    if (!line.entry->is_item()) {
      Flush(items);
      std::string frame;
      AppendStateChange(frame, told_, *line.entry);
      told_ = line.entry->id;
      host_.Send(frame, told_);
      continue;
    }
    if (in_flight_ + items.size() >= credit_) {
      Flush(items);
      waits_for_credit_ = true;
      return;
    }
    items.push_back(line);
    bytes += line.entry->bytes();
    if (bytes >= model::kFrameTarget) {
      Flush(items);
      bytes = 0;
    }
  }
  Flush(items);
  if (piece.complete && told_ < covered) {  // what lies between was deleted
    std::string frame;
    AppendNotifications(frame, told_, covered, {}, false);
    told_ = covered;
    host_.Send(frame, told_);
  }
}

void Session::Flush(std::vector<LogLine>& items) {
  if (items.empty()) return;
  const EntryId prev = std::exchange(told_, items.back().entry->id);
  std::string frame;
  AppendNotifications(frame, prev, told_, items, told_ < log_->last());
  in_flight_ += items.size();
  sent_.push_back({told_, static_cast<uint32_t>(items.size())});
  delivered.Add(static_cast<int64_t>(items.size()));
  items.clear();
  host_.Send(frame, told_);
}

// The device has everything up to `cursor`.
void Session::Settle(EntryId cursor) {
  auto keep = std::find_if(sent_.begin(), sent_.end(), [&](const Sent& sent) { return sent.cur > cursor; });
  size_t items = 0;
  for (auto at = sent_.begin(); at != keep; ++at) items += at->items;
  sent_.erase(sent_.begin(), keep);
  in_flight_ -= items;
  acked.Add(static_cast<int64_t>(items));
  if (items > 0) waits_for_credit_ = false;
  if (hello_.device.empty() || cursor <= receipt_) return;
  receipt_ = cursor;
  host_.StoreReceipt(cursor);
}

void Session::On(wire::Ack& ack) {
  if (!ack.channel.empty() || !ack.cursor) return;  // topics and early copies do not exist yet
  Settle(std::min(*ack.cursor, told_));
  Pull();
}

void Session::On(wire::Mark& mark) {
  if (!mark.channel.empty())
    return SendError(mark.correlator, "bad_request", "`ch`: there are no topics yet", Retry::kNo);
  if (replies_due_ >= kMaxRepliesDue) {
    return SendError(mark.correlator, "overload", "too many marks wait for an answer", Retry::kLater);
  }
  ++replies_due_;
  logs::MarkRequest request;
  request.user = user_;
  request.device = hello_.device;
  request.op = mark.op;
  request.nids = std::move(mark.nids);
  request.upto = mark.upto;
  request.mid = std::move(mark.mark_id);
  host_.StoreMark(std::move(mark.correlator), std::move(request));
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
  if (replies_due_ >= kMaxRepliesDue) {
    return SendError(list.correlator, "overload", "too many lists wait for an answer", Retry::kLater);
  }
  ++replies_due_;
  host_.ListLog(std::move(list.correlator), before,
                static_cast<size_t>(list.limit > 0 ? list.limit : model::kDefaultListLimit), *filter);
}

void Session::On(wire::AuthToken& token, Moment now) {
  auto identity = host_.Verify(token.token);
  if (!identity.ok()) {
    return SendError(token.correlator, ErrorCode(identity.status().code()), identity.status().message(), Retry::kNo);
  }
  if (identity->user != user_) {
    return SendError(token.correlator, "wrong_user", "the token is another user's; this session keeps its own",
                     Retry::kNo);
  }
  token_expires_ms_ = identity->expires_ms;
  warned_ = false;
  std::string frame;
  AppendOkTtl(frame, token.correlator, (token_expires_ms_ - now.wall_ms) / 1000);
  host_.Send(frame, std::nullopt);
}

void Session::OnListed(std::string_view i, const Result<logs::ListPage>& page) {
  if (state_ != State::kLive) return;
  --replies_due_;
  if (!page.ok()) {
    return SendError(i, ErrorCode(page.status().code()), page.status().message(), RetryOf(page.status().code()));
  }
  std::string frame;
  AppendOkPage(frame, i, *page, log_->last(), log_->counts());
  host_.Send(frame, std::nullopt);
}

void Session::OnMarked(std::string_view i, const Result<logs::Counts>& counts) {
  if (state_ != State::kLive) return;
  --replies_due_;
  if (!counts.ok()) {
    return SendError(i, ErrorCode(counts.status().code()), counts.status().message(), RetryOf(counts.status().code()));
  }
  std::string frame;
  AppendOkCounts(frame, i, log_->last(), *counts);
  host_.Send(frame, std::nullopt);
}

void Session::OnWritable() { Pull(); }

void Session::OnTick(Moment now) {
  if (state_ == State::kEnded) return;
  if (state_ == State::kAwaitHello) {
    if (now.monotonic_ms - heard_ms_ >= model::kUnauthenticatedMs) Bye(CloseCode::kProtocol, "no `hello` within 5 s");
    return;
  }
  if (state_ != State::kLive) return;
  const int64_t left_ms = token_expires_ms_ - now.wall_ms;
  if (left_ms <= 0) return Bye(CloseCode::kExpired);
  if (left_ms <= kWarnBeforeExpiryMs && !warned_) {
    warned_ = true;
    std::string frame;
    AppendWarn(frame, "token_expiring", left_ms);
    host_.Send(frame, std::nullopt);
  }
  if (options_.liveness == SessionOptions::Liveness::kNone) return Pull();
  if (pinged_) {
    if (now.monotonic_ms - pinged_ms_ >= model::kPongMs) return Bye(CloseCode::kNoPong);
  } else if (now.monotonic_ms - heard_ms_ >= model::kPingMs) {
    pinged_ = true;
    pinged_ms_ = now.monotonic_ms;
    std::string frame;
    AppendPing(frame, now.wall_ms);
    host_.Send(frame, std::nullopt);
    Pull();  // a wake-up that was lost costs no more than this
  }
}

void Session::Drain(int64_t after_ms) {
  if (state_ == State::kEnded) return;
  state_ = State::kEnded;
  std::string frame;
  AppendBye(frame, CloseCode::kDrain, {}, after_ms);
  host_.Send(frame, std::nullopt);
  host_.End(CloseCode::kDrain, Explain(CloseCode::kDrain));
}

void Session::Bye(CloseCode code, std::string_view message) {
  if (state_ == State::kEnded) return;
  state_ = State::kEnded;
  std::string frame;
  AppendBye(frame, code, message, -1);
  host_.Send(frame, std::nullopt);
  host_.End(code, message.empty() ? Explain(code) : message);
}

void Session::SendError(std::string_view i, std::string_view code, std::string_view message, Retry retry) {
  std::string frame;
  AppendError(frame, i, code, message, retry);
  host_.Send(frame, std::nullopt);
}

}  // namespace tocsin::session
