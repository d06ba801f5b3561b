#include "storage/committer.h"

#include <atomic>
#include <condition_variable>
#include <set>

#include <gtest/gtest.h>

#include "model/limits.h"
#include "storage/temp_dir.h"

namespace tocsin::storage {
namespace {

using base::Code;
using base::Ok;
using base::Status;

// What a Committer sees of a store: how much was written, how much of it is synced, and failures on demand.
class FakeStore final : public Store {
 public:
  Status Write(Batch& batch, Sync sync) override {
    calls.push_back(sync);
    if (before_sync) before_sync();
    if (!failure.ok()) return failure;
    written += batch.changes();
    if (sync == Sync::kNow) synced = written;
    return Ok();
  }
  Status SyncNow() override {
    Batch nothing;
    return Write(nothing, Sync::kNow);
  }
  base::Result<std::optional<std::string>> Get(Family, std::string_view, Tier) const override {
    return std::optional<std::string>();
  }
  std::unique_ptr<Iterator> Iterate(Family, std::string_view, std::string_view, Tier) const override { return nullptr; }
  uint64_t commit_number() const override { return calls.size(); }
  const std::string& epoch() const override { return epoch_; }
  Status health() const override { return failure; }

  std::vector<Sync> calls;
  size_t written = 0, synced = 0;
  Status failure;
  std::function<void()> before_sync;

 private:
  std::string epoch_ = "epoch";
};

// Stages one key and notes how it ended.
class Put final : public Change {
 public:
  enum class Kind { kNow, kLazy, kNothing };
  Put(std::string name, std::vector<std::string>& trail, Kind kind = Kind::kNow)
      : name_(std::move(name)), trail_(trail), kind_(kind) {}
  void Stage(Batch& batch) override {
    trail_.push_back("stage " + name_);
    if (kind_ != Kind::kNothing) batch.Put(Family::kLogs, name_, value);
  }
  void Done(const Status& status) override { trail_.push_back(name_ + ": " + std::string(CodeName(status.code()))); }
  bool lazy() const override { return kind_ == Kind::kLazy; }
  size_t bytes() const override { return value.size(); }

  std::string value = "v";

 private:
  std::string name_;
  std::vector<std::string>& trail_;
  Kind kind_;
};

class Engine final : public Participant {
 public:
  Engine(std::string name, std::vector<std::string>& trail) : name_(std::move(name)), trail_(trail) {}
  Status BeforeCommit(Batch& batch) override {
    trail_.push_back(name_ + " before");
    for (; staging > 0; --staging) batch.Put(Family::kHeads, name_, "v");
    return failure;
  }
  void AfterCommit(const Status& status) override {
    trail_.push_back(name_ + " after " + std::string(CodeName(status.code())));
    if (committer != nullptr) committer->Wake();
  }
  bool lazy() const override { return is_lazy; }
  int64_t NextTurnUs() const override { return next_turn_us; }

  int64_t next_turn_us = kNoTurn;
  int staging = 0;
  Status failure;
  bool is_lazy = false;
  Committer* committer = nullptr;

 private:
  std::string name_;
  std::vector<std::string>& trail_;
};

using Trail = std::vector<std::string>;

class CommitterTest : public testing::Test {
 protected:
  std::unique_ptr<Put> MakePut(const std::string& name, Put::Kind kind = Put::Kind::kNow) {
    return std::make_unique<Put>(name, trail_, kind);
  }
  Trail TakeTrail() { return std::exchange(trail_, {}); }

