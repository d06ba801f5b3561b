// Power loss, over and over on one directory: whatever was confirmed is there afterwards, what is there is a prefix of
// what was written, and no change is there by half. A store that skips its fsync must be caught by the same check.
#include <array>
#include <cstdlib>
#include <map>
#include <mutex>
#include <thread>

#include <gtest/gtest.h>

#include "base/random.h"
#include "storage/committer.h"
#include "storage/must.h"
#include "storage/temp_dir.h"
#include "storage/unsynced_fs.h"

namespace tocsin::storage {
namespace {

using base::Status;

// RocksDB sleeps for a second when a flush fails; so several runs, each on a directory of its own, sleep together.
constexpr int kRuns = 5;

// The nightly run sets more.
int CyclesOfARun() {
  const char* total = std::getenv("TOCSIN_POWER_CYCLES");
  return (total == nullptr ? 50 : std::atoi(total)) / kRuns;
}

// Every submitter numbers its changes, and submits the next one when it is told of the last or, for lazy ones, at once.
struct Ledger {
  std::mutex mutex;
  std::map<std::string, int> submitted;  // by submitter: its last change
  std::map<std::string, int> confirmed;  // by submitter: its last change that was confirmed, lazy ones not counted
};

std::string KeyOf(const std::string& who, int number) { return who + "/" + std::to_string(1'000'000 + number); }

std::string ValueOf(const std::string& key) {
  const size_t size = std::hash<std::string>()(key) % 97;
  return key + std::string(size % 13 == 0 ? size * 700 : size, 'v');  // some fill more than one block of the log
}

class Numbered final : public Change {
 public:
  Numbered(std::string who, int number, bool lazy, Ledger& ledger, std::function<void(bool)> done)
      : who_(std::move(who)), number_(number), lazy_(lazy), ledger_(ledger), done_(std::move(done)) {}
  void Stage(Batch& batch) override {
    const std::string key = KeyOf(who_, number_);
    batch.Put(Family::kEntries, key, ValueOf(key));
    batch.Put(Family::kHeads, key, "head");
  }
  void Done(const Status& status) override {
    if (status.ok() && !lazy_) {
      std::lock_guard lock(ledger_.mutex);
      ledger_.confirmed[who_] = number_;
    }
    done_(status.ok());
  }
  bool lazy() const override { return lazy_; }

 private:
  std::string who_;
  int number_;
  bool lazy_;
  Ledger& ledger_;
  std::function<void(bool)> done_;
};

void SubmitUntilItFails(Committer& committer, const std::string& who, Ledger& ledger, uint64_t seed) {
  base::SeededRandom random(seed);
  std::mutex mutex;
  std::condition_variable changed;
  int under_way = 0;
  bool failed = false;
  for (int number = 1; number < 400; ++number) {
    {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return under_way < 3 || failed; });
      if (failed) break;
      ++under_way;
    }
    {
      std::lock_guard lock(ledger.mutex);
      ledger.submitted[who] = number;
    }
    auto done = [&](bool ok) {
      std::lock_guard lock(mutex);
      --under_way;
      failed = failed || !ok;
      changed.notify_one();
    };
    auto change = std::make_unique<Numbered>(who, number, random.Below(4) == 0, ledger, done);
    if (!committer.Submit(std::move(change)).ok()) {
      std::lock_guard lock(mutex);
      --under_way;
      break;
    }
  }
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return under_way == 0; });
}

// How many confirmed changes are missing. Everything else that is wrong fails the test here.
int CountLost(const Store& store, Ledger& ledger) {
  int lost = 0;
  for (const auto& [who, last] : ledger.submitted) {
    int present = 0;
    for (int number = 1; number <= last; ++number) {
      const std::string key = KeyOf(who, number);
      const std::string entry = MustGet(store, Family::kEntries, key);
      const std::string head = MustGet(store, Family::kHeads, key);
      EXPECT_EQ(entry == "(none)", head == "(none)") << key << " is there by half";
      if (entry == "(none)") continue;
      EXPECT_EQ(entry, ValueOf(key));
      EXPECT_EQ(present, number - 1) << who << " has a hole before " << number;
      present = number;
    }
    const int confirmed = ledger.confirmed.contains(who) ? ledger.confirmed.at(who) : 0;
    if (present < confirmed) lost += confirmed - present;
    ledger.submitted[who] = ledger.confirmed[who] = present;  // what is there now must stay
  }
  return lost;
}

