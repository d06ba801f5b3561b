// Store: the embedded store's bytes. RocksDB behind a narrow door; nothing outside this room sees RocksDB.
//
// 1. A Batch is written whole or not at all, and carries the next commit number. Recovery checks that the numbers it
//    replays have no hole and refuses to open otherwise: what it opens is a prefix of what was written.
// 2. Readers see a batch only after it was synced (RocksDB syncs the WAL before it fills the memtable), so nothing that
//    is read here can be lost to a crash. Batches written with Sync::kLater are the exception: they confirm nothing.
// 3. After a failed sync nothing is written any more until the process has been started again. A full disk is not such
//    a failure: writes answer kNoSpace and work again once there is space.
//
// Key spaces are column families; their keys and values are drawn in docs/format.md.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace tocsin::storage {

enum class Family : uint8_t {
  kMeta,     // format version, epoch, id floor, small settings of the store itself
  kEntries,  // entries of streams, in chunks
  kGroups,   // streams, groups, consumers, pending entries
  kLogs,     // entries of user logs
  kHeads,    // per log: head, device cursors, item states, remembered mark ids
};
inline constexpr size_t kFamilies = 5;

// Changes that are written together. Not thread-safe. Order matters: a later change of a key wins.
class Batch {
 public:
  Batch();
  ~Batch();
  Batch(Batch&&) noexcept;
  Batch& operator=(Batch&&) noexcept;

  void Put(Family family, std::string_view key, std::string_view value);
  void Delete(Family family, std::string_view key);
  // All keys with begin <= key < end; nothing when begin >= end. Costs readers of the range for a while: for trims of
  // whole ranges only.
  void DeleteRange(Family family, std::string_view begin, std::string_view end);
  void Clear();
  bool empty() const { return changes_ == 0; }
  size_t changes() const { return changes_; }
  size_t bytes() const;

 private:
  friend class RocksStore;
  struct Rep;
  std::unique_ptr<Rep> rep_;
  size_t changes_ = 0;
};

// A forward and backward cursor over [lower, upper) of one family, at one moment of the store. Not thread-safe.
// After every loop look at status(): an iterator that met damage ends early.
class Iterator {
 public:
  virtual ~Iterator() = default;
  virtual void SeekToFirst() = 0;
  virtual void SeekToLast() = 0;
  virtual void Seek(std::string_view key) = 0;         // first key >= `key`
  virtual void SeekForPrev(std::string_view key) = 0;  // last key <= `key`
  virtual void Next() = 0;
  virtual void Prev() = 0;
  virtual bool Valid() const = 0;
  virtual std::string_view key() const = 0;    // valid until the next move
  virtual std::string_view value() const = 0;  // valid until the next move
  virtual base::Status status() const = 0;
};

enum class Sync : uint8_t {
  kNow,    // answered after fdatasync
  kLater,  // handed to the kernel: survives kill -9, not a power loss, until the next kNow
};

enum class Tier : uint8_t {
  kMemory,  // never waits for the disk: kWouldBlock when the answer may lie there
  kDisk,
};

class Store {
 public:
  virtual ~Store() = default;

  // Stamps the batch with the next commit number and writes it. One caller at a time (storage/committer.h). The batch
  // keeps its changes; Clear() it before the next use.
  // kNoSpace: nothing was written, later writes may succeed. kUnavailable: a sync failed, here or before; nothing is
  // confirmed any more until a restart.
  virtual base::Status Write(Batch& batch, Sync sync) = 0;
  // Syncs what Sync::kLater has left. Same failures.
  virtual base::Status SyncNow() = 0;

  // Thread-safe, like every reader here. nullopt: no such key.
  virtual base::Result<std::optional<std::string>> Get(Family family, std::string_view key,
                                                       Tier tier = Tier::kDisk) const = 0;
  // An empty `upper` is the end of the family.
  virtual std::unique_ptr<Iterator> Iterate(Family family, std::string_view lower, std::string_view upper,
                                            Tier tier = Tier::kDisk) const = 0;

  // The number of the last batch written.
  virtual uint64_t commit_number() const = 0;
  // Random, made with the store: the identity of everything in it. 32 hex digits.
  virtual const std::string& epoch() const = 0;
  // Ok; kNoSpace while the disk is full; kUnavailable after a failed sync. For /readyz and for turning publishes away.
  virtual base::Status health() const = 0;
};

// Named places where a test makes a write fail or the process end; production has none set. The names: "before_write",
// "after_write", "before_sync", "after_sync", "before_reply".
class FaultPoints {
 public:
  virtual ~FaultPoints() = default;
  // Called when the place is reached; a failure returned is what the place then reports. May not return (_exit).
  virtual base::Status Reach(std::string_view place) = 0;
};

// Makes the store break its word, so that a test can show that it would be caught.
enum class Sabotage : uint8_t {
  kNone,
  kSkipSync,  // Sync::kNow answers without fdatasync
};

struct StoreOptions {
  std::string dir = {};  // made if missing, mode 700
  // Free bytes of the file system below which appends are refused (kNoSpace) before RocksDB meets ENOSPC.
  uint64_t min_free_bytes = 64ull << 20;
  size_t block_cache_bytes = 64u << 20;
  // What is in memory only, besides the log: at one of these it becomes tables, and a new log begins. A start replays
  // at most about twice as much.
  size_t write_buffer_bytes = 64u << 20;            // memory of all families together
  size_t max_wal_bytes = 32u << 20;                 // the log on disk
  int max_open_files = 256;                         // table files kept open
  const base::Clock* clock = &base::SystemClock();  // not owned
  FaultPoints* faults = nullptr;                    // not owned, outlives the store
  // Tests only: a file system that forgets what was not synced (storage/unsynced_fs.h); kept alive by the store.
  std::shared_ptr<void> file_system = nullptr;
  Sabotage sabotage = Sabotage::kNone;  // tests only
};

// Opens or makes the store. Failures say what to do: the directory is locked by another process (kConflict), its
// format is newer or older than this binary reads (kConflict), the WAL is damaged in the middle or a commit number is
// missing (kCorruption), no access or no space.
base::Result<std::unique_ptr<Store>> OpenStore(const StoreOptions& options);

// The format that this binary writes; docs/format.md tells its history.
inline constexpr uint32_t kFormatVersion = 1;

}  // namespace tocsin::storage
