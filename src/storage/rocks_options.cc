#include "storage/rocks_options.h"

#include <algorithm>

#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include "storage/families.h"

namespace tocsin::storage {
rocksdb::DBOptions MakeDbOptions(const StoreOptions& options, rocksdb::Env* env,
                                 const std::shared_ptr<FlushWatch>& watch) {
  rocksdb::DBOptions db;
  db.env = env;
  db.create_if_missing = true;
  db.create_missing_column_families = true;

  // Recovery. A torn record at the end of a log was never confirmed; CommitChain refuses when it was not the end.
  // What recovery has read is written anew into tables (avoid_flush_during_recovery = false) and so no longer rests on
  // log pages that a failed fsync may have dropped while the page cache still shows them.
  db.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  db.avoid_flush_during_recovery = false;
  db.paranoid_checks = true;
  // Not atomic_flush: a flush that ends while a failed compaction waits for space is lost in 7.8, and the next one
  // waits for it for ever (RocksDB pull request 11872). The store flushes all families itself, kMeta last.
  db.atomic_flush = false;
  // The store begins new logs itself, between two batches (RocksStore::BeginLogIfDue); RocksDB's own limits are out of
  // the way.
  db.max_total_wal_size = 64 * options.max_wal_bytes;

  // One writer (storage/committer.h), so nothing is gained by machinery for many. One flush at a time also keeps clear
  // of races between failing flushes that later versions fixed (RocksDB pull requests 11865 and 11872).
  db.allow_concurrent_memtable_write = false;
  db.enable_write_thread_adaptive_yield = false;
  db.max_background_jobs = 2;

  // Failures are ours to judge.
  db.max_bgerror_resume_count = 0;
  db.listeners.push_back(watch);

  // Start: no table is opened or read before it is needed.
  db.max_open_files = options.max_open_files;
  db.skip_stats_update_on_db_open = true;

  // Tables reach the disk evenly, not in one burst that a log's fdatasync has to wait behind.
  db.bytes_per_sync = 1 << 20;
  // Readers run on Cores: files that their iterators let go of are deleted by a background thread.
  db.avoid_unnecessary_blocking_io = true;

  // RocksDB's own log: warnings, a few MiB at most. No periodic statistics.
  db.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  db.max_log_file_size = 1 << 20;
  db.keep_log_file_num = 4;
  db.stats_dump_period_sec = 0;
  db.stats_persist_period_sec = 0;
  return db;
}

std::vector<rocksdb::ColumnFamilyDescriptor> MakeFamilies(const StoreOptions& options,
                                                          const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  // Whole keys: almost every point read is of a log's head, and most of those that miss the memtable exist or have no
  // user at all. Index and filter blocks live in the cache, so that its size bounds the memory that tables cost.
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.whole_key_filtering = true;
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.format_version = 5;

  rocksdb::ColumnFamilyOptions family;
  family.write_buffer_size = 16 * options.write_buffer_bytes;
  family.max_write_buffer_number = 3;
  family.arena_block_size = std::clamp<size_t>(options.write_buffer_bytes / 64, 4 << 10, 256 << 10);
  family.compaction_style = rocksdb::kCompactionStyleLevel;
  family.level_compaction_dynamic_level_bytes = true;
  family.target_file_size_base = 32u << 20;
  family.max_bytes_for_level_base = 128u << 20;
  family.compression = rocksdb::kLZ4Compression;
  family.bottommost_compression = rocksdb::kZSTD;

  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (size_t i = 0; i < kFamilies; ++i) {
    const Family kind = static_cast<Family>(i);
    rocksdb::ColumnFamilyOptions own = family;
    rocksdb::BlockBasedTableOptions own_table = table;
    // Heads are small, hot and overwritten: small blocks cost a read less of the cache, zstd would cost every read.
    if (kind == Family::kHeads || kind == Family::kMeta) {
      own_table.block_size = 4 << 10;
      own.bottommost_compression = rocksdb::kLZ4Compression;
      own.memtable_whole_key_filtering = true;
      own.memtable_prefix_bloom_size_ratio = 0.001;
    } else {
      own_table.block_size = 16 << 10;
    }
    own.table_factory.reset(rocksdb::NewBlockBasedTableFactory(own_table));
    families.emplace_back(kFamilyNames[i], own);
  }
  return families;
}

}  // namespace tocsin::storage
