// RocksIterator: the Iterator over RocksDB, with bounds that it owns.
#pragma once

#include <memory>
#include <string>

#include <rocksdb/db.h>

#include "storage/store.h"

namespace tocsin::storage {

class RocksIterator final : public Iterator {
 public:
  // The database outlives the iterator.
  RocksIterator(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family, std::string_view lower, std::string_view upper,
                Tier tier);
  RocksIterator(const RocksIterator&) = delete;
  RocksIterator& operator=(const RocksIterator&) = delete;

  void SeekToFirst() override { rocks_->SeekToFirst(); }
  void SeekToLast() override { rocks_->SeekToLast(); }
  void Seek(std::string_view key) override { rocks_->Seek(rocksdb::Slice(key.data(), key.size())); }
  void SeekForPrev(std::string_view key) override { rocks_->SeekForPrev(rocksdb::Slice(key.data(), key.size())); }
  void Next() override { rocks_->Next(); }
  void Prev() override { rocks_->Prev(); }
  bool Valid() const override { return rocks_->Valid(); }
  std::string_view key() const override { return rocks_->key().ToStringView(); }
  std::string_view value() const override { return rocks_->value().ToStringView(); }
  base::Status status() const override;

 private:
  // RocksDB keeps pointers to the slices.
  const std::string lower_, upper_;
  const rocksdb::Slice lower_slice_, upper_slice_;
  std::unique_ptr<rocksdb::Iterator> rocks_;
};

}  // namespace tocsin::storage
