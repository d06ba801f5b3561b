// P6: connect, WebSocket upgrade, token check, hello, welcome: server CPU for each, 64 on their way at once, every one
// with a token of its own (no cache of verified tokens helps). Requests and tokens are made before the clock runs, and
// connections end after it.
#include "load/audience.h"
#include "load/usage.h"
#include "load/work.h"

namespace tocsin::bench {

namespace {
constexpr int kWarmUpConnections = 500;
constexpr double kSettleSeconds = 0.3;
}  // namespace

void RunConnect(const Options& options, Report* report) {
  Loop loop;
  const Usage usage(options.pids);
  Audience warm_up(&loop, options);
  warm_up.Prepare(0, kWarmUpConnections);
  warm_up.BringOnline();
  warm_up.TurnFor(kSettleSeconds);

  Audience audience(&loop, options);
  audience.Prepare(kWarmUpConnections, options.connections);
  const UsageSample from = usage.Sample();
  audience.BringOnline();
  const int64_t online_ns = NowNs();
  audience.TurnFor(kSettleSeconds);
  const UsageSample to = usage.Sample();

  ReportUsage(from, to, options.connections, report);
  report->Number("per_second", options.connections * 1e9 / static_cast<double>(online_ns - from.at_ns));
}

}  // namespace tocsin::bench
