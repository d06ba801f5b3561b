// P8: workers of one group. Each connection is a consumer in a closed loop: XREADGROUP COUNT 100, then XACK of those
// 100, and the next read follows the answer to the ack. The stream was filled before. Every entry has to come exactly
// once, and none may be pending at the end.
#include <algorithm>
#include <charconv>
#include <memory>
#include <string>
#include <vector>

#include "load/redis_client.h"
#include "load/usage.h"
#include "load/work.h"

namespace tocsin::bench {

namespace {

constexpr std::string_view kGroup = "workers";
constexpr int kPerRead = 100;
constexpr int kPerFill = 500;
constexpr int64_t kTimeoutNs = 300'000'000'000;

// The order of stream ids, as a number: the milliseconds and 22 bits of the sequence.
uint64_t IdNumber(std::string_view id) {
  uint64_t ms = 0;
  uint64_t seq = 0;
  const char* const end = id.data() + id.size();
  const char* const dash = std::from_chars(id.data(), end, ms).ptr;
  if (dash != end) {
    std::from_chars(dash + 1, end, seq);
  }
  return ms << 22 | seq;
}

class Consume {
 public:
  explicit Consume(const Options& options) : options_(options), usage_(options.pids), control_(&loop_, options, {}) {}

  void Run(Report* report) {
    Fill("warm-up", options_.entries / 10);
    Drain("warm-up", options_.entries / 10);
    Fill("work", options_.entries);
    const UsageSample from = usage_.Sample();
    Drain("work", options_.entries);
    const UsageSample to = usage_.Sample();

    ReportUsage(from, to, options_.entries, report);
    report->Number("per_second", options_.entries * 1e9 / static_cast<double>(done_ns_ - from.at_ns));
    Judge(report);
  }

 private:
  void Fill(const std::string& key, int entries) {
    for (int left = entries; left > 0; left -= kPerFill) {
      std::string commands;
      const int now = std::min(left, kPerFill);
      for (int i = 0; i < now; ++i) {
        commands += AddCommand(key);
      }
      control_.Ask(commands, now);
    }
    std::string group;
    AppendCommand({"XGROUP", "CREATE", key, kGroup, "0"}, &group);
    control_.Ask(group);
  }

  // Until an answer to a read of each connection was empty, which is when all is read and acknowledged.
  void Drain(const std::string& key, int entries) {
    seen_.clear();
    seen_.reserve(static_cast<size_t>(entries));
    key_ = key;
    working_ = options_.connections;
    acked_ = 0;
    std::vector<std::unique_ptr<RedisClient>> clients;
    for (int i = 0; i < options_.connections; ++i) {
      std::string read;
      AppendCommand({"XREADGROUP", "GROUP", kGroup, "worker-" + std::to_string(i), "COUNT", std::to_string(kPerRead),
                     "STREAMS", key, ">"},
                    &read);
      clients.push_back(std::make_unique<RedisClient>(
          &loop_, options_, [this, read](RedisClient& client, RawReply reply) { OnReply(client, reply, read); }));
      clients.back()->Command(read);
    }
    const int64_t deadline_ns = NowNs() + kTimeoutNs;
    while (working_ > 0) {
      if (NowNs() > deadline_ns) {
        Die("the stream was not consumed in time");
      }
      loop_.Turn(deadline_ns);
    }
  }

  void OnReply(RedisClient& client, RawReply reply, const std::string& read) {
    if (reply.bytes().starts_with(':')) {
      acked_ += reply.Integer();
      done_ns_ = NowNs();
      client.Command(read);
    } else if (reply.is_null()) {
      --working_;
    } else {
      Ack(client, reply);
    }
  }

  void Ack(RedisClient& client, RawReply reply) {
    reply.Array();
    reply.Array();
    reply.Bulk();
    const int64_t count = reply.Array();
    ack_ = '*' + std::to_string(count + 3) + "\r\n$4\r\nXACK\r\n";
    AppendBulk(key_, &ack_);
    AppendBulk(kGroup, &ack_);
    for (int64_t i = 0; i < count; ++i) {
      reply.Array();
      const std::string_view id = reply.Bulk();
      seen_.push_back(IdNumber(id));
      AppendBulk(id, &ack_);
      reply.Array();
      reply.Bulk();
      if (reply.Bulk().size() != kBodyBytes) {
        Die("an entry came back with another body");
      }
    }
    client.Command(ack_);
  }

  void Judge(Report* report) {
    const auto read = seen_.size();
    std::sort(seen_.begin(), seen_.end());
    seen_.erase(std::unique(seen_.begin(), seen_.end()), seen_.end());
    const auto entries = static_cast<size_t>(options_.entries);
    if (read != entries || seen_.size() != entries || acked_ != options_.entries) {
      report->Invalid(std::to_string(entries) + " entries, " + std::to_string(read) + " read, " +
                      std::to_string(seen_.size()) + " different ones, " + std::to_string(acked_) + " acknowledged");
    }
    std::string command;
    AppendCommand({"XPENDING", key_, kGroup}, &command);
    const std::string answer = control_.Ask(command);
    RawReply reply(answer);
    reply.Array();
    if (const int64_t pending = reply.Integer(); pending != 0) {
      report->Invalid(std::to_string(pending) + " entries are pending");
    }
  }

  const Options& options_;
  Loop loop_;
  Usage usage_;
  RedisClient control_;
  std::string key_;
  std::string ack_;
  std::vector<uint64_t> seen_;
  int working_ = 0;
  int64_t acked_ = 0;
  int64_t done_ns_ = 0;
};

}  // namespace

void RunConsume(const Options& options, Report* report) { Consume(options).Run(report); }

}  // namespace tocsin::bench
