// For tests: a store's calls whose failure ends the test program.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "storage/store.h"

namespace tocsin::storage {

inline std::unique_ptr<Store> MustOpen(const StoreOptions& options) {
  base::Result<std::unique_ptr<Store>> store = OpenStore(options);
  CHECK_MSG(store.ok(), store.status().message());
  return std::move(*store);
}

// "(none)" when there is no such key.
inline std::string MustGet(const Store& store, Family family, std::string_view key) {
  auto value = store.Get(family, key);
  CHECK_MSG(value.ok(), value.status().message());
  return value->value_or("(none)");
}

inline base::Status TryPut(Store& store, Family family, std::string_view key, std::string_view value,
                           Sync sync = Sync::kNow) {
  Batch batch;
  batch.Put(family, key, value);
  return store.Write(batch, sync);
}

inline void MustPut(Store& store, Family family, std::string_view key, std::string_view value, Sync sync = Sync::kNow) {
  base::Status status = TryPut(store, family, key, value, sync);
  CHECK_MSG(status.ok(), status.message());
}

}  // namespace tocsin::storage
