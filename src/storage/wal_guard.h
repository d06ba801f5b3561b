// WalGuard: the file system as RocksDB sees it. It stands between RocksDB and the disk for what RocksDB 7.8 does not
// promise:
//
// 1. A failed sync of a log or of the directory is remembered for good (sync_failed). RocksDB would sync again and
//    believe the second answer; the kernel has dropped the dirty pages by then.
// 2. RocksDB does not meet a full disk. The writer reserves the blocks of a batch in the log before it hands the batch
//    over (Reserve), and tables and manifests, which threads of RocksDB's own write, wait for space instead of failing.
//    RocksDB's ways out of ENOSPC end, now and then, in a wait for a flush that it has forgotten (pull requests 11865
//    and 11872 tell parts of it).
// 3. Should an append to a log fail nevertheless, it leaves no half batch: the log is cut back to where the batch began
//    and takes no more bytes. RocksDB would send its buffer again when it resumes, behind the bytes that were written
//    the first time. Until RocksDB has begun a new log (log_torn() is false again) no batch may be confirmed.
//
// It is also where the fault points between write and sync are.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include <rocksdb/file_system.h>

#include "storage/store.h"

namespace tocsin::storage {

class WalGuard final : public rocksdb::FileSystemWrapper {
 public:
  explicit WalGuard(const std::shared_ptr<rocksdb::FileSystem>& base) : rocksdb::FileSystemWrapper(base) {}

  const char* Name() const override { return "TocsinWalGuard"; }

  // The fault points count from here on.
  void Arm(FaultPoints* faults) { faults_.store(faults, std::memory_order_release); }

  // Tables wait for space from here on (the store is open), or no longer (it is being closed).
  enum class Full { kWait, kFail };
  void WhenFull(Full full);

  // By the writer only. Blocks for a batch of so many bytes in the current log: NoSpace when there are none. Ok where
  // the file system cannot reserve.
  rocksdb::IOStatus Reserve(uint64_t bytes);
  // By the writer only: it is about to hand one batch to RocksDB.
  void BeginBatch() { batch_.fetch_add(1, std::memory_order_relaxed); }

  bool sync_failed() const { return sync_failed_.load(std::memory_order_acquire); }
  bool log_torn() const { return log_torn_.load(std::memory_order_acquire); }
  // A thread of RocksDB's waits for space.
  bool waits_for_space() const { return waiting_.load(std::memory_order_acquire) > 0; }
  // Those that do need not wait longer: there may be space now.
  void TryAgain();
  // Of the log that was begun last.
  uint64_t log_bytes() const { return log_bytes_.load(std::memory_order_relaxed); }

  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewDirectory(const std::string& path, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* result,
                                 rocksdb::IODebugContext* debug) override;

 private:
  class Log;
  class Table;
  class Directory;
  rocksdb::IOStatus Reach(std::string_view place);
  // After a call failed for want of space: true when it should be tried again.
  bool WaitForSpace();

  std::atomic<FaultPoints*> faults_{nullptr};
  std::atomic<uint64_t> batch_{0};
  std::atomic<uint64_t> log_bytes_{0};
  std::atomic<int> waiting_{0};
  std::atomic<bool> sync_failed_{false};
  std::atomic<bool> log_torn_{false};
  std::atomic<Log*> current_{nullptr};  // the log that was begun last

  std::mutex full_mutex_;
  std::condition_variable full_changed_;
  Full full_ = Full::kFail;
  uint64_t tries_ = 0;
};

}  // namespace tocsin::storage
