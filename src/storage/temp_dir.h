// For tests: a fresh directory that goes with the object.
#pragma once

#include <filesystem>
#include <string>

#include <stdlib.h>

#include "base/check.h"

namespace tocsin::storage {

class TempDir {
 public:
  TempDir() : path_((std::filesystem::temp_directory_path() / "tocsin-XXXXXX").string()) {
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
  std::string path_;
};

}  // namespace tocsin::storage
