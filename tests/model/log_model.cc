// The seeded model test of user logs and sessions: random clients and faults against a reference (world.h).
//
//   log_model [--seeds=N] [--first=SEED] [--steps=N]      seeds SEED, SEED+1, ...
//   log_model --seed=SEED [--steps=N]                     that one alone
//
// The full run is --seeds=100 --steps=10000. Ends with 1 at the first disagreement, and when something that the test is
// about did not happen at all.
#include <charconv>
#include <cstdio>
#include <cstdlib>

#include <unistd.h>

#include "base/log.h"
#include "client.h"
#include "world.h"

namespace tocsin::tests {
namespace {

uint64_t present_seed = 0;
int present_step = 0, wanted_steps = 0;

// What every run of more than a few seeds must have met.
constexpr std::string_view kMustHappen[] = {
    "resume ok",
    "resume gap",
    "resume reset",
    "resume fresh",
    "clamped ack",
    "credit exhausted",
    "st without credit",
    "congestion",
    "cold read",
    "trim",
    "failed turn",
    "restart",
    "repeated append",
    "old cursor",
    "early copy",
    "collapse",
    "expire",
    "retract",
    "clock set",
    "bye 4103",
    "bye 4200",
    "err no_space",
    "failed sync, stored all the same",
};

bool Option(std::string_view argument, std::string_view name, uint64_t& value) {
  if (!argument.starts_with(name)) return false;
  argument.remove_prefix(name.size());
  auto read = std::from_chars(argument.data(), argument.data() + argument.size(), value);
  return read.ec == std::errc() && read.ptr == argument.data() + argument.size();
}

int Run(int argc, char** argv) {
  uint64_t seeds = 5, first = 1, steps = 2'000, one = 0;
  for (int i = 1; i < argc; ++i) {
    const bool known = Option(argv[i], "--seeds=", seeds) || Option(argv[i], "--first=", first) ||
                       Option(argv[i], "--steps=", steps) || Option(argv[i], "--seed=", one);
    if (!known) {
      std::fprintf(stderr, "usage: log_model [--seeds=N] [--first=SEED] [--steps=N] | --seed=SEED [--steps=N]\n");
      return 2;
    }
  }
  if (one != 0) {
    first = one;
    seeds = 1;
  }
  if (access("/dev/shm", W_OK) == 0) setenv("TMPDIR", "/dev/shm", 0);                      // syncs cost nothing there
  base::SetLogLevel(static_cast<base::Level>(static_cast<int>(base::Level::kError) + 1));  // faults are wanted here
  wanted_steps = static_cast<int>(steps);
  Tally tally;
  for (present_seed = first; present_seed < first + seeds; ++present_seed) {
    World world(present_seed, tally);
    for (present_step = 0; present_step < wanted_steps; ++present_step) world.Step();
    world.Settle();
  }
  std::printf("%llu seeds x %llu steps agree with the reference\n", static_cast<unsigned long long>(seeds),
              static_cast<unsigned long long>(steps));
  for (const auto& [what, count] : tally.counts) {
    std::printf("  %-36s %lld\n", what.c_str(), static_cast<long long>(count));
  }
  int missing = 0;
  for (std::string_view what : kMustHappen) {
    if (seeds < 5 || tally.counts.contains(what)) continue;
    std::printf("did not happen: %s\n", std::string(what).c_str());
    ++missing;
  }
  return missing == 0 ? 0 : 1;
}

}  // namespace

void Fail(std::string_view condition, const std::string& why, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: %s: %s\nseed %llu, step %d; again: log_model --seed=%llu --steps=%d\n", file, line,
               std::string(condition).c_str(), why.c_str(), static_cast<unsigned long long>(present_seed), present_step,
               static_cast<unsigned long long>(present_seed), wanted_steps);
  std::fflush(nullptr);
  std::_Exit(1);
}

}  // namespace tocsin::tests

int main(int argc, char** argv) { return tocsin::tests::Run(argc, argv); }
