// For tests: user logs over a real store in a fresh directory, a clock that stands still, turns run by hand.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "logs/log_reader.h"
#include "logs/user_logs.h"
#include "storage/committer.h"
#include "storage/store.h"
#include "storage/temp_dir.h"

namespace tocsin::logs {

class TestLogs final : public LogListener, public storage::FaultPoints {
 public:
  explicit TestLogs(UserLogsOptions options = {.max_entries = 1'000, .id_floor = {}}) : options_(options) { Open(); }

  // Closes everything and opens it again, as a restart does.
  void Restart() {
    committer_.reset();
    user_logs_.reset();
    store_.reset();
    updates.clear();
    Open();
  }

  // One turn: `stage` and the commit. Answers how the commit went.
  base::Status Turn(std::function<void(storage::Batch&)> stage) {
    class Staged final : public storage::Change {
     public:
      Staged(std::function<void(storage::Batch&)> stage, base::Status& outcome)
          : stage_(std::move(stage)), outcome_(outcome) {}
      void Stage(storage::Batch& batch) override { stage_(batch); }
      void Done(const base::Status& status) override { outcome_ = status; }

     private:
      std::function<void(storage::Batch&)> stage_;
      base::Status& outcome_;
    };
    base::Status outcome(base::Code::kInternal, "no turn was run");
    CHECK(committer_->Submit(std::make_unique<Staged>(std::move(stage), outcome)).ok());
    committer_->RunTurn();
    return outcome;
  }

  // A turn that appends one item, from the next entry of the stream "s".
  base::Status Append(std::string_view user, std::string_view nid, model::Priority priority = model::Priority::kNormal,
                      std::string_view json = "\"body\":\"x\"") {
    const model::EntryId source{++source_, 0};
    return Turn([&](storage::Batch& batch) {
      CHECK(user_logs_->Append(user, {nid, priority, json}, {"s", source}, batch).ok());
    });
  }
  Counts Mark(MarkRequest request) {
    Counts counts;
    CHECK(Turn([&](storage::Batch& batch) { counts = user_logs_->Mark(request, batch).value(); }).ok());
    return counts;
  }
  base::Status Ack(std::string_view user, std::string_view device, model::EntryId cursor) {
    return Turn([&](storage::Batch& batch) { CHECK(user_logs_->Ack(user, device, cursor, batch).ok()); });
  }

  LogReader reader() const { return LogReader(*store_); }
  LogHead Head(std::string_view user) const { return OpeningOf(user, {}).head; }
  std::optional<model::EntryId> Cursor(std::string_view user, std::string_view device) const {
    return OpeningOf(user, device).device_cursor;
  }
  std::vector<LogLine> Lines(std::string_view user) const {
    return reader().Read(user, {}, 100'000, 100 << 20, storage::Tier::kDisk).value().lines;
  }
  // How many records a user has under a tag of kHeads.
  size_t Stored(std::string_view user, char tag) const {
    const std::string lower = TagPrefix(user, tag);
    auto at = store_->Iterate(storage::Family::kHeads, lower, model::PrefixSuccessor(lower));
    size_t count = 0;
    for (at->SeekToFirst(); at->Valid(); at->Next()) ++count;
    return count;
  }
  // The nids and states of the items, and the ops of the changes: "a:unread b:read <read>".
  std::string Shape(std::string_view user) const {
    std::string shape;
    for (const LogLine& line : Lines(user)) {
      if (!shape.empty()) shape += " ";
      if (line.entry->is_item()) {
        shape.append(line.entry->nid).append(":").append(ItemStateName(line.state));
      } else {
        shape.append("<").append(model::MarkOpName(line.entry->change->op)).append(">");
      }
    }
    return shape;
  }

  base::ManualClock& clock() { return clock_; }
  storage::Store& store() { return *store_; }
  UserLogs& user_logs() { return *user_logs_; }
  storage::Committer& committer() { return *committer_; }

  std::vector<LogUpdate> updates;  // everything that was committed
  base::Status fault;              // what the next writes fail with; ok: they do not

 private:
  void Open() {
    storage::StoreOptions options{.dir = dir_.path() + "/store", .min_free_bytes = 0, .clock = &clock_, .faults = this};
    options.sabotage = storage::Sabotage::kSkipSync;
    store_ = storage::OpenStore(options).value();
    user_logs_ = std::make_unique<UserLogs>(*store_, clock_, options_, this);
    committer_ =
        std::make_unique<storage::Committer>(*store_, clock_, std::vector<storage::Participant*>{user_logs_.get()});
  }
  LogOpening OpeningOf(std::string_view user, std::string_view device) const {
    return reader().Open(user, device, storage::Tier::kDisk).value();
  }
  void OnCommitted(std::vector<LogUpdate> committed) override {
    for (LogUpdate& update : committed) updates.push_back(std::move(update));
  }
  base::Status Reach(std::string_view place) override { return place == "before_write" ? fault : base::Ok(); }

  const UserLogsOptions options_;
  storage::TempDir dir_;
  base::ManualClock clock_;
  std::unique_ptr<storage::Store> store_;
  std::unique_ptr<UserLogs> user_logs_;
  std::unique_ptr<storage::Committer> committer_;
  uint64_t source_ = 0;
};

}  // namespace tocsin::logs
