// Opening: lock, look, replay, check. Nothing in the directory is changed before the look has found it readable.
#include "storage/store.h"

#include <algorithm>
#include <map>
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
#include "storage/wal_check.h"

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
  uint64_t first_log = 0;  // logs before it are in the tables whole
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

rocksdb::Slice ToSlice(std::string_view text) { return rocksdb::Slice(text.data(), text.size()); }

// 0: there is none yet.
Result<uint64_t> ReadFormat(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* meta) {
  std::string value;
  rocksdb::Status status = db.Get(rocksdb::ReadOptions(), meta, ToSlice(kFormatKey), &value);
  if (status.IsNotFound()) return uint64_t{0};
  if (!status.ok()) return FromRocks(status, "read");
  if (value.size() != 8) return Status(Code::kCorruption, "the format version cannot be read");
  return model::GetBig64(value.data());
}

// 0: there is none yet.
Result<uint64_t> ReadCommit(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* meta) {
  std::string value;
  rocksdb::Status status = db.Get(rocksdb::ReadOptions(), meta, ToSlice(kCommitKey), &value);
  if (status.IsNotFound()) return uint64_t{0};
  if (!status.ok()) return FromRocks(status, "read");
  const Commit commit = DecodeCommit(value);
  if (commit.number == 0) return Status(Code::kCorruption, "the commit number cannot be read");
  return commit.number;
}

// Ends replay before the first batch, so that a reader sees the tables only, and notes from which log on it would go.
class NoReplay final : public rocksdb::WalFilter {
 public:
  const char* Name() const override { return "TocsinNoReplay"; }
  void ColumnFamilyLogNumberMap(const std::map<uint32_t, uint64_t>& log_of_family,
                                const std::map<std::string, uint32_t>&) override {
    for (const auto& [family, log] : log_of_family) first_log = std::min(first_log, log);
  }
  WalProcessingOption LogRecordFound(unsigned long long, const std::string&, const rocksdb::WriteBatch&,
                                     rocksdb::WriteBatch*, bool*) override {
    return WalProcessingOption::kStopReplay;
  }

  uint64_t first_log = UINT64_MAX;
};

Result<Look> LookInto(const StoreOptions& options, const RocksParts& parts) {
  Look look;
  if (!parts.env->FileExists(options.dir + "/CURRENT").ok()) return look;
  look.exists = true;
  Status manifest = CheckManifest(options.dir);
  if (manifest.code() == Code::kCorruption) return Corrupt(options, std::string(manifest.message()));
  RETURN_IF_ERROR(manifest);
  rocksdb::DBOptions db_options = MakeDbOptions(options, parts.env.get(), parts.watch);
  NoReplay no_replay;
  db_options.wal_filter = &no_replay;
  db_options.info_log_level = rocksdb::InfoLogLevel::FATAL_LEVEL;
  db_options.listeners.clear();
  db_options.wal_recovery_mode = rocksdb::WALRecoveryMode::kSkipAnyCorruptedRecords;  // the logs are judged later
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* raw = nullptr;
  // All there are: a newer format may have more of them than this program knows.
  std::vector<std::string> names;
  rocksdb::Status status = rocksdb::DB::ListColumnFamilies(db_options, options.dir, &names);
  if (!status.ok()) return OpenFailure(options, status);
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const std::string& name : names) families.emplace_back(name, rocksdb::ColumnFamilyOptions());
  status = rocksdb::DB::OpenForReadOnly(db_options, options.dir, families, &handles, &raw);
  if (!status.ok()) return OpenFailure(options, status);
  std::unique_ptr<rocksdb::DB> db(raw);
  Result<uint64_t> format = ReadFormat(*db, handles[0]);
  Result<uint64_t> commit = ReadCommit(*db, handles[0]);
  for (rocksdb::ColumnFamilyHandle* handle : handles) static_cast<void>(db->DestroyColumnFamilyHandle(handle).ok());
  if (!format.ok()) return Corrupt(options, format.status().ToString());
  if (!commit.ok()) return Corrupt(options, commit.status().ToString());
  look.format = *format;
  look.commit = *commit;
  look.first_log = no_replay.first_log == UINT64_MAX ? 0 : no_replay.first_log;
  return look;
}

Status OpenRocks(const StoreOptions& options, CommitChain& chain, RocksParts& parts) {
  rocksdb::DBOptions db_options = MakeDbOptions(options, parts.env.get(), parts.watch);
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
  std::string format;
  model::PutBig64(format, kFormatVersion);
  rocksdb::WriteBatch batch;
  rocksdb::Status status = batch.Put(parts.handles[0], ToSlice(kFormatKey), format);
  if (status.ok()) status = batch.Put(parts.handles[0], ToSlice(kEpochKey), base::SystemRandom().Hex(16));
  if (status.ok()) status = batch.Put(parts.handles[0], ToSlice(kCommitKey), EncodeCommit({1, true}));
  rocksdb::WriteOptions write;
  write.sync = true;
  if (status.ok()) status = parts.db->Write(write, &batch);
  if (status.ok()) status = FlushAll(parts, FlushWait::kYes);
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
  parts.guard = std::make_shared<WalGuard>(std::move(files));
  parts.watch = std::make_shared<FlushWatch>();
  parts.env = rocksdb::NewCompositeEnv(parts.guard);

  Result<Look> look = LookInto(options, parts);
  if (!look.ok()) return look.status();
  if (look->format != 0) RETURN_IF_ERROR(CheckFormat(options, look->format));
  if (look->exists) {
    Status logs = CheckLogs(options.dir, look->first_log);
    if (logs.code() == Code::kCorruption) return Corrupt(options, std::string(logs.message()));
    RETURN_IF_ERROR(logs);
  }

  CommitChain chain(look->commit);
  RETURN_IF_ERROR(OpenRocks(options, chain, parts));

  Result<uint64_t> commit = ReadCommit(*parts.db, parts.handles[0]);
  if (!commit.ok()) return Corrupt(options, commit.status().ToString());
  if (*commit != chain.last()) {
    return Corrupt(options, "it shows commit " + std::to_string(*commit) + ", its logs end at commit " +
                                std::to_string(chain.last()));
  }
  if (*commit == 0) {
    RETURN_IF_ERROR(Found(options, parts));
    commit = uint64_t{1};
  }
  Result<uint64_t> format = ReadFormat(*parts.db, parts.handles[0]);
  if (!format.ok()) return Corrupt(options, format.status().ToString());
  RETURN_IF_ERROR(CheckFormat(options, *format));
  std::string epoch;
  rocksdb::Status status = parts.db->Get(rocksdb::ReadOptions(), parts.handles[0], ToSlice(kEpochKey), &epoch);
  if (!status.ok()) return Corrupt(options, "it has no epoch: " + status.ToString());
  base::Log(base::Level::kInfo, "store_open",
            {{"dir", options.dir}, {"commit", *commit}, {"replayed", *commit - look->commit}});
  auto store = std::make_unique<RocksStore>(options, std::move(parts), *commit, std::move(epoch));
  rocksdb::Status begun = store->Begin();
  if (!begun.ok()) return OpenFailure(options, begun);
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace tocsin::storage
