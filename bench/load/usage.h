// Usage: CPU time and resident memory of the server's processes, of this one, and of everybody else.
//
// 1. The server is its root processes and all their descendants at the moment of the sample.
// 2. CPU is user + system. It is read from the scheduler's nanosecond account of each thread
// (/proc/PID/task/*/schedstat),
//    because the ticks of /proc/PID/stat (10 ms) are too coarse for a work of 100 ms; the same figure by /proc/PID/stat
//    is kept beside it as a check.
// 3. `foreign` is what all cores did beside server and load (other programs, and kernel threads that belong to nobody):
//    a run with much of it is noise.
#pragma once

#include <cstdint>
#include <vector>

#include <sys/types.h>

#include "load/report.h"

namespace tocsin::bench {

struct UsageSample {
  int64_t at_ns = 0;
  int64_t server_cpu_ns = 0;
  int64_t server_ticks_ns = 0;
  int64_t load_cpu_ns = 0;
  int64_t machine_cpu_ns = 0;
};

class Usage {
 public:
  explicit Usage(std::vector<pid_t> roots) : roots_(std::move(roots)) {}

  UsageSample Sample() const;
  // Sum of VmRSS over the server's processes.
  int64_t ResidentBytes() const;

 private:
  std::vector<pid_t> Tree() const;

  std::vector<pid_t> roots_;
};

// Puts cpu_us per `units`, and how busy the server, the load and the others were, into the report.
void ReportUsage(const UsageSample& from, const UsageSample& to, double units, Report* report);

}  // namespace tocsin::bench
