#include "storage/committer.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include "base/log.h"
#include "model/limits.h"

namespace tocsin::storage {

using base::Code;
using base::Ok;
using base::Status;

namespace {

constexpr int64_t kRetryUs = 100'000;
constexpr int64_t kLazySyncUs = model::kLazySyncMs * 1000;
constexpr int64_t kForever = INT64_MAX;
constexpr size_t kKeptBatchBytes = 1 << 20;  // a batch that grew beyond gives its memory back

class StageOnly final : public Change {
 public:
  explicit StageOnly(std::function<void(Batch&)> stage) : stage_(std::move(stage)) {}
  void Stage(Batch& batch) override { stage_(batch); }
  void Done(const Status&) override {}

 private:
  std::function<void(Batch&)> stage_;
};

}  // namespace

Committer::Committer(Store& store, const base::Clock& clock, std::vector<Participant*> participants,
                     FaultPoints* faults)
    : store_(store), clock_(clock), participants_(std::move(participants)), faults_(faults) {}

Committer::~Committer() { Stop(); }

void Committer::Start() {
  CHECK(!thread_.joinable());
  thread_ = std::thread([this] { Loop(); });
}

void Committer::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  if (thread_.joinable()) {
    wake_.notify_one();
    thread_.join();
    return;
  }
  while (queued() > 0) RunTurn();
  SyncLazy();
}

Status Committer::Submit(std::unique_ptr<Change> change) {
  const size_t bytes = change->bytes();
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return Status(Code::kCancelled, "the server is shutting down");
    if (queue_.size() >= model::kMaxQueuedChanges || queued_bytes_ + bytes > model::kMaxQueuedBytes) {
      return Status(Code::kUnavailable, "too much waits for the disk; try again later");
    }
    if (turn_began_us_ && clock_.MonotonicUs() - *turn_began_us_ > model::kMaxQueueMs * 1000) {
      return Status(Code::kUnavailable, "the disk has not answered for " + std::to_string(model::kMaxQueueMs / 1000) +
                                            " s; try again later");
    }
    queue_.push_back(std::move(change));
    queued_bytes_ += bytes;
    if (!std::exchange(waiting_, false)) return Ok();
  }
  wake_.notify_one();
  return Ok();
}

Status Committer::Submit(std::function<void(Batch&)> stage) {
  return Submit(std::make_unique<StageOnly>(std::move(stage)));
}

void Committer::Wake() {
  {
    std::lock_guard lock(mutex_);
    wanted_ = true;
    if (!std::exchange(waiting_, false)) return;
  }
  wake_.notify_one();
}

CommitterStats Committer::stats() const {
  std::lock_guard lock(mutex_);
  return stats_;
}

size_t Committer::queued() const {
  std::lock_guard lock(mutex_);
  return queue_.size();
}

bool Committer::RunTurn() {
  CHECK(!thread_.joinable());
  Changes changes;
  Work work;
  {
    std::lock_guard lock(mutex_);
    work = TakeWork(changes);
  }
  const bool worked = Do(work, changes);
  std::lock_guard lock(mutex_);
  turn_began_us_.reset();
  return worked;
}

void Committer::Loop() {
  Changes changes;
  for (;;) {
    Work work;
    {
      std::unique_lock lock(mutex_);
      turn_began_us_.reset();
      while ((work = TakeWork(changes)) == Work::kNone && !stopping_) {
        waiting_ = true;
        const int64_t wait_us = UsToNextWork();
        if (wait_us == kForever) {
          wake_.wait(lock);
        } else {
          wake_.wait_for(lock, std::chrono::microseconds(wait_us));
        }
        waiting_ = false;
      }
    }
    if (!Do(work, changes)) break;
  }
  SyncLazy();
}

Committer::Work Committer::TakeWork(Changes& changes) {
  const int64_t now = clock_.MonotonicUs();
  wanted_ = wanted_ || now >= turn_at_us_;
  const bool wake = wanted_ && !stopping_ && now >= retry_at_us_;
  if (queue_.empty() && !wake) {
    const bool due = unsynced_since_us_ && now - *unsynced_since_us_ >= kLazySyncUs;
    if (due) turn_began_us_ = now;
    return due ? Work::kLazySync : Work::kNone;
  }
  wanted_ = false;
  turn_began_us_ = now;
  if (queue_.size() <= model::kMaxTurnChanges) {
    changes.swap(queue_);
    queued_bytes_ = 0;
  } else {
    const auto end = queue_.begin() + static_cast<std::ptrdiff_t>(model::kMaxTurnChanges);
    changes.assign(std::make_move_iterator(queue_.begin()), std::make_move_iterator(end));
    queue_.erase(queue_.begin(), end);
    for (const auto& change : changes) queued_bytes_ -= change->bytes();
  }
  return Work::kTurn;
}

