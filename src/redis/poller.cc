#include "redis/poller.h"

#include <algorithm>

namespace tocsin::redis {
namespace {

constexpr int64_t kPatienceMs = 1'500;  // with one server
constexpr int64_t kBetweenMs = 100;     // two questions, whoever wants to know
constexpr int64_t kBadPeriodMs = 400;   // while nothing works
constexpr int64_t kTrustOldMs = 5'000;  // nothing works for so long: an old view is better than none
constexpr size_t kMaxServers = 128;

}  // namespace

const wire::RespReply* FieldOf(const wire::RespReply& reply, std::string_view key) {
  for (size_t i = 0; i + 1 < reply.elements.size(); i += 2) {
    if (reply.elements[i].text == key) return &reply.elements[i + 1];
  }
  return nullptr;
}

Poller::Poller(Surroundings& surroundings, Owner& owner, std::vector<Endpoint> seeds, Login login, int64_t period_ms,
               std::string_view log_event)
    : surroundings_(surroundings),
      owner_(owner),
      seeds_(std::move(seeds)),
      login_(std::move(login)),
      period_ms_(period_ms),
      log_(log_event),
      servers_(seeds_),
      next_(surroundings.random.Below(servers_.size())),
      bad_since_ms_(surroundings.NowMs()),
      asked_ms_(bad_since_ms_ - kBetweenMs) {}

Poller::~Poller() { Stop(); }

void Poller::Stop() {
  stopped_ = true;
  Drop(asking_);
  Drop(kept_);
}

// The connection may be the one whose callback runs.
void Poller::Drop(std::shared_ptr<Connection>& connection) {
  if (!connection) return;
  connection->Abandon();
  surroundings_.core.Post([held = std::move(connection)] {});
  connection.reset();
}

void Poller::Schedule(int64_t delay_ms) {
  if (stopped_) return;
  const int64_t now_ms = surroundings_.NowMs();
  const int64_t due_ms = std::max(now_ms + delay_ms, asked_ms_ + kBetweenMs);
  if (due_ms_ >= 0 && due_ms_ <= due_ms) return;
  due_ms_ = due_ms;
  surroundings_.core.After(due_ms - now_ms, [this, alive = std::weak_ptr<bool>(alive_), mine = ++schedule_] {
    if (alive.expired() || mine != schedule_) return;
    due_ms_ = -1;
    Poll();
  });
}

void Poller::Now() {
  if (asking_) {
    again_ = true;
  } else {
    Schedule(0);
  }
}

void Poller::SetHealth(Health health) {
  if (health == health_) return;
  health_ = health;
  bad_since_ms_ = surroundings_.NowMs();
  if (health == Health::kBad) Now();
}

void Poller::Learn(const std::vector<Endpoint>& others) {
  servers_ = seeds_;
  for (const Endpoint& other : others) {
    if (servers_.size() == kMaxServers) break;
    if (std::find(servers_.begin(), servers_.end(), other) == servers_.end()) servers_.push_back(other);
  }
}

bool Poller::Accepts(uint64_t epoch) {
  const bool lasting = health_ == Health::kBad && surroundings_.NowMs() - bad_since_ms_ > kTrustOldMs;
  if (epoch < epoch_ && !lasting) return false;
  epoch_ = epoch;
  return true;
}

void Poller::Poll() {
  if (asking_ || stopped_) return;
  again_ = false;
  asked_ms_ = surroundings_.NowMs();
  asking_ = std::make_shared<Connection>(surroundings_, *this, servers_[next_++ % servers_.size()], login_);
  surroundings_.core.After(
      kPatienceMs, [weak = std::weak_ptr<Connection>(asking_), this, alive = std::weak_ptr<bool>(alive_)] {
        const std::shared_ptr<Connection> connection = weak.lock();
        if (alive.expired() || !connection || connection != asking_) return;
        Failed(base::Status(base::Code::kUnavailable, connection->endpoint().ToString() + ": does not answer in time"));
      });
  asking_->Open();
}

void Poller::OnOpen(Connection& connection) { owner_.Ask(connection); }

void Poller::OnPush(Connection& connection, const wire::RespReply& reply) {
  if (&connection == kept_.get()) owner_.OnPush(reply);
}

void Poller::OnClosed(Connection& connection, const base::Status& why) {
  if (&connection == asking_.get()) return Failed(why);
  if (&connection != kept_.get()) return;
  kept_.reset();
  Now();
}

void Poller::Done(Afterwards afterwards) {
  failures_ = 0;
  log_.Recovered();
  if (afterwards == Afterwards::kKeep) {
    Drop(kept_);
    kept_ = std::exchange(asking_, nullptr);
  } else {
    Drop(asking_);
  }
  const int64_t period_ms = health_ == Health::kGood ? period_ms_ : kBadPeriodMs;
  const auto jitter_ms = static_cast<int64_t>(surroundings_.random.Below(static_cast<uint64_t>(period_ms / 4) + 1));
  Schedule(again_ ? 0 : period_ms - jitter_ms);
}

void Poller::Failed(const base::Status& why) {
  const base::Status reason = why;  // NOLINT(performance-unnecessary-copy-initialization): it may lie in asking_
  const std::string address = asking_ ? asking_->endpoint().ToString() : std::string();
  Drop(asking_);
  owner_.OnPollFailure(reason);
  const bool everyone = ++failures_ % servers_.size() == 0;
  if (everyone) log_.Failed(address, reason.message(), surroundings_.NowMs());
  Schedule(everyone ? kBadPeriodMs : 0);
}

}  // namespace tocsin::redis
