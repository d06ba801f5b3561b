// CommitChain: watches the batches that recovery replays from the write-ahead logs. Their commit numbers must go on
// without a hole from what the tables hold, else a log, or a part of one, is missing in the middle, and what would be
// opened is not a prefix of what was written. RocksDB alone does not notice a log that ends early at a record's border.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <rocksdb/wal_filter.h>

namespace tocsin::storage {

// The last change of every batch: its number, and how it was written.
struct Commit {
  uint64_t number = 0;  // counts from 1
  bool synced = false;  // Sync::kNow: nothing was written after it before it was synced
};

std::string EncodeCommit(const Commit& commit);
// Number 0 when the bytes are not a commit.
Commit DecodeCommit(std::string_view value);
// Of a batch as it stands in a log; number 0 when it carries none.
Commit CommitOf(const rocksdb::WriteBatch& batch);

class CommitChain final : public rocksdb::WalFilter {
 public:
  // `stored`: the commit number in the tables, before any replay.
  explicit CommitChain(uint64_t stored) : stored_(stored) {}

  const char* Name() const override { return "TocsinCommitChain"; }
  WalProcessingOption LogRecordFound(unsigned long long log_number, const std::string& log_file,
                                     const rocksdb::WriteBatch& batch, rocksdb::WriteBatch* changed_batch,
                                     bool* batch_changed) override;

  // Why replay was refused; empty when it was not.
  const std::string& complaint() const { return complaint_; }
  // The number that the store must show after recovery.
  uint64_t last() const { return last_ > stored_ ? last_ : stored_; }

 private:
  const uint64_t stored_;
  uint64_t last_ = 0;  // 0: nothing replayed yet
  std::string complaint_;
};
}  // namespace tocsin::storage
