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
using model::Priority;

// Of one session, waiting for an answer at once. A page may be long.
constexpr uint8_t kMaxMarksDue = 64;
constexpr uint8_t kMaxListsDue = 4;
// Entries looked at when there is no credit for items.
constexpr size_t kChangesAhead = 16;
constexpr int64_t kWarnBeforeExpiryMs = 60'000;

base::Counter delivered("tocsin_items_sent_total", "Items sent to sessions, repeats included");
base::Counter overtook("tocsin_early_copies_total", "Urgent items sent ahead of a backlog");
base::Counter acked("tocsin_items_acked_total", "Items that devices have acknowledged");
base::Counter welcomes("tocsin_sessions_total", "Sessions that were welcomed");
base::Counter gaps("tocsin_resumes_total", "Sessions by how they resumed", "resume=\"gap\"");
base::Counter resets("tocsin_resumes_total", "Sessions by how they resumed", "resume=\"reset\"");

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
}

void Session::On(wire::Hello& hello) {
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
  hello_ = std::make_unique<const wire::Hello>(hello);
  user_ = identity.user;
  device_ = hello.device;
  token_expires_ms_ = identity.expires_ms;
  const bool unlimited = options_.credit == SessionOptions::Credit::kUnlimited;
  credit_ = hello.credit > 0 ? static_cast<uint32_t>(hello.credit) : unlimited ? UINT32_MAX : model::kDefaultCredit;
  host_.OpenLog(user_, device_);
}

// Where a client without a cursor starts.
EntryId Session::Start(const logs::LogHead& head) const {
  switch (hello_->since.kind) {
    case wire::Since::Kind::kAll:
      return head.floor;
    case wire::Since::Kind::kNew:
      return head.last;
    case wire::Since::Kind::kTime:
      return std::clamp(Before(hello_->since.ms), head.floor, head.last);
  }
  return head.floor;
}

// Where the client stands (semantics: Cursor, prev, cur). Sets told_. `stored`: the cursor kept for its device.
Resume Session::Place(const logs::LogOpening& opening, std::optional<EntryId> stored) {
  const logs::LogHead& head = opening.head;
  EntryId cursor;
  if (hello_->cursor) {
    cursor = *hello_->cursor;
    if (hello_->epoch != opening.epoch || cursor > head.last) {
      told_ = Start(head);
      return Resume::kReset;
    }
    Settle(cursor);  // the cursor of a hello counts as a receipt
  } else if (stored) {
    cursor = receipt_ = std::min(*stored, head.last);
  } else {
    told_ = Start(head);
    return Resume::kFresh;
  }
  told_ = std::max(cursor, head.floor);
  return cursor < head.floor || cursor < opening.lost ? Resume::kGap : Resume::kOk;
}

void Session::OnLogOpened(logs::LiveLog* log, const Result<logs::LogOpening>& opened, Moment now) {
  if (state_ != State::kOpening) return;
  if (!opened.ok()) return Bye(CloseCode::kOverload, "the log cannot be read now");
  log_ = log;
  log_->Follow(*this);
  state_ = State::kLive;

  logs::LogOpening opening = *opened;
  logs::LogHead& head = opening.head;
  if (head.last <= log_->last()) {  // else the store is ahead: an update is still on its way here
    head.last = log_->last();
    head.floor = log_->floor();
    head.counts = log_->counts();
  }
  std::optional<EntryId> stored = opening.device_cursor;
  if (auto sent = device_.empty() ? std::nullopt : log_->SentCursor(device_)) {
    stored = std::max(stored.value_or(EntryId{}), *sent);
  }
  const Resume resume = Place(opening, stored);
  lost_ = opening.lost;
  if (resume == Resume::kGap) gaps.Add();
  if (resume == Resume::kReset) resets.Add();
  welcomes.Add();

  const int64_t left_ms = std::max<int64_t>(token_expires_ms_ - now.wall_ms, 0);
  expires_ms_ = now.monotonic_ms + left_ms;
  Welcome welcome;
  welcome.sid = options_.sid;
  welcome.user = user_;
  welcome.epoch = opening.epoch;
  welcome.head = head.last;
  welcome.floor = head.floor;
  welcome.cur = told_;
  welcome.resume = resume;
  welcome.counts = head.counts;
  welcome.now_ms = now.wall_ms;
  welcome.ttl_s = left_ms / 1000;
  std::string frame;
  AppendWelcome(frame, welcome);
  host_.Send(frame, told_);
  hello_.reset();
  Advance();
}

void Session::Advance() {
  Pull();
  if (log_ != nullptr) log_->Settle();
}

