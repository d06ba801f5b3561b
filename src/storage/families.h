// Names and numbers of the column families, and the keys that the storage room itself keeps in kMeta (docs/format.md).
#pragma once

#include <array>
#include <string_view>

#include "storage/store.h"

namespace tocsin::storage {

// Indexed by Family; the index is RocksDB's number of the family, because they are made in this order and never
// dropped.
inline constexpr std::array<const char*, kFamilies> kFamilyNames{"default", "entries", "groups", "logs", "heads"};

// Keys of kMeta that begin with a zero byte belong to this room.
inline constexpr std::string_view kFormatKey{"\0format", 7};  // big-endian 64: format version
inline constexpr std::string_view kEpochKey{"\0epoch", 6};    // 32 hex digits
inline constexpr std::string_view kCommitKey{"\0commit", 7};  // the last batch (storage/commit_chain.h)

}  // namespace tocsin::storage
