// For tests: a fresh directory that goes with the object.
#pragma once

#include <filesystem>
#include <string>

#include <stdlib.h>

#include "base/check.h"

namespace tocsin::storage {

class TempDir {
 public:
  // kMemory: on a file system in memory where there is one, for tests that make thousands of files.
  enum class Where { kDisk, kMemory };
  explicit TempDir(Where where = Where::kDisk) : path_((Parent(where) / "tocsin-XXXXXX").string()) {
    CHECK(mkdtemp(path_.data()) != nullptr);
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }

 private:
  static std::filesystem::path Parent(Where where) {
    const std::filesystem::path memory = "/dev/shm";
    std::error_code ignored;
    const bool usable = where == Where::kMemory && std::filesystem::is_directory(memory, ignored);
    return usable ? memory : std::filesystem::temp_directory_path();
  }
  std::string path_;
};

}  // namespace tocsin::storage
