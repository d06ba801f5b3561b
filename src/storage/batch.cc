#include "storage/batch.h"

#include <array>

#include <rocksdb/comparator.h>
#include <rocksdb/db.h>

#include "storage/families.h"

namespace tocsin::storage {
namespace {

// A WriteBatch asks a handle only for the number and the order of its family. Both are fixed (storage/families.h), so
// a Batch can be filled without a store at hand.
class FixedHandle final : public rocksdb::ColumnFamilyHandle {
 public:
  explicit FixedHandle(uint32_t id) : id_(id), name_(kFamilyNames[id]) {}
  const std::string& GetName() const override { return name_; }
  uint32_t GetID() const override { return id_; }
  rocksdb::Status GetDescriptor(rocksdb::ColumnFamilyDescriptor*) override { return rocksdb::Status::NotSupported(); }
  const rocksdb::Comparator* GetComparator() const override { return rocksdb::BytewiseComparator(); }

 private:
  uint32_t id_;
  std::string name_;
};

rocksdb::ColumnFamilyHandle* HandleOf(Family family) {
  static std::array<FixedHandle, kFamilies> handles{FixedHandle(0), FixedHandle(1), FixedHandle(2), FixedHandle(3),
                                                    FixedHandle(4)};
  return &handles[static_cast<size_t>(family)];
}

rocksdb::Slice ToSlice(std::string_view bytes) { return rocksdb::Slice(bytes.data(), bytes.size()); }

}  // namespace

Batch::Batch() : rep_(std::make_unique<Rep>()) {}
Batch::~Batch() = default;
Batch::Batch(Batch&&) noexcept = default;
Batch& Batch::operator=(Batch&&) noexcept = default;

// A WriteBatch fails only over a size limit or a time-stamped family: neither is ours.
void Batch::Put(Family family, std::string_view key, std::string_view value) {
  CHECK(rep_->changes.Put(HandleOf(family), ToSlice(key), ToSlice(value)).ok());
  ++changes_;
}

void Batch::Delete(Family family, std::string_view key) {
  CHECK(rep_->changes.Delete(HandleOf(family), ToSlice(key)).ok());
  ++changes_;
}

void Batch::DeleteRange(Family family, std::string_view begin, std::string_view end) {
  if (begin >= end) return;
  CHECK(rep_->changes.DeleteRange(HandleOf(family), ToSlice(begin), ToSlice(end)).ok());
  ++changes_;
}

void Batch::Clear() {
  rep_->changes.Clear();
  changes_ = 0;
}

size_t Batch::bytes() const { return rep_->changes.GetDataSize(); }

}  // namespace tocsin::storage
