// WalCheck: reads the write-ahead logs, and the manifest, before RocksDB does and tells a torn end from damage. RocksDB
// 7.8 takes some damage for the end and silently drops what follows: a length that a flipped bit made to point past the
// end of the file, or a flipped type byte that reads as a record of a recycled log.
//
// How a log may end:
//   whole    at a record's border
//   torn     in the middle of an append that the power cut off: the last record runs past the end of the file, or a
//            sector of it was never written and reads as zeros. Nothing of it was confirmed: it is cut off, with a
//            warning; a copy stays in the file `torn_tail`.
//   damaged  anything else, and also the above when what follows proves that the bytes were synced once: a later batch
//            exists, and a batch is only begun after the sync of the one before it (unless that was Sync::kLater).
//
// The record format is RocksDB's (db/log_format.h): blocks of 32 KiB; crc32c, length, type, payload.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tocsin::storage {

struct LogEnd {
  enum class Kind : uint8_t { kWhole, kTorn, kDamaged };
  Kind kind;
  uint64_t offset;  // where the first record that does not count begins; the size when whole
};

enum class LogKind : uint8_t {
  kBatches,   // a write-ahead log
  kManifest,  // the same format; its records are not numbered, and several may be written before one sync
};

LogEnd FindLogEnd(std::string_view log, LogKind kind);

// Looks at the manifest that CURRENT names, like CheckLogs.
base::Status CheckManifest(const std::string& dir);

// Looks at every log of `dir` whose number is at least `first` and cuts off torn ends. kCorruption: names the file and
// the place; nothing was changed then.
base::Status CheckLogs(const std::string& dir, uint64_t first);

}  // namespace tocsin::storage
