// DirLock: one process, and in it one store, per data directory. Held by flock(2) on a file in the directory, so it
// goes with the process and never is stale.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"

namespace tocsin::storage {

class DirLock {
 public:
  // Makes the directory (mode 700) and its parents if missing. kConflict: another store holds it.
  static base::Result<std::unique_ptr<DirLock>> Take(const std::string& dir);
  ~DirLock();
  DirLock(const DirLock&) = delete;
  DirLock& operator=(const DirLock&) = delete;

 private:
  explicit DirLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace tocsin::storage