void Session::Pull() {
  if (state_ != State::kLive || reading_ || pulling_) return;
  pulling_ = true;
  while (state_ == State::kLive && told_ < log_->last() && !waits_for_credit_ && !host_.Congested()) {
    const size_t room = credit_ > sent_.size() ? credit_ - sent_.size() : 0;
    // One more than there is credit for tells whether a state change comes next. Where one did, more of them may.
    const size_t wanted = room > 0 ? std::min<size_t>(room, model::kMaxCredit) + 1 : kChangesAhead;
    const EntryId before = told_;
    if (log_->TailCovers(told_)) {
      Deliver(log_->Tail(told_, wanted), log_->last());
    } else {
      reading_ = true;
      reading_to_ = log_->last();
      host_.ReadLog(told_, wanted, model::kFrameTarget);
    }
    if (reading_ || told_ == before) break;  // OnLogRead goes on, or there is nothing to go on with
  }
  pulling_ = false;
  if (waits_for_credit_) Overtake();
}

void Session::OnLogRead(const Result<logs::LogPiece>& piece) {
  if (state_ != State::kLive || !reading_) return;
  reading_ = false;
  if (!piece.ok()) return Bye(CloseCode::kOverload, "the log cannot be read now");
  // Before the word of it came here: to go on would take the client past what was lost, as if nothing were missing.
  if (piece->lost > lost_) return Bye(CloseCode::kLogLost);
  const bool long_backlog = !piece->complete;
  Deliver(*piece, reading_to_);
  Advance();
  if (long_backlog) Overtake();
}

// Sends early copies of what is urgent and lies behind what cannot be sent yet.
void Session::Overtake() {
  // Where nothing has to be acknowledged, what came again in its order is not out any more.
  if (unlimited()) std::erase_if(early_, [this](const Early& copy) { return copy.id <= told_; });
  if (state_ != State::kLive || host_.Congested() || looking_to_ != EntryId{} || early_.size() >= model::kMaxEarly)
    return;
  overtaken_to_ = std::max(overtaken_to_, told_);
  const EntryId last = log_->last();
  if (overtaken_to_ >= last) return;
  if (log_->TailCovers(overtaken_to_)) return SendEarly(log_->Tail(overtaken_to_, SIZE_MAX).lines, last);
  const auto& unread = log_->counts().unread_by_priority;
  if (unread[static_cast<size_t>(Priority::kHigh)] + unread[static_cast<size_t>(Priority::kCritical)] == 0) {
    overtaken_to_ = last;
    return;
  }
  looking_to_ = last;
  host_.ListUrgent(2 * model::kMaxEarly);
}

void Session::OnUrgent(const Result<logs::ListPage>& page) {
  const EntryId covered = std::exchange(looking_to_, EntryId{});
  if (state_ != State::kLive || !page.ok()) return;  // they come in their order
  std::vector<LogLine> lines(page->lines.rbegin(), page->lines.rend());
  std::erase_if(lines, [&](const LogLine& line) {  // what came after the question is in the tail, or asked for next
    return line.entry->id <= overtaken_to_ || line.entry->id > covered;
  });
  SendEarly(lines, covered);
}

// `lines` in order; all that is urgent up to `covered` and worth an early copy is among them.
void Session::SendEarly(const std::vector<LogLine>& lines, EntryId covered) {
  std::vector<LogLine> urgent;
  for (const LogLine& line : lines) {
    const logs::LogEntry& entry = *line.entry;
    if (entry.id <= told_ || !entry.is_item() || !model::IsUrgent(entry.priority)) continue;
    if (line.state >= logs::ItemState::kRead) continue;
    if (early_.size() == model::kMaxEarly) {  // the rest when one of these is acknowledged
      covered = urgent.empty() ? overtaken_to_ : urgent.back().entry->id;
      break;
    }
    early_.push_back({entry.id, entry.nid});
    urgent.push_back(line);
  }
  overtaken_to_ = std::max(overtaken_to_, covered);
  if (urgent.empty()) return;
  std::string frame;
  AppendEarlyCopies(frame, told_, urgent);
  overtook.Add(static_cast<int64_t>(urgent.size()));
  host_.Send(frame, std::nullopt);
}

// Sends the lines in order until credit ends. `covered`: where the log ended when they were read.
void Session::Deliver(const logs::LogPiece& piece, EntryId covered) {
  if (piece.gap)
    return Bye(CloseCode::kSlow, "the log was trimmed beyond this cursor; what is left follows a new hello");
  const std::span<const LogLine> lines(piece.lines);
  size_t first = 0, bytes = 0;  // of the items that wait to be sent in one frame
  for (size_t i = 0; i < lines.size(); ++i) {
    const logs::LogEntry& entry = *lines[i].entry;
    if (!entry.is_item()) {
      SendItems(lines.subspan(first, i - first));
      std::string frame;
      AppendStateChange(frame, told_, entry);
      told_ = entry.id;
      host_.Send(frame, told_);
      first = i + 1;
      bytes = 0;
      continue;
    }
    if (sent_.size() + (i - first) >= credit_) {
      SendItems(lines.subspan(first, i - first));
      waits_for_credit_ = true;
      return;
    }
    bytes += entry.bytes();
    if (bytes >= model::kFrameTarget) {
      SendItems(lines.subspan(first, i + 1 - first));
      first = i + 1;
      bytes = 0;
    }
  }
  SendItems(lines.subspan(first));
  if (piece.complete && told_ < covered) {  // what lies between was deleted
    std::string frame;
    AppendNotifications(frame, told_, covered, {}, false);
    told_ = covered;
    host_.Send(frame, told_);
  }
}

