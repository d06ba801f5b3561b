// RespPeer: the Redis protocol on one connection.
//
// 1. The commands of one read go to the commit thread together, as one batch, and are answered in order; what the
//    client sends meanwhile waits in the connection's input. So a pipeline of any depth holds kMaxWaitingInput of
//    input, one batch, and one window of replies.
// 2. A client that does not read its replies is not read either (Connection::Congested).
// 3. A command that blocks is the last of its batch; what follows waits for its answer. A lost connection, CLIENT
//    UNBLOCK and the time-out take the waiter away.
// 4. What all clients together hold of input and of unread replies has a ceiling (commands/database.h).
// 5. Before authentication: small commands only (wire::kRespUnauthenticated), kUnauthenticatedOutput bytes of replies,
//    kLoginMs of time.
#pragma once

#include <memory>
#include <string>

#include "commands/client.h"
#include "gateway/connection.h"
#include "wire/resp.h"

namespace tocsin::gateway {

class RespQueue;
struct RespWait;

class RespPeer final : public Peer {
 public:
  // `queue`: of the connection's hub. `peer`, `local`: addresses with port. Queue and context outlive it.
  RespPeer(Connection& connection, RespQueue& queue, commands::ClientContext& context, std::string peer,
           std::string local);
  ~RespPeer() override;

  size_t OnInput(std::span<char> bytes) override;
  void BeforeFlush() override { CountOutput(); }
  void OnWritable() override;
  void OnTick(session::Moment now) override;
  bool OnInputEnd() override;
  void OnDrain(int64_t after_ms) override;

  // By the changes, on this Core.

  struct Answer {
    std::shared_ptr<commands::Batch> batch;
    std::string replies;
    commands::Batch::Stop stop = commands::Batch::Stop::kEnd;
    std::shared_ptr<RespWait> wait;  // of kBlocked
    int64_t timeout_ms = 0;
    size_t held = 0;  // bytes of the replies that Figures::held_replies counts
  };
  void OnAnswer(uint64_t number, Answer answer);
  // What it waited for has come, or will not.
  void OnUnblocked(uint64_t number, const std::string& reply);

  // By other clients' requests (CLIENT LIST, KILL, UNBLOCK), on this Core.

  const commands::Client& client() const { return client_; }
  commands::Client::Sockets sockets() const;
  enum class Reason : uint8_t { kTimeout, kError };
  bool Unblock(Reason reason);  // false: it does not wait
  void Kill();

  // The answer to its own request.
  void OnHostAnswer(uint64_t number, const std::string& reply, bool killed);

 private:
  enum class State : uint8_t {
    kReading,
    kRunning,  // a batch is on the commit thread, or a request on its way through the Cores
    kHeld,     // a batch waits for room in the send window
    kBlocked,
  };

  commands::Next Fill(std::string_view input, size_t& done, commands::Batch& batch);
  void CountInput(size_t bytes);
  void CountOutput();
  void Submit(std::shared_ptr<commands::Batch> batch);
  void Finish();
  void WaitForRoom();
  void GoOn();
  void StartTimer(int64_t timeout_ms);
  void OnTimer();
  void CancelWait(Reason reason);
  void AskHost();

  Connection& connection_;
  RespQueue& queue_;
  commands::ClientContext& context_;
  wire::RespCommandParser parser_;
  commands::Client client_;
  State state_ = State::kReading;
  commands::Next next_ = commands::Next::kGoOn;  // what the end of the running batch brings
  uint64_t number_ = 0;                          // of the running batch: others' answers are dropped
  std::shared_ptr<commands::Batch> held_;
  std::shared_ptr<RespWait> wait_;
  int64_t deadline_us_ = 0;  // of the wait; 0: none
  int64_t timer_at_us_ = 0;  // when the earliest timer fires; 0: none is set
  const int64_t since_ms_;
  bool input_ended_ = false;
  bool draining_ = false;
  size_t waiting_input_ = 0;  // bytes seen and not taken, as Figures::held_input counts them
  size_t held_output_ = 0;    // bytes unsent, as Figures::held_replies counts them
};

// Runs `request` on every Core in turn and answers the peer that asked.
void AskAllClients(Hub& hub, uint64_t connection, uint64_t number, commands::HostRequest request);

}  // namespace tocsin::gateway
