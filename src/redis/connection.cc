#include "redis/connection.h"

#include <cerrno>
#include <cstring>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "model/limits.h"
#include "redis/tls.h"

namespace tocsin::redis {
namespace {

constexpr int64_t kTickMs = 500;
constexpr int64_t kLoadingMs = 100;    // between two looks at a server that loads its data
constexpr int64_t kAttemptMs = 1'000;  // for one of several addresses
constexpr size_t kKeepCapacity = 256 << 10;

void SetOption(int socket, int level, int option, int value) {
  // A refused option costs comfort, not correctness.
  static_cast<void>(setsockopt(socket, level, option, &value, sizeof value));
}

void SetOptions(int socket) {
  SetOption(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  SetOption(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  SetOption(socket, IPPROTO_TCP, TCP_KEEPIDLE, 10);
  SetOption(socket, IPPROTO_TCP, TCP_KEEPINTVL, 5);
  SetOption(socket, IPPROTO_TCP, TCP_KEEPCNT, 3);
  SetOption(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, 10'000);
}

void Append(std::string& out, const Arguments& command) {
  const std::vector<std::string_view> views(command.begin(), command.end());
  wire::AppendRespCommand(out, views);
}

}  // namespace

Connection::Connection(Surroundings& surroundings, Owner& owner, Endpoint endpoint, Login login, Watching watching)
    : surroundings_(surroundings),
      owner_(owner),
      endpoint_(std::move(endpoint)),
      address_(endpoint_.ToString()),
      login_(std::move(login)),
      watching_(watching),
      greeting_(login_, address_) {}

Connection::~Connection() { CloseSocket(); }

base::Status Connection::Failure(std::string_view what) const {
  return base::Status(base::Code::kUnavailable, address_ + ": " + std::string(what));
}

// A server may miss a certificate and say so with a reset only, once the handshake is through.
std::string Connection::Hint() const {
  const bool likely = state_ == State::kGreeting && surroundings_.tls != nullptr;
  if (!likely || surroundings_.tls->has_certificate()) return {};
  return " (if it wants a client certificate: name it with `cert=FILE&key=FILE`)";
}

void Connection::Open() {
  state_ = State::kResolving;
  opening_since_ms_ = heard_ms_ = surroundings_.NowMs();
  Tick();
  surroundings_.resolver.Resolve(endpoint_,
                                 [weak = weak_from_this()](base::Result<std::vector<SocketAddress>> addresses) {
                                   const std::shared_ptr<Connection> self = weak.lock();
                                   if (!self || self->state_ != State::kResolving) return;
                                   if (!addresses.ok()) {
                                     // OnClosed never comes inside Open().
                                     self->surroundings_.core.Post([weak, why = addresses.status()] {
                                       if (const auto again = weak.lock()) again->Close(why);
                                     });
                                     return;
                                   }
                                   self->addresses_.assign(addresses->rbegin(), addresses->rend());
                                   self->surroundings_.core.Post([weak] {
                                     if (const auto again = weak.lock(); again && again->state_ == State::kResolving) {
                                       again->ConnectNext(again->Failure("no address"));
                                     }
                                   });
                                 });
}

// The next address, until one is being connected to; `why` is what befell the last one.
void Connection::ConnectNext(const base::Status& why) {
  base::Status last = why;
  while (!addresses_.empty()) {
    const SocketAddress next = addresses_.back();
    addresses_.pop_back();
    CloseSocket();
    socket_ = socket(next.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (socket_ < 0) {
      last = Failure(std::strerror(errno));
      continue;
    }
    SetOptions(socket_);
    if (connect(socket_, reinterpret_cast<const sockaddr*>(&next.address), next.size) == 0 || errno == EINPROGRESS) {
      state_ = State::kConnecting;
      attempt_since_ms_ = surroundings_.NowMs();
      watch_ = surroundings_.core.Observe(socket_, *this);
      watch_->Pause();
      watch_->WantWrite();
      return;
    }
    last = Failure(std::strerror(errno));
  }
  Close(last);
}

void Connection::OnConnected() {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(socket_, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error != 0) return ConnectNext(Failure(std::strerror(error)));
  if (surroundings_.tls == nullptr) {
    stream_ = PlainStream(socket_);
  } else {
    base::Result<std::unique_ptr<Stream>> stream = surroundings_.tls->Connect(socket_, endpoint_.host);
    if (!stream.ok()) return Close(stream.status());
    stream_ = std::move(stream).value();
  }
  state_ = State::kHandshake;
  GoOnHandshake();
}

void Connection::GoOnHandshake() {
  switch (stream_->Handshake()) {
    case Stream::Step::kDone:
      watch_->Resume();
      return SayHello();
    case Stream::Step::kWantRead:
      return watch_->Resume();
    case Stream::Step::kWantWrite:
      watch_->Pause();
      return watch_->WantWrite();
    case Stream::Step::kEnd:
      return Close(Failure("closed the connection in the middle of the TLS handshake"));
    case Stream::Step::kFailed:
      return Close(Failure(stream_->failure().message()));
  }
}

void Connection::SayHello() {
  state_ = State::kGreeting;
  OnGreeting(Greeting::Step::kGoOn);
}

void Connection::OnGreeting(Greeting::Step step) {
  switch (step) {
    case Greeting::Step::kGoOn:
      for (const Arguments& command : greeting_.commands()) {
        Expect([this](const base::Result<wire::RespReply>& reply, Fate fate) {
          if (fate == Fate::kAnswered) OnGreeting(greeting_.OnReply(*reply));
        });
        Append(output_, command);
      }
      return Flush();
    case Greeting::Step::kWait:
      return AskAgainLater();
    case Greeting::Step::kDone:
      state_ = State::kOpen;
      return owner_.OnOpen(*this);
    case Greeting::Step::kFailed:
      return Close(greeting_.failure());
  }
}

void Connection::AskAgainLater() {
  opening_since_ms_ = surroundings_.NowMs();  // it loads, and answers: that may take its time
  surroundings_.core.After(kLoadingMs, [weak = weak_from_this()] {
    const std::shared_ptr<Connection> self = weak.lock();
    if (self && self->state_ == State::kGreeting) self->OnGreeting(Greeting::Step::kGoOn);
  });
}

void Connection::Send(const Arguments& command, Then then) {
  CHECK(state_ == State::kOpen);
  Expect(std::move(then));
  Append(output_, command);
  FlushSoon();
}

void Connection::Send(const Request& request, ScriptForm form, Then then) {
  CHECK(state_ == State::kOpen);
  Expect(std::move(then));
  AppendRequest(output_, request, form);
  FlushSoon();
}

void Connection::Subscribe(std::string_view channel) {
  subscribed_ = true;
  Append(output_, {"SUBSCRIBE", std::string(channel)});  // its answer is a push
  FlushSoon();
}

void Connection::Expect(Then then) {
  in_flight_.push_back({std::move(then), sent_ + output_.size() - written_, surroundings_.NowMs()});
}

// At the start of the next turn: one write for everything that this one sends.
void Connection::FlushSoon() {
  if (flush_posted_) return;
  flush_posted_ = true;
  surroundings_.core.Post([weak = weak_from_this()] {
    const std::shared_ptr<Connection> self = weak.lock();
    if (!self) return;
    self->flush_posted_ = false;
    if (self->state_ == State::kOpen) self->Flush();
  });
}

void Connection::Flush() {
  while (written_ < output_.size() && !wants_write_ && state_ != State::kClosed) {
    size_t put = 0;
    switch (stream_->Write(std::string_view(output_).substr(written_), put)) {
      case Stream::Step::kDone:
        written_ += put;
        sent_ += put;
        break;
      case Stream::Step::kWantRead:  // TLS: what arrives comes first
        return;
      case Stream::Step::kWantWrite:
        wants_write_ = true;
        watch_->WantWrite();
        return;
      case Stream::Step::kEnd:
        return Close(Failure("closed the connection" + Hint()));
      case Stream::Step::kFailed:
        return Close(Failure(std::string(stream_->failure().message()) + Hint()));
    }
  }
  if (written_ < output_.size()) return;
  output_.clear();
  written_ = 0;
  if (output_.capacity() > kKeepCapacity) std::string().swap(output_);
}

void Connection::OnWritable() {
  const std::shared_ptr<Connection> self = shared_from_this();
  wants_write_ = false;
  if (state_ == State::kConnecting) return OnConnected();
  if (state_ == State::kHandshake) return GoOnHandshake();
  if (state_ == State::kGreeting || state_ == State::kOpen) Flush();
}

void Connection::OnReadable() {
  const std::shared_ptr<Connection> self = shared_from_this();
  if (state_ == State::kHandshake) return GoOnHandshake();
  if (state_ != State::kGreeting && state_ != State::kOpen) return;
  Read();
  if (state_ == State::kOpen && written_ < output_.size() && !wants_write_) FlushSoon();
}

void Connection::Read() {
  std::vector<char>& scratch = surroundings_.scratch;
  while (state_ == State::kGreeting || state_ == State::kOpen) {
    size_t got = 0;
    switch (stream_->Read(scratch, got)) {
      case Stream::Step::kDone:
        break;
      case Stream::Step::kWantRead:
        return;
      case Stream::Step::kWantWrite:
        wants_write_ = true;
        return watch_->WantWrite();
      case Stream::Step::kEnd:
        return Close(Failure("closed the connection" + Hint()));
      case Stream::Step::kFailed:
        return Close(Failure(std::string(stream_->failure().message()) + Hint()));
    }
    heard_ms_ = surroundings_.NowMs();
    // The scratch buffer is shared: what a callback does may read another connection into it, never this one, and only
    // in another turn.
    size_t done = 0;
    if (input_.empty()) {
      const std::string_view bytes(scratch.data(), got);
      if (!Consume(bytes, done)) return;
      input_.assign(bytes.substr(done));
    } else {
      input_.append(scratch.data(), got);
      if (!Consume(input_, done)) return;
      input_.erase(0, done);
      if (input_.empty() && input_.capacity() > kKeepCapacity) std::string().swap(input_);
    }
    if (got < scratch.size() && surroundings_.tls == nullptr) return;
  }
}

// False: the connection is closed.
bool Connection::Consume(std::string_view bytes, size_t& done) {
  while (true) {
    wire::RespReply reply;
    size_t consumed = 0;
    const wire::RespReplyParser::Step step = parser_.Next(bytes.substr(done), consumed, reply);
    done += consumed;
    reply_bytes_ += consumed;
    if (step == wire::RespReplyParser::Step::kError) {
      Close(Failure("does not speak the Redis protocol: " + std::string(parser_.error())));
      return false;
    }
    if (step == wire::RespReplyParser::Step::kNeedMore) {
      if (reply_bytes_ + bytes.size() - done <= model::kMaxRedisReply) return true;
      Close(Failure("sends a reply that is too large"));
      return false;
    }
    reply_bytes_ = 0;
    OnReply(std::move(reply));
    if (state_ == State::kClosed) return false;
  }
}

void Connection::OnReply(wire::RespReply reply) {
  if (reply.type == wire::RespReply::Type::kPush || (subscribed_ && in_flight_.empty())) {
    return owner_.OnPush(*this, reply);
  }
  if (in_flight_.empty()) return Close(Failure("answers more than it was asked"));
  const Then then = std::move(in_flight_.front().then);
  in_flight_.pop_front();
  if (then) then(std::move(reply), Fate::kAnswered);
}

// Looks after time until the end of the connection.
void Connection::Tick() {
  const int64_t now_ms = surroundings_.NowMs();
  const bool opening = state_ != State::kOpen;
  if (state_ == State::kClosed) return;
  if (opening && now_ms - opening_since_ms_ > kOpenMs) {
    return Close(Failure(state_ == State::kHandshake ? "does not answer in time: does it speak TLS on this port?"
                                                     : "does not answer in time"));
  }
  if (state_ == State::kConnecting && !addresses_.empty() && now_ms - attempt_since_ms_ > kAttemptMs) {
    ConnectNext(Failure("does not answer in time"));
    if (state_ == State::kClosed) return;
  }
  if (state_ == State::kOpen && watching_ == Watching::kOverdue) {
    const bool silent = now_ms - heard_ms_ > kOverdueMs;
    if (silent && !in_flight_.empty() && now_ms - in_flight_.front().since_ms > kOverdueMs) {
      return Close(Failure("an answer is overdue by far"));
    }
    if (in_flight_.empty() && !subscribed_ && now_ms - heard_ms_ > kSilenceMs) Send({"PING"}, nullptr);
  }
  surroundings_.core.After(kTickMs, [weak = weak_from_this()] {
    if (const std::shared_ptr<Connection> self = weak.lock()) self->Tick();
  });
}

void Connection::CloseSocket() {
  watch_.reset();
  stream_.reset();
  if (socket_ >= 0) close(socket_);
  socket_ = -1;
  wants_write_ = false;
}

void Connection::Close(const base::Status& why) {
  if (state_ == State::kClosed) return;
  const std::shared_ptr<Connection> self = shared_from_this();
  // `why` may lie in what ends here.
  const base::Status reason = why;  // NOLINT(performance-unnecessary-copy-initialization)
  const bool was_open = state_ == State::kOpen;
  state_ = State::kClosed;
  CloseSocket();
  std::deque<InFlight> rest = std::exchange(in_flight_, {});
  for (InFlight& one : rest) {
    if (!one.then) continue;
    one.then(reason, !was_open || one.start >= sent_ ? Fate::kNotSent : Fate::kMayHaveRun);
  }
  owner_.OnClosed(*this, reason);
}

void Connection::Abandon() {
  state_ = State::kClosed;
  CloseSocket();
  in_flight_.clear();
}

}  // namespace tocsin::redis
