// RocksStore: the Store over RocksDB. Made by OpenStore (store.cc), which has checked what it opens.
//
// 1. One writer thread; any number of readers.
// 2. broken_ is set once and never cleared: from then on nothing is written or confirmed.
// 3. A batch is confirmed only if RocksDB said ok, no sync has failed and the log it went into is whole.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include <rocksdb/db.h>
#include <rocksdb/env.h>

#include "storage/dir_lock.h"
#include "storage/flush_watch.h"
#include "storage/store.h"
#include "storage/wal_guard.h"

namespace tocsin::storage {

// Everything RocksDB stands on, in the order of its destruction.
struct RocksParts {
  std::unique_ptr<DirLock> lock;
  std::shared_ptr<WalGuard> guard;
  std::shared_ptr<FlushWatch> watch;
  std::unique_ptr<rocksdb::Env> env;
  std::unique_ptr<rocksdb::DB> db;
  std::array<rocksdb::ColumnFamilyHandle*, kFamilies> handles{};

  RocksParts() = default;
  RocksParts(RocksParts&&) = default;
  RocksParts& operator=(RocksParts&&) = delete;
  ~RocksParts();
};

enum class FlushWait { kNo, kYes };
// Makes tables of what is in memory and begins a new log. kMeta is last: so the commit number in the tables is never
// ahead of the tables, and the first number that a recovery replays must be the next one (storage/commit_chain.h).
rocksdb::Status FlushAll(const RocksParts& parts, FlushWait wait);

class RocksStore final : public Store {
 public:
  RocksStore(const StoreOptions& options, RocksParts parts, uint64_t commit_number, std::string epoch);
  // Once, before anything else: puts a first batch into the new log. If the manifest should lose its last entry, and
  // with it a table, the number in this batch will not fit what is left. A full disk does not fail it.
  rocksdb::Status Begin();

  base::Status Write(Batch& batch, Sync sync) override;
  base::Status SyncNow() override;
  base::Result<std::optional<std::string>> Get(Family family, std::string_view key, Tier tier) const override;
  std::unique_ptr<Iterator> Iterate(Family family, std::string_view lower, std::string_view upper,
                                    Tier tier) const override;
  uint64_t commit_number() const override { return commit_number_.load(std::memory_order_acquire); }
  const std::string& epoch() const override { return epoch_; }
  base::Status health() const override;

 private:
  base::Status CheckSpace() const;
  rocksdb::Status WriteNumbered(rocksdb::WriteBatch& changes, uint64_t number, Sync sync);
  // Full memtables and a long log: flushes them in the background and begins a new log. RocksDB would do so within the
  // write of a batch, when it is too late to reserve the batch's blocks.
  base::Status BeginLogIfDue();
  // Where blocks cannot be reserved, a batch may still meet a full disk. Makes RocksDB take writes again, in a new log.
  base::Status Resume();
  // RocksDB gives up a log that it cannot append to only when it flushes, and flushes only a memtable that holds
  // something. So there is always something: the last commit number once more, past the log.
  rocksdb::Status Prime();
  uint64_t Flushing() const;  // memtables that are, or wait to be, written as tables
  base::Status Judge(const rocksdb::Status& status);
  base::Status Break(std::string reason);
  base::Status Broken() const;

  const StoreOptions options_;
  RocksParts parts_;
  const std::string epoch_;
  std::atomic<uint64_t> commit_number_;

  std::atomic<bool> broken_{false};
  mutable std::mutex reason_mutex_;
  std::string broken_reason_;

  FaultPoints* faults_ = nullptr;
  bool needs_resume_ = false;       // writer only, like the next
  uint64_t memory_checked_at_ = 0;  // bytes of the log then
  mutable std::atomic<int64_t> space_checked_us_;
  mutable std::atomic<bool> space_left_{true};
};

// The failure as this project spells it: kNoSpace, kCorruption, kWouldBlock, kUnavailable.
base::Status FromRocks(const rocksdb::Status& status, std::string_view doing);

}  // namespace tocsin::storage
