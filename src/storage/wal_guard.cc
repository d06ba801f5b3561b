#include "storage/wal_guard.h"

#include <algorithm>
#include <chrono>

#include "base/log.h"

namespace tocsin::storage {

using rocksdb::DataVerificationInfo;
using rocksdb::FSWritableFile;
using rocksdb::FSWritableFileOwnerWrapper;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

namespace {

constexpr uint64_t kReserveStep = 4 << 20;
constexpr uint64_t kPage = 64 << 10;
constexpr auto kSpacePoll = std::chrono::milliseconds(100);

bool IsLog(const std::string& path) { return path.ends_with(".log"); }

IOStatus FromStatus(const base::Status& status) {
  if (status.ok()) return IOStatus::OK();
  Slice message(status.message().data(), status.message().size());
  return status.code() == base::Code::kNoSpace ? IOStatus::NoSpace(message) : IOStatus::IOError(message);
}

}  // namespace

// A write-ahead log. RocksDB appends from the writer's thread and may sync from a flush thread.
class WalGuard::Log final : public FSWritableFileOwnerWrapper {
 public:
  Log(std::unique_ptr<FSWritableFile> file, WalGuard& guard)
      : FSWritableFileOwnerWrapper(std::move(file)), guard_(guard) {}
  ~Log() override {
    Log* self = this;
    guard_.current_.compare_exchange_strong(self, nullptr);
  }

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
  // RocksDB would allocate more than a hundred MiB at a time.
  void SetPreallocationBlockSize(size_t size) override {
    FSWritableFileOwnerWrapper::SetPreallocationBlockSize(std::min<size_t>(size, kReserveStep));
  }

  IOStatus Reserve(uint64_t bytes) {
    const uint64_t needed = size_ + bytes + bytes / 1024 + 4096;  // with the headers of its records
    if (needed <= reserved_) return IOStatus::OK();
    // Whole pages of every size: an attempt that fails may give back the page in which it began.
    const uint64_t end = (needed / kPage + 1) * kPage;
    const uint64_t begin = std::max(size_ / kPage * kPage, reserved_);
    IOStatus status = Allocate(begin, end + kReserveStep - begin, IOOptions(), nullptr);
    if (status.ok()) {
      reserved_ = end + kReserveStep;
      return status;
    }
    if (status.IsNoSpace()) status = Allocate(begin, end - begin, IOOptions(), nullptr);
    if (status.ok()) reserved_ = end;
    return status.IsNoSpace() ? status : IOStatus::OK();
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
  uint64_t reserved_ = 0;
  uint64_t batch_ = 0;
  uint64_t batch_begin_ = 0;
  bool torn_ = false;
};

// A table or manifest.
class WalGuard::Table final : public FSWritableFileOwnerWrapper {
 public:
  Table(std::unique_ptr<FSWritableFile> file, WalGuard& guard)
      : FSWritableFileOwnerWrapper(std::move(file)), guard_(guard) {}

  IOStatus Append(const Slice& bytes, const IOOptions& options, IODebugContext* debug) override {
    IOStatus status = positioned_ ? FSWritableFileOwnerWrapper::PositionedAppend(bytes, size_, options, debug)
                                  : FSWritableFileOwnerWrapper::Append(bytes, options, debug);
    while (status.IsNoSpace() && guard_.WaitForSpace()) {
      // An unknown part of the bytes was written, and the file's own position is somewhere behind it.
      positioned_ = true;
      status = FSWritableFileOwnerWrapper::PositionedAppend(bytes, size_, options, debug);
    }
    if (status.ok()) size_ += bytes.size();
    return status;
  }
  IOStatus Append(const Slice& bytes, const IOOptions& options, const DataVerificationInfo&,
                  IODebugContext* debug) override {
    return Append(bytes, options, debug);
  }

  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    return Note(FSWritableFileOwnerWrapper::Sync(options, debug));
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return Note(FSWritableFileOwnerWrapper::Fsync(options, debug));
  }

 private:
  // A sync that fails for want of space does no harm here, RocksDB writes another file. Any other failure means that
  // the disk does not keep what it takes.
  IOStatus Note(IOStatus status) {
    if (!status.ok() && !status.IsNoSpace()) guard_.sync_failed_.store(true, std::memory_order_release);
    return status;
  }

  WalGuard& guard_;
  uint64_t size_ = 0;
  bool positioned_ = false;
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
  // The writer begins logs, and it must not wait.
  while (status.IsNoSpace() && !IsLog(path) && WaitForSpace()) {
    status = FileSystemWrapper::NewWritableFile(path, options, &file, debug);
  }
  if (!status.ok()) return status;
  if (!IsLog(path)) {
    *result = std::make_unique<Table>(std::move(file), *this);
    return status;
  }
  auto log = std::make_unique<Log>(std::move(file), *this);
  current_.store(log.get(), std::memory_order_release);
  log_torn_.store(false, std::memory_order_release);
  log_bytes_.store(0, std::memory_order_relaxed);
  *result = std::move(log);
  return status;
}

IOStatus WalGuard::NewDirectory(const std::string& path, const IOOptions& options,
                                std::unique_ptr<rocksdb::FSDirectory>* result, IODebugContext* debug) {
  std::unique_ptr<rocksdb::FSDirectory> directory;
  IOStatus status = FileSystemWrapper::NewDirectory(path, options, &directory, debug);
  if (status.ok()) *result = std::make_unique<Directory>(std::move(directory), *this);
  return status;
}

void WalGuard::WhenFull(Full full) {
  {
    std::lock_guard lock(full_mutex_);
    full_ = full;
  }
  full_changed_.notify_all();
}

void WalGuard::TryAgain() {
  {
    std::lock_guard lock(full_mutex_);
    ++tries_;
  }
  full_changed_.notify_all();
}

bool WalGuard::WaitForSpace() {
  std::unique_lock lock(full_mutex_);
  waiting_.fetch_add(1, std::memory_order_release);
  full_changed_.wait_for(lock, kSpacePoll, [&, tries = tries_] { return full_ == Full::kFail || tries_ != tries; });
  waiting_.fetch_sub(1, std::memory_order_release);
  return full_ == Full::kWait;
}

IOStatus WalGuard::Reserve(uint64_t bytes) {
  Log* log = current_.load(std::memory_order_acquire);
  return log == nullptr ? IOStatus::OK() : log->Reserve(bytes);
}

IOStatus WalGuard::Reach(std::string_view place) {
  FaultPoints* faults = faults_.load(std::memory_order_acquire);
  return faults == nullptr ? IOStatus::OK() : FromStatus(faults->Reach(place));
}

}  // namespace tocsin::storage
