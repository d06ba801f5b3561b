// What blocked readers cost the writers. 50 connections XADD in a closed loop, while so many others are blocked in
// XREADGROUP:
//
//   none       nobody is blocked
//   elsewhere  all of them, in the group of a stream that nobody writes
//   few        a tenth of them, in the very group of the stream that is written: each entry wakes the one that has
//              waited longest, which acknowledges it and blocks again, in one pipeline
//   many       the same with all of them
//
// `elsewhere` against `none` is what a waiter costs that a command does not concern; `many` against `few`, which do the
// same work for an entry, is what the number of waiters in a queue costs. The phases alternate within a run. Every
// entry has to reach exactly one reader.
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "load/redis_client.h"
#include "load/usage.h"
#include "load/work.h"

namespace tocsin::bench {

namespace {

constexpr int kRounds = 3;
constexpr int kWriters = 50;
constexpr int kFewerBy = 10;
constexpr int64_t kTimeoutNs = 60'000'000'000;
constexpr std::string_view kGroup = "workers";

struct Phase {
  const char* name;
  int blocked;
  bool in_written_group;
  int64_t cpu_ns = 0;
  int64_t wall_ns = 0;
  int64_t added = 0;
};

class Blocked {
 public:
  explicit Blocked(const Options& options)
      : options_(options),
        usage_(options.pids),
        control_(&loop_, options, {}),
        phases_({Phase{"none", 0, false}, Phase{"elsewhere", options.connections, false},
                 Phase{"few", options.connections / kFewerBy, true}, Phase{"many", options.connections, true}}) {}

  void Run(Report* report) {
    for (int i = 0; i < kWriters; ++i) {
      writers_.push_back(
          std::make_unique<RedisClient>(&loop_, options_, [this](RedisClient& client, RawReply) { OnAdded(client); }));
    }
    Phase warm_up = phases_.front();
    Measure(&warm_up);
    total_ = {};
    for (int round = 0; round < kRounds; ++round) {
      for (Phase& phase : phases_) {
        Measure(&phase);
      }
    }
    int64_t added = 0;
    for (const Phase& phase : phases_) {
      const std::string name = phase.name;
      report->Number(name + "_cpu_us", Cost(phase));
      report->Number(name + "_per_second", static_cast<double>(phase.added) * 1e9 / static_cast<double>(phase.wall_ns));
      added += phase.added;
    }
    ReportUsage({}, total_, static_cast<double>(added), report);
    report->Number("elsewhere_ratio", Cost(phases_[1]) / Cost(phases_[0]));
    report->Number("many_ratio", Cost(phases_[3]) / Cost(phases_[2]));
    if (!wrong_.empty()) {
      report->Invalid(wrong_);
    }
  }

 private:
  static double Cost(const Phase& phase) {
    return static_cast<double>(phase.cpu_ns) / 1e3 / static_cast<double>(phase.added);
  }

  void Measure(Phase* phase) {
    const std::string written = "written:" + std::to_string(++measured_);
    const std::string idle = "idle:" + std::to_string(measured_);
    for (const std::string& key : {written, idle}) {
      std::string group;
      AppendCommand({"XGROUP", "CREATE", key, kGroup, "$", "MKSTREAM"}, &group);
      control_.Ask(group);
    }
    add_ = AddCommand(written);
    Block(phase->in_written_group ? written : idle, phase->blocked);

    added_ = delivered_ = acked_ = 0;
    const UsageSample from = usage_.Sample();
    stop_at_ns_ = NowNs() + static_cast<int64_t>(options_.seconds * 1e9);
    for (const auto& writer : writers_) {
      writer->Command(add_);
      ++writing_;
    }
    TurnUntil([&] { return writing_ == 0 && (!phase->in_written_group || acked_ >= added_); });
    const UsageSample to = usage_.Sample();

    phase->cpu_ns += to.server_cpu_ns - from.server_cpu_ns;
    phase->wall_ns += to.at_ns - from.at_ns;
    phase->added += added_;
    total_.at_ns += to.at_ns - from.at_ns;
    total_.server_cpu_ns += to.server_cpu_ns - from.server_cpu_ns;
    total_.server_ticks_ns += to.server_ticks_ns - from.server_ticks_ns;
    total_.load_cpu_ns += to.load_cpu_ns - from.load_cpu_ns;
    total_.machine_cpu_ns += to.machine_cpu_ns - from.machine_cpu_ns;
    if (phase->in_written_group && (delivered_ != added_ || acked_ != added_)) {
      wrong_ = std::to_string(added_) + " entries were added, " + std::to_string(delivered_) + " delivered, " +
               std::to_string(acked_) + " acknowledged";
    }
    readers_.clear();
    WaitForBlocked(0);
  }

  void Block(const std::string& key, int count) {
    for (int i = 0; i < count; ++i) {
      std::string read;
      AppendCommand({"XREADGROUP", "GROUP", kGroup, "worker-" + std::to_string(i), "COUNT", "1", "BLOCK", "0",
                     "STREAMS", key, ">"},
                    &read);
      readers_.push_back(std::make_unique<RedisClient>(
          &loop_, options_,
          [this, key, read](RedisClient& client, RawReply reply) { OnRead(client, reply, key, read); }));
      readers_.back()->Command(read);
      if (i % 100 == 99) {
        WaitForBlocked(i + 1);  // no more on their way than a listen queue holds
      }
    }
    WaitForBlocked(count);
  }

  void OnAdded(RedisClient& client) {
    ++added_;
    if (NowNs() < stop_at_ns_) {
      client.Command(add_);
    } else {
      --writing_;
    }
  }

  void OnRead(RedisClient& client, RawReply reply, const std::string& key, const std::string& read) {
    if (reply.bytes().starts_with(':')) {
      acked_ += reply.Integer();
      return;
    }
    reply.Array();
    reply.Array();
    reply.Bulk();
    delivered_ += reply.Array();
    reply.Array();
    std::string commands;
    AppendCommand({"XACK", key, kGroup, reply.Bulk()}, &commands);
    client.Command(commands + read);
  }

  void WaitForBlocked(int64_t count) {
    const int64_t deadline_ns = NowNs() + kTimeoutNs;
    while (InfoNumber(&control_, "blocked_clients") != count) {
      if (NowNs() > deadline_ns) {
        Die("%lld clients should be blocked", static_cast<long long>(count));
      }
    }
  }

  template <typename Done>
  void TurnUntil(Done done) {
    const int64_t deadline_ns = NowNs() + kTimeoutNs;
    while (!done()) {
      if (NowNs() > deadline_ns) {
        Die("the last entries did not arrive: %lld added, %lld delivered, %lld acknowledged",
            static_cast<long long>(added_), static_cast<long long>(delivered_), static_cast<long long>(acked_));
      }
      loop_.Turn(deadline_ns);
    }
  }

  const Options& options_;
  Loop loop_;
  Usage usage_;
  RedisClient control_;
  std::array<Phase, 4> phases_;
  std::vector<std::unique_ptr<RedisClient>> writers_;
  std::vector<std::unique_ptr<RedisClient>> readers_;
  UsageSample total_;
  std::string add_;
  std::string wrong_;
  int measured_ = 0;
  int writing_ = 0;
  int64_t stop_at_ns_ = 0;
  int64_t added_ = 0;
  int64_t delivered_ = 0;
  int64_t acked_ = 0;
};

}  // namespace

void RunBlocked(const Options& options, Report* report) { Blocked(options).Run(report); }

}  // namespace tocsin::bench
