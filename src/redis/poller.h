// Poller: asks one of several servers about the deployment, now and then, and at once when something is wrong. The next
// question goes to the next server.
//
// 1. One question at a time; any number of Now() are one. A server that does not answer is passed over.
// 2. What an old view of the world says is not taken while a newer one works: Accepts().
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "redis/connection.h"
#include "redis/outage_log.h"

namespace tocsin::redis {

class Poller final : public Connection::Owner {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    // The connection is open: ask, and say Done() or Failed() later.
    virtual void Ask(Connection& connection) = 0;
    virtual void OnPush(const wire::RespReply&) {}
    // Nobody could be asked.
    virtual void OnPollFailure(const base::Status& why) = 0;
  };
  enum class Health : uint8_t { kGood, kBad };
  enum class Afterwards : uint8_t {
    kClose,
    kKeep,  // until the next one is kept: to hear pushes
  };

  // Asks every `period_ms` while all is well.
  Poller(Surroundings& surroundings, Owner& owner, std::vector<Endpoint> seeds, Login login, int64_t period_ms,
         std::string_view log_event);
  ~Poller() override;
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  void Now();
  // Asks no more.
  void Stop();
  // kBad: what is known does not work; asks often.
  void SetHealth(Health health);
  // Who else can be asked; the seeds stay.
  void Learn(const std::vector<Endpoint>& others);
  // False: of an older epoch than what was accepted, which works or did until a moment ago.
  bool Accepts(uint64_t epoch);
  // Something new was heard, without its number: what was accepted so far is old.
  void NewEpoch() { ++epoch_; }

  void Done(Afterwards afterwards);
  void Failed(const base::Status& why);

 private:
  void OnOpen(Connection& connection) override;
  void OnPush(Connection& connection, const wire::RespReply& reply) override;
  void OnClosed(Connection& connection, const base::Status& why) override;
  void Schedule(int64_t delay_ms);
  void Poll();
  void Drop(std::shared_ptr<Connection>& connection);

  Surroundings& surroundings_;
  Owner& owner_;
  const std::vector<Endpoint> seeds_;
  const Login login_;
  const int64_t period_ms_;
  OutageLog log_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);

  std::vector<Endpoint> servers_;  // seeds and learned ones
  size_t next_;                    // of servers_
  size_t failures_ = 0;            // in a row
  std::shared_ptr<Connection> asking_, kept_;
  bool stopped_ = false;
  bool again_ = false;  // Now() while one asks
  Health health_ = Health::kBad;
  int64_t bad_since_ms_;
  int64_t asked_ms_;
  uint64_t schedule_ = 0;  // the one that counts
  int64_t due_ms_ = -1;
  uint64_t epoch_ = 0;
};

// The value behind `key` in a reply that lists keys and values: a map, or an array of RESP2; null where there is none.
const wire::RespReply* FieldOf(const wire::RespReply& reply, std::string_view key);

}  // namespace tocsin::redis
