#include "storage/rocks_store.h"

#include <algorithm>
#include <vector>

#include "base/log.h"
#include "storage/batch.h"
#include "storage/commit_chain.h"
#include "storage/families.h"
#include "storage/rocks_iterator.h"

namespace tocsin::storage {

using base::Code;
using base::Ok;
using base::Status;

namespace {

constexpr int64_t kSpaceCheckUs = 5'000;
constexpr uint64_t kOverhead = 64;            // the commit number in a batch
constexpr uint64_t kRoomForALog = 256 << 10;  // free bytes without which no new log is begun
constexpr uint64_t kPatience = 4;             // a log and memtables may grow to so many times their limit
constexpr int kFlushWaits = 500;              // of 10 ms each
constexpr int kFullWaits = 3;

rocksdb::Slice CommitKey() { return rocksdb::Slice(kCommitKey.data(), kCommitKey.size()); }

}  // namespace

RocksParts::~RocksParts() {
  if (guard != nullptr) guard->WhenFull(WalGuard::Full::kFail);
  if (db == nullptr) return;
  for (rocksdb::ColumnFamilyHandle* handle : handles) {
    if (handle != nullptr) static_cast<void>(db->DestroyColumnFamilyHandle(handle).ok());
  }
  // Nothing that was confirmed depends on how closing goes.
  static_cast<void>(db->Close().ok());
}

Status FromRocks(const rocksdb::Status& status, std::string_view doing) {
  if (status.ok()) return Ok();
  std::string message = std::string(doing) + ": " + status.ToString();
  if (status.IsIncomplete()) return Status(Code::kWouldBlock, std::move(message));
  if (status.IsNoSpace()) return Status(Code::kNoSpace, std::move(message));
  if (status.IsCorruption()) return Status(Code::kCorruption, std::move(message));
  return Status(Code::kUnavailable, std::move(message));
}

rocksdb::Status FlushAll(const RocksParts& parts, FlushWait wait) {
  rocksdb::FlushOptions flush;
  flush.wait = wait == FlushWait::kYes;
  flush.allow_write_stall = true;
  rocksdb::Status status;
  for (size_t i = 1; i <= kFamilies && status.ok(); ++i) status = parts.db->Flush(flush, parts.handles[i % kFamilies]);
  return status;
}

RocksStore::RocksStore(const StoreOptions& options, RocksParts parts, uint64_t commit_number, std::string epoch)
    : options_(options),
      parts_(std::move(parts)),
      epoch_(std::move(epoch)),
      commit_number_(commit_number),
      space_checked_us_(options.clock->MonotonicUs() - kSpaceCheckUs) {}

rocksdb::Status RocksStore::Begin() {
  rocksdb::Status status = Prime();
  rocksdb::WriteBatch nothing;
  const uint64_t number = commit_number() + 1;
  if (status.ok()) status = WriteNumbered(nothing, number, Sync::kNow);
  if (status.ok()) commit_number_.store(number, std::memory_order_release);
  if (status.IsNoSpace() && !parts_.guard->sync_failed()) {
    needs_resume_ = true;
    status = rocksdb::Status::OK();
  }
  parts_.guard->WhenFull(WalGuard::Full::kWait);
  faults_ = options_.faults;  // the fault points count from here on
  parts_.guard->Arm(faults_);
  return status;
}

Status RocksStore::Write(Batch& batch, Sync sync) {
  if (broken_.load(std::memory_order_relaxed)) return Broken();
  RETURN_IF_ERROR(CheckSpace());
  if (needs_resume_) RETURN_IF_ERROR(Resume());
  RETURN_IF_ERROR(BeginLogIfDue());
  RETURN_IF_ERROR(FromRocks(parts_.guard->Reserve(batch.bytes() + kOverhead), "reserve space"));
  if (faults_ != nullptr) RETURN_IF_ERROR(faults_->Reach("before_write"));

  const uint64_t number = commit_number_.load(std::memory_order_relaxed) + 1;
  rocksdb::WriteBatch& changes = batch.rep_->changes;
  changes.SetSavePoint();
  rocksdb::Status status = WriteNumbered(changes, number, sync);
  CHECK(changes.RollbackToSavePoint().ok());
  RETURN_IF_ERROR(Judge(status));
  commit_number_.store(number, std::memory_order_release);
  return Ok();
}

rocksdb::Status RocksStore::WriteNumbered(rocksdb::WriteBatch& changes, uint64_t number, Sync sync) {
  rocksdb::WriteOptions write;
  write.sync = sync == Sync::kNow && options_.sabotage != Sabotage::kSkipSync;
  rocksdb::Status status = changes.Put(parts_.handles[0], CommitKey(), EncodeCommit({number, sync == Sync::kNow}));
  if (!status.ok()) return status;
  parts_.guard->BeginBatch();
  return parts_.db->Write(write, &changes);
}

Status RocksStore::SyncNow() {
  Batch nothing;
  return Write(nothing, Sync::kNow);
}

Status RocksStore::Judge(const rocksdb::Status& status) {
  if (parts_.guard->sync_failed()) return Break("a sync failed" + (status.ok() ? "" : ": " + status.ToString()));
  if (status.IsNoSpace()) {
    // Resume() would wait for ever for a flush that was ordered and had not begun.
    if (!needs_resume_ && Flushing() > 0)
      return Break("the disk was full while tables were written: " + status.ToString());
    needs_resume_ = true;
    base::Log(base::Level::kWarn, "store_full", {{"dir", options_.dir}, {"reason", status.ToString()}});
    return FromRocks(status, "write");
  }
  if (!status.ok()) return Break("a write failed: " + status.ToString());
  if (parts_.guard->log_torn()) return Break("a write went into a log that ends early");
  return Ok();
}

Status RocksStore::BeginLogIfDue() {
  const uint64_t log_bytes = parts_.guard->log_bytes();
  if (log_bytes < memory_checked_at_) memory_checked_at_ = 0;  // a new log
  const uint64_t step = std::min<uint64_t>({options_.write_buffer_bytes / 16, options_.max_wal_bytes / 16, 1 << 20});
  if (log_bytes - memory_checked_at_ < step) return Ok();
  memory_checked_at_ = log_bytes;
  uint64_t memory = 0;
  parts_.db->GetAggregatedIntProperty(rocksdb::DB::Properties::kCurSizeActiveMemTable, &memory);
  if (log_bytes < options_.max_wal_bytes && memory < options_.write_buffer_bytes) return Ok();

  // One flush after the other: go on in this log for a while, then wait.
  const bool patient =
      log_bytes < kPatience * options_.max_wal_bytes && memory < kPatience * options_.write_buffer_bytes;
  if (Flushing() > 0 && patient) return Ok();
  int full = 0;
  for (int i = 0; i < kFlushWaits && Flushing() > 0; ++i) {
    if (parts_.guard->waits_for_space()) parts_.guard->TryAgain();
    if (parts_.guard->waits_for_space() && ++full > kFullWaits) {
      memory_checked_at_ = 0;
      return Status(Code::kNoSpace, "the disk is full; tables in " + options_.dir + " wait for space");
    }
    parts_.watch->WaitForEnd();
  }
  uint64_t free = 0;
  const bool known = parts_.guard->GetFreeSpace(options_.dir, rocksdb::IOOptions(), &free, nullptr).ok();
  if (Flushing() > 0 || (known && free < kRoomForALog)) return Ok();

  const uint64_t begun = parts_.watch->begun();
  rocksdb::Status status = FlushAll(parts_, FlushWait::kNo);
  if (status.IsTryAgain()) return Ok();
  if (status.ok()) parts_.watch->WaitBeyond(begun);
  if (status.ok()) status = Prime();
  return Judge(status);
}

uint64_t RocksStore::Flushing() const {
  uint64_t memtables = 0;
  parts_.db->GetAggregatedIntProperty(rocksdb::DB::Properties::kNumImmutableMemTable, &memtables);
  return memtables;
}

rocksdb::Status RocksStore::Prime() {
  rocksdb::WriteOptions past_the_log;
  past_the_log.disableWAL = true;
  return parts_.db->Put(past_the_log, parts_.handles[0], CommitKey(), EncodeCommit({commit_number(), true}));
}

Status RocksStore::Resume() {
  parts_.guard->WhenFull(WalGuard::Full::kFail);  // the flush that it makes
  rocksdb::Status status = parts_.db->Resume();
  parts_.guard->WhenFull(WalGuard::Full::kWait);
  if (status.IsBusy()) return Status(Code::kNoSpace, "RocksDB is still recovering from a full disk");
  if (status.ok()) status = Prime();
  RETURN_IF_ERROR(Judge(status));
  needs_resume_ = false;
  base::Log(base::Level::kInfo, "store_resumed", {{"dir", options_.dir}});
  return Ok();
}

Status RocksStore::Break(std::string reason) {
  {
    std::lock_guard lock(reason_mutex_);
    broken_reason_ = std::move(reason);
    base::Log(base::Level::kError, "store_broken", {{"dir", options_.dir}, {"reason", broken_reason_}});
  }
  broken_.store(true, std::memory_order_release);
  return Broken();
}

Status RocksStore::Broken() const {
  std::lock_guard lock(reason_mutex_);
  return Status(Code::kUnavailable,
                "the store in " + options_.dir + " is read-only until a restart: " + broken_reason_);
}

Status RocksStore::CheckSpace() const {
  const int64_t now = options_.clock->MonotonicUs();
  if (now - space_checked_us_.load(std::memory_order_relaxed) >= kSpaceCheckUs) {
    space_checked_us_.store(now, std::memory_order_relaxed);
    uint64_t free = 0;
    // A file system that cannot say how much is free is not full.
    const bool known = parts_.guard->GetFreeSpace(options_.dir, rocksdb::IOOptions(), &free, nullptr).ok();
    space_left_.store(!known || free >= options_.min_free_bytes, std::memory_order_relaxed);
  }
  if (space_left_.load(std::memory_order_relaxed)) return Ok();
  return Status(Code::kNoSpace, "less than " + std::to_string(options_.min_free_bytes >> 20) + " MiB are free where " +
                                    options_.dir + " lies; free some, a restart is not needed");
}

Status RocksStore::health() const {
  if (broken_.load(std::memory_order_acquire)) return Broken();
  if (parts_.guard->sync_failed()) {
    return Status(Code::kUnavailable, "the store in " + options_.dir + " is read-only until a restart: a sync failed");
  }
  return CheckSpace();
}

base::Result<std::optional<std::string>> RocksStore::Get(Family family, std::string_view key, Tier tier) const {
  rocksdb::ReadOptions read;
  if (tier == Tier::kMemory) read.read_tier = rocksdb::kBlockCacheTier;
  std::string value;
  rocksdb::Status status =
      parts_.db->Get(read, parts_.handles[static_cast<size_t>(family)], rocksdb::Slice(key.data(), key.size()), &value);
  // RocksDB up to 9.0 calls it found, and empty, when it would have to open the table first (its pull request 12443).
  if (status.ok() && value.empty() && tier == Tier::kMemory) return Status(Code::kWouldBlock, "read: no table is open");
  if (status.ok()) return std::optional<std::string>(std::move(value));
  if (status.IsNotFound()) return std::optional<std::string>();
  return FromRocks(status, "read");
}

std::unique_ptr<Iterator> RocksStore::Iterate(Family family, std::string_view lower, std::string_view upper,
                                              Tier tier) const {
  return std::make_unique<RocksIterator>(*parts_.db, parts_.handles[static_cast<size_t>(family)], lower, upper, tier);
}

}  // namespace tocsin::storage
