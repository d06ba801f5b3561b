#include "auth/generated.h"

#include <cerrno>
#include <filesystem>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tocsin::auth {
namespace {

using base::Code;
using base::Result;
using base::Status;

constexpr size_t kSecretBytes = 32;
constexpr size_t kMaxSecretFile = 1024;

Status Failed(const std::string& what) {
  int error = errno;
  return Status(error == ENOSPC ? Code::kNoSpace : Code::kUnavailable,
                what + ": " + std::generic_category().message(error));
}

class File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  int get() const { return descriptor_; }
  bool open() const { return descriptor_ >= 0; }

 private:
  int descriptor_;
};

bool IsSecretText(std::string_view text) {
  if (text.empty()) return false;
  for (char c : text) {
    if (c <= ' ' || c > '~') return false;
  }
  return true;
}

Status WriteAll(int descriptor, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    ssize_t done = write(descriptor, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return Failed("cannot write " + path);
    bytes.remove_prefix(static_cast<size_t>(done));
  }
  if (fsync(descriptor) != 0) return Failed("cannot sync " + path);
  return base::Ok();
}

// Writes `secret` to a file of its own and gives that the name `path`, unless the name was taken meanwhile.
Status Create(const std::string& dir, const std::string& path, std::string_view secret, base::Random& random) {
  std::error_code ignored;  // mkdir says it
  std::filesystem::create_directories(std::filesystem::path(dir).parent_path(), ignored);
  if (mkdir(dir.c_str(), 0700) != 0 && errno != EEXIST) return Failed("cannot make the directory " + dir);
  std::string draft = path + "." + random.Hex(8) + ".new";
  {
    File file(open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file.open()) return Failed("cannot make " + draft);
    Status written = WriteAll(file.get(), std::string(secret) + "\n", draft);
    if (!written.ok()) {
      unlink(draft.c_str());
      return written;
    }
  }
  bool named = link(draft.c_str(), path.c_str()) == 0 || errno == EEXIST;
  Status failure = named ? base::Ok() : Failed("cannot make " + path);
  unlink(draft.c_str());
  if (!failure.ok()) return failure;
  File directory(open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.open() || fsync(directory.get()) != 0) return Failed("cannot sync the directory " + dir);
  return base::Ok();
}

}  // namespace

Result<std::string> LoadSecret(const std::string& dir, std::string_view name) {
  std::string path = dir + "/" + std::string(name);
  File file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file.open()) {
    if (errno == ENOENT) return Status(Code::kNotFound, "there is no " + path);
    if (errno == EACCES) return Status(Code::kPermissionDenied, path + " belongs to another user; run as that one");
    if (errno == ELOOP) return Status(Code::kPermissionDenied, path + " is a link; a secret is a plain file");
    return Failed("cannot read " + path);
  }
  struct stat stat {};
  if (fstat(file.get(), &stat) != 0) return Failed("cannot read " + path);
  if (!S_ISREG(stat.st_mode)) return Status(Code::kPermissionDenied, path + " is not a plain file; a secret is one");
  if (stat.st_uid != geteuid())
    return Status(Code::kPermissionDenied, path + " belongs to another user; run as that one");
  if ((stat.st_mode & 077) != 0) {
    return Status(Code::kPermissionDenied,
                  path +
                      " can be read by others, so it is no secret any more: remove it, and a new one is made "
                      "(or, if you know that nobody has read it: chmod 600 " +
                      path + ")");
  }
  char bytes[kMaxSecretFile];
  ssize_t size = read(file.get(), bytes, sizeof bytes);
  if (size < 0) return Failed("cannot read " + path);
  std::string_view text(bytes, static_cast<size_t>(size));
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.size() < 2 * kSecretBytes || text.size() >= kMaxSecretFile - 1 || !IsSecretText(text)) {
    return Status(Code::kCorruption, path + " is not a secret of ours: remove it, and a new one is made");
  }
  return std::string(text);
}

Result<std::string> LoadOrMakeSecret(const std::string& dir, std::string_view file, std::string_view prefix,
                                     base::Random& random) {
  Result<std::string> secret = LoadSecret(dir, file);
  if (secret.ok() || secret.status().code() != Code::kNotFound) return secret;
  RETURN_IF_ERROR(Create(dir, dir + "/" + std::string(file), std::string(prefix) + random.Hex(kSecretBytes), random));
  return LoadSecret(dir, file);
}

}  // namespace tocsin::auth
