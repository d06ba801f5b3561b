#include "gateway/resp_peer.h"

#include <algorithm>

#include "base/metrics.h"
#include "gateway/resp_change.h"

namespace tocsin::gateway {
namespace {

using commands::Batch;
using commands::Next;

constexpr size_t kMaxBatch = 1 << 20;             // bytes of commands; the one that goes beyond is the last
constexpr size_t kMaxWaitingInput = 256 << 10;    // read while a batch is under way
constexpr size_t kUnauthenticatedOutput = 1'024;  // bytes
constexpr int64_t kLoginMs = 60'000;
constexpr size_t kCounted = 64 << 10;    // bytes held by one connection from which on they are counted
constexpr int64_t kTimerStepMs = 5'000;  // a timer lives no longer, so that an ended connection leaves none for hours

base::Gauge open_clients("tocsin_redis_clients", "Connections to the Redis port");

RespPeer* FindPeer(const RespAddress& address) {
  Connection* connection = address.hub->Find(address.connection);
  return connection == nullptr ? nullptr : dynamic_cast<RespPeer*>(connection->peer());
}

}  // namespace

RespPeer::RespPeer(Connection& connection, RespQueue& queue, commands::ClientContext& context, std::string peer,
                   std::string local)
    : connection_(connection),
      queue_(queue),
      context_(context),
      client_(context, std::move(peer), std::move(local), connection.peer_address()),
      since_ms_(connection.hub().now().monotonic_ms) {
  if (client_.authenticated()) parser_.SetLimits(wire::kRespAuthenticated);
  open_clients.Add(1);
}

RespPeer::~RespPeer() {
  open_clients.Add(-1);
  CountInput(0);
  context_.db.figures().held_replies.fetch_sub(held_output_, std::memory_order_relaxed);
  if (wait_) CancelRespWait(connection_.hub(), context_.db, std::move(wait_), {});
  if (client_.has_watched()) ForgetRespSession(connection_.hub(), context_.db, client_.session());
}

void RespPeer::CountInput(size_t bytes) {
  context_.db.figures().held_input.fetch_add(bytes - waiting_input_, std::memory_order_relaxed);
  waiting_input_ = bytes;
}

// Up to a page of either costs no counting: an idle connection is none of those that hold much.
void RespPeer::CountOutput() {
  const size_t unsent = connection_.unsent();
  if (unsent == held_output_ || (unsent < kCounted && held_output_ == 0)) return;
  context_.db.figures().held_replies.fetch_add(unsent - held_output_, std::memory_order_relaxed);
  held_output_ = unsent;
}

size_t RespPeer::OnInput(std::span<char> bytes) {
  if (state_ != State::kReading) {
    CountInput(bytes.size());
    if (bytes.size() > kMaxWaitingInput) connection_.PauseInput();
    return 0;
  }
  if (connection_.Congested()) {
    connection_.PauseInput();
    WaitForRoom();
    return 0;
  }
  auto batch = std::make_shared<Batch>();
  size_t done = 0;
  next_ = Fill({bytes.data(), bytes.size()}, done, *batch);
  const size_t left = bytes.size() - done;
  if (left >= kCounted || waiting_input_ != 0) CountInput(left);
  if (left > kMaxWaitingInput &&
      context_.db.figures().held_input.load(std::memory_order_relaxed) > commands::kMaxHeldInput) {
    wire::RespWriter(batch->ReadyReplies(), client_.version())
        .Error("ERR clients hold too much memory with commands that they have begun: try again");
    next_ = Next::kClose;
  }
  if (!client_.authenticated() && connection_.unsent() + batch->ready_replies().size() > kUnauthenticatedOutput) {
    next_ = Next::kClose;
  }
  if (batch->is_ready()) {
    if (!batch->empty()) connection_.output() += batch->ready_replies();
    Finish();
  } else {
    Submit(std::move(batch));
  }
  return done;
}

// Takes commands from the front of the input until one must be answered first, or the batch is large enough.
Next RespPeer::Fill(std::string_view input, size_t& done, Batch& batch) {
  while (done < input.size() && batch.bytes() < kMaxBatch && batch.ready_replies().size() < commands::kReplyWindow) {
    size_t consumed = 0;
    const auto step = parser_.Next(input.substr(done), consumed);
    done += consumed;
    if (step == wire::RespCommandParser::Step::kNeedMore) break;
    if (step == wire::RespCommandParser::Step::kError) {
      wire::RespWriter(batch.ReadyReplies(), client_.version()).Error(parser_.error());
      return Next::kClose;
    }
    const bool before = client_.authenticated();
    const Next next = client_.Take(parser_.arguments(), batch);
    if (client_.authenticated() != before) {
      parser_.SetLimits(before ? wire::kRespUnauthenticated : wire::kRespAuthenticated);
    }
    if (next != Next::kGoOn) return next;
  }
  return Next::kGoOn;
}

void RespPeer::Submit(std::shared_ptr<Batch> batch) {
  state_ = State::kRunning;
  queue_.Add(connection_.number(), ++number_, client_.session(), std::move(batch));
}

void RespPeer::OnAnswer(uint64_t number, Answer answer) {
  context_.db.figures().held_replies.fetch_sub(answer.held, std::memory_order_relaxed);
  if (number != number_ || state_ != State::kRunning) return;
  connection_.output() += answer.replies;
  CountOutput();
  switch (answer.stop) {
    case Batch::Stop::kEnd:
      Finish();
      return GoOn();
    case Batch::Stop::kWindow:
      if (!connection_.Congested()) return Submit(std::move(answer.batch));
      state_ = State::kHeld;
      held_ = std::move(answer.batch);
      return WaitForRoom();
    case Batch::Stop::kBlocked:
      state_ = State::kBlocked;
      wait_ = std::move(answer.wait);
      if (input_ended_ || draining_) return Kill();
      if (answer.timeout_ms > 0) StartTimer(answer.timeout_ms);
  }
}

// The batch is answered: what its end brings.
void RespPeer::Finish() {
  state_ = State::kReading;
  switch (std::exchange(next_, Next::kGoOn)) {
    case Next::kClose:
      return connection_.CloseAfterFlush();
    case Next::kHost:
      return AskHost();
    default:
      if (draining_) connection_.CloseAfterFlush();
  }
}

// Takes up the input that has waited. Outside of OnInput.
void RespPeer::GoOn() {
  if (state_ != State::kReading || connection_.closing()) return;
  connection_.RetryInput();
  if (input_ended_ && state_ == State::kReading) connection_.CloseAfterFlush();
}

// The send window is full. When the coming flush empties it, nobody else says so.
void RespPeer::WaitForRoom() {
  connection_.hub().core().Post([address = RespAddress{&connection_.hub(), connection_.number(), number_}] {
    RespPeer* peer = FindPeer(address);
    if (peer != nullptr && !peer->connection_.Congested()) peer->OnWritable();
  });
}

void RespPeer::OnWritable() {
  CountOutput();
  if (state_ == State::kHeld) return Submit(std::move(held_));
  GoOn();
}

void RespPeer::OnUnblocked(uint64_t number, const std::string& reply) {
  if (number != number_ || state_ != State::kBlocked) return;
  wait_.reset();
  deadline_us_ = 0;
  connection_.output() += reply;
  Finish();
  GoOn();
}

void RespPeer::StartTimer(int64_t timeout_ms) {
  const int64_t now_us = connection_.hub().core().clock().MonotonicUs();
  constexpr int64_t kLongest = INT64_MAX / 4'000;
  deadline_us_ = now_us + std::min(timeout_ms, kLongest) * 1'000;
  const int64_t delay_ms = std::min(timeout_ms, kTimerStepMs);
  if (timer_at_us_ != 0 && timer_at_us_ <= now_us + delay_ms * 1'000) return;
  timer_at_us_ = now_us + delay_ms * 1'000;
  connection_.hub().core().After(delay_ms, [address = RespAddress{&connection_.hub(), connection_.number(), 0}] {
    if (RespPeer* peer = FindPeer(address)) peer->OnTimer();
  });
}

void RespPeer::OnTimer() {
  timer_at_us_ = 0;
  if (state_ != State::kBlocked || deadline_us_ == 0) return;
  const int64_t left_us = deadline_us_ - connection_.hub().core().clock().MonotonicUs();
  if (left_us > 0) return StartTimer((left_us + 999) / 1'000);
  deadline_us_ = 0;
  CancelWait(Reason::kTimeout);
}

void RespPeer::CancelWait(Reason reason) {
  std::string reply;
  wire::RespWriter writer(reply, client_.version());
  if (reason == Reason::kError) {
    writer.Error("UNBLOCKED client unblocked via CLIENT UNBLOCK");
  } else {
    writer.NullArray();
  }
  CancelRespWait(connection_.hub(), context_.db, wait_, std::move(reply));
}

bool RespPeer::Unblock(Reason reason) {
  if (state_ != State::kBlocked) return false;
  CancelWait(reason);
  return true;
}

void RespPeer::Kill() {
  if (wait_) CancelRespWait(connection_.hub(), context_.db, std::move(wait_), {});
  connection_.CloseAfterFlush();
}

commands::Client::Sockets RespPeer::sockets() const {
  return {.now_us = connection_.hub().core().clock().MonotonicUs(),
          .input = waiting_input_,
          .output = connection_.unsent(),
          .blocked = state_ == State::kBlocked};
}

void RespPeer::OnTick(session::Moment now) {
  CountOutput();
  if (!client_.authenticated() && now.monotonic_ms - since_ms_ >= kLoginMs) return connection_.CloseAfterFlush();
  if (state_ == State::kBlocked && connection_.PeerHasGone()) Kill();
}

bool RespPeer::OnInputEnd() {
  input_ended_ = true;
  if (state_ == State::kBlocked) return false;
  if (state_ == State::kReading && !connection_.Congested()) connection_.CloseAfterFlush();
  return true;
}

void RespPeer::OnDrain(int64_t) {
  draining_ = true;
  if (state_ == State::kBlocked) return Kill();
  if (state_ == State::kReading) connection_.CloseAfterFlush();
}

void RespPeer::AskHost() {
  state_ = State::kRunning;
  AskAllClients(connection_.hub(), connection_.number(), ++number_, client_.host_request());
}

void RespPeer::OnHostAnswer(uint64_t number, const std::string& reply, bool killed) {
  if (number != number_ || state_ != State::kRunning) return;
  connection_.output() += reply;
  if (killed) next_ = Next::kClose;
  Finish();
  GoOn();
}

}  // namespace tocsin::gateway
