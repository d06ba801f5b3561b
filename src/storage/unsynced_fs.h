// UnsyncedFs: a disk with a power switch, for tests. It stands between RocksDB and a real directory and knows what
// would survive: file bytes that were synced, and names (made, moved, removed) whose directory was synced. After
// CutPower() and Restart() the directory holds that and a random part of the rest, as a disk would that was writing
// back when the power went. It can also fail calls on demand. kill -9 shows none of this: the kernel lives on and keeps
// every byte. The idea is LevelDB's (db/fault_injection_test.cc).
//
//   auto disk = std::make_shared<UnsyncedFs>();
//   options.file_system = disk->file_system();
//   ... work ...
//   disk->CutPower();           // every change fails from here on
//   store.reset();
//   disk->Restart(random);      // what was not synced is gone, more or less
//   store = OpenStore(options)
//
// 1. Thread-safe. Nothing is really synced: the tests are about order, not about the disk below.
// 2. A failed sync leaves its bytes unsynced for good, also if a later sync of the file succeeds: the kernel drops the
//    dirty pages of a failed write-back.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/random.h"

namespace tocsin::storage {

class UnsyncedFs {
 public:
  UnsyncedFs();
  ~UnsyncedFs();
  UnsyncedFs(const UnsyncedFs&) = delete;
  UnsyncedFs& operator=(const UnsyncedFs&) = delete;

  // For StoreOptions::file_system. May be used by one store after the other.
  std::shared_ptr<void> file_system() const;

  void CutPower();
  // At the `nth` call from now that changes something; it does not take effect any more.
  void CutPowerAt(uint64_t nth);
  bool power_off() const;
  // With every store on it closed.
  void Restart(base::Random& random);

  enum class Error : uint8_t { kIo, kNoSpace };
  // The `nth` sync of a file from now (1: the next) fails, once.
  void FailSync(uint64_t nth, Error error);
  // The `nth` call from now that changes something (append, sync, make, move, remove, cut) fails, once. 0: none.
  void FailCall(uint64_t nth, Error error);
  // Appends beyond so many bytes fail with ENOSPC, the last one after a part of it was written. UINT64_MAX: no limit.
  void SetFreeBytes(uint64_t bytes);
  // Whether files can be given blocks ahead (fallocate). Default: they can.
  enum class Reserving : uint8_t { kCan, kCannot };
  void CanReserve(Reserving reserving);
  // Called in every sync of a file, with its path, before it takes effect, without a lock.
  void OnSync(std::function<void(const std::string&)> hook);

  // For tests that open several stores at once: RocksDB's flush thread, which sleeps for a second after a failure, is
  // shared by all stores of a process. Gives it `count` companions.
  static void MoreFlushThreads(int count);

  uint64_t calls() const;  // that change something, so far
  uint64_t syncs() const;  // of files, so far

 private:
  class Disk;
  std::shared_ptr<Disk> disk_;
};

}  // namespace tocsin::storage