struct Outcome {
  int lost = 0;
  int confirmed = 0;
  int cut_while_opening = 0;
  int refused = 0;  // with sabotage: opening saw that something is missing
};

Outcome RunCycles(uint64_t seed, Sabotage sabotage) {
  Outcome outcome;
  base::SeededRandom random(seed);
  TempDir dir;
  UnsyncedFs disk;
  Ledger ledger;
  StoreOptions options{.dir = dir.path(),
                       .max_wal_bytes = 128 << 10,  // flushes, new logs and compactions all the time
                       .file_system = disk.file_system(),
                       .sabotage = sabotage};
  for (int cycle = 0; cycle < CyclesOfARun(); ++cycle) {
    disk.CutPowerAt(1 + random.Below(random.Below(4) == 0 ? 60 : 1'500));
    auto store = OpenStore(options);
    if (store.ok()) {
      Committer committer(**store, base::SystemClock(), {});
      committer.Start();
      std::vector<std::thread> submitters;
      for (uint64_t i = random.Below(16) + 1; i > 0; --i) {
        const std::string who = std::to_string(cycle) + "-" + std::to_string(i);
        submitters.emplace_back([&, who, s = random.Next()] { SubmitUntilItFails(committer, who, ledger, s); });
      }
      for (std::thread& submitter : submitters) submitter.join();
      committer.Stop();
      store->reset();
    } else {
      EXPECT_TRUE(disk.power_off()) << store.status().message();
      ++outcome.cut_while_opening;
    }
    disk.CutPower();
    disk.Restart(random);
    for (const auto& [who, last] : ledger.confirmed) outcome.confirmed += last;

    auto again = OpenStore(options);
    if (!again.ok() && sabotage != Sabotage::kNone && again.status().code() == base::Code::kCorruption) {
      ++outcome.refused;
      break;
    }
    EXPECT_TRUE(again.ok()) << "cycle " << cycle << ": " << again.status().message();
    if (!again.ok()) break;
    outcome.lost += CountLost(**again, ledger);
    again->reset();
    if (testing::Test::HasFailure() || (sabotage != Sabotage::kNone && outcome.lost > 0)) break;
    // Forget the submitters that are too old to be worth reading again, all but a few.
    while (ledger.submitted.size() > 40) {
      ledger.confirmed.erase(ledger.submitted.begin()->first);
      ledger.submitted.erase(ledger.submitted.begin());
    }
  }
  return outcome;
}

Outcome RunAll(uint64_t seed, Sabotage sabotage) {
  UnsyncedFs::MoreFlushThreads(kRuns);
  std::array<Outcome, kRuns> outcomes;
  std::vector<std::thread> runs;
  for (uint64_t i = 0; i < kRuns; ++i) {
    runs.emplace_back([&, i] {
      SCOPED_TRACE("seed " + std::to_string(seed + i));
      outcomes[i] = RunCycles(seed + i, sabotage);
    });
  }
  for (std::thread& run : runs) run.join();
  Outcome sum;
  for (const Outcome& outcome : outcomes) {
    sum.lost += outcome.lost;
    sum.refused += outcome.refused;
    sum.confirmed += outcome.confirmed;
    sum.cut_while_opening += outcome.cut_while_opening;
  }
  return sum;
}

TEST(PowerTest, WhatWasConfirmedSurvives) {
  const Outcome outcome = RunAll(1, Sabotage::kNone);
  EXPECT_EQ(outcome.lost, 0);
  EXPECT_GT(outcome.confirmed, 1'000);
  EXPECT_GT(outcome.cut_while_opening, 0);
}

// By what is lost, or by the next start, which finds synced batches missing from the log.
TEST(PowerTest, AStoreThatSkipsItsSyncIsCaught) {
  const Outcome outcome = RunAll(1, Sabotage::kSkipSync);
  EXPECT_GT(outcome.lost + outcome.refused, 0);
}

}  // namespace
}  // namespace tocsin::storage
