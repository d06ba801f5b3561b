// P5: resident memory per idle connection. 200 connections first, so that code, pools and caches are there; then the
// difference of VmRSS (all of the server's processes) that 10,000 more make, each of its own user, hello done. What the
// kernel keeps for a socket is in nobody's figure.
#include "load/audience.h"
#include "load/usage.h"
#include "load/work.h"

namespace tocsin::bench {

namespace {
constexpr int kWarmUpConnections = 200;
constexpr double kSettleSeconds = 1.5;
}  // namespace

void RunMemory(const Options& options, Report* report) {
  Loop loop;
  Audience audience(&loop, options);
  const Usage usage(options.pids);
  audience.Prepare(0, kWarmUpConnections);
  audience.BringOnline();
  audience.TurnFor(kSettleSeconds);
  const auto before = static_cast<double>(usage.ResidentBytes());

  audience.Prepare(kWarmUpConnections, options.connections);
  audience.BringOnline();
  audience.TurnFor(kSettleSeconds);
  const auto after = static_cast<double>(usage.ResidentBytes());

  report->Number("units", options.connections);
  report->Number("before_mb", before / 1024 / 1024);
  report->Number("after_mb", after / 1024 / 1024);
  report->Number("kb_per_connection", (after - before) / 1024 / options.connections);
  if (before <= 0) {
    report->Invalid("no memory was seen in the server's processes");
  }
}

}  // namespace tocsin::bench