  Trail trail_;
  FakeStore store_;
  base::ManualClock clock_;
};

TEST_F(CommitterTest, ATurnRunsInTheOrderOfItsPicture) {
  Engine streams("streams", trail_), logs("logs", trail_);
  Committer committer(store_, clock_, {&streams, &logs});
  ASSERT_TRUE(committer.Submit(MakePut("a")).ok());
  ASSERT_TRUE(committer.Submit(MakePut("b")).ok());
  EXPECT_EQ(committer.queued(), 2u);
  EXPECT_TRUE(committer.RunTurn());
  EXPECT_EQ(trail_, (Trail{"stage a", "stage b", "streams before", "logs before", "streams after ok", "logs after ok",
                           "a: ok", "b: ok"}));
  EXPECT_EQ(store_.calls, std::vector<Sync>{Sync::kNow});
  EXPECT_FALSE(committer.RunTurn());
  EXPECT_EQ(committer.stats().turns, 1u);
  EXPECT_EQ(committer.stats().changes, 2u);
  EXPECT_EQ(committer.stats().syncs, 1u);
}

TEST_F(CommitterTest, AFailedTurnFailsWhole) {
  Engine logs("logs", trail_);
  Committer committer(store_, clock_, {&logs});
  store_.failure = Status(Code::kNoSpace, "full");
  ASSERT_TRUE(committer.Submit(MakePut("a")).ok());
  ASSERT_TRUE(committer.Submit(MakePut("b", Put::Kind::kLazy)).ok());
  committer.RunTurn();
  EXPECT_EQ(trail_, (Trail{"stage a", "stage b", "logs before", "logs after no space", "a: no space", "b: no space"}));
  EXPECT_EQ(committer.stats().failed_turns, 1u);
  TakeTrail();
  store_.failure = Ok();
  ASSERT_TRUE(committer.Submit(MakePut("c")).ok());
  committer.RunTurn();
  EXPECT_EQ(trail_.back(), "c: ok");
}

TEST_F(CommitterTest, AParticipantCanFailTheTurn) {
  Engine logs("logs", trail_), router("router", trail_);
  Committer committer(store_, clock_, {&logs, &router});
  router.failure = Status(Code::kCorruption, "cannot read");
  ASSERT_TRUE(committer.Submit(MakePut("a")).ok());
  committer.RunTurn();
  EXPECT_TRUE(store_.calls.empty());
  EXPECT_EQ(trail_, (Trail{"stage a", "logs before", "router before", "logs after corruption",
                           "router after corruption", "a: corruption"}));
}

TEST_F(CommitterTest, LazyChangesAreSyncedWithinTheirTime) {
  Committer committer(store_, clock_, {});
  ASSERT_TRUE(committer.Submit(MakePut("a", Put::Kind::kLazy)).ok());
  EXPECT_TRUE(committer.RunTurn());
  EXPECT_EQ(store_.calls, std::vector<Sync>{Sync::kLater});
  EXPECT_EQ(trail_.back(), "a: ok");
  clock_.Advance(model::kLazySyncMs - 1);
  EXPECT_FALSE(committer.RunTurn());
  clock_.Advance(1);
  EXPECT_TRUE(committer.RunTurn());
  EXPECT_EQ(store_.synced, store_.written);
  clock_.Advance(10 * model::kLazySyncMs);
  EXPECT_FALSE(committer.RunTurn());  // nothing is unsynced
}

TEST_F(CommitterTest, ANormalChangeSyncsTheLazyOnesBeforeIt) {
  Committer committer(store_, clock_, {});
  ASSERT_TRUE(committer.Submit(MakePut("a", Put::Kind::kLazy)).ok());
  committer.RunTurn();
  ASSERT_TRUE(committer.Submit(MakePut("b", Put::Kind::kLazy)).ok());
  ASSERT_TRUE(committer.Submit(MakePut("c")).ok());
  committer.RunTurn();
  EXPECT_EQ(store_.calls, (std::vector<Sync>{Sync::kLater, Sync::kNow}));
  clock_.Advance(10 * model::kLazySyncMs);
  EXPECT_FALSE(committer.RunTurn());
}

// A repeated publish stages nothing: its answer rests on what stands there, which must be synced.
TEST_F(CommitterTest, AnAnswerThatStagesNothingWaitsForWhatIsUnsynced) {
  Committer committer(store_, clock_, {});
  ASSERT_TRUE(committer.Submit(MakePut("a", Put::Kind::kNothing)).ok());
  committer.RunTurn();
  EXPECT_TRUE(store_.calls.empty());  // all is synced: no fsync for nothing
  ASSERT_TRUE(committer.Submit(MakePut("b", Put::Kind::kLazy)).ok());
  committer.RunTurn();
  ASSERT_TRUE(committer.Submit(MakePut("c", Put::Kind::kNothing)).ok());
  committer.RunTurn();
  EXPECT_EQ(store_.synced, store_.written);
  EXPECT_EQ(trail_.back(), "c: ok");
}

TEST_F(CommitterTest, NothingIsConfirmedByABrokenStoreEvenIfNothingIsStaged) {
  Committer committer(store_, clock_, {});
  store_.failure = Status(Code::kUnavailable, "a sync failed");
  ASSERT_TRUE(committer.Submit(MakePut("a", Put::Kind::kNothing)).ok());
  committer.RunTurn();
  EXPECT_EQ(trail_.back(), "a: unavailable");
  store_.failure = Status(Code::kNoSpace, "full");  // a full disk can still say what it knows
  ASSERT_TRUE(committer.Submit(MakePut("b", Put::Kind::kNothing)).ok());
  committer.RunTurn();
  EXPECT_EQ(trail_.back(), "b: ok");
}

TEST_F(CommitterTest, WhatAParticipantStagesMakesALazyTurnSyncUnlessItIsLazyToo) {
  Engine engine("engine", trail_);
  Committer committer(store_, clock_, {&engine});
  engine.staging = 1;
  ASSERT_TRUE(committer.Submit(MakePut("a", Put::Kind::kLazy)).ok());
  committer.RunTurn();
  engine.staging = 1;
  engine.is_lazy = true;
  ASSERT_TRUE(committer.Submit(MakePut("b", Put::Kind::kLazy)).ok());
  committer.RunTurn();
  EXPECT_EQ(store_.calls, (std::vector<Sync>{Sync::kNow, Sync::kLater}));
}

TEST_F(CommitterTest, WakeGivesATurnWithoutChanges) {
  Engine engine("engine", trail_);
  Committer committer(store_, clock_, {&engine});
  EXPECT_FALSE(committer.RunTurn());
  committer.Wake();
  committer.Wake();
  engine.staging = 2;
  EXPECT_TRUE(committer.RunTurn());
  EXPECT_EQ(store_.written, 2u);
  EXPECT_FALSE(committer.RunTurn());
}

TEST_F(CommitterTest, TimeGivesATurnToTheParticipantThatWantsItFirst) {
  Engine soon("soon", trail_), late("late", trail_);
  Committer committer(store_, clock_, {&late, &soon});
  soon.next_turn_us = clock_.MonotonicUs() + 1'000;
  late.next_turn_us = clock_.MonotonicUs() + 5'000;
  committer.Wake();
  EXPECT_TRUE(committer.RunTurn());
  EXPECT_FALSE(committer.RunTurn());
  ASSERT_TRUE(committer.Submit(MakePut("a")).ok());
  EXPECT_TRUE(committer.RunTurn());  // comes before: nobody's wish is lost
  EXPECT_FALSE(committer.RunTurn());
  clock_.Advance(1);
  soon.next_turn_us = Participant::kNoTurn;
  EXPECT_TRUE(committer.RunTurn());
  clock_.Advance(3);
  EXPECT_FALSE(committer.RunTurn());
  clock_.Advance(1);
  EXPECT_TRUE(committer.RunTurn());
}

TEST_F(CommitterTest, AParticipantThatWantsMoreAfterAFailureIsAskedLater) {
  Engine engine("engine", trail_);
  Committer committer(store_, clock_, {&engine});
  engine.committer = &committer;
  engine.staging = 1;
  store_.failure = Status(Code::kNoSpace, "full");
  committer.Wake();
  EXPECT_TRUE(committer.RunTurn());
  EXPECT_FALSE(committer.RunTurn());  // it has asked again, but not at once
  clock_.Advance(100);
  EXPECT_TRUE(committer.RunTurn());
  ASSERT_TRUE(committer.Submit(MakePut("a")).ok());
  EXPECT_TRUE(committer.RunTurn());  // a client's change does not wait
}

TEST_F(CommitterTest, ATurnTakesNoMoreThanItsLimitAndKeepsTheOrder) {
  Committer committer(store_, clock_, {});
  const size_t count = model::kMaxTurnChanges + 10;
  for (size_t i = 0; i < count; ++i) ASSERT_TRUE(committer.Submit(MakePut(std::to_string(i))).ok());
  EXPECT_TRUE(committer.RunTurn());
  EXPECT_EQ(store_.written, model::kMaxTurnChanges);
  EXPECT_EQ(committer.queued(), 10u);
  EXPECT_TRUE(committer.RunTurn());
  EXPECT_EQ(store_.written, count);
  EXPECT_FALSE(committer.RunTurn());
}

TEST_F(CommitterTest, ATurnIsClosedWhenItsBytesAreFull) {
  Committer committer(store_, clock_, {});
  for (int i = 0; i < 12; ++i) {
    auto put = MakePut("c" + std::to_string(i));
    put->value.assign(1 << 20, 'x');
    ASSERT_TRUE(committer.Submit(std::move(put)).ok());
  }
  EXPECT_TRUE(committer.RunTurn());
  EXPECT_EQ(store_.written, model::kMaxTurnBytes >> 20);
  ASSERT_TRUE(committer.Submit(MakePut("last")).ok());
  EXPECT_TRUE(committer.RunTurn());
  Trail done;
  for (const std::string& line : trail_) {
    if (line.ends_with(": ok")) done.push_back(line);
  }
  ASSERT_EQ(done.size(), 13u);
  for (int i = 0; i < 12; ++i) EXPECT_EQ(done[static_cast<size_t>(i)], "c" + std::to_string(i) + ": ok");
  EXPECT_EQ(done[12], "last: ok");
}

TEST_F(CommitterTest, AFullQueueTurnsChangesAway) {
  Committer committer(store_, clock_, {});
  for (size_t i = 0; i < model::kMaxQueuedChanges; ++i) ASSERT_TRUE(committer.Submit(MakePut("x")).ok());
  EXPECT_EQ(committer.Submit(MakePut("y")).code(), Code::kUnavailable);
  committer.RunTurn();
  EXPECT_TRUE(committer.Submit(MakePut("y")).ok());
}

TEST_F(CommitterTest, AQueueOfTooManyBytesTurnsChangesAway) {
  Committer committer(store_, clock_, {});
  auto big = [&] {
    auto put = MakePut("x");
    put->value.assign(16 << 20, 'x');
    return put;
  };
  for (size_t i = 0; i < model::kMaxQueuedBytes >> 24; ++i) ASSERT_TRUE(committer.Submit(big()).ok());
  EXPECT_EQ(committer.Submit(big()).code(), Code::kUnavailable);
  while (committer.queued() > 0) committer.RunTurn();
  EXPECT_TRUE(committer.Submit(big()).ok());
}

TEST_F(CommitterTest, ACommitThatTakesTooLongTurnsChangesAway) {
  Status during_short, during_long;
  Committer committer(store_, clock_, {});
  store_.before_sync = [&] {
    clock_.Advance(model::kMaxQueueMs);
    during_short = committer.Submit(MakePut("b"));
    clock_.Advance(1);
    during_long = committer.Submit(MakePut("c"));
  };
  ASSERT_TRUE(committer.Submit(MakePut("a")).ok());
  committer.RunTurn();
  EXPECT_TRUE(during_short.ok());
  EXPECT_EQ(during_long.code(), Code::kUnavailable);
  EXPECT_TRUE(committer.Submit(MakePut("d")).ok());
}

TEST_F(CommitterTest, StopCommitsWhatWaitsAndTakesNoMore) {
  Committer committer(store_, clock_, {});
  ASSERT_TRUE(committer.Submit(MakePut("a", Put::Kind::kLazy)).ok());
  committer.RunTurn();
  ASSERT_TRUE(committer.Submit(MakePut("b", Put::Kind::kLazy)).ok());
  committer.Stop();
  EXPECT_EQ(trail_.back(), "b: ok");
  EXPECT_EQ(store_.synced, 2u);
  EXPECT_EQ(committer.Submit(MakePut("c")).code(), Code::kCancelled);
}

TEST_F(CommitterTest, BeforeReplyIsReachedBetweenTheCommitAndTheAnswers) {
  class Points final : public FaultPoints {
   public:
    explicit Points(Trail& trail) : trail_(trail) {}
    Status Reach(std::string_view place) override {
      trail_.emplace_back(place);
      return Status(Code::kUnavailable, "test");
    }

   private:
    Trail& trail_;
  };
  Points points(trail_);
  Engine engine("engine", trail_);
  Committer committer(store_, clock_, {&engine}, &points);
  ASSERT_TRUE(committer.Submit(MakePut("a")).ok());
  committer.RunTurn();
  EXPECT_EQ(trail_, (Trail{"stage a", "engine before", "engine after ok", "before_reply", "a: unavailable"}));
}

// 64 clients, each with one change at a time. While one sync runs the others gather, so they share the next one.
TEST(CommitterThreadTest, ConcurrentClientsShareSyncs) {
  constexpr int kClients = 64, kRounds = 20;
  FakeStore store;
  std::atomic<int> under_way{0}, clients_left{kClients};
  store.before_sync = [&] {  // a slow sync: it ends when everybody who will come back has
    while (under_way.load() < clients_left.load()) std::this_thread::yield();
  };
  Committer committer(store, base::SystemClock(), {});
  committer.Start();

  class Counted final : public Change {
   public:
    Counted(std::function<void(const Status&)> done, std::string key) : done_(std::move(done)), key_(std::move(key)) {}
    void Stage(Batch& batch) override { batch.Put(Family::kLogs, key_, "v"); }
    void Done(const Status& status) override { done_(status); }

   private:
    std::function<void(const Status&)> done_;
    std::string key_;
  };

  std::atomic<int> acknowledged{0};
  std::vector<std::thread> clients;
  for (int c = 0; c < kClients; ++c) {
    clients.emplace_back([&, c] {
      std::mutex mutex;
      std::condition_variable changed;
      for (int round = 0; round < kRounds; ++round) {
        bool done = false;
        ++under_way;
        ASSERT_TRUE(committer
                        .Submit(std::make_unique<Counted>(
                            [&](const Status& status) {
                              --under_way;
                              if (status.ok()) ++acknowledged;
                              std::lock_guard lock(mutex);
                              done = true;
                              changed.notify_one();
                            },
                            std::to_string(c)))
                        .ok());
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return done; });
      }
      --clients_left;
    });
  }
  for (std::thread& client : clients) client.join();
  committer.Stop();
  EXPECT_EQ(acknowledged.load(), kClients * kRounds);
  const CommitterStats stats = committer.stats();
  EXPECT_EQ(stats.changes, static_cast<uint64_t>(kClients * kRounds));
  EXPECT_GE(stats.changes, 8 * stats.syncs) << stats.syncs << " syncs";
}

