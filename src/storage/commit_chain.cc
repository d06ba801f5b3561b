#include "storage/commit_chain.h"

#include <rocksdb/write_batch.h>

#include "model/bytes.h"
#include "storage/families.h"

namespace tocsin::storage {
namespace {

// Looks for the commit number and steps over everything else.
class CommitReader final : public rocksdb::WriteBatch::Handler {
 public:
  rocksdb::Status PutCF(uint32_t family, const rocksdb::Slice& key, const rocksdb::Slice& value) override {
    if (family == static_cast<uint32_t>(Family::kMeta) && key.ToStringView() == kCommitKey) {
      commit = DecodeCommit(value.ToStringView());
    }
    return rocksdb::Status::OK();
  }
  rocksdb::Status DeleteCF(uint32_t, const rocksdb::Slice&) override { return rocksdb::Status::OK(); }
  rocksdb::Status SingleDeleteCF(uint32_t, const rocksdb::Slice&) override { return rocksdb::Status::OK(); }
  rocksdb::Status DeleteRangeCF(uint32_t, const rocksdb::Slice&, const rocksdb::Slice&) override {
    return rocksdb::Status::OK();
  }
  void LogData(const rocksdb::Slice&) override {}

  Commit commit;
};

constexpr char kSyncedMark = 1;  // never zero: the last byte of a batch tells a written sector from an unwritten one
constexpr char kLazyMark = 2;

}  // namespace

std::string EncodeCommit(const Commit& commit) {
  std::string value;
  model::PutBig64(value, commit.number);
  value.push_back(commit.synced ? kSyncedMark : kLazyMark);
  return value;
}

Commit DecodeCommit(std::string_view value) {
  if (value.size() != 9) return {};
  return {model::GetBig64(value.data()), value[8] == kSyncedMark};
}

Commit CommitOf(const rocksdb::WriteBatch& batch) {
  CommitReader reader;
  return batch.Iterate(&reader).ok() ? reader.commit : Commit{};
}

rocksdb::WalFilter::WalProcessingOption CommitChain::LogRecordFound(unsigned long long, const std::string& log_file,
                                                                    const rocksdb::WriteBatch& batch,
                                                                    rocksdb::WriteBatch*, bool*) {
  // RocksDB opens some logs with an empty batch of its own.
  if (batch.Count() == 0) return WalProcessingOption::kContinueProcessing;
  const uint64_t number = CommitOf(batch).number;
  // The oldest log may begin with batches that reached the tables already; a later one must go on where the one before
  // it ended.
  const bool fits = last_ == 0 ? number >= 1 && number <= stored_ + 1 : number == last_ + 1;
  if (!fits) {
    complaint_ = log_file + ": commit " + std::to_string(number) + " follows commit " +
                 std::to_string(last_ == 0 ? stored_ : last_) + "; what was between them is missing";
    return WalProcessingOption::kCorruptedRecord;
  }
  last_ = number;
  return WalProcessingOption::kContinueProcessing;
}

}  // namespace tocsin::storage
