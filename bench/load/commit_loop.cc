// The base line of P4: what the disk gives anybody. At each moment of the same rate one record of 200 bytes is due; all
// that are due are appended in one write, then fdatasync; latency counts from the moment to the end of the sync. Runs
// on the server's core, in the directory that holds the server's data.
#include <cerrno>
#include <cstring>
#include <ctime>
#include <string>

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "load/latencies.h"
#include "load/loop.h"
#include "load/usage.h"
#include "load/work.h"

namespace tocsin::bench {

namespace {

constexpr size_t kRecordBytes = 200;

void SleepUntil(int64_t deadline_ns) {
  timespec deadline{};
  deadline.tv_sec = deadline_ns / 1'000'000'000;
  deadline.tv_nsec = deadline_ns % 1'000'000'000;
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, nullptr);
}

void Commit(int fd, const Options& options, double seconds, Latencies* latencies) {
  const int64_t start_ns = NowNs();
  const auto count = static_cast<int64_t>(seconds * options.rate);
  const auto moment = [&](int64_t i) { return start_ns + i * 1'000'000'000 / options.rate; };
  for (int64_t next = 0; next < count;) {
    SleepUntil(moment(next));
    const int64_t first = next;
    const int64_t now_ns = NowNs();
    while (next < count && moment(next) <= now_ns) {
      ++next;
    }
    const std::string records(static_cast<size_t>(next - first) * kRecordBytes, 'r');
    if (write(fd, records.data(), records.size()) != static_cast<ssize_t>(records.size()) || fdatasync(fd) != 0) {
      Die("commit loop: %s", std::strerror(errno));
    }
    const int64_t synced_ns = NowNs();
    for (int64_t i = first; i < next; ++i) {
      latencies->Add(synced_ns - moment(i));
    }
  }
}

}  // namespace

void RunCommitLoop(const Options& options, Report* report) {
  if (options.server_core >= 0) {
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET(static_cast<size_t>(options.server_core), &cores);
    if (sched_setaffinity(0, sizeof cores, &cores) != 0) {
      Die("core %d: %s", options.server_core, std::strerror(errno));
    }
  }
  prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
  const std::string path = options.directory + "/commit-loop";
  const int fd = open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) {
    Die("%s: %s", path.c_str(), std::strerror(errno));
  }
  Latencies latencies;
  Commit(fd, options, options.warm_up_seconds, &latencies);
  latencies.Clear();
  const Usage usage({getpid()});
  const UsageSample from = usage.Sample();
  Commit(fd, options, options.seconds, &latencies);
  const UsageSample to = usage.Sample();
  close(fd);
  unlink(path.c_str());
  const auto others =
      static_cast<double>((to.machine_cpu_ns - from.machine_cpu_ns) - (to.load_cpu_ns - from.load_cpu_ns));
  report->Number("units", static_cast<double>(latencies.size()));
  report->Number("foreign_busy", others / static_cast<double>(to.at_ns - from.at_ns));
  report->Number("rate", options.rate);
  report->Number("p50_ms", latencies.QuantileMs(0.5));
  report->Number("p90_ms", latencies.QuantileMs(0.9));
  report->Number("p99_ms", latencies.QuantileMs(0.99));
  report->Number("max_ms", latencies.QuantileMs(1));
}

}  // namespace tocsin::bench
