// Connection: one socket to one server, from the look-up of its name to its end. It opens once and closes once; who
// wants another try makes another Connection.
//
// 1. Commands leave in the order of Send(), everything of a turn in one write; replies are matched in that order.
// 2. An answer that is overdue by kOverdueMs, with nothing else heard meanwhile, closes the connection: its peer may be
//    gone without a word. A silent connection is asked with PING.
// 3. At the end each command that is not answered is given back with its fate: what had not begun to leave can be sent
//    elsewhere, what had may have run.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "redis/greeting.h"
#include "redis/request.h"
#include "redis/resolver.h"
#include "redis/stream.h"
#include "runtime/core.h"
#include "wire/resp.h"

namespace tocsin::redis {

class TlsContext;

// What the connections of a client share. Outlives them.
struct Surroundings {
  runtime::Core& core;
  base::Random& random;
  Resolver& resolver;
  const TlsContext* tls = nullptr;  // null: none
  std::vector<char> scratch = std::vector<char>(64 << 10);

  int64_t NowMs() const { return core.clock().MonotonicUs() / 1000; }
};

class Connection final : public runtime::Watch::Handler, public std::enable_shared_from_this<Connection> {
 public:
  static constexpr int64_t kOpenMs = 3'000;  // from Open() to the greeting's first answer
  static constexpr int64_t kOverdueMs = 5'000;
  static constexpr int64_t kSilenceMs = 10'000;  // then PING

  enum class Fate : uint8_t { kAnswered, kMayHaveRun, kNotSent };
  // The reply with kAnswered, else the reason. May close or let go of the connection.
  using Then = std::function<void(base::Result<wire::RespReply>, Fate)>;

  class Owner {
   public:
    virtual ~Owner() = default;
    // The server has let us in: identity(). What is sent from inside goes first.
    virtual void OnOpen(Connection& connection) = 0;
    // A message that nobody asked for: of a subscription.
    virtual void OnPush(Connection&, const wire::RespReply&) {}
    // Comes once, also where it never opened, after every command has been given back.
    virtual void OnClosed(Connection& connection, const base::Status& why) = 0;
  };

  enum class Watching : uint8_t { kOverdue, kNothing };  // kNothing: commands may block; their owner keeps the time
  Connection(Surroundings& surroundings, Owner& owner, Endpoint endpoint, Login login,
             Watching watching = Watching::kOverdue);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Begins. Once.
  void Open();
  // While open(). A null `then`: the answer is dropped.
  void Send(const Arguments& command, Then then);
  void Send(const Request& request, ScriptForm form, Then then);
  // From the next reply on everything is a push; for SUBSCRIBE in RESP2.
  void Subscribe(std::string_view channel);
  // Gives everything back, then OnClosed.
  void Close(const base::Status& why);
  // Closes without a word: no Then and no OnClosed is called any more.
  void Abandon();

  bool open() const { return state_ == State::kOpen; }
  bool idle() const { return in_flight_.empty(); }
  const Endpoint& endpoint() const { return endpoint_; }
  const ServerIdentity& identity() const { return greeting_.identity(); }

  void OnReadable() override;
  void OnWritable() override;

 private:
  enum class State : uint8_t { kNew, kResolving, kConnecting, kHandshake, kGreeting, kOpen, kClosed };
  struct InFlight {
    Then then;       // null: nobody wants to know
    uint64_t start;  // of its bytes in all that was ever sent
    int64_t since_ms;
  };

  void ConnectNext(const base::Status& why);
  void StartStream();
  void OnConnected();
  void GoOnHandshake();
  void SayHello();
  void OnGreeting(Greeting::Step step);
  void AskAgainLater();
  void Expect(Then then);  // the answer to what is appended to output_ next
  void FlushSoon();
  void Flush();
  void Read();
  bool Consume(std::string_view bytes, size_t& done);
  void OnReply(wire::RespReply reply);
  void Tick();
  void CloseSocket();
  base::Status Failure(std::string_view what) const;
  std::string Hint() const;

  Surroundings& surroundings_;
  Owner& owner_;
  const Endpoint endpoint_;
  const std::string address_;
  const Login login_;
  const Watching watching_;
  Greeting greeting_;

  State state_ = State::kNew;
  std::vector<SocketAddress> addresses_;  // to be tried, the next one last
  int socket_ = -1;
  std::unique_ptr<runtime::Watch> watch_;
  std::unique_ptr<Stream> stream_;
  int64_t opening_since_ms_ = 0, attempt_since_ms_ = 0, heard_ms_ = 0;

  std::string output_;
  size_t written_ = 0;  // of output_
  uint64_t sent_ = 0;   // bytes that ever left
  bool flush_posted_ = false, wants_write_ = false, subscribed_ = false;

  std::string input_;
  size_t reply_bytes_ = 0;  // of the reply that is not whole
  wire::RespReplyParser parser_;
  std::deque<InFlight> in_flight_;
};

}  // namespace tocsin::redis
