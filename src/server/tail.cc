// tocsin tail: connects, prints, acknowledges, and comes back after every cut.
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>

#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/random.h"
#include "model/notification.h"
#include "server/client_socket.h"
#include "server/commands.h"
#include "server/inbox_client.h"
#include "wire/websocket.h"

namespace tocsin::server {
namespace {

using base::Code;
using base::Result;
using base::Status;

constexpr uint32_t kMaxMessage = 4 << 20;
constexpr int64_t kAckDelayMs = 250;
constexpr int kAckEvery = 32;  // notifications: half the credit, so that a backlog does not wait for us
constexpr int64_t kSilenceMs = model::kPingMs + model::kPongMs + 5'000;  // a live server pings more often
constexpr int64_t kWelcomeMs = 10'000;
constexpr int64_t kStableMs = 10'000;    // a connection that lived so long starts the back-off anew
constexpr int64_t kTokenMs = 3'600'000;  // life of the tokens that we mint for ourselves

volatile std::sig_atomic_t interrupted = 0;
void OnInterrupt(int) { interrupted = 1; }

void CatchInterrupts() {
  struct sigaction action {};
  action.sa_handler = OnInterrupt;  // without SA_RESTART: whatever waits returns
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

int Fail(std::string_view message, int exit_status) {
  std::fprintf(stderr, "tocsin tail: %.*s\n", static_cast<int>(message.size()), message.data());
  return exit_status;
}

// How the work on one connection came to its end.
enum class End : uint8_t { kCut, kDone, kOutputClosed };

class TailSession {
 public:
  TailSession(const TailOptions& options, ServerAddress server, InboxFormat format)
      : server_(std::move(server)), inbox_(options.device, options.since, format, options.count) {}

  // Works on one connection until it ends. kUnavailable: there was none.
  Result<End> Run(const std::string& token) {
    decoder_ = wire::WsDecoder(wire::WsRole::kClient, kMaxMessage);
    buffer_.clear();
    message_.clear();
    Status opened = Open();
    if (!opened.ok()) return opened;
    began_ms_ = heard_ms_ = NowMs();
    SendFrame(inbox_.Hello(token));
    End end = Loop();
    if (end == End::kDone) Part();
    socket_.Close();
    return end;
  }

  const InboxClient& inbox() const { return inbox_; }
  int close_code() const { return close_code_; }
  bool was_stable() const { return inbox_.welcomed() && NowMs() - began_ms_ > kStableMs; }

 private:
  static int64_t NowMs() { return base::SystemClock().MonotonicUs() / 1000; }

  Status Open() {
    Result<ClientSocket> connected = ClientSocket::Connect(server_.address);
    if (!connected.ok()) return connected.status();
    socket_ = std::move(connected).value();
    std::array<unsigned char, 16> random;
    base::SystemRandom().Fill(random);
    std::string key = wire::WsClientKey(random);
    std::string request;
    wire::AppendUpgradeRequest(request, server_.host, "/v1/ws", key);
    RETURN_IF_ERROR(socket_.Send(request));
    for (int64_t deadline = NowMs() + kConnectMs; NowMs() < deadline && interrupted == 0;) {
      Result<size_t> size = wire::CheckUpgradeResponse(buffer_, key);
      if (!size.ok()) return size.status();
      if (*size > 0) {
        buffer_.erase(0, *size);
        close_code_ = 0;
        return base::Ok();
      }
      Status received = socket_.Receive(buffer_, kConnectMs);
      if (!received.ok() && received.code() != Code::kWouldBlock) return received;
    }
    return Status(Code::kUnavailable, "no answer to the WebSocket handshake");
  }

  End Loop() {
    for (;;) {
      if (interrupted != 0) return End::kDone;
      if (std::optional<End> end = ReadMessages()) return *end;
      int64_t now = NowMs();
      if (ack_due_ms_ != 0 && now >= ack_due_ms_) SendAck();
      if (now - heard_ms_ > kSilenceMs || (!inbox_.welcomed() && now - began_ms_ > kWelcomeMs)) return End::kCut;
      Status received = socket_.Receive(buffer_, ack_due_ms_ == 0 ? 1'000 : kAckDelayMs);
      if (received.ok()) {
        heard_ms_ = NowMs();
      } else if (received.code() != Code::kWouldBlock) {
        return End::kCut;
      }
    }
  }

  // Takes whole messages off the buffer; nothing: more bytes are needed.
  std::optional<End> ReadMessages() {
    for (;;) {
      size_t consumed = 0;
      std::string_view payload;
      wire::WsDecoder::Event event = decoder_.Next(buffer_, consumed, payload);
      std::optional<End> end;
      switch (event) {
        case wire::WsDecoder::Event::kNeedMore:
          buffer_.erase(0, consumed);
          return std::nullopt;
        case wire::WsDecoder::Event::kPiece:
          message_ += payload;
          break;
        case wire::WsDecoder::Event::kMessage:
          message_ += payload;
          end = OnMessage();
          message_.clear();
          break;
        case wire::WsDecoder::Event::kPing:
          SendRaw(wire::WsOpcode::kPong, payload);
          break;
        case wire::WsDecoder::Event::kPong:
          break;
        case wire::WsDecoder::Event::kClose:
          close_code_ = decoder_.close_code();
          return End::kCut;
        case wire::WsDecoder::Event::kError:
          return End::kCut;
      }
      buffer_.erase(0, consumed);
      if (end) return end;
    }
  }

  std::optional<End> OnMessage() {
    Result<InboxStep> step = inbox_.OnMessage(message_);
    if (!step.ok()) {
      std::fprintf(stderr, "%s\n", std::string(step.status().message()).c_str());
      return End::kCut;
    }
    std::fputs(step->notes.c_str(), stderr);
    if (!step->print.empty()) {
      std::fputs(step->print.c_str(), stdout);
      if (std::fflush(stdout) != 0) return End::kOutputClosed;  // not printed: not acknowledged either
    }
    if (!step->reply.empty()) SendFrame(step->reply);
    if (inbox_.unacked() >= kAckEvery) SendAck();
    if (ack_due_ms_ == 0) ack_due_ms_ = NowMs() + kAckDelayMs;
    if (inbox_.reached_limit()) return End::kDone;
    if (step->out_of_step) return End::kCut;
    return std::nullopt;
  }

  void SendAck() {
    ack_due_ms_ = 0;
    if (std::string ack = inbox_.TakeAck(); !ack.empty()) SendFrame(ack);
  }

  void SendFrame(std::string_view text) { SendRaw(wire::WsOpcode::kText, text); }

  void SendRaw(wire::WsOpcode opcode, std::string_view payload) {
    std::string bytes;
    wire::AppendWsClientFrame(bytes, opcode, payload, Mask());
    base::Ignore(socket_.Send(bytes));  // a broken connection shows at the next read
  }

  // The last ack and the close handshake, so that the ack is not lost with the connection.
  void Part() {
    SendAck();
    std::string bytes;
    wire::AppendWsClientClose(bytes, 1000, "", Mask());
    base::Ignore(socket_.Send(bytes));  // leaving anyway
    for (int64_t deadline = NowMs() + 2'000; NowMs() < deadline;) {
      std::string ignored;
      if (!socket_.Receive(ignored, 500).ok()) break;
    }
  }

  static std::array<unsigned char, 4> Mask() {
    std::array<unsigned char, 4> mask;
    base::SystemRandom().Fill(mask);
    return mask;
  }

  const ServerAddress server_;
  InboxClient inbox_;
  ClientSocket socket_;
  wire::WsDecoder decoder_{wire::WsRole::kClient, kMaxMessage};
  std::string buffer_;   // received, not read
  std::string message_;  // the pieces of a message so far
  int64_t began_ms_ = 0;
  int64_t heard_ms_ = 0;
  int64_t ack_due_ms_ = 0;  // 0: nothing to acknowledge
  int close_code_ = 0;
};

Result<std::string> TokenFor(const TailOptions& options, const Config& config) {
  if (std::string given = GivenOrVariable(options.token, "TOCSIN_TOKEN"); !given.empty()) return given;
  return MintFor(options.user, kTokenMs, {}, config);
}

bool IsSince(const std::string& since) {
  if (since == "all" || since == "new") return true;
  int64_t ms = 0;
  auto [end, error] = std::from_chars(since.data(), since.data() + since.size(), ms);
  return error == std::errc() && end == since.data() + since.size() && ms >= 0;
}

// Waits, unless a signal comes.
void Wait(int64_t ms) {
  if (ms > 0 && interrupted == 0) poll(nullptr, 0, static_cast<int>(ms));
}

// Connects again and again, as the way each connection ended asks for.
int Follow(TailSession& session, std::string token, const TailOptions& options, const Config& config) {
  bool was_online = false;
  for (int attempt = 0;; ++attempt) {
    Result<End> end = session.Run(token);
    if (interrupted != 0 || (end.ok() && *end != End::kCut)) return 0;
    was_online = was_online || session.inbox().welcomed();
    Farewell farewell;
    if (end.ok()) {
      farewell = session.inbox().farewell();
      if (farewell.code == 0) farewell.code = session.close_code();
      if (session.was_stable()) attempt = 0;
    } else {
      farewell.message = end.status().message();
    }
    std::string why = farewell.message.empty() ? "the connection was cut" : farewell.message;
    if (farewell.code != 0) why += " (" + std::to_string(farewell.code) + ")";
    NextTry next = AfterFarewell(farewell, attempt, base::SystemRandom());
    if (next.kind == NextTry::Kind::kStop || (!was_online && !end.ok())) return Fail(why, 1);
    if (next.kind == NextTry::Kind::kAgainWithNewToken) {
      if (!GivenOrVariable(options.token, "TOCSIN_TOKEN").empty()) return Fail(why + ": a new --token is needed", 1);
      Result<std::string> fresh = TokenFor(options, config);
      if (!fresh.ok()) return Fail(fresh.status().message(), 1);
      token = std::move(fresh).value();
    }
    std::fprintf(stderr, "%s; connecting again in %.1f s\n", why.c_str(), static_cast<double>(next.wait_ms) / 1000);
    Wait(next.wait_ms);
    if (interrupted != 0) return 0;
  }
}

}  // namespace

int Tail(const TailOptions& options, const Config& config) {
  if (options.user.empty() && GivenOrVariable(options.token, "TOCSIN_TOKEN").empty()) {
    return Fail("--user or --token is missing: whose inbox?", 2);
  }
  if (!IsSince(options.since)) return Fail("--since: all, new, or milliseconds since 1970", 2);
  if (!options.device.empty() && !model::IsValidDeviceId(options.device)) {
    return Fail("--device: 1 to 128 printable ASCII characters", 2);
  }
  if (options.count < 0) return Fail("--count: a number from 1", 2);
  Result<ServerAddress> server = ServerAddress::Parse(ServerUrl(options.server, config));
  if (!server.ok()) return Fail(server.status().message(), 2);
  Result<std::string> token = TokenFor(options, config);
  if (!token.ok()) return Fail(token.status().message(), token.status().code() == Code::kInvalidArgument ? 2 : 1);
  bool colour = isatty(STDOUT_FILENO) == 1 && GivenOrVariable("", "NO_COLOR").empty();
  InboxFormat format{.output = options.output, .colour = colour ? InboxFormat::Colour::kOn : InboxFormat::Colour::kOff};
  CatchInterrupts();
  TailSession session(options, std::move(server).value(), format);
  return Follow(session, std::move(token).value(), options, config);
}

}  // namespace tocsin::server
