// P3: one notification to one user. 16 publishers, each in a closed loop over HTTP (the next publish follows the answer
// to the last), 500 users online, receivers picked at random. What is measured begins with the first publish after the
// warm-up and ends when every notification has arrived and every ack has been sent and taken.
#include <memory>
#include <random>

#include "load/audience.h"
#include "load/publisher.h"
#include "load/usage.h"
#include "load/work.h"

namespace tocsin::bench {

namespace {

constexpr double kSettleSeconds = 0.3;  // last acks are on their way; nothing else runs in it

class Notify {
 public:
  explicit Notify(const Options& options) : options_(options), audience_(&loop_, options), usage_(options.pids) {}

  void Run(Report* report) {
    audience_.Prepare(0, options_.users);
    audience_.BringOnline();
    for (int i = 0; i < options_.publishers; ++i) {
      publishers_.push_back(std::make_unique<Publisher>(
          &loop_, options_, [this](Publisher* publisher, std::string_view answer) { OnAnswered(publisher, answer); }));
    }
    audience_.TurnFor(kSettleSeconds);
    PublishFor(options_.warm_up_seconds);
    audience_.delivery().Clear();

    const uint64_t before = audience_.ledger().published();
    const UsageSample from = usage_.Sample();
    PublishFor(options_.seconds);
    const UsageSample to = usage_.Sample();

    const auto published = static_cast<double>(audience_.ledger().published() - before);
    ReportUsage(from, to, published, report);
    report->Number("per_second", published * 1e9 / static_cast<double>(audience_.last_arrival_ns() - from.at_ns));
    report->Number("delivery_p50_ms", audience_.delivery().QuantileMs(0.5));
    report->Number("delivery_p99_ms", audience_.delivery().QuantileMs(0.99));
    report->Text("first_answer", first_answer_);
    audience_.ledger().Judge(report);
    CheckAcks(report);
  }

 private:
  void PublishFor(double seconds) {
    stop_at_ns_ = NowNs() + static_cast<int64_t>(seconds * 1e9);
    for (const auto& publisher : publishers_) {
      PublishNext(publisher.get());
    }
    const auto drained = [this] {
      return NowNs() >= stop_at_ns_ && audience_.ledger().complete() && audience_.acks().idle() && AllAnswered();
    };
    audience_.Drain(drained);
    audience_.TurnFor(kSettleSeconds);
  }

  bool AllAnswered() const {
    for (const auto& publisher : publishers_) {
      if (!publisher->idle()) {
        return false;
      }
    }
    return true;
  }

  void OnAnswered(Publisher* publisher, std::string_view answer) {
    if (first_answer_.empty()) {
      first_answer_ = answer;
    }
    if (NowNs() < stop_at_ns_) {
      PublishNext(publisher);
    }
  }

  void PublishNext(Publisher* publisher) {
    const auto user = static_cast<uint32_t>(random_() % static_cast<uint32_t>(options_.users));
    audience_.ledger().Publish(user, NowNs(), &body_);
    publisher->Publish(UserName(user), body_);
  }

  // "Acked" is believed when the server says so: after a reconnect of the same device each stored cursor has to be the
  // one that its ack named.
  void CheckAcks(Report* report) {
    if (options_.peer != Peer::kTocsin) {
      return;
    }
    std::vector<std::string> cursors;
    for (const auto& subscriber : audience_.subscribers()) {
      cursors.push_back(subscriber->cursor());
    }
    audience_.Leave();
    audience_.Prepare(0, options_.users);
    audience_.BringOnline();
    int wrong = 0;
    for (size_t i = 0; i < cursors.size(); ++i) {
      wrong += audience_.subscribers()[i]->welcome_cursor() == cursors[i] ? 0 : 1;
    }
    if (wrong > 0) {
      report->Invalid("the acks of " + std::to_string(wrong) + " devices were not stored");
    }
  }

  const Options& options_;
  Loop loop_;
  Audience audience_;
  Usage usage_;
  std::vector<std::unique_ptr<Publisher>> publishers_;
  std::mt19937 random_{42};
  std::string body_;
  std::string first_answer_;
  int64_t stop_at_ns_ = 0;
};

}  // namespace

void RunNotify(const Options& options, Report* report) { Notify(options).Run(report); }

}  // namespace tocsin::bench
