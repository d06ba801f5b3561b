// Idempotency on the commit thread: repeats of one turn and of later ones, other bodies, failures, crashes, expiry.
#include "notifier/idempotency.h"

#include <gtest/gtest.h>

#include "model/limits.h"
#include "notifier/embedded_publisher.h"
#include "notifier/upkeep_fixture.h"
#include "storage/failing_writes.h"
#include "storage/temp_dir.h"

namespace tocsin::notifier {
namespace {

using base::Code;
using Nids = std::vector<std::string>;

class IdempotencyTest : public testing::Test {
 protected:
  IdempotencyTest() { Open(); }

  void Open() {
    committer_.reset();
    publisher_.reset();
    idempotency_.reset();
    streams_.reset();
    store_.reset();
    auto store = storage::OpenStore({.dir = dir_.path(), .min_free_bytes = 0, .faults = &faults_});
    CHECK_MSG(store.ok(), store.status().message());
    store_ = std::move(*store);
    streams_ = std::make_unique<streams::StreamEngine>(*store_, clock_);
    idempotency_ = std::make_unique<Idempotency>(*store_, clock_);
    committer_ = std::make_unique<storage::Committer>(
        *store_, clock_, std::vector<storage::Participant*>{streams_.get(), idempotency_.get()});
    user_logs_ = std::make_unique<logs::UserLogs>(*store_, clock_,
                                                  logs::UserLogsOptions{.max_entries = 100, .id_floor = {}}, nullptr);
    delivery_ = std::make_unique<Delivery>(*store_, clock_, *user_logs_);
    schedule_ = std::make_unique<Schedule>(*store_, clock_, *delivery_);
    publisher_ = std::make_unique<EmbeddedPublisher>(*store_, *committer_, *streams_, *idempotency_, *schedule_,
                                                     std::vector<std::string>{"s"});
  }

  // Waits in the queue until Turn().
  void Ask(std::string_view producer, std::string_view key, std::string_view body = "b", size_t entries = 1) {
    std::vector<model::StreamFields> fields(entries, {{"user_id", "u"}, {"message", std::string(body)}});
    publisher_->Publish({std::move(fields), {std::string(producer), std::string(key), std::string(body)}},
                        [this](const base::Result<Nids>& nids) { answers_.push_back(nids); });
  }
  std::vector<base::Result<Nids>> Turn() {
    while (committer_->RunTurn()) {
    }
    return std::exchange(answers_, {});
  }
  uint64_t entries() { return streams_->Length("s").value(); }
  size_t rows() {
    size_t count = 0;
    auto all = store_->Iterate(storage::Family::kMeta, "idem/", "idem0");
    for (all->SeekToFirst(); all->Valid(); all->Next()) ++count;
    return count;
  }

  storage::TempDir dir_{storage::TempDir::Where::kMemory};
  base::ManualClock clock_{1'700'000'000'000};
  storage::FailingWrites faults_;
  std::unique_ptr<storage::Store> store_;
  std::unique_ptr<streams::StreamEngine> streams_;
  std::unique_ptr<Idempotency> idempotency_;
  std::unique_ptr<storage::Committer> committer_;
  std::unique_ptr<logs::UserLogs> user_logs_;
  std::unique_ptr<Delivery> delivery_;
  std::unique_ptr<Schedule> schedule_;
  std::unique_ptr<EmbeddedPublisher> publisher_;
  std::vector<base::Result<Nids>> answers_;
};

TEST_F(IdempotencyTest, ARepeatIsAnsweredAsTheFirstOneWas) {
  for (int i = 0; i < 100; ++i) Ask("shop", "order-7", "b", 3);  // in one turn
  const auto at_once = Turn();
  ASSERT_EQ(at_once.size(), 100u);
  for (const auto& nids : at_once) EXPECT_EQ(*nids, *at_once.front());
  EXPECT_EQ(at_once.front()->size(), 3u);
  EXPECT_EQ(entries(), 3u);
  Ask("shop", "order-7", "b", 3);
  EXPECT_EQ(*Turn()[0], *at_once.front());
  Open();  // as after a crash
  Ask("shop", "order-7", "b", 3);
  EXPECT_EQ(*Turn()[0], *at_once.front());
  EXPECT_EQ(entries(), 3u);
}

TEST_F(IdempotencyTest, OtherKeysAndProducersAreOthers) {
  Ask("shop", "1");
  Ask("shop", "2");
  Ask("sho", "p1");  // joined without lengths it would be the first
  Ask("blog", "1");
  Turn();
  EXPECT_EQ(entries(), 4u);
  Ask("shop", "");
  Ask("shop", "");
  Turn();
  EXPECT_EQ(entries(), 6u) << "without a key nothing is remembered";
}

TEST_F(IdempotencyTest, AnotherBodyIsAConflict) {
  Ask("shop", "1", "b");
  Ask("shop", "1", "c");
  auto answers = Turn();
  EXPECT_TRUE(answers[0].ok());
  EXPECT_EQ(answers[1].status().code(), Code::kConflict);
  Ask("shop", "1", "d");
  EXPECT_EQ(Turn()[0].status().code(), Code::kConflict);
  EXPECT_EQ(entries(), 1u);
}

TEST_F(IdempotencyTest, AFailedTurnRemembersNothing) {
  faults_.fail = true;
  Ask("shop", "1");
  EXPECT_EQ(Turn()[0].status().code(), Code::kNoSpace);
  faults_.fail = false;
  clock_.Advance(1'000);
  Ask("shop", "1");
  EXPECT_TRUE(Turn()[0].ok());
  EXPECT_EQ(entries(), 1u);
}

TEST_F(IdempotencyTest, AKeyIsForgottenAfterItsTime) {
  Ask("shop", "1");
  const Nids first = *Turn()[0];
  clock_.Advance(model::kIdempotencyMs - 1);
  Ask("shop", "1");
  EXPECT_EQ(*Turn()[0], first);
  clock_.Advance(1);
  Ask("shop", "1", "another body");
  EXPECT_NE(*Turn()[0], first);
  EXPECT_EQ(entries(), 2u);
  clock_.Advance(Idempotency::kSweepEveryMs);
  Ask("shop", "");
  Turn();
  EXPECT_EQ(rows(), 2u) << "the sweep of the old one spares the row that came anew";
  clock_.Advance(model::kIdempotencyMs + Idempotency::kSweepEveryMs);
  Ask("shop", "");
  Turn();
  EXPECT_EQ(rows(), 0u);
}

}  // namespace
}  // namespace tocsin::notifier
