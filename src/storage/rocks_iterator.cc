#include "storage/rocks_iterator.h"

#include "storage/rocks_store.h"

namespace tocsin::storage {

RocksIterator::RocksIterator(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family, std::string_view lower,
                             std::string_view upper, Tier tier)
    : lower_(lower), upper_(upper), lower_slice_(lower_), upper_slice_(upper_) {
  rocksdb::ReadOptions read;
  if (!lower_.empty()) read.iterate_lower_bound = &lower_slice_;
  if (!upper_.empty()) read.iterate_upper_bound = &upper_slice_;
  if (tier == Tier::kMemory) read.read_tier = rocksdb::kBlockCacheTier;
  read.background_purge_on_iterator_cleanup = true;
  rocks_.reset(db.NewIterator(read, family));
}

base::Status RocksIterator::status() const { return FromRocks(rocks_->status(), "read"); }

}  // namespace tocsin::storage
