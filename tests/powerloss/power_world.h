// PowerWorld: a server in a world whose power fails. Lives end at a random write, the disk forgets what was not synced
// (storage/unsynced_fs.h), the wall clock is set back before every other start; after each start the world is looked
// at.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/random.h"
#include "storage/store.h"
#include "storage/temp_dir.h"
#include "storage/unsynced_fs.h"

namespace tocsin::tests {

// How many in a test run: TOCSIN_POWER_CYCLES, or 50.
inline int PowerCycles() {
  const char* cycles = std::getenv("TOCSIN_POWER_CYCLES");
  return cycles == nullptr ? 50 : std::atoi(cycles);
}

class PowerWorld {
 public:
  PowerWorld(uint64_t seed, storage::Sabotage sabotage) : random_(seed), sabotage_(sabotage) {}
  virtual ~PowerWorld() = default;

  // One life of the server, ended by a power cut. Then a start, and a look at everything; false when something is
  // wrong, `complaint` says what.
  bool Cycle() {
    SetBackNowAndThen();
    disk_.CutPowerAt(1 + random_.Below(random_.Below(4) == 0 ? 80 : 800));
    if (Start().ok()) {
      ++lives;
      Work();
    } else {
      ++cut_starts;
      if (!disk_.power_off()) return Complain("a start failed with the power on");
    }
    End();
    disk_.CutPower();
    disk_.Restart(random_);
    SetBackNowAndThen();
    const base::Status started = Start();
    if (!started.ok()) return Complain(started.ToString());
    const bool right = Look();
    End();
    return right && complaint.empty();
  }

  // Cycles until one is wrong; true when there was none.
  bool Cycles(int count) {
    for (; count > 0; --count) {
      if (!Cycle()) return false;
    }
    return true;
  }

  std::string complaint;
  int confirmed = 0;   // of what clients were told
  int lives = 0;       // that got as far as working
  int cut_starts = 0;  // power cuts during a start

 protected:
  // Around store_.
  virtual void Open() = 0;
  virtual void Close() = 0;
  // Until the power is off.
  virtual void Work() = 0;
  virtual bool Look() = 0;

  bool Complain(const std::string& what) {
    if (complaint.empty()) complaint = what;
    return false;
  }

  base::SeededRandom random_;
  storage::TempDir dir_{storage::TempDir::Where::kMemory};
  storage::UnsyncedFs disk_;
  base::ManualClock clock_;
  std::unique_ptr<storage::Store> store_;

 private:
  void SetBackNowAndThen() {
    if (random_.Below(2) == 0) clock_.Set(clock_.NowMs() - 3'600'000);
  }
  base::Status Start() {
    auto store = storage::OpenStore({.dir = dir_.path() + "/store",
                                     .min_free_bytes = 0,
                                     .max_wal_bytes = 64 << 10,
                                     .clock = &clock_,
                                     .file_system = disk_.file_system(),
                                     .sabotage = sabotage_});
    if (!store.ok()) return store.status();
    store_ = std::move(*store);
    Open();
    return base::Ok();
  }
  void End() {
    Close();
    store_.reset();
  }

  const storage::Sabotage sabotage_;
};

}  // namespace tocsin::tests
