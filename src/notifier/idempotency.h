// Idempotency: what publishes with an Idempotency-Key were answered, on the embedded store, for kIdempotencyMs. A
// repeat gets the same answer and publishes nothing, also across a crash: the answer is stored in the batch that
// publishes.
//
// 1. A key belongs to the producer whose API key came with it.
// 2. Repeats of one turn see what the first of them has staged; a failed turn leaves nothing behind.
// 3. What has expired is deleted in the background, kSweep rows at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "logs/text_map.h"
#include "notifier/publisher.h"
#include "storage/committer.h"
#include "storage/store.h"

namespace tocsin::notifier {

class Idempotency final : public storage::Participant {
 public:
  static constexpr int64_t kSweepEveryMs = 60'000;
  static constexpr size_t kSweep = 10'000;

  // Nothing is owned.
  Idempotency(const storage::Store& store, const base::Clock& clock) : store_(store), clock_(clock) {}

  // The rest is on the commit thread.

  // The nids of the first publish under this key; nothing when there was none. kConflict: that had another body.
  base::Result<std::optional<std::vector<std::string>>> Find(const IdempotencyKey& key) const;
  void Remember(const IdempotencyKey& key, const std::vector<std::string>& nids, storage::Batch& batch);

  base::Status BeforeCommit(storage::Batch& batch) override;
  void AfterCommit(const base::Status&) override { staged_.clear(); }
  bool lazy() const override { return true; }  // a sweep confirms nothing
  int64_t NextTurnUs() const override { return next_sweep_us_; }

 private:
  const storage::Store& store_;
  const base::Clock& clock_;
  logs::TextMap<std::string> staged_;  // rows of this turn
  int64_t next_sweep_us_ = 0;
};

}  // namespace tocsin::notifier
