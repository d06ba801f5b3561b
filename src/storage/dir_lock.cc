#include "storage/dir_lock.h"

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tocsin::storage {

using base::Code;
using base::Status;

namespace {

Status Failed(const std::string& dir, const char* doing) {
  const int error = errno;
  const Code code = error == ENOSPC || error == EDQUOT ? Code::kNoSpace : Code::kUnavailable;
  return Status(code, "cannot " + std::string(doing) + " the data directory " + dir + ": " + std::strerror(error));
}

Status MakeDir(const std::string& dir) {
  if (dir.empty()) return Status(Code::kInvalidArgument, "no data directory is named");
  std::error_code error;
  std::filesystem::path path = std::filesystem::path(dir).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), error);
  if (error) {
    errno = error.value();
    return Failed(dir, "make the parents of");
  }
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return Failed(dir, "make");
  return base::Ok();
}

}  // namespace

base::Result<std::unique_ptr<DirLock>> DirLock::Take(const std::string& dir) {
  RETURN_IF_ERROR(MakeDir(dir));
  const std::string path = dir + "/tocsin.lock";
  int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) return Failed(dir, "open the lock of");
  char holder[24] = {};
  if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) {
      Status status = Failed(dir, "lock");
      close(descriptor);
      return status;
    }
    const ssize_t size = pread(descriptor, holder, sizeof holder - 1, 0);
    close(descriptor);
    return Status(Code::kConflict, "the data directory " + dir + " is in use" +
                                       (size > 0 ? " by process " + std::string(holder) : std::string()) +
                                       ": stop that process, or give this one a directory of its own");
  }
  // The number is for the message above only; who holds the lock is decided by flock.
  const std::string pid = std::to_string(getpid());
  if (ftruncate(descriptor, 0) == 0) static_cast<void>(pwrite(descriptor, pid.data(), pid.size(), 0) > 0);
  return std::unique_ptr<DirLock>(new DirLock(descriptor));
}

DirLock::~DirLock() { close(descriptor_); }

}  // namespace tocsin::storage
