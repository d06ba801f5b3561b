#include "load/usage.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include "load/loop.h"

namespace tocsin::bench {

namespace {

std::string ReadProc(const std::string& path) {
  std::ifstream file("/proc/" + path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::vector<std::string> Threads(pid_t pid) {
  std::vector<std::string> threads;
  const std::string path = "/proc/" + std::to_string(pid) + "/task";
  DIR* directory = opendir(path.c_str());
  if (directory == nullptr) {
    return threads;
  }
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] != '.') {
      threads.push_back(std::to_string(pid) + "/task/" + entry->d_name);
    }
  }
  closedir(directory);
  return threads;
}

int64_t TickNs() { return 1'000'000'000 / sysconf(_SC_CLK_TCK); }

struct Ticks {
  int64_t own = 0;
  int64_t dead_children = 0;
};

// Fields 14-17 of /proc/PID/stat, counted after the last ')': the program's name may hold anything.
Ticks ReadTicks(pid_t pid) {
  const std::string stat = ReadProc(std::to_string(pid) + "/stat");
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) {
    return {};
  }
  std::istringstream fields(stat.substr(name_end + 2));
  std::string skipped;
  for (int i = 0; i < 11; ++i) {
    fields >> skipped;
  }
  int64_t user = 0;
  int64_t system = 0;
  int64_t child_user = 0;
  int64_t child_system = 0;
  fields >> user >> system >> child_user >> child_system;
  return {.own = user + system, .dead_children = child_user + child_system};
}

int64_t ProcessCpuNs(pid_t pid) {
  int64_t sum = 0;
  for (const std::string& thread : Threads(pid)) {
    sum += std::atoll(ReadProc(thread + "/schedstat").c_str());
  }
  return sum;
}

// Busy time of all cores: user, nice, system, irq, softirq.
int64_t MachineCpuNs() {
  std::istringstream fields(ReadProc("stat"));
  std::string name;
  int64_t user = 0;
  int64_t nice = 0;
  int64_t system = 0;
  int64_t idle = 0;
  int64_t io_wait = 0;
  int64_t irq = 0;
  int64_t soft_irq = 0;
  fields >> name >> user >> nice >> system >> idle >> io_wait >> irq >> soft_irq;
  return (user + nice + system + irq + soft_irq) * TickNs();
}

// Of this process, and of the load generators that it has run (redis-benchmark) and that have ended.
int64_t SelfCpuNs() {
  int64_t sum_ns = 0;
  for (const auto who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage usage{};
    getrusage(who, &usage);
    sum_ns += (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1'000'000'000 +
              (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1'000;
  }
  return sum_ns;
}

}  // namespace

std::vector<pid_t> Usage::Tree() const {
  std::vector<pid_t> tree = roots_;
  for (size_t i = 0; i < tree.size(); ++i) {
    for (const std::string& thread : Threads(tree[i])) {
      std::istringstream children(ReadProc(thread + "/children"));
      for (pid_t child = 0; children >> child;) {
        tree.push_back(child);
      }
    }
  }
  return tree;
}

UsageSample Usage::Sample() const {
  UsageSample sample;
  for (const pid_t pid : Tree()) {
    const Ticks ticks = ReadTicks(pid);
    sample.server_cpu_ns += ProcessCpuNs(pid) + ticks.dead_children * TickNs();
    sample.server_ticks_ns += (ticks.own + ticks.dead_children) * TickNs();
  }
  sample.load_cpu_ns = SelfCpuNs();
  sample.machine_cpu_ns = MachineCpuNs();
  sample.at_ns = NowNs();
  return sample;
}

int64_t Usage::ResidentBytes() const {
  int64_t sum_kb = 0;
  for (const pid_t pid : Tree()) {
    const std::string status = ReadProc(std::to_string(pid) + "/status");
    const size_t at = status.find("VmRSS:");
    if (at != std::string::npos) {
      sum_kb += std::atoll(status.c_str() + at + 6);
    }
  }
  return sum_kb * 1024;
}

void ReportUsage(const UsageSample& from, const UsageSample& to, double units, Report* report) {
  const auto wall = static_cast<double>(to.at_ns - from.at_ns);
  const auto server = static_cast<double>(to.server_cpu_ns - from.server_cpu_ns);
  const auto ticks = static_cast<double>(to.server_ticks_ns - from.server_ticks_ns);
  const auto load = static_cast<double>(to.load_cpu_ns - from.load_cpu_ns);
  const auto machine = static_cast<double>(to.machine_cpu_ns - from.machine_cpu_ns);
  report->Number("units", units);
  report->Number("cpu_us", server / 1e3 / units);
  report->Number("cpu_us_by_stat", ticks / 1e3 / units);
  report->Number("server_busy", server / wall);
  report->Number("load_busy", load / wall);
  report->Number("foreign_busy", (machine - server - load) / wall);
  if (server <= 0) {
    report->Invalid("no CPU time was seen in the server's processes");
  }
}

}  // namespace tocsin::bench
