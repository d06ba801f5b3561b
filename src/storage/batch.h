// The inside of a Batch, for this room only.
#pragma once

#include <rocksdb/write_batch.h>

#include "storage/store.h"

namespace tocsin::storage {

struct Batch::Rep {
  rocksdb::WriteBatch changes;
};

}  // namespace tocsin::storage
