// WalGuard: the file system as RocksDB sees it, with an eye on the write-ahead log. It stands between RocksDB and the
// disk for two promises that RocksDB 7.8 does not give:
//
// 1. A failed sync of a log or of the directory is remembered for good (sync_failed). RocksDB would sync again and
//    believe the second answer; the kernel has dropped the dirty pages by then.
// 2. A failed append to a log leaves no half batch: the log is cut back to where the batch began and takes no more
//    bytes. RocksDB would send its buffer again when it resumes, behind the bytes that were written the first time.
//    Until RocksDB has begun a new log (log_torn() is false again) no batch may be confirmed.
//
// It is also where the fault points between write and sync are.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include <rocksdb/file_system.h>

#include "storage/store.h"

namespace tocsin::storage {

class WalGuard final : public rocksdb::FileSystemWrapper {
 public:
  explicit WalGuard(std::shared_ptr<rocksdb::FileSystem> base) : rocksdb::FileSystemWrapper(std::move(base)) {}

  const char* Name() const override { return "TocsinWalGuard"; }

  // The fault points count from here on.
  void Arm(FaultPoints* faults) { faults_.store(faults, std::memory_order_release); }
  // The writer is about to hand one batch to RocksDB.
  void BeginBatch() { batch_.fetch_add(1, std::memory_order_relaxed); }
  bool sync_failed() const { return sync_failed_.load(std::memory_order_acquire); }
  bool log_torn() const { return log_torn_.load(std::memory_order_acquire); }
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
  class Directory;
  rocksdb::IOStatus Reach(std::string_view place);

  std::atomic<FaultPoints*> faults_{nullptr};
  std::atomic<uint64_t> batch_{0};
  std::atomic<uint64_t> log_bytes_{0};
  std::atomic<bool> sync_failed_{false};
  std::atomic<bool> log_torn_{false};
};

}  // namespace tocsin::storage
