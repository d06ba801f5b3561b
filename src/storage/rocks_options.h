// How RocksDB is set up: one place for every option, each with its reason.
#pragma once

#include <vector>

#include <rocksdb/db.h>

#include "storage/flush_watch.h"
#include "storage/store.h"

namespace tocsin::storage {

// `env` outlives the store that is opened with it.
rocksdb::DBOptions MakeDbOptions(const StoreOptions& options, rocksdb::Env* env,
                                 const std::shared_ptr<FlushWatch>& watch);

// One descriptor per family, in the order of Family; they share `cache`.
std::vector<rocksdb::ColumnFamilyDescriptor> MakeFamilies(const StoreOptions& options,
                                                          const std::shared_ptr<rocksdb::Cache>& cache);

}  // namespace tocsin::storage
