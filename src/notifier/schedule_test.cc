// The schedule as the commit thread drives it: real store, real logs, time by hand.
#include "notifier/schedule.h"

#include <map>

#include <gtest/gtest.h>

#include "logs/log_reader.h"
#include "notifier/router.h"
#include "storage/failing_writes.h"
#include "storage/temp_dir.h"

namespace tocsin::notifier {
namespace {

using model::EntryId;

constexpr int64_t kStart = 1'700'000'000'000;

class ScheduleTest : public testing::Test, public logs::LogListener {
 protected:
  ScheduleTest() { Open(); }

  void Open() {
    committer_.reset();
    router_.reset();
    schedule_.reset();
    delivery_.reset();
    logs_.reset();
    streams_.reset();
    store_.reset();
    auto opened = storage::OpenStore({.dir = dir_.path(), .min_free_bytes = 0, .faults = &faults_});
    CHECK_MSG(opened.ok(), opened.status().message());
    store_ = std::move(*opened);
    streams_ = std::make_unique<streams::StreamEngine>(*store_, clock_);
    logs_ = std::make_unique<logs::UserLogs>(*store_, clock_,
                                             logs::UserLogsOptions{.max_entries = 1'000'000, .id_floor = {}}, this);
    delivery_ = std::make_unique<Delivery>(*store_, clock_, *logs_);
    schedule_ = std::make_unique<Schedule>(*store_, clock_, *delivery_);
    router_ = std::make_unique<Router>(*streams_, *delivery_, *schedule_, clock_,
                                       std::vector<std::string>{std::string(kDefaultStream)});
    committer_ = std::make_unique<storage::Committer>(
        *store_, clock_,
        std::vector<storage::Participant*>{router_.get(), schedule_.get(), streams_.get(), logs_.get()});
    router_->SetCommitter(*committer_);
    committer_->Wake();
    Turn();
  }
  void Turn() {
    for (int turns = 0; committer_->RunTurn() && turns < 100'000; ++turns) {
    }
  }
  // Time passes, as it does for the commit thread: it looks when something is due.
  void Pass(int64_t ms, int64_t step = 100) {
    for (int64_t passed = 0; passed < ms; passed += step) {
      clock_.Advance(step);
      Turn();
    }
  }
  // Queues an entry; its nid stands in nids_ after the turn.
  void Add(const std::string& user, int64_t due_ms) {
    EXPECT_TRUE(
        committer_
            ->Submit([this, user, at = std::to_string(due_ms), due_ms](storage::Batch&) {
              const std::vector<streams::FieldView> fields = {{"user_id", user}, {"message", "m"}, {"deliver_at", at}};
              auto added = streams_->Append(kDefaultStream, fields);
              ASSERT_TRUE(added.ok());
              nids_.push_back(NidOf(kDefaultStream, **added));
              due_[nids_.back()] = due_ms;
            })
            .ok());
  }
  bool Cancel(const std::string& nid) {
    bool cancelled = false;
    EXPECT_TRUE(committer_
                    ->Submit([&](storage::Batch& batch) {
                      auto was = schedule_->Cancel(nid, batch);
                      ASSERT_TRUE(was.ok());
                      cancelled = *was;
                    })
                    .ok());
    Turn();
    return cancelled;
  }
  void OnCommitted(std::vector<logs::LogUpdate> updates) override {
    for (const logs::LogUpdate& update : updates) {
      for (const logs::LogEntryPtr& entry : update.entries) delivered_[entry->nid].push_back(clock_.NowMs());
    }
  }
  std::vector<std::string> Nids(std::string_view user) {
    std::vector<std::string> nids;
    auto piece = logs::LogReader(*store_).Read(user, {}, 1'000'000, SIZE_MAX, storage::Tier::kDisk);
    EXPECT_TRUE(piece.ok());
    for (const logs::LogLine& line : piece->lines) nids.push_back(line.entry->nid);
    return nids;
  }
  size_t Pending() { return schedule_->List({}, 1'000'000)->lines.size(); }

