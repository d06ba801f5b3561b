// The works of performance measurement: one file each. A work drives the load, checks that all of it arrived, and
// fills the report. To add one: write its file, declare its function here, name it in main.cc.
#pragma once

#include "load/options.h"
#include "load/report.h"

namespace tocsin::bench {

// P3: one notification to one user, publishers in a closed loop.
void RunNotify(const Options& options, Report* report);
// P4: latency from publish to device at a steady rate.
void RunLatency(const Options& options, Report* report);
// P5: resident memory per idle connection.
void RunMemory(const Options& options, Report* report);
// P6: CPU per connect + token check + hello + welcome.
void RunConnect(const Options& options, Report* report);
// The base line of P4: append + fdatasync at the same rate, no server.
void RunCommitLoop(const Options& options, Report* report);
// P7: XADD over the Redis port, by redis-benchmark.
void RunXadd(const Options& options, Report* report);
// P8: XREADGROUP and XACK by 100.
void RunConsume(const Options& options, Report* report);
// XADD while thousands of others are blocked in XREADGROUP.
void RunBlocked(const Options& options, Report* report);
// A large store: filled, and looked at after a restart.
void RunFill(const Options& options, Report* report);
void RunVisit(const Options& options, Report* report);

}  // namespace tocsin::bench
