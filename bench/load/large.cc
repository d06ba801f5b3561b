// A large store: filled over the Redis port by pipelines (one stream of many entries, many streams of five), and looked
// at after a restart. What restarts the server is works/large.py.
#include <algorithm>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "load/redis_client.h"
#include "load/usage.h"
#include "load/work.h"

namespace tocsin::bench {

namespace {

constexpr int kClients = 8;
constexpr int kPipeline = 500;
constexpr int kPerStream = 5;
constexpr int kVisited = 1'000;
constexpr int64_t kTimeoutNs = 1'200'000'000'000;
constexpr std::string_view kLongKey = "long";

std::string KeyOf(int stream) { return "short:" + std::to_string(stream); }

class Filler {
 public:
  explicit Filler(const Options& options) : options_(options) {}

  void Run(Report* report) {
    const Usage usage(options_.pids);
    const UsageSample from = usage.Sample();
    left_ = options_.entries;
    next_ = [this](std::string* commands) {
      const int now = static_cast<int>(std::min<int64_t>(left_, kPipeline));
      for (int i = 0; i < now; ++i) {
        *commands += AddCommand(kLongKey);
      }
      left_ -= now;
      return now;
    };
    FillAll();
    const UsageSample middle = usage.Sample();
    left_ = int64_t{options_.streams} * kPerStream;
    next_ = [this](std::string* commands) {
      const int now = static_cast<int>(std::min<int64_t>(left_, kPipeline));
      for (int i = 0; i < now; ++i) {
        *commands += AddCommand(KeyOf(static_cast<int>(--left_ % options_.streams)));
      }
      return now;
    };
    FillAll();
    const UsageSample to = usage.Sample();
    const auto seconds = [](const UsageSample& a, const UsageSample& b) {
      return static_cast<double>(b.at_ns - a.at_ns) / 1e9;
    };
    ReportUsage(from, to, static_cast<double>(options_.entries) + 1.0 * options_.streams * kPerStream, report);
    report->Number("long_per_second", options_.entries / seconds(from, middle));
    report->Number("short_per_second", 1.0 * options_.streams * kPerStream / seconds(middle, to));
    report->Number("filled_mb", static_cast<double>(usage.ResidentBytes()) / 1024 / 1024);
  }

 private:
  struct Pipeline {
    std::unique_ptr<RedisClient> client;
    int waiting = 0;
  };

  void FillAll() {
    std::vector<Pipeline> pipelines(kClients);
    busy_ = kClients;
    for (Pipeline& one : pipelines) {
      one.client = std::make_unique<RedisClient>(&loop_, options_, [&one, this](RedisClient&, RawReply) {
        if (--one.waiting == 0) {
          Go(&one);
        }
      });
      Go(&one);
    }
    const int64_t deadline_ns = NowNs() + kTimeoutNs;
    while (busy_ > 0) {
      if (NowNs() > deadline_ns) {
        Die("the store was not filled in time");
      }
      loop_.Turn(deadline_ns);
    }
  }

  void Go(Pipeline* one) {
    std::string commands;
    const int count = next_(&commands);
    if (count == 0) {
      --busy_;
      return;
    }
    one->waiting = count;
    one->client->Command(commands);
  }

  const Options& options_;
  Loop loop_;
  std::function<int(std::string*)> next_;
  int64_t left_ = 0;
  int busy_ = 0;
};

void Expect(RedisClient* client, std::initializer_list<std::string_view> words, int64_t expected, Report* report) {
  std::string command;
  AppendCommand(words, &command);
  const std::string answer = client->Ask(command);
  if (const int64_t there = RawReply(answer).Integer(); there != expected) {
    report->Invalid("expected " + std::to_string(expected) + ", and there are " + std::to_string(there));
  }
}

}  // namespace

void RunFill(const Options& options, Report* report) { Filler(options).Run(report); }

// Everything is there; then one entry is added to each of 1,000 streams and one is read.
void RunVisit(const Options& options, Report* report) {
  Loop loop;
  RedisClient client(&loop, options, {});
  const Usage usage(options.pids);
  report->Number("ready_mb", static_cast<double>(usage.ResidentBytes()) / 1024 / 1024);
  const int own_streams = options.peer == Peer::kTocsin ? 1 : 0;  // the ingest stream
  Expect(&client, {"DBSIZE"}, options.streams + 1 + own_streams, report);
  Expect(&client, {"XLEN", kLongKey}, options.entries, report);
  Expect(&client, {"XLEN", KeyOf(options.streams - 1)}, kPerStream, report);

  const int64_t from_ns = NowNs();
  const int step = std::max(1, options.streams / kVisited);
  int visited = 0;
  for (int stream = 0; stream < options.streams && visited < kVisited; stream += step, ++visited) {
    std::string commands = AddCommand(KeyOf(stream));
    AppendCommand({"XREAD", "COUNT", "1", "STREAMS", KeyOf(stream), "0"}, &commands);
    const std::string answer = client.Ask(commands, 2);
    RawReply reply(answer);
    reply.Bulk();
    if (reply.Array() != 1) {
      report->Invalid("a stream has lost its entries");
    }
  }
  report->Number("visit_ms", static_cast<double>(NowNs() - from_ns) / 1e6 / visited);
  report->Number("visited_mb", static_cast<double>(usage.ResidentBytes()) / 1024 / 1024);
}

}  // namespace tocsin::bench
