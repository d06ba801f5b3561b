// FlushWatch: what the store must know of RocksDB's background work.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

#include <rocksdb/listener.h>

namespace tocsin::storage {

class FlushWatch final : public rocksdb::EventListener {
 public:
  // RocksDB would try to leave a full disk by itself, every few seconds, and is busy for others meanwhile. Where writes
  // are stopped the next write does it instead (RocksStore::Resume): at once, and on the one thread that may. A failed
  // compaction stops nothing and stays RocksDB's.
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status error, bool* auto_recovery) override;
  void OnFlushBegin(rocksdb::DB*, const rocksdb::FlushJobInfo&) override;
  void OnFlushCompleted(rocksdb::DB*, const rocksdb::FlushJobInfo&) override;

  uint64_t begun() const;
  // Until a flush has begun after `begun` was read. A flush that was ordered but has not begun when an error stops the
  // background work stays in RocksDB's queue unseen, and the Resume() that comes later waits for it for ever (7.8; see
  // pull request 11872). Gives up after a second.
  void WaitBeyond(uint64_t begun);
  // Until a flush has ended, or 10 ms.
  void WaitForEnd();

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t begun_ = 0;
};

}  // namespace tocsin::storage
