#include "storage/unsynced_fs.h"

#include <cstdio>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include <fcntl.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <unistd.h>

#include "base/check.h"

namespace tocsin::storage {

using rocksdb::DataVerificationInfo;
using rocksdb::FSWritableFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

namespace {

constexpr uint64_t kNever = UINT64_MAX;
constexpr uint64_t kSector = 512;

std::string DirOf(const std::string& path) { return std::filesystem::path(path).parent_path().string(); }

IOStatus ToStatus(UnsyncedFs::Error error) {
  return error == UnsyncedFs::Error::kNoSpace ? IOStatus::NoSpace("injected") : IOStatus::IOError("injected");
}

}  // namespace

class UnsyncedFs::Disk final : public rocksdb::FileSystemWrapper {
 public:
  Disk() : FileSystemWrapper(FileSystem::Default()) {}
  const char* Name() const override { return "TocsinUnsyncedFs"; }

  IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                           std::unique_ptr<FSWritableFile>* result, IODebugContext* debug) override;
  IOStatus NewDirectory(const std::string& path, const IOOptions& options,
                        std::unique_ptr<rocksdb::FSDirectory>* result, IODebugContext* debug) override;
  IOStatus DeleteFile(const std::string& path, const IOOptions& options, IODebugContext* debug) override;
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                      IODebugContext* debug) override;
  IOStatus GetFreeSpace(const std::string& path, const IOOptions& options, uint64_t* free,
                        IODebugContext* debug) override;
  // Calls that RocksDB does not make with our options; they would escape the book-keeping.
  IOStatus ReopenWritableFile(const std::string&, const rocksdb::FileOptions&, std::unique_ptr<FSWritableFile>*,
                              IODebugContext*) override {
    return IOStatus::NotSupported("UnsyncedFs");
  }
  IOStatus ReuseWritableFile(const std::string&, const std::string&, const rocksdb::FileOptions&,
                             std::unique_ptr<FSWritableFile>*, IODebugContext*) override {
    return IOStatus::NotSupported("UnsyncedFs");
  }
  IOStatus LinkFile(const std::string&, const std::string&, const IOOptions&, IODebugContext*) override {
    return IOStatus::NotSupported("UnsyncedFs");
  }

 private:
  friend class UnsyncedFs;
  class File;
  class Directory;

  // The bytes of one file, whatever its name is now.
  struct Bytes {
    uint64_t written = 0;
    uint64_t synced = 0;
    uint64_t allocated = 0;
    bool stuck = false;  // a sync failed
  };
  // A change of a directory that is not durable yet, and how to take it back.
  struct Change {
    enum class Kind { kMade, kMoved, kRemoved } kind;
    std::string path;   // the name made or removed; the new name
    std::string from;   // kMoved: the old name
    std::string saved;  // what the name stood for before, if anything
  };

  // With mutex_ held: counts a call, and fails it if that is its turn or the power is off.
  IOStatus Enter();
  std::string Save(const std::string& path);
  void TakeBack(const Change& change);
  void Lose(base::Random& random);
  void LoseTail(const std::string& path, const Bytes& bytes, base::Random& random);
  static void LoseSectors(const std::string& path, uint64_t begin, uint64_t end, base::Random& random);

  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Bytes>> files_;  // by name
  std::map<std::string, std::vector<Change>> changes_;   // by directory, oldest first
  bool off_ = false;
  uint64_t generation_ = 0;  // files that were opened before the power went stay dead after it
  uint64_t saved_ = 0;
  uint64_t calls_ = 0, syncs_ = 0;
  uint64_t fail_call_ = kNever, fail_sync_ = kNever, cut_at_ = kNever;
  Error call_error_ = Error::kIo, sync_error_ = Error::kIo;
  uint64_t free_ = kNever;
  Reserving reserving_ = Reserving::kCan;
  std::function<void(const std::string&)> on_sync_;
};

