// Timers as the commit thread drives them: real store, time by hand, an action that notes what it was told.
#include "notifier/timers.h"

#include <gtest/gtest.h>

#include "storage/failing_writes.h"
#include "storage/temp_dir.h"

namespace tocsin::notifier {
namespace {

constexpr int64_t kStart = 1'700'000'000'000;

class TimersTest : public testing::Test, public TimerAction {
 protected:
  TimersTest() { Open(); }

  void Open() {
    committer_.reset();
    timers_.reset();
    others_.reset();
    store_.reset();
    auto opened = storage::OpenStore({.dir = dir_.path(), .min_free_bytes = 0, .faults = &faults_});
    CHECK_MSG(opened.ok(), opened.status().message());
    store_ = std::move(*opened);
    timers_ = std::make_unique<Timers>(*store_, clock_, TimerKind::kExpire, *this);
    others_ = std::make_unique<Timers>(*store_, clock_, TimerKind::kDigest, *this);
    committer_ = std::make_unique<storage::Committer>(*store_, clock_,
                                                      std::vector<storage::Participant*>{timers_.get(), others_.get()});
    committer_->Wake();
    Turn();
  }
  void Turn() {
    for (int turns = 0; committer_->RunTurn() && turns < 10'000; ++turns) {
    }
  }
  void Pass(int64_t ms) {
    clock_.Advance(ms);
    Turn();
  }
  template <typename T>
  T Do(const std::function<base::Result<T>(storage::Batch&)>& stage) {
    T got{};
    EXPECT_TRUE(committer_
                    ->Submit([&](storage::Batch& batch) {
                      auto result = stage(batch);
                      ASSERT_TRUE(result.ok()) << result.status().ToString();
                      got = *result;
                    })
                    .ok());
    Turn();
    return got;
  }
  bool Put(Timers& timers, const std::string& name, int64_t due_ms, const std::string& payload = {}) {
    return Do<bool>(
        [&](storage::Batch& batch) { return timers.Put({.name = name, .due_ms = due_ms, .payload = payload}, batch); });
  }
  base::Status OnDue(const Timer& timer, uint64_t number, storage::Batch& batch) override {
    done_.push_back(timer.name + timer.payload);
    EXPECT_GE(clock_.NowMs(), timer.due_ms) << timer.name;
    EXPECT_GE(number, static_cast<uint64_t>(timer.due_ms) * 1'000);
    if (timer.payload != "again") return base::Ok();
    auto put = timers_->Put({.name = timer.name, .due_ms = clock_.NowMs() + 10, .payload = "once more"}, batch);
    EXPECT_TRUE(put.ok() && *put);
    return put.status();
  }
  using Names = std::vector<std::string>;

  storage::TempDir dir_{storage::TempDir::Where::kMemory};
  base::ManualClock clock_{kStart};
  storage::FailingWrites faults_;
  std::unique_ptr<storage::Store> store_;
  std::unique_ptr<Timers> timers_, others_;
  std::unique_ptr<storage::Committer> committer_;
  Names done_;
};

TEST_F(TimersTest, IsPutOnceAndDoneOnce) {
  EXPECT_TRUE(Put(*timers_, "a", kStart + 1'000, "1"));
  EXPECT_FALSE(Put(*timers_, "a", kStart + 10, "2")) << "there is one";
  EXPECT_TRUE(Put(*others_, "a", kStart + 500, "other")) << "of another kind";
  Pass(400);
  EXPECT_EQ(done_, Names{});
  Open();
  EXPECT_FALSE(Put(*timers_, "a", kStart + 10, "3"));
  Pass(200);
  EXPECT_EQ(done_, Names{"aother"});
  Pass(400);
  EXPECT_EQ(done_, (Names{"aother", "a1"}));
  Pass(10'000);
  Open();
  EXPECT_EQ(done_.size(), 2u);
  EXPECT_TRUE(Put(*timers_, "a", kStart, "4")) << "that one is done";
  Pass(1);
  EXPECT_EQ(done_.back(), "a4");
}

TEST_F(TimersTest, WhatIsRemovedIsNeverDone) {
  for (const char* name : {"n", "n1", "n\1", "m"}) Put(*timers_, name, kStart + 100);
  EXPECT_TRUE(Do<bool>([&](storage::Batch& batch) { return timers_->Remove("m", batch); }));
  EXPECT_FALSE(Do<bool>([&](storage::Batch& batch) { return timers_->Remove("m", batch); }));
  EXPECT_EQ(timers_->FindAll("n", 10)->size(), 3u);
  EXPECT_EQ(Do<size_t>([&](storage::Batch& batch) -> base::Result<size_t> {
              // Also what this turn has put.
              auto put = timers_->Put({.name = "n2", .due_ms = kStart + 100}, batch);
              EXPECT_TRUE(put.ok());
              return timers_->RemoveAll("n1", batch);
            }),
            1u);
  Pass(200);
  EXPECT_EQ(done_, (Names{"n", "n\1", "n2"}));
  EXPECT_EQ(timers_->pending(), 0u);
}

TEST_F(TimersTest, TheActionMayPutOneOfTheSameName) {
  Put(*timers_, "a", kStart + 100, "again");
  Pass(100);
  EXPECT_EQ(done_, Names{"aagain"});
  Pass(9);
  EXPECT_EQ(done_.size(), 1u);
  Pass(1);
  EXPECT_EQ(done_, (Names{"aagain", "aonce more"}));
  EXPECT_EQ(timers_->pending(), 0u);
}

TEST_F(TimersTest, AFailedTurnHasDoneNothing) {
  Put(*timers_, "a", kStart + 100);
  faults_.fail = true;
  Pass(200);
  EXPECT_FALSE(done_.empty()) << "it was tried";
  EXPECT_TRUE(timers_->Find("a")->has_value());
  faults_.fail = false;
  Pass(1'000);
  EXPECT_FALSE(timers_->Find("a")->has_value());
  EXPECT_EQ(done_.back(), "a");
}

}  // namespace
}  // namespace tocsin::notifier
