// DeliveryLimit: the end of entries that a group has been given as often as its rule allows (streams/redelivery.h) and
// never acknowledged. Each goes to the dead letters and leaves the group's pending list, in one batch.
//
// 1. Looks once a second, at the groups that have a rule with max_deliveries; takes at most kAtOnce entries of a group
//    in a turn, and goes on with the next turn.
// 2. An entry that is no longer in its stream leaves the pending list, counted: there is nothing left to keep.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "storage/committer.h"
#include "streams/engine.h"

namespace tocsin::notifier {

class DeliveryLimit final : public storage::Participant {
 public:
  static constexpr int64_t kEveryMs = 1'000;
  static constexpr size_t kAtOnce = 256;

  // Nothing is owned. Registered with the committer before the engine.
  DeliveryLimit(streams::StreamEngine& streams, const base::Clock& clock) : streams_(streams), clock_(clock) {}

  base::Status BeforeCommit(storage::Batch& batch) override;
  void AfterCommit(const base::Status& status) override;
  bool lazy() const override { return true; }  // stages nothing itself
  int64_t NextTurnUs() const override { return next_us_; }

 private:
  base::Status Look(std::string_view stream, std::string_view group);
  base::Status End(std::string_view stream, std::string_view group, const streams::PendingEntry& pending);

  streams::StreamEngine& streams_;
  const base::Clock& clock_;
  int64_t next_us_ = 0;  // when it looks again
  bool more_ = false;
};

}  // namespace tocsin::notifier