  storage::TempDir dir_{storage::TempDir::Where::kMemory};
  base::ManualClock clock_{kStart};
  storage::FailingWrites faults_;
  std::unique_ptr<storage::Store> store_;
  std::unique_ptr<streams::StreamEngine> streams_;
  std::unique_ptr<logs::UserLogs> logs_;
  std::unique_ptr<Delivery> delivery_;
  std::unique_ptr<Schedule> schedule_;
  std::unique_ptr<Router> router_;
  std::unique_ptr<storage::Committer> committer_;
  std::vector<std::string> nids_;
  std::map<std::string, int64_t> due_;
  std::map<std::string, std::vector<int64_t>> delivered_;
};

TEST_F(ScheduleTest, FiresAtItsTimeAcrossARestart) {
  Add("a", kStart + 60'000);
  Add("a", kStart + 30'000);
  Add("a", kStart - 10'000);  // at once
  Turn();
  EXPECT_EQ(Nids("a"), std::vector<std::string>{nids_[2]});
  EXPECT_EQ(Pending(), 2u);
  Pass(29'900);
  EXPECT_EQ(Nids("a").size(), 1u);
  Open();
  EXPECT_EQ(*schedule_->Find(nids_[1])->value().due_ms, kStart + 30'000);
  Pass(100);
  EXPECT_EQ(Nids("a"), (std::vector<std::string>{nids_[2], nids_[1]}));
  Pass(60'000);
  EXPECT_EQ(Nids("a"), (std::vector<std::string>{nids_[2], nids_[1], nids_[0]}));
  EXPECT_EQ(Pending(), 0u);
  EXPECT_FALSE(schedule_->Find(nids_[1])->has_value());
}

TEST_F(ScheduleTest, ACancelledOneNeverFires) {
  Add("a", kStart + 1'000);
  Add("a", kStart + 1'000);
  Turn();
  EXPECT_TRUE(Cancel(nids_[0]));
  EXPECT_FALSE(Cancel(nids_[0]));
  EXPECT_FALSE(Cancel("nonsense"));
  Pass(2'000);
  EXPECT_EQ(Nids("a"), std::vector<std::string>{nids_[1]});
  EXPECT_FALSE(Cancel(nids_[1]));
}

// Held back for some users (quiet hours), beside what all of them wait for.
TEST_F(ScheduleTest, WhatIsHeldForOneUserIsListedCancelledAndDelivered) {
  const auto hold = [&](const std::string& nid, const std::string& user, int64_t until_ms) {
    EXPECT_TRUE(committer_
                    ->Submit([&, nid, user, until_ms](storage::Batch& batch) {
                      model::Notification one;
                      one.users = {"a", "b", "c"};
                      one.message = "m";
                      EXPECT_TRUE(schedule_->Hold(nid, user, one, until_ms, batch).ok());
                    })
                    .ok());
    Turn();
  };
  const std::string nid = std::to_string(kStart) + "-1", like_it = nid + "0";
  hold(nid, "a", kStart + 1'000);
  hold(nid, "a", kStart + 10);  // again: it is held already
  hold(nid, "b", kStart + 2'000);
  hold(like_it, "c", kStart + 2'000);
  Open();
  const auto state = schedule_->Find(nid);
  ASSERT_TRUE(state.ok() && state->has_value());
  EXPECT_FALSE((*state)->due_ms.has_value());
  using Held = std::vector<std::pair<std::string, int64_t>>;
  EXPECT_EQ((*state)->held, (Held{{"a", kStart + 1'000}, {"b", kStart + 2'000}}));
  auto page = schedule_->List({}, 2);
  ASSERT_EQ(page->lines.size(), 2u);
  EXPECT_TRUE(page->more);
  EXPECT_EQ(page->lines[1].place.user, "b");
  EXPECT_EQ(page->lines[1].users, 1u);
  page = schedule_->List(page->lines[1].place, 2);
  ASSERT_EQ(page->lines.size(), 1u);
  EXPECT_EQ(page->lines[0].place.user, "c");

  Pass(1'500);
  EXPECT_EQ(Nids("a"), std::vector<std::string>{nid});
  EXPECT_TRUE(Cancel(nid));
  EXPECT_FALSE(Cancel(nid));
  Pass(1'000);
  EXPECT_EQ(Nids("a").size() + Nids("b").size(), 1u);
  EXPECT_EQ(Nids("c"), std::vector<std::string>{like_it}) << "another one, whose nid begins so";
}

TEST_F(ScheduleTest, ItIsKnownOfACancelledOneForADay) {
  Add("a", kStart + 1'000);
  Turn();
  EXPECT_TRUE(Cancel(nids_[0]));
  Pass(Schedule::kKnowCancelledMs - 3'600'000, 3'600'000);
  Open();
  auto state = schedule_->Find(nids_[0]);
  ASSERT_TRUE(state->has_value());
  EXPECT_TRUE((*state)->cancelled);
  EXPECT_FALSE((*state)->due_ms.has_value());
  EXPECT_FALSE((*state)->fields.empty());
  Pass(3'600'000, 600'000);
  EXPECT_FALSE(schedule_->Find(nids_[0])->has_value());
}

TEST_F(ScheduleTest, PagesAreInTheOrderOfTime) {
  for (int i = 0; i < 250; ++i) Add("a", kStart + 10'000 + i % 3);
  Turn();
  std::vector<std::string> listed;
  SchedulePlace after;
  for (bool more = true; more;) {
    auto page = schedule_->List(after, 7);
    ASSERT_TRUE(page.ok() && !page->lines.empty());
    for (const auto& line : page->lines) listed.push_back(NidOf(line.place.stream, line.place.id));
    after = page->lines.back().place;
    more = page->more;
  }
  std::vector<std::string> wanted = nids_;
  std::stable_sort(wanted.begin(), wanted.end(), [&](const auto& a, const auto& b) { return due_[a] < due_[b]; });
  EXPECT_EQ(listed, wanted);
  Pass(11'000);
  EXPECT_EQ(Nids("a"), wanted);
}

TEST_F(ScheduleTest, AClockThatIsSetBackLosesNone) {
  Add("a", kStart + 5'000);
  Turn();
  Pass(6'000);
  EXPECT_EQ(Nids("a").size(), 1u);
  clock_.Set(kStart - 3'600'000);
  Open();
  Add("a", kStart - 3'500'000);  // its entry keeps the stream's last time, so this is long past: a dead letter
  Add("a", kStart + 10'000);
  Turn();
  Pass(1'000);
  EXPECT_EQ(Nids("a").size(), 1u);
  clock_.Set(kStart + 10'000);
  Pass(1'000);
  EXPECT_EQ(Nids("a"), (std::vector<std::string>{nids_[0], nids_[2]}));
}

TEST_F(ScheduleTest, AFailedTurnFiresWithALaterOne) {
  for (int i = 0; i < 3'000; ++i) Add("u" + std::to_string(i % 7), kStart + 1'000);
  Turn();
  faults_.fail = true;
  Pass(2'000, 500);
  EXPECT_TRUE(delivered_.empty());
  faults_.fail = false;
  Pass(2'000, 500);
  EXPECT_EQ(delivered_.size(), 3'000u);
  EXPECT_EQ(Pending(), 0u);
}

}  // namespace
}  // namespace tocsin::notifier
