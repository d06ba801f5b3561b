#include "storage/wal_guard.h"

namespace tocsin::storage {

using rocksdb::DataVerificationInfo;
using rocksdb::FSWritableFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

namespace {

bool IsLog(const std::string& path) { return path.size() > 4 && path.compare(path.size() - 4, 4, ".log") == 0; }

IOStatus FromStatus(const base::Status& status) {
  if (status.ok()) return IOStatus::OK();
  Slice message(status.message().data(), status.message().size());
  return status.code() == base::Code::kNoSpace ? IOStatus::NoSpace(message) : IOStatus::IOError(message);
}

// A table or manifest file. Its sync may fail for want of space without harm: RocksDB writes another file. Any other
// failure means that the disk does not keep what it takes.
class Watched final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  Watched(std::unique_ptr<FSWritableFile> file, std::atomic<bool>& sync_failed)
      : FSWritableFileOwnerWrapper(std::move(file)), sync_failed_(sync_failed) {}

  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    return Note(FSWritableFileOwnerWrapper::Sync(options, debug));
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return Note(FSWritableFileOwnerWrapper::Fsync(options, debug));
  }

 private:
  IOStatus Note(IOStatus status) {
    if (!status.ok() && !status.IsNoSpace()) sync_failed_.store(true, std::memory_order_release);
    return status;
  }

  std::atomic<bool>& sync_failed_;
};

}  // namespace

// A write-ahead log. RocksDB appends from the writer's thread and may sync from a flush thread.
class WalGuard::Log final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  Log(std::unique_ptr<FSWritableFile> file, WalGuard& guard)
      : FSWritableFileOwnerWrapper(std::move(file)), guard_(guard) {}

  IOStatus Append(const Slice& bytes, const IOOptions& options, IODebugContext* debug) override {
    if (torn_) return IOStatus::OK();  // RocksDB emptying its buffer before it leaves this log
    if (uint64_t batch = guard_.batch_.load(std::memory_order_relaxed); batch != batch_) {
      batch_ = batch;
      batch_begin_ = size_;
    }
    IOStatus status = FSWritableFileOwnerWrapper::Append(bytes, options, debug);
    size_ += bytes.size();
    guard_.log_bytes_.store(size_, std::memory_order_relaxed);
    if (status.ok()) status = guard_.Reach("after_write");
    if (!status.ok()) Tear(options, debug);
    return status;
  }
  IOStatus Append(const Slice& bytes, const IOOptions& options, const DataVerificationInfo&,
                  IODebugContext* debug) override {
    return Append(bytes, options, debug);
  }

  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    return Synced([&] { return FSWritableFileOwnerWrapper::Sync(options, debug); });
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return Synced([&] { return FSWritableFileOwnerWrapper::Fsync(options, debug); });
  }

 private:
  // If the cut fails too, the log ends in the middle of a record, which recovery reads as the end.
  void Tear(const IOOptions& options, IODebugContext* debug) {
    torn_ = true;
    guard_.log_torn_.store(true, std::memory_order_release);
    static_cast<void>(FSWritableFileOwnerWrapper::Truncate(batch_begin_, options, debug).ok());
  }

  template <typename F>
  IOStatus Synced(F sync) {
    IOStatus status = guard_.Reach("before_sync");
    if (status.ok()) status = sync();
    if (status.ok()) status = guard_.Reach("after_sync");
    if (!status.ok()) guard_.sync_failed_.store(true, std::memory_order_release);
    return status;
  }

  WalGuard& guard_;
  uint64_t size_ = 0;
  uint64_t batch_ = 0;
  uint64_t batch_begin_ = 0;
  bool torn_ = false;
};

class WalGuard::Directory final : public rocksdb::FSDirectoryWrapper {
 public:
  Directory(std::unique_ptr<rocksdb::FSDirectory> directory, WalGuard& guard)
      : FSDirectoryWrapper(std::move(directory)), guard_(guard) {}

  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return Note(FSDirectoryWrapper::Fsync(options, debug));
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* debug,
                               const rocksdb::DirFsyncOptions& directory_options) override {
    return Note(FSDirectoryWrapper::FsyncWithDirOptions(options, debug, directory_options));
  }

 private:
  IOStatus Note(IOStatus status) {
    if (!status.ok()) guard_.sync_failed_.store(true, std::memory_order_release);
    return status;
  }

  WalGuard& guard_;
};

IOStatus WalGuard::NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                   std::unique_ptr<FSWritableFile>* result, IODebugContext* debug) {
  std::unique_ptr<FSWritableFile> file;
  IOStatus status = FileSystemWrapper::NewWritableFile(path, options, &file, debug);
  if (!status.ok()) return status;
  if (IsLog(path)) {
    *result = std::make_unique<Log>(std::move(file), *this);
    log_torn_.store(false, std::memory_order_release);
    log_bytes_.store(0, std::memory_order_relaxed);
  } else {
    *result = std::make_unique<Watched>(std::move(file), sync_failed_);
  }
  return status;
}

IOStatus WalGuard::NewDirectory(const std::string& path, const IOOptions& options,
                                std::unique_ptr<rocksdb::FSDirectory>* result, IODebugContext* debug) {
  std::unique_ptr<rocksdb::FSDirectory> directory;
  IOStatus status = FileSystemWrapper::NewDirectory(path, options, &directory, debug);
  if (status.ok()) *result = std::make_unique<Directory>(std::move(directory), *this);
  return status;
}

IOStatus WalGuard::Reach(std::string_view place) {
  FaultPoints* faults = faults_.load(std::memory_order_acquire);
  return faults == nullptr ? IOStatus::OK() : FromStatus(faults->Reach(place));
}

}  // namespace tocsin::storage