class UnsyncedFs::Disk::File final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  File(std::unique_ptr<FSWritableFile> file, std::string path, Disk& disk, std::shared_ptr<Bytes> bytes)
      : FSWritableFileOwnerWrapper(std::move(file)),
        path_(std::move(path)),
        disk_(disk),
        bytes_(std::move(bytes)),
        generation_(disk.generation_) {}

  IOStatus Append(const Slice& bytes, const IOOptions& options, IODebugContext* debug) override {
    return Take(bytes, bytes_->written,
                [&](const Slice& part) { return FSWritableFileOwnerWrapper::Append(part, options, debug); });
  }
  IOStatus PositionedAppend(const Slice& bytes, uint64_t offset, const IOOptions& options,
                            IODebugContext* debug) override {
    return Take(bytes, offset, [&](const Slice& part) {
      return FSWritableFileOwnerWrapper::PositionedAppend(part, offset, options, debug);
    });
  }
  IOStatus PositionedAppend(const Slice& bytes, uint64_t offset, const IOOptions& options, const DataVerificationInfo&,
                            IODebugContext* debug) override {
    return PositionedAppend(bytes, offset, options, debug);
  }
  IOStatus Allocate(uint64_t offset, uint64_t length, const IOOptions& options, IODebugContext* debug) override {
    std::lock_guard lock(disk_.mutex_);
    IOStatus entered = Enter();
    if (!entered.ok()) return entered;
    if (disk_.reserving_ == Reserving::kCannot) return IOStatus::NotSupported("injected");
    if (!Pay(offset + length)) return IOStatus::NoSpace("injected");
    return FSWritableFileOwnerWrapper::Allocate(offset, length, options, debug);
  }
  IOStatus Append(const Slice& bytes, const IOOptions& options, const DataVerificationInfo&,
                  IODebugContext* debug) override {
    return Append(bytes, options, debug);
  }
  IOStatus Truncate(uint64_t size, const IOOptions& options, IODebugContext* debug) override {
    std::lock_guard lock(disk_.mutex_);
    IOStatus entered = Enter();
    if (!entered.ok()) return entered;
    bytes_->written = std::min(bytes_->written, size);
    bytes_->synced = std::min(bytes_->synced, size);
    return FSWritableFileOwnerWrapper::Truncate(size, options, debug);
  }
  IOStatus Sync(const IOOptions&, IODebugContext*) override { return SyncBytes(); }
  IOStatus Fsync(const IOOptions&, IODebugContext*) override { return SyncBytes(); }
  IOStatus RangeSync(uint64_t, uint64_t, const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  // Closing cuts preallocated space off the real file; after the power went it must not touch it.
  IOStatus Close(const IOOptions& options, IODebugContext* debug) override {
    std::lock_guard lock(disk_.mutex_);
    return Dead() ? IOStatus::IOError("the power is off") : FSWritableFileOwnerWrapper::Close(options, debug);
  }

 private:
  bool Dead() const { return disk_.off_ || generation_ != disk_.generation_; }
  IOStatus Enter() { return generation_ == disk_.generation_ ? disk_.Enter() : IOStatus::IOError("the power was off"); }

  // With the lock held: blocks up to `end` of the file, all or none.
  bool Pay(uint64_t end) {
    const uint64_t wanted = end > bytes_->allocated ? end - bytes_->allocated : 0;
    if (disk_.free_ != kNever) {
      if (wanted > disk_.free_) return false;
      disk_.free_ -= wanted;
    }
    bytes_->allocated += wanted;
    return true;
  }

  template <typename F>
  IOStatus Take(const Slice& bytes, uint64_t offset, F write) {
    std::lock_guard lock(disk_.mutex_);
    IOStatus entered = Enter();
    if (!entered.ok()) return entered;
    uint64_t taken = bytes.size();
    if (!Pay(offset + taken)) {
      const uint64_t room = std::max(bytes_->allocated, offset) - offset + disk_.free_;
      taken = std::min(taken, room);
      static_cast<void>(Pay(offset + taken));
    }
    IOStatus status = write(Slice(bytes.data(), taken));
    bytes_->written = std::max(bytes_->written, offset + taken);
    return status.ok() && taken < bytes.size() ? IOStatus::NoSpace("injected") : status;
  }

  IOStatus SyncBytes() {
    uint64_t goal;
    std::function<void(const std::string&)> hook;
    {
      std::lock_guard lock(disk_.mutex_);
      IOStatus entered = Enter();
      if (++disk_.syncs_ == disk_.fail_sync_ && entered.ok()) entered = ToStatus(disk_.sync_error_);
      if (!entered.ok()) {
        bytes_->stuck = true;
        return entered;
      }
      goal = bytes_->written;
      hook = disk_.on_sync_;
    }
    if (hook) hook(path_);
    std::lock_guard lock(disk_.mutex_);
    if (Dead()) return IOStatus::IOError("the power is off");
    if (!bytes_->stuck) bytes_->synced = std::max(bytes_->synced, goal);
    return IOStatus::OK();
  }

  const std::string path_;  // when it was made
  Disk& disk_;
  std::shared_ptr<Bytes> bytes_;
  const uint64_t generation_;
};