int64_t Committer::UsToNextWork() const {
  const int64_t now = clock_.MonotonicUs();
  int64_t wait = kForever;
  if (wanted_) wait = retry_at_us_ - now;
  if (turn_at_us_ != Participant::kNoTurn) wait = std::min(wait, turn_at_us_ - now);
  if (unsynced_since_us_) wait = std::min(wait, *unsynced_since_us_ + kLazySyncUs - now);
  return std::max<int64_t>(wait, 1);
}

bool Committer::Do(Work work, Changes& changes) {
  switch (work) {
    case Work::kNone:
      return false;
    case Work::kTurn:
      Turn(changes);
      break;
    case Work::kLazySync:
      SyncLazy();
      break;
  }
  return true;
}

void Committer::Turn(Changes& changes) {
  batch_.Clear();
  bool lazy = Stage(changes);
  Status status;
  for (Participant* participant : participants_) {
    const size_t before = batch_.changes();
    status = participant->BeforeCommit(batch_);
    if (!status.ok()) break;
    if (batch_.changes() > before && !participant->lazy()) lazy = false;
  }
  const size_t bytes = batch_.bytes();
  if (status.ok()) status = Commit(lazy ? Sync::kLater : Sync::kNow);
  if (!status.ok()) retry_at_us_ = clock_.MonotonicUs() + kRetryUs;
  int64_t turn_at_us = Participant::kNoTurn;
  for (Participant* participant : participants_) {
    participant->AfterCommit(status);
    turn_at_us = std::min(turn_at_us, participant->NextTurnUs());
  }
  {
    std::lock_guard lock(mutex_);
    turn_at_us_ = turn_at_us;
    ++stats_.turns;
    stats_.changes += changes.size();
    if (!status.ok()) ++stats_.failed_turns;
  }
  if (status.ok() && faults_ != nullptr) status = faults_->Reach("before_reply");
  for (auto& change : changes) change->Done(status);
  changes.clear();
  if (bytes > kKeptBatchBytes) batch_ = Batch();
}

bool Committer::Stage(Changes& changes) {
  bool lazy = true;
  size_t staged = 0;
  while (staged < changes.size() && batch_.bytes() < model::kMaxTurnBytes) {
    lazy = lazy && changes[staged]->lazy();
    changes[staged++]->Stage(batch_);
  }
  if (staged == changes.size()) return lazy;
  std::lock_guard lock(mutex_);
  const auto over = changes.begin() + static_cast<std::ptrdiff_t>(staged);
  for (auto change = over; change != changes.end(); ++change) queued_bytes_ += (*change)->bytes();
  queue_.insert(queue_.begin(), std::make_move_iterator(over), std::make_move_iterator(changes.end()));
  changes.erase(over, changes.end());
  return lazy;
}

Status Committer::Commit(Sync sync) {
  Status status;
  if (!batch_.empty()) {
    status = store_.Write(batch_, sync);
  } else if (sync == Sync::kNow && unsynced_since_us_) {
    status = store_.SyncNow();  // an answer may rest on what a lazy turn has written
  } else {
    // Nothing to store. A full disk is no reason to refuse that, a broken one is.
    Status health = store_.health();
    return health.code() == Code::kUnavailable ? health : Ok();
  }
  if (!status.ok()) return status;
  if (sync == Sync::kLater) {
    if (!unsynced_since_us_) unsynced_since_us_ = clock_.MonotonicUs();
    return status;
  }
  unsynced_since_us_.reset();
  std::lock_guard lock(mutex_);
  ++stats_.syncs;
  return status;
}

void Committer::SyncLazy() {
  if (!unsynced_since_us_) return;
  Status status = store_.SyncNow();
  if (status.code() == Code::kNoSpace) {
    unsynced_since_us_ = clock_.MonotonicUs();  // again when another period is over
    return;
  }
  unsynced_since_us_.reset();
  // Nobody waits for an answer; the next turn fails with the same reason and tells.
  if (!status.ok()) return base::Log(base::Level::kError, "lazy_sync_failed", {{"reason", status.message()}});
  std::lock_guard lock(mutex_);
  ++stats_.syncs;
}

}  // namespace tocsin::storage