TEST(CommitterThreadTest, DoneComesInTheOrderOfEachSubmitter) {
  constexpr int kClients = 8, kChanges = 2'000;
  FakeStore store;
  std::vector<std::vector<int>> seen(kClients);

  class Ordered final : public Change {
   public:
    Ordered(std::vector<int>& seen, int number) : seen_(seen), number_(number) {}
    void Stage(Batch& batch) override { batch.Put(Family::kLogs, "k", "v"); }
    void Done(const Status&) override { seen_.push_back(number_); }
    bool lazy() const override { return number_ % 3 == 0; }

   private:
    std::vector<int>& seen_;
    int number_;
  };

  {
    Committer committer(store, base::SystemClock(), {});
    committer.Start();
    std::vector<std::thread> clients;
    for (int c = 0; c < kClients; ++c) {
      clients.emplace_back([&, c] {
        for (int i = 0; i < kChanges; ++i) {
          while (!committer.Submit(std::make_unique<Ordered>(seen[static_cast<size_t>(c)], i)).ok()) {
          }
          committer.Wake();
        }
      });
    }
    for (std::thread& client : clients) client.join();
  }  // the destructor stops and drains
  EXPECT_EQ(store.written, static_cast<size_t>(kClients * kChanges));
  EXPECT_EQ(store.synced, store.written);
  for (const std::vector<int>& numbers : seen) {
    ASSERT_EQ(numbers.size(), static_cast<size_t>(kChanges));
    for (int i = 0; i < kChanges; ++i) ASSERT_EQ(numbers[static_cast<size_t>(i)], i);
  }
}

TEST(CommitterThreadTest, TheThreadSyncsLazyChangesWithoutBeingAsked) {
  FakeStore store;
  std::mutex mutex;
  std::condition_variable synced;
  bool is_synced = false;
  store.before_sync = [&] {
    if (store.calls.back() != Sync::kNow) return;
    std::lock_guard lock(mutex);
    is_synced = true;
    synced.notify_one();
  };
  Trail trail;
  Committer committer(store, base::SystemClock(), {});
  committer.Start();
  ASSERT_TRUE(committer.Submit(std::make_unique<Put>("a", trail, Put::Kind::kLazy)).ok());
  std::unique_lock lock(mutex);
  synced.wait(lock, [&] { return is_synced; });
  lock.unlock();
  committer.Stop();
  EXPECT_EQ(store.calls, (std::vector<Sync>{Sync::kLater, Sync::kNow}));
}

}  // namespace
}  // namespace tocsin::storage
