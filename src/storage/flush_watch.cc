#include "storage/flush_watch.h"

#include <chrono>

namespace tocsin::storage {

void FlushWatch::OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status error, bool* auto_recovery) {
  if (error.severity() >= rocksdb::Status::kHardError) *auto_recovery = false;
}

void FlushWatch::OnFlushBegin(rocksdb::DB*, const rocksdb::FlushJobInfo&) {
  {
    std::lock_guard lock(mutex_);
    ++begun_;
  }
  changed_.notify_all();
}

void FlushWatch::OnFlushCompleted(rocksdb::DB*, const rocksdb::FlushJobInfo&) { changed_.notify_all(); }

void FlushWatch::WaitForEnd() {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::milliseconds(10));
}

uint64_t FlushWatch::begun() const {
  std::lock_guard lock(mutex_);
  return begun_;
}

void FlushWatch::WaitBeyond(uint64_t begun) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::seconds(1), [&] { return begun_ > begun; });
}

}  // namespace tocsin::storage