class UnsyncedFs::Disk::Directory final : public rocksdb::FSDirectory {
 public:
  Directory(Disk& disk, std::string path) : disk_(disk), path_(std::move(path)) {
    while (path_.size() > 1 && path_.back() == '/') path_.pop_back();
  }
  IOStatus Fsync(const IOOptions&, IODebugContext*) override {
    std::lock_guard lock(disk_.mutex_);
    IOStatus entered = disk_.Enter();
    if (!entered.ok()) return entered;
    for (const Change& change : disk_.changes_[path_]) {
      if (!change.saved.empty()) std::filesystem::remove(change.saved);
    }
    disk_.changes_.erase(path_);
    return IOStatus::OK();
  }

 private:
  Disk& disk_;
  std::string path_;
};

IOStatus UnsyncedFs::Disk::Enter() {
  if (calls_ + 1 == cut_at_) off_ = true;
  if (off_) return IOStatus::IOError("the power is off");
  return ++calls_ == fail_call_ ? ToStatus(call_error_) : IOStatus::OK();
}

IOStatus UnsyncedFs::Disk::NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                           std::unique_ptr<FSWritableFile>* result, IODebugContext* debug) {
  std::lock_guard lock(mutex_);
  IOStatus status = Enter();
  if (!status.ok()) return status;
  Change change{Change::Kind::kMade, path, "", Save(path)};
  std::unique_ptr<FSWritableFile> file;
  status = FileSystemWrapper::NewWritableFile(path, options, &file, debug);
  if (!status.ok()) return status;
  changes_[DirOf(path)].push_back(std::move(change));
  auto bytes = std::make_shared<Bytes>();
  files_[path] = bytes;
  *result = std::make_unique<File>(std::move(file), path, *this, std::move(bytes));
  return status;
}

IOStatus UnsyncedFs::Disk::NewDirectory(const std::string& path, const IOOptions&,
                                        std::unique_ptr<rocksdb::FSDirectory>* result, IODebugContext*) {
  *result = std::make_unique<Directory>(*this, path);
  return IOStatus::OK();
}

// Keeps what a name stands for now under another name, until the directory is synced. "" when there is nothing.
std::string UnsyncedFs::Disk::Save(const std::string& path) {
  if (!std::filesystem::exists(path)) return "";
  // A subdirectory: RocksDB looks at all that lies beside its files.
  const std::string graveyard = DirOf(path) + "/unsynced";
  std::filesystem::create_directory(graveyard);
  std::string saved;
  do {
    saved = graveyard + "/" + std::to_string(++saved_);
  } while (std::filesystem::exists(saved));  // a copy of a directory that had one
  std::filesystem::create_hard_link(path, saved);
  return saved;
}

IOStatus UnsyncedFs::Disk::DeleteFile(const std::string& path, const IOOptions& options, IODebugContext* debug) {
  std::lock_guard lock(mutex_);
  IOStatus status = Enter();
  if (!status.ok()) return status;
  Change change{Change::Kind::kRemoved, path, "", Save(path)};
  status = FileSystemWrapper::DeleteFile(path, options, debug);
  if (status.ok()) changes_[DirOf(path)].push_back(std::move(change));
  return status;
}

IOStatus UnsyncedFs::Disk::RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                                      IODebugContext* debug) {
  std::lock_guard lock(mutex_);
  IOStatus status = Enter();
  if (!status.ok()) return status;
  CHECK(DirOf(from) == DirOf(to));
  Change change{Change::Kind::kMoved, to, from, Save(to)};
  status = FileSystemWrapper::RenameFile(from, to, options, debug);
  if (!status.ok()) return status;
  changes_[DirOf(to)].push_back(std::move(change));
  if (auto moved = files_.extract(from)) {
    files_.erase(to);
    moved.key() = to;
    files_.insert(std::move(moved));
  }
  return status;
}

IOStatus UnsyncedFs::Disk::GetFreeSpace(const std::string& path, const IOOptions& options, uint64_t* free,
                                        IODebugContext* debug) {
  std::lock_guard lock(mutex_);
  if (free_ == kNever) return FileSystemWrapper::GetFreeSpace(path, options, free, debug);
  *free = free_;
  return IOStatus::OK();
}

void UnsyncedFs::Disk::TakeBack(const Change& change) {
  std::error_code gone;  // a name that a later change has moved on is no longer there: nothing to do
  switch (change.kind) {
    case Change::Kind::kMade:
      std::filesystem::remove(change.path, gone);
      break;
    case Change::Kind::kMoved:
      std::filesystem::rename(change.path, change.from, gone);
      break;
    case Change::Kind::kRemoved:
      break;
  }
  if (!change.saved.empty()) std::filesystem::rename(change.saved, change.path, gone);
}

