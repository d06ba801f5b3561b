#include "notifier/rate_limiter.h"

#include "base/log.h"
#include "base/metrics.h"
#include "model/bytes.h"
#include "notifier/counters.h"
#include "notifier/delivery.h"
#include "notifier/digest.h"

namespace tocsin::notifier {
namespace {

using base::Result;
using base::Status;
using state::LimitWindow;
using state::Passage;
using storage::Batch;
using storage::Family;

constexpr std::string_view kRowPrefix = "limit/";

std::string NameOf(std::string_view user, std::string_view category) {
  std::string name;
  model::PutString(name, user);
  return name.append(category);
}

std::string RowKey(std::string_view name) { return std::string(kRowPrefix).append(name); }

}  // namespace

RateLimiter::RateLimiter(const storage::Store& store, const base::Clock& clock, state::RateLimits limits,
                         Delivery& delivery)
    : store_(store),
      clock_(clock),
      limits_(std::move(limits)),
      delivery_(delivery),
      ends_(store, clock, TimerKind::kDigest, *this) {}

Result<std::optional<LimitWindow>> RateLimiter::Find(std::string_view name) {
  if (auto known = known_.find(name); known != known_.end()) return known->second;
  auto stored = store_.Get(Family::kMeta, RowKey(name));
  if (!stored.ok()) return stored.status();
  std::optional<LimitWindow> window;
  if (stored->has_value()) {
    auto decoded = state::DecodeWindow(**stored);
    if (!decoded.ok()) return decoded.status();
    window = std::move(*decoded);
  }
  known_.insert_or_assign(std::string(name), window);
  return window;
}

Result<Passage> RateLimiter::Pass(std::string_view user, std::string_view nid, const model::Notification& notification,
                                  int64_t at_ms, Batch& batch) {
  const state::RateLimit* limit = limits_.Of(notification.category, notification.priority);
  if (limit == nullptr) return Passage::kDeliver;
  const std::string name = NameOf(user, notification.category);
  auto found = Find(name);
  if (!found.ok()) return found.status();
  LimitWindow window = std::move(*found).value_or(LimitWindow());
  const int64_t before_ms = window.ends_ms;
  const Passage passage = state::Pass(*limit, nid, notification.priority, at_ms, window);
  if (window.ends_ms != before_ms) {
    auto removed = ends_.Remove(name, batch);
    if (!removed.ok()) return removed.status();
    auto put = ends_.Put({.name = name, .due_ms = window.ends_ms}, batch);
    if (!put.ok()) return put.status();
  }
  batch.Put(Family::kMeta, RowKey(name), state::EncodeWindow(window));
  known_.insert_or_assign(name, std::move(window));
  return passage;
}

Status RateLimiter::OnDue(const Timer& timer, uint64_t number, Batch& batch) {
  auto window = Find(timer.name);
  if (!window.ok()) return window.status();
  batch.Delete(Family::kMeta, RowKey(timer.name));
  known_.insert_or_assign(timer.name, std::nullopt);
  if (!window->has_value() || (*window)->summed == 0) return base::Ok();
  std::string_view user;
  model::ByteReader name(timer.name);
  if (!name.String(user)) return Status(base::Code::kCorruption, "the window of a rate limit has no user");
  const model::Notification digest = state::MakeDigest(std::string(user), name.rest(), **window);
  const std::string nid = DigestNid((*window)->nids.front());
  digested_ += static_cast<int64_t>((*window)->summed);
  return delivery_.Deliver({.nid = nid,
                            .notification = digest,
                            .users = digest.users,
                            .at_ms = clock_.NowMs(),
                            .source = {.stream = kDigestSuffix, .id = {number, 0}}},
                           batch);
}

Status RateLimiter::BeforeCommit(Batch& batch) { return ends_.BeforeCommit(batch); }

void RateLimiter::AfterCommit(const Status& status) {
  ends_.AfterCommit(status);
  if (status.ok()) ended_digested.Add(digested_);
  digested_ = 0;
  if (!status.ok() || known_.size() > kMaxInMemory) known_.clear();
}

int64_t RateLimiter::NextTurnUs() const { return ends_.NextTurnUs(); }

}  // namespace tocsin::notifier
