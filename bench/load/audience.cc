#include "load/audience.h"

namespace tocsin::bench {

namespace {
constexpr size_t kConnectingAtOnce = 64;
constexpr int64_t kNothingMoreNs = 4'000'000'000;  // below the 10 s after which a peer ends idle connections
constexpr int64_t kTickNs = 100'000'000;
constexpr int64_t kOnlineTimeoutNs = 120'000'000'000;
}  // namespace

void Audience::Prepare(uint32_t first, int count) {
  for (uint32_t user = first; user < first + static_cast<uint32_t>(count); ++user) {
    subscribers_.push_back(std::make_unique<Subscriber>(loop_, options_, user, this, &acks_));
    subscribers_.back()->Prepare();
  }
}

void Audience::BringOnline() {
  while (started_ < subscribers_.size() && started_ < online_ + kConnectingAtOnce) {
    subscribers_[started_++]->Start();
  }
  if (!TurnUntil([&] { return online_ == subscribers_.size(); }, NowNs() + kOnlineTimeoutNs)) {
    Die("only %zu of %zu came online", online_, subscribers_.size());
  }
}

void Audience::Leave() {
  subscribers_.clear();
  acks_ = {};
  started_ = 0;
  online_ = 0;
}

void Audience::OnOnline(Subscriber* /*subscriber*/) {
  ++online_;
  if (started_ < subscribers_.size()) {
    subscribers_[started_++]->Start();
  }
}

void Audience::OnNotification(Subscriber* subscriber, std::string_view json) {
  const int64_t sent_ns = ledger_.Receive(subscriber->user(), json);
  if (sent_ns != 0) {
    last_arrival_ns_ = NowNs();
    delivery_.Add(last_arrival_ns_ - sent_ns);
  }
}

void Audience::Turn(int64_t deadline_ns) { loop_->Turn(acks_.Serve(NowNs(), deadline_ns)); }

bool Audience::TurnUntil(const std::function<bool()>& done, int64_t deadline_ns) {
  while (!done()) {
    if (NowNs() >= deadline_ns) {
      return false;
    }
    Turn(deadline_ns);
  }
  return true;
}

void Audience::TurnFor(double seconds) {
  TurnUntil([] { return false; }, NowNs() + static_cast<int64_t>(seconds * 1e9));
}

void Audience::Drain(const std::function<bool()>& drained) {
  last_arrival_ns_ = std::max(last_arrival_ns_, NowNs() - kTickNs);
  while (!TurnUntil(drained, NowNs() + kTickNs)) {
    if (NowNs() - last_arrival_ns_ > kNothingMoreNs) {
      return;
    }
  }
}

}  // namespace tocsin::bench