void Session::SendItems(std::span<const LogLine> items) {
  if (items.empty()) return;
  const EntryId prev = std::exchange(told_, items.back().entry->id);
  std::string frame;
  AppendNotifications(frame, prev, told_, items, told_ < log_->last());
  if (!unlimited()) {
    for (const LogLine& line : items) sent_.push_back(line.entry->id);
  }
  delivered.Add(static_cast<int64_t>(items.size()));
  host_.Send(frame, told_);
}

// The device has everything up to `cursor`.
void Session::Settle(EntryId cursor) {
  const auto keep = std::upper_bound(sent_.begin(), sent_.end(), cursor);
  if (keep != sent_.begin()) waits_for_credit_ = false;
  acked.Add(keep - sent_.begin());
  sent_.erase(sent_.begin(), keep);
  if (sent_.empty()) std::vector<EntryId>().swap(sent_);  // idle sessions hold no buffers
  std::erase_if(early_, [cursor](const Early& copy) { return copy.id <= cursor; });
  if (device_.empty() || cursor <= receipt_) return;
  receipt_ = cursor;
  host_.StoreReceipt(cursor);
}

void Session::On(wire::Ack& ack) {
  if (!ack.channel.empty()) return;  // topics do not exist yet
  if (!ack.nids.empty()) {
    std::erase_if(early_, [&ack](const Early& copy) {
      return std::find(ack.nids.begin(), ack.nids.end(), copy.nid) != ack.nids.end();
    });
  }
  if (ack.cursor) Settle(std::min(*ack.cursor, told_));
  Advance();
}

void Session::On(wire::Mark& mark) {
  if (!mark.channel.empty()) {
    return SendError(mark.correlator, "bad_request", "`ch`: there are no topics yet", Retry::kNo);
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
  if (lists_due_ >= kMaxListsDue) {
    return SendError(list.correlator, "overload", "too many lists wait for an answer", Retry::kLater);
  }
  ++lists_due_;
  host_.ListLog(std::move(list.correlator), before,
                static_cast<size_t>(list.limit > 0 ? list.limit : model::kDefaultListLimit), *filter);
}

void Session::On(wire::AuthToken& token, Moment now) {
  auto identity = host_.Verify(token.token);
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
  std::string frame;
  AppendOkTtl(frame, token.correlator, left_ms / 1000);
  host_.Send(frame, std::nullopt);
}

void Session::OnListed(std::string_view i, const Result<logs::ListPage>& page) {
  if (state_ != State::kLive) return;
  --lists_due_;
  if (!page.ok()) return SendFailure(i, page.status());
  std::string frame;
  AppendOkPage(frame, i, *page, log_->last(), log_->counts());
  host_.Send(frame, std::nullopt);
}

void Session::OnMarked(std::string_view i, const Result<logs::Counts>& counts) {
  if (state_ != State::kLive) return;
  --marks_due_;
  if (!counts.ok()) return SendFailure(i, counts.status());
  std::string frame;
  // Those of the log, not of the mark: they belong to the id that is named with them.
  AppendOkCounts(frame, i, log_->last(), log_->counts());
  host_.Send(frame, std::nullopt);
}

void Session::OnLogLost() { Bye(CloseCode::kLogLost); }

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
    host_.Send(frame, std::nullopt);
  }
  if (options_.liveness == SessionOptions::Liveness::kNone) return Advance();
  if (pinged_) {
    if (now.monotonic_ms - pinged_ms_ >= model::kPongMs) return Bye(CloseCode::kNoPong);
  } else if (now.monotonic_ms - heard_ms_ >= model::kPingMs) {
    pinged_ = true;
    pinged_ms_ = now.monotonic_ms;
    std::string frame;
    AppendPing(frame, now.wall_ms);
    host_.Send(frame, std::nullopt);
    Advance();  // a wake-up that was lost costs no more than this
  }
}

void Session::Drain(int64_t after_ms) { End(CloseCode::kDrain, {}, after_ms); }
void Session::Bye(CloseCode code, std::string_view message) { End(code, message, -1); }

void Session::End(CloseCode code, std::string_view message, int64_t after_ms) {
  if (state_ == State::kEnded) return;
  state_ = State::kEnded;
  std::string frame;
  AppendBye(frame, code, message, after_ms);
  host_.Send(frame, std::nullopt);
  host_.End(code, message.empty() ? Explain(code) : message);
}

void Session::SendError(std::string_view i, std::string_view code, std::string_view message, Retry retry) {
  std::string frame;
  AppendError(frame, i, code, message, retry);
  host_.Send(frame, std::nullopt);
}

void Session::SendFailure(std::string_view i, const base::Status& status) {
  const Failure failure = FailureOf(status.code());
  SendError(i, failure.code, failure.message, failure.retry);
}

}  // namespace tocsin::session
