// P4: latency from publish to device at a steady rate, an open loop: each notification has its moment, and its latency
// counts from there, also when the server or the load was late (no coordinated omission). 64 connections publish; when
// all are busy, a notification waits for the first that is answered.
#include <deque>
#include <map>
#include <memory>
#include <random>

#include "load/audience.h"
#include "load/publisher.h"
#include "load/usage.h"
#include "load/work.h"

namespace tocsin::bench {

namespace {

constexpr int kPublisherConnections = 64;
constexpr double kSettleSeconds = 0.3;

class SteadyRate {
 public:
  explicit SteadyRate(const Options& options) : options_(options), audience_(&loop_, options), usage_(options.pids) {}

  void Run(Report* report) {
    audience_.Prepare(static_cast<uint32_t>(options_.first_user), options_.users);
    audience_.BringOnline();
    for (int i = 0; i < kPublisherConnections; ++i) {
      publishers_.push_back(std::make_unique<Publisher>(
          &loop_, options_, [this](Publisher* publisher, std::string_view) { OnAnswered(publisher); }));
      idle_.push_back(publishers_.back().get());
    }
    audience_.TurnFor(kSettleSeconds);
    PublishFor(options_.warm_up_seconds);
    audience_.delivery().Clear();
    answer_.Clear();
    most_waiting_ = 0;

    const UsageSample from = usage_.Sample();
    PublishFor(options_.seconds);
    const UsageSample to = usage_.Sample();

    ReportUsage(from, to, static_cast<double>(audience_.delivery().size()), report);
    report->Number("rate", options_.rate);
    for (const auto& [name, p] : {std::pair{"p50_ms", 0.5}, {"p90_ms", 0.9}, {"p99_ms", 0.99}, {"max_ms", 1.0}}) {
      report->Number(name, audience_.delivery().QuantileMs(p));
      report->Number(std::string("answer_") + name, answer_.QuantileMs(p));
    }
    report->Number("most_waiting", static_cast<double>(most_waiting_));
    audience_.ledger().Judge(report);
  }

 private:
  void PublishFor(double seconds) {
    const int64_t start_ns = NowNs();
    const auto count = static_cast<int64_t>(seconds * options_.rate);
    int64_t next = 0;
    const auto moment = [&](int64_t i) { return start_ns + i * 1'000'000'000 / options_.rate; };
    while (next < count) {
      for (; next < count && moment(next) <= NowNs(); ++next) {
        Publish(moment(next));
      }
      audience_.Turn(moment(next));
    }
    const auto drained = [this] {
      return waiting_.empty() && idle_.size() == publishers_.size() && audience_.ledger().complete() &&
             audience_.acks().idle();
    };
    audience_.Drain(drained);
    audience_.TurnFor(kSettleSeconds);
  }

  void Publish(int64_t sent_ns) {
    const auto user = static_cast<uint32_t>(options_.first_user) +
                      static_cast<uint32_t>(random_() % static_cast<uint32_t>(options_.users));
    audience_.ledger().Publish(user, sent_ns, &body_);
    waiting_.push_back({user, sent_ns, body_});
    SendWaiting();
    most_waiting_ = std::max(most_waiting_, waiting_.size());
  }

  void SendWaiting() {
    while (!waiting_.empty() && !idle_.empty()) {
      Publisher* const publisher = idle_.front();
      idle_.pop_front();
      const Waiting& first = waiting_.front();
      sent_ns_of_[publisher] = first.sent_ns;
      publisher->Publish(UserName(first.user), first.body);
      waiting_.pop_front();
    }
  }

  void OnAnswered(Publisher* publisher) {
    answer_.Add(NowNs() - sent_ns_of_[publisher]);
    idle_.push_back(publisher);
    SendWaiting();
  }

  struct Waiting {
    uint32_t user;
    int64_t sent_ns;
    std::string body;
  };

  const Options& options_;
  Loop loop_;
  Audience audience_;
  Usage usage_;
  std::vector<std::unique_ptr<Publisher>> publishers_;
  std::deque<Publisher*> idle_;
  std::map<Publisher*, int64_t> sent_ns_of_;
  std::deque<Waiting> waiting_;
  size_t most_waiting_ = 0;
  Latencies answer_;
  std::mt19937 random_{42};
  std::string body_;
};

}  // namespace

void RunLatency(const Options& options, Report* report) { SteadyRate(options).Run(report); }

}  // namespace tocsin::bench
