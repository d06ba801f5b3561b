// Ledger: what was published to whom, and what came: the judge of whether a run counts.
//
// 1. Every notification has a number of its own (`seq`), which it carries with the time it was sent (`sent`, NowNs).
// 2. It has to come to its user exactly once. Another user, twice, or never makes the run invalid.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "load/report.h"

namespace tocsin::bench {

constexpr size_t kBodyBytes = 120;

// "u000042"
std::string UserName(uint32_t user);

class Ledger {
 public:
  // Notes a notification for `user` and writes its JSON body of exactly kBodyBytes into `body`.
  void Publish(uint32_t user, int64_t sent_ns, std::string* body);

  // What a device has received: `json` from the position of its `"seq":` on. Returns when it was sent, or 0 when it is
  // not what was expected (noted).
  int64_t Receive(uint32_t user, std::string_view json);

  uint64_t published() const { return user_of_.size(); }
  uint64_t received() const { return received_; }
  bool complete() const { return received_ == user_of_.size(); }

  // Makes the report invalid unless everything came as it should.
  void Judge(Report* report) const;

 private:
  std::vector<uint32_t> user_of_;
  std::vector<uint8_t> came_;
  uint64_t received_ = 0;
  uint64_t twice_ = 0;
  uint64_t foreign_ = 0;
  uint64_t garbled_ = 0;
};

}  // namespace tocsin::bench
