// Opening: lock, look, replay, check. Nothing in the directory is changed before the look has found it readable.
#include "storage/store.h"

#include <vector>

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>

#include "base/log.h"
#include "base/random.h"
#include "model/bytes.h"
#include "storage/commit_chain.h"
#include "storage/families.h"
#include "storage/rocks_options.h"
#include "storage/rocks_store.h"

namespace tocsin::storage {

using base::Code;
using base::Ok;
using base::Result;
using base::Status;

namespace {

// What the tables say, without the logs.
struct Look {
  bool exists = false;
  uint64_t format = 0;  // 0: not in the tables
  uint64_t commit = 0;
};

Status Corrupt(const StoreOptions& options, const std::string& what) {
  return Status(Code::kCorruption,
                "the store in " + options.dir + " is damaged: " + what + "; restore the directory from a backup");
}

Status OpenFailure(const StoreOptions& options, const rocksdb::Status& status) {
  if (status.IsCorruption()) return Corrupt(options, status.ToString());
  // A table that the manifest names is gone: damage, though RocksDB meets it as an I/O error.
  if (status.IsPathNotFound() || status.IsInvalidArgument()) return Corrupt(options, status.ToString());
  return FromRocks(status, "cannot open the store in " + options.dir);
}

Status CheckFormat(const StoreOptions& options, uint64_t format) {
  if (format == kFormatVersion) return Ok();
  const bool newer = format > kFormatVersion;
  return Status(Code::kConflict, "the data directory " + options.dir + " has format " + std::to_string(format) +
                                     ", this program reads format " + std::to_string(kFormatVersion) + ": " +
                                     (newer ? "run the newer program that wrote it"
                                            : "run an older program, or the upgrade that the release notes name"));
}

// Reads a number of this room's; 0 when there is none.
Result<uint64_t> ReadNumber(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family, std::string_view key) {
  std::string value;
  rocksdb::Status status = db.Get(rocksdb::ReadOptions(), family, rocksdb::Slice(key.data(), key.size()), &value);
  if (status.IsNotFound()) return uint64_t{0};
  if (!status.ok()) return FromRocks(status, "read");
  if (value.size() != 8) return Status(Code::kCorruption, "a number has " + std::to_string(value.size()) + " bytes");
  return model::GetBig64(value.data());
}

// Ends replay before the first batch, so that a reader sees the tables only.
class NoReplay final : public rocksdb::WalFilter {
 public:
  const char* Name() const override { return "TocsinNoReplay"; }
  WalProcessingOption LogRecordFound(unsigned long long, const std::string&, const rocksdb::WriteBatch&,
                                     rocksdb::WriteBatch*, bool*) override {
    return WalProcessingOption::kStopReplay;
  }
};

Result<Look> LookInto(const StoreOptions& options, const RocksParts& parts) {
  Look look;
  if (!parts.env->FileExists(options.dir + "/CURRENT").ok()) return look;
  look.exists = true;
  rocksdb::DBOptions db_options = MakeDbOptions(options, parts.env.get());
  NoReplay no_replay;
  db_options.wal_filter = &no_replay;
  db_options.info_log_level = rocksdb::InfoLogLevel::FATAL_LEVEL;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* raw = nullptr;
  std::vector<rocksdb::ColumnFamilyDescriptor> meta{{kFamilyNames[0], rocksdb::ColumnFamilyOptions()}};
  rocksdb::Status status = rocksdb::DB::OpenForReadOnly(db_options, options.dir, meta, &handles, &raw);
  if (!status.ok()) return OpenFailure(options, status);
  std::unique_ptr<rocksdb::DB> db(raw);
  Result<uint64_t> format = ReadNumber(*db, handles[0], kFormatKey);
  Result<uint64_t> commit = ReadNumber(*db, handles[0], kCommitKey);
  static_cast<void>(db->DestroyColumnFamilyHandle(handles[0]).ok());
  if (!format.ok()) return Corrupt(options, format.status().ToString());
  if (!commit.ok()) return Corrupt(options, commit.status().ToString());
  look.format = *format;
  look.commit = *commit;
  return look;
}

Status OpenRocks(const StoreOptions& options, CommitChain& chain, RocksParts& parts) {
  rocksdb::DBOptions db_options = MakeDbOptions(options, parts.env.get());
  db_options.wal_filter = &chain;
  const std::shared_ptr<rocksdb::Cache> cache = rocksdb::NewLRUCache(options.block_cache_bytes);
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* raw = nullptr;
  rocksdb::Status status = rocksdb::DB::Open(db_options, options.dir, MakeFamilies(options, cache), &handles, &raw);
  if (!chain.complaint().empty()) {
    for (rocksdb::ColumnFamilyHandle* handle : handles) delete handle;
    delete raw;
    return Corrupt(options, chain.complaint());
  }
  if (!status.ok()) return OpenFailure(options, status);
  parts.db.reset(raw);
  for (size_t i = 0; i < kFamilies; ++i) {
    parts.handles[i] = handles[i];
    if (handles[i]->GetID() != i) return Corrupt(options, "a column family is not the one it should be");
  }
  return Ok();
}

// Format and epoch, at once in a table: a program that opens the directory later must be able to read them without
// replaying logs whose content it may not understand.
Status Found(const StoreOptions& options, const RocksParts& parts) {
  std::string format, commit;
  model::PutBig64(format, kFormatVersion);
  model::PutBig64(commit, 1);
  auto slice = [](std::string_view text) { return rocksdb::Slice(text.data(), text.size()); };
  rocksdb::WriteBatch batch;
  rocksdb::Status status = batch.Put(parts.handles[0], slice(kFormatKey), format);
  if (status.ok()) status = batch.Put(parts.handles[0], slice(kEpochKey), base::SystemRandom().Hex(16));
  if (status.ok()) status = batch.Put(parts.handles[0], slice(kCommitKey), commit);
  rocksdb::WriteOptions write;
  write.sync = true;
  if (status.ok()) status = parts.db->Write(write, &batch);
  if (status.ok()) {
    std::vector<rocksdb::ColumnFamilyHandle*> all(parts.handles.begin(), parts.handles.end());
    status = parts.db->Flush(rocksdb::FlushOptions(), all);
  }
  return FromRocks(status, "cannot make a store in " + options.dir);
}

}  // namespace

Result<std::unique_ptr<Store>> OpenStore(const StoreOptions& options) {
  RocksParts parts;
  Result<std::unique_ptr<DirLock>> lock = DirLock::Take(options.dir);
  if (!lock.ok()) return lock.status();
  parts.lock = std::move(*lock);
  std::shared_ptr<rocksdb::FileSystem> files = options.file_system == nullptr
                                                   ? rocksdb::FileSystem::Default()
                                                   : std::static_pointer_cast<rocksdb::FileSystem>(options.file_system);
  parts.guard = std::make_shared<WalGuard>(std::move(files), options.faults);
  parts.env = rocksdb::NewCompositeEnv(parts.guard);

  Result<Look> look = LookInto(options, parts);
  if (!look.ok()) return look.status();
  if (look->format != 0) RETURN_IF_ERROR(CheckFormat(options, look->format));

  CommitChain chain(look->commit);
  RETURN_IF_ERROR(OpenRocks(options, chain, parts));

  Result<uint64_t> commit = ReadNumber(*parts.db, parts.handles[0], kCommitKey);
  if (!commit.ok()) return Corrupt(options, commit.status().ToString());
  if (*commit != chain.last()) {
    return Corrupt(options, "it shows commit " + std::to_string(*commit) + ", its logs end at commit " +
                                std::to_string(chain.last()));
  }
  if (*commit == 0) {
    RETURN_IF_ERROR(Found(options, parts));
    commit = uint64_t{1};
  }
  Result<uint64_t> format = ReadNumber(*parts.db, parts.handles[0], kFormatKey);
  if (!format.ok()) return Corrupt(options, format.status().ToString());
  RETURN_IF_ERROR(CheckFormat(options, *format));
  std::string epoch;
  rocksdb::Status status = parts.db->Get(rocksdb::ReadOptions(), parts.handles[0],
                                         rocksdb::Slice(kEpochKey.data(), kEpochKey.size()), &epoch);
  if (!status.ok()) return Corrupt(options, "it has no epoch: " + status.ToString());
  base::Log(base::Level::kInfo, "store_open",
            {{"dir", options.dir}, {"commit", *commit}, {"replayed", *commit - look->commit}});
  return std::unique_ptr<Store>(std::make_unique<RocksStore>(options, std::move(parts), *commit, std::move(epoch)));
}

}  // namespace tocsin::storage