// Bytes first, by the names of now; then names, newest change first. A journal may have kept some of the oldest
// changes, so a random number of the newest is taken back.
void UnsyncedFs::Disk::Lose(base::Random& random) {
  for (const auto& [path, bytes] : files_) LoseTail(path, *bytes, random);
  for (auto& [dir, changes] : changes_) {
    for (uint64_t kept = random.Below(2) == 0 ? 0 : random.Below(changes.size() + 1); changes.size() > kept;) {
      TakeBack(changes.back());
      changes.pop_back();
    }
    std::filesystem::remove_all(dir + "/unsynced");
  }
}

void UnsyncedFs::Disk::LoseTail(const std::string& path, const Bytes& bytes, base::Random& random) {
  if (bytes.written <= bytes.synced || !std::filesystem::exists(path)) return;
  const uint64_t unsynced = bytes.written - bytes.synced;
  const uint64_t kept = bytes.synced + (random.Below(2) == 0 ? 0 : random.Below(unsynced + 1));
  CHECK(truncate(path.c_str(), static_cast<off_t>(kept)) == 0);
  if (random.Below(2) == 0) LoseSectors(path, bytes.synced, kept, random);
}

// Sectors reach the disk in any order: some of those that the length covers were never written and read as zeros.
void UnsyncedFs::Disk::LoseSectors(const std::string& path, uint64_t begin, uint64_t end, base::Random& random) {
  const int descriptor = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  CHECK(descriptor >= 0);
  const std::string zeros(kSector, '\0');
  for (uint64_t at = begin; at < end;) {
    const uint64_t next = std::min(at / kSector * kSector + kSector, end);
    if (random.Below(3) == 0) {
      CHECK(pwrite(descriptor, zeros.data(), next - at, static_cast<off_t>(at)) == static_cast<ssize_t>(next - at));
    }
    at = next;
  }
  close(descriptor);
}

UnsyncedFs::UnsyncedFs() : disk_(std::make_shared<Disk>()) {}
UnsyncedFs::~UnsyncedFs() = default;

std::shared_ptr<void> UnsyncedFs::file_system() const {
  return std::static_pointer_cast<rocksdb::FileSystem>(disk_);  // StoreOptions casts back to exactly this type
}

void UnsyncedFs::CutPower() {
  std::lock_guard lock(disk_->mutex_);
  disk_->off_ = true;
}

void UnsyncedFs::CutPowerAt(uint64_t nth) {
  std::lock_guard lock(disk_->mutex_);
  disk_->cut_at_ = disk_->calls_ + nth;
}

bool UnsyncedFs::power_off() const {
  std::lock_guard lock(disk_->mutex_);
  return disk_->off_;
}

void UnsyncedFs::Restart(base::Random& random) {
  std::lock_guard lock(disk_->mutex_);
  disk_->Lose(random);
  disk_->files_.clear();
  disk_->changes_.clear();
  disk_->off_ = false;
  disk_->cut_at_ = kNever;
  ++disk_->generation_;
}

void UnsyncedFs::FailSync(uint64_t nth, Error error) {
  std::lock_guard lock(disk_->mutex_);
  disk_->fail_sync_ = disk_->syncs_ + nth;
  disk_->sync_error_ = error;
}

void UnsyncedFs::FailCall(uint64_t nth, Error error) {
  std::lock_guard lock(disk_->mutex_);
  disk_->fail_call_ = nth == 0 ? kNever : disk_->calls_ + nth;
  disk_->call_error_ = error;
}

void UnsyncedFs::SetFreeBytes(uint64_t bytes) {
  std::lock_guard lock(disk_->mutex_);
  disk_->free_ = bytes;
}

void UnsyncedFs::CanReserve(Reserving reserving) {
  std::lock_guard lock(disk_->mutex_);
  disk_->reserving_ = reserving;
}

void UnsyncedFs::OnSync(std::function<void(const std::string&)> hook) {
  std::lock_guard lock(disk_->mutex_);
  disk_->on_sync_ = std::move(hook);
}

void UnsyncedFs::MoreFlushThreads(int count) {
  rocksdb::Env::Default()->IncBackgroundThreadsIfNeeded(count + 1, rocksdb::Env::Priority::HIGH);
}

uint64_t UnsyncedFs::calls() const {
  std::lock_guard lock(disk_->mutex_);
  return disk_->calls_;
}

uint64_t UnsyncedFs::syncs() const {
  std::lock_guard lock(disk_->mutex_);
  return disk_->syncs_;
}

}  // namespace tocsin::storage
