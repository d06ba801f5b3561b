// Retention: trims streams by age, length and bytes, in the background. What a group of the stream has not read or not
// acknowledged stays, until the stream has grown to its cap: an abandoned group must not fill the disk.
//
// 1. Whole nodes go (about 100 entries or 4 KiB, as Redis' `~`): limits are exact to a node, never below it.
// 2. Entries that somebody still needed go in two cases only: the rule says Needed::kDrop, or the cap is reached. They
//    are counted (tocsin_trimmed_needed_total) and logged with the groups that lose them.
// 3. Nothing goes that the built-in group has not routed. The router comes before, in the same turn.
// 4. A group that holds back much more than the limits is logged once an hour: somebody has to look after it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "notifier/retention_rule.h"
#include "storage/committer.h"
#include "streams/engine.h"

namespace tocsin::notifier {

class Retention final : public storage::Participant {
 public:
  static constexpr int64_t kEveryMs = 10'000;

  // Nothing is owned. Registered with the committer between the router and the engine.
  Retention(streams::StreamEngine& streams, const base::Clock& clock, std::vector<RetentionRule> rules);

  base::Status BeforeCommit(storage::Batch& batch) override;
  void AfterCommit(const base::Status&) override {}
  bool lazy() const override { return true; }  // stages nothing itself
  int64_t NextTurnUs() const override { return next_us_; }

 private:
  struct Kept {
    RetentionRule rule;
    std::optional<int64_t> warned_us = {};
  };
  struct Needs {
    model::EntryId from = model::EntryId::Max();       // some group needs entries from here on
    model::EntryId routed_to = model::EntryId::Max();  // the built-in group's position, where there is one
    std::string groups;                                // that need `from`, or an entry soon behind it
  };

  base::Status Keep(const RetentionRule& rule);
  base::Status TrimTo(const RetentionRule& rule, streams::Trim trim);
  base::Status TrimToCap(const RetentionRule& rule);
  base::Result<Needs> NeedsOf(const std::string& stream);
  base::Status WarnOfHeldBack(Kept& kept);

  streams::StreamEngine& streams_;
  const base::Clock& clock_;
  std::vector<Kept> rules_;
  int64_t next_us_ = 0;  // when it looks again
  bool more_ = false;
};

}  // namespace tocsin::notifier
