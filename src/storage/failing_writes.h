// For tests: writes to the store that fail when told to, as on a full disk.
#pragma once

#include <string_view>

#include "storage/store.h"

namespace tocsin::storage {

class FailingWrites final : public FaultPoints {
 public:
  base::Status Reach(std::string_view place) override {
    return place == "before_write" && fail ? base::Status(base::Code::kNoSpace, "planted") : base::Ok();
  }
  bool fail = false;
};

}  // namespace tocsin::storage
