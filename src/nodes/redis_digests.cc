#include "nodes/redis_digests.h"

#include <utility>

#include "base/log.h"
#include "notifier/counters.h"
#include "notifier/digest.h"
#include "notifier/rendered_item.h"
#include "state/delivery_decision.h"

namespace tocsin::nodes {

using base::Result;
using base::Status;
using What = state::Decision::What;

struct RedisDigests::Ending {
  logs::EndedWindow window;
  model::Notification digest{};
  std::string nid{};
  int64_t at_ms = 0;
  logs::TaggedPreferences said{};
  What what = What::kDeliver;
  int rounds = 0;
  bool held = false;  // it is in the schedule, and stays there
};

void RedisDigests::Tick() {
  const int64_t now_us = core_.clock().MonotonicUs();
  if (waiting_ > 0 || now_us < next_look_us_ || !is_owner_()) return;
  next_look_us_ = now_us + (limits_.empty() ? kLookOnceMs : kLookMs) * 1'000;
  waiting_ = logs::kBuckets;
  for (int bucket = 0; bucket < logs::kBuckets; ++bucket) {
    logs_.FindEndedWindows(bucket, kMostAtOnce, [this](const Result<std::vector<logs::EndedWindow>>& windows) {
      if (windows.ok()) {
        for (const logs::EndedWindow& window : *windows) {
          auto ending = std::make_shared<Ending>(Ending{.window = window});
          ending->digest = state::MakeDigest(window.user, window.category, window.window);
          ending->nid = notifier::DigestNid(window.window.nids.front());
          ending->at_ms = core_.clock().NowMs();
          ++waiting_;
          End(ending);
        }
      } else if (windows.status().code() == base::Code::kCorruption) {
        base::Log(base::Level::kError, "digests_unreadable", {{"why", windows.status().message()}});
      }
      Close();
    });
  }
}

void RedisDigests::End(const std::shared_ptr<Ending>& ending) {
  if (ending->held) return Send(ending);
  state::Decision decision;
  if (ending->said.tag != 0) {
    decision =
        state::Decide(*ending->said.preferences, ending->digest.category, ending->digest.priority, ending->at_ms);
  }
  ending->what = decision.what;
  if (decision.what != What::kHold) return Send(ending);
  hold_(ending->nid, ending->window.user, ending->digest, decision.until_ms, [this, ending](const Status& held) {
    ending->held = held.ok();
    return held.ok() ? Send(ending) : Close();
  });
}

void RedisDigests::Send(const std::shared_ptr<Ending>& ending) {
  logs::EndWindowRequest request{.ended = ending->window, .preferences_tag = ending->said.tag, .digest = {}};
  if (ending->what == What::kDeliver) {
    request.digest = logs::AppendRequest::Item{
        .source = {},  // it comes from no stream
        .nid = ending->nid,
        .priority = ending->digest.priority,
        .json = notifier::RenderItem(ending->nid, static_cast<uint64_t>(ending->at_ms), ending->digest),
        .traits = notifier::TraitsOf(ending->digest)};
  }
  logs_.EndWindow(std::move(request),
                  [this, ending](Result<logs::Appended> appended) { Ended(ending, std::move(appended)); });
}

void RedisDigests::Ended(const std::shared_ptr<Ending>& ending, Result<logs::Appended> appended) {
  constexpr int kMostRounds = 5;
  if (!appended.ok()) return Close();  // the next look finds it again
  if (appended->other_preferences) {
    if (++ending->rounds > kMostRounds) return Close();
    if (*appended->other_preferences == 0) {
      ending->said = {};
      return End(ending);
    }
    const uint64_t tag = *appended->other_preferences;
    logs_.FindPreferences(ending->window.user, [this, ending, tag](const Result<logs::TaggedPreferences>& found) {
      auto said = RedisDelivery::Readable(tag, found);
      if (!said.ok()) return Close();
      ending->said = *said;
      End(ending);
    });
    return;
  }
  if (!appended->fates.empty()) {
    notifier::ended_digested.Add(static_cast<int64_t>(ending->window.window.summed));
    if (ending->what == What::kMute) notifier::ended_muted.Add();
    if (ending->what == What::kHold) notifier::held_quiet.Add();
    std::vector<logs::Appended> all;
    all.push_back(std::move(*appended));
    appended_(std::move(all));
  }
  Close();
}

}  // namespace tocsin::nodes
