// The router as the commit thread drives it: real store, real engine, real logs, turns by hand.
#include "notifier/router.h"

#include <gtest/gtest.h>

#include "logs/log_reader.h"
#include "notifier/rendered_item.h"
#include "storage/failing_writes.h"
#include "storage/temp_dir.h"
#include "wire/json.h"

namespace tocsin::notifier {
namespace {

using base::Ok;
using model::EntryId;
using streams::FieldView;

class RouterTest : public testing::Test {
 protected:
  RouterTest() { Open(); }

  void Open() {
    committer_.reset();
    router_.reset();
    schedule_.reset();
    delivery_.reset();
    logs_.reset();
    streams_.reset();
    store_.reset();
    auto opened = storage::OpenStore({.dir = dir_.path(), .min_free_bytes = 0, .faults = &faults_});
    ASSERT_TRUE(opened.ok()) << opened.status().ToString();
    store_ = std::move(*opened);
    streams_ = std::make_unique<streams::StreamEngine>(*store_, clock_);
    logs_ = std::make_unique<logs::UserLogs>(*store_, clock_,
                                             logs::UserLogsOptions{.max_entries = 100'000, .id_floor = {}}, nullptr);
    delivery_ = std::make_unique<Delivery>(*store_, clock_, *logs_);
    schedule_ = std::make_unique<Schedule>(*store_, clock_, *delivery_);
    router_ = std::make_unique<Router>(*streams_, *delivery_, *schedule_, clock_,
                                       std::vector<std::string>{std::string(kDefaultStream), "second"});
    committer_ = std::make_unique<storage::Committer>(
        *store_, clock_,
        std::vector<storage::Participant*>{router_.get(), schedule_.get(), streams_.get(), logs_.get()});
    router_->SetCommitter(*committer_);
    committer_->Wake();
    Turn();
  }

  void Turn() {
    while (committer_->RunTurn()) {
    }
  }

  // Appends in a turn of its own.
  EntryId Add(std::vector<FieldView> fields, std::string_view stream = kDefaultStream) {
    EntryId id;
    EXPECT_TRUE(committer_
                    ->Submit([&](storage::Batch&) {
                      auto added = streams_->Append(stream, fields);
                      ASSERT_TRUE(added.ok()) << added.status().ToString();
                      id = **added;
                    })
                    .ok());
    Turn();
    return id;
  }

  std::vector<std::string> Nids(std::string_view user) {
    std::vector<std::string> nids;
    logs::LogReader reader(*store_);
    auto piece = reader.Read(user, {}, 100'000, SIZE_MAX, storage::Tier::kDisk);
    EXPECT_TRUE(piece.ok());
    for (const logs::LogLine& line : piece->lines) nids.push_back(line.entry->nid);
    return nids;
  }

  // Appends so many in one turn, before anything is routed.
  void AddMany(size_t count, std::string_view stream, std::vector<FieldView> fields) {
    ASSERT_TRUE(committer_
                    ->Submit([this, count, stream, fields](storage::Batch&) {
                      for (size_t i = 0; i < count; ++i) ASSERT_TRUE(streams_->Append(stream, fields).ok());
                    })
                    .ok());
  }

  // Field `name` of every dead letter of the default stream.
  std::vector<std::string> Dead(std::string_view name) {
    std::vector<std::string> values;
    auto dead = streams_->Range(std::string(kDefaultStream) + ":dead", {}, EntryId::Max());
    EXPECT_TRUE(dead.ok());
    for (const streams::EntryView& entry : dead->list) values.emplace_back(entry.Find(name));
    return values;
  }

  storage::TempDir dir_;
  base::ManualClock clock_;
  storage::FailingWrites faults_;
  std::unique_ptr<storage::Store> store_;
  std::unique_ptr<streams::StreamEngine> streams_;
  std::unique_ptr<logs::UserLogs> logs_;
  std::unique_ptr<Delivery> delivery_;
  std::unique_ptr<Schedule> schedule_;
  std::unique_ptr<Router> router_;
  std::unique_ptr<storage::Committer> committer_;
};

TEST_F(RouterTest, AnEntryIsInEveryRecipientsLogInTheTurnThatAppendsIt) {
  const EntryId id = Add({{"user_ids", R"(["ann","bob"])"}, {"message", "hi"}, {"priority", "high"}});
  EXPECT_EQ(Nids("ann"), std::vector{id.ToString()});
  EXPECT_EQ(Nids("bob"), std::vector{id.ToString()});
  EXPECT_TRUE(Nids("eve").empty());
  EXPECT_EQ(committer_->stats().failed_turns, 0u);
}

TEST_F(RouterTest, AnotherStreamIsNamedInTheNid) {
  const EntryId id = Add({{"user_id", "ann"}, {"message", "hi"}}, "second");
  EXPECT_EQ(Nids("ann"), std::vector{id.ToString() + "@second"});
}

TEST_F(RouterTest, TheGroupHasNothingPendingAndStandsAtTheLastEntry) {
  const EntryId id = Add({{"user_id", "ann"}, {"message", "hi"}});
  auto groups = streams_->ReportGroups(kDefaultStream);
  ASSERT_TRUE(groups.ok());
  ASSERT_EQ(groups->size(), 1u);
  EXPECT_EQ(groups->front().name, kGroup);
  EXPECT_EQ(groups->front().pending, 0u);
  EXPECT_EQ(groups->front().last_id, id);
}

TEST_F(RouterTest, AMalformedEntryGoesToTheDeadLettersWithItsReasonAndItsFields) {
  const EntryId bad = Add({{"message", "to nobody"}, {"lang", "en"}});
  const EntryId good = Add({{"user_id", "ann"}, {"message", "hi"}});
  EXPECT_EQ(Nids("ann"), std::vector{good.ToString()}) << "what follows is not held up";
  EXPECT_EQ(Dead("tocsin_id"), std::vector{bad.ToString()});
  EXPECT_EQ(Dead("tocsin_stream"), std::vector{std::string(kDefaultStream)});
  EXPECT_EQ(Dead("message"), std::vector<std::string>{"to nobody"});
  ASSERT_EQ(Dead("tocsin_reason").size(), 1u);
  EXPECT_NE(Dead("tocsin_reason").front().find("user_id"), std::string::npos) << Dead("tocsin_reason").front();
}

TEST_F(RouterTest, AfterARestartItGoesOnWhereItStood) {
  const EntryId first = Add({{"user_id", "ann"}, {"message", "1"}});
  Open();
  const EntryId second = Add({{"user_id", "ann"}, {"message", "2"}});
  Open();
  EXPECT_EQ(Nids("ann"), (std::vector{first.ToString(), second.ToString()}));
}

TEST_F(RouterTest, AFailedTurnRoutesNothingAndTheNextOneRoutesOnce) {
  const EntryId first = Add({{"user_id", "ann"}, {"message", "1"}});
  faults_.fail = true;
  Add({{"user_id", "ann"}, {"message", "lost with its turn"}});
  EXPECT_EQ(Nids("ann"), std::vector{first.ToString()});
  faults_.fail = false;
  clock_.Advance(1'000);
  const EntryId second = Add({{"user_id", "ann"}, {"message", "2"}});
  EXPECT_EQ(Nids("ann"), (std::vector{first.ToString(), second.ToString()}));
}

TEST_F(RouterTest, ABacklogBeyondOneTurnIsRoutedByTheNextTurns) {
  constexpr size_t kEntries = 10'000;
  ASSERT_TRUE(committer_
                  ->Submit([&](storage::Batch&) {
                    const std::vector<FieldView> fields = {{"user_id", "ann"}, {"message", "x"}};
                    for (size_t i = 0; i < kEntries; ++i) ASSERT_TRUE(streams_->Append(kDefaultStream, fields).ok());
                  })
                  .ok());
  Turn();
  const std::vector<std::string> nids = Nids("ann");
  ASSERT_EQ(nids.size(), kEntries);
  for (size_t i = 1; i < nids.size(); ++i) {
    ASSERT_LT(EntryId::Parse(nids[i - 1]), EntryId::Parse(nids[i])) << "in the order of the stream";
  }
}

TEST_F(RouterTest, WhatSomebodyMadePendingInItsGroupIsTakenOverAndInTheLogsOnce) {
  const EntryId id = Add({{"user_id", "ann"}, {"message", "hi"}});
  auto claimed = streams_->Claim(kDefaultStream, kGroup, "curious", std::span(&id, 1), {.force = true});
  ASSERT_TRUE(claimed.ok());
  clock_.Advance(59'999);
  Add({{"user_id", "bob"}, {"message", "hi"}});
  EXPECT_EQ(streams_->PendingOf(kDefaultStream, kGroup)->count, 1u);
  clock_.Advance(1'001);
  Turn();
  EXPECT_EQ(streams_->PendingOf(kDefaultStream, kGroup)->count, 0u);
  EXPECT_EQ(Nids("ann"), std::vector{id.ToString()});
}

TEST_F(RouterTest, AllIsRoutedHoweverMuch) {
  const size_t many = 2 * model::kMaxTurnChanges + 10;
  storage::Batch batch;
  const FieldView fields[] = {{"user_id", "ann"}, {"message", "hi"}};
  for (size_t i = 0; i < many; ++i) ASSERT_TRUE(streams_->Append(kDefaultStream, fields).ok());
  ASSERT_TRUE(router_->RouteAll(batch).ok());
  EXPECT_EQ(batch.changes(), many);
  auto groups = streams_->ReportGroups(kDefaultStream);
  EXPECT_EQ(groups->front().last_id, *streams_->LastId(kDefaultStream));
}

TEST_F(RouterTest, WhatIsUrgentIsRoutedFirstAndOfOnePriorityInTheOrderOfTheStream) {
  AddMany(4'000, kDefaultStream, {{"user_id", "ann"}, {"message", "x"}, {"priority", "low"}});
  AddMany(2, kDefaultStream, {{"user_id", "ann"}, {"message", "!"}, {"priority", "critical"}});
  AddMany(1, kDefaultStream, {{"user_id", "ann"}, {"message", "?"}});
  ASSERT_TRUE(committer_->RunTurn());
  const std::vector<std::string> nids = Nids("ann");
  ASSERT_EQ(nids.size(), 4'003u) << "the window is one turn";
  auto stream = streams_->Range(kDefaultStream, {}, EntryId::Max());
  ASSERT_TRUE(stream.ok());
  std::vector<std::string> expected;
  for (size_t at : {4'000, 4'001, 4'002}) expected.push_back(stream->list[at].id().ToString());
  for (size_t at = 0; at < 4'000; ++at) expected.push_back(stream->list[at].id().ToString());
  EXPECT_EQ(nids, expected);
  EXPECT_EQ(streams_->ReportGroups(kDefaultStream)->front().last_id, stream->list.back().id());
}

TEST_F(RouterTest, ATurnThatFailsAfterUrgentOnesWentFirstRoutesEachOnceLater) {
  AddMany(6'000, kDefaultStream, {{"user_id", "ann"}, {"message", "x"}, {"priority", "low"}});
  AddMany(1, kDefaultStream, {{"message", "to nobody"}, {"priority", "critical"}});
  AddMany(1, kDefaultStream, {{"user_id", "ann"}, {"message", "!"}, {"priority", "critical"}});
  ASSERT_TRUE(committer_->RunTurn());
  EXPECT_EQ(Nids("ann").size(), 4'096u);
  faults_.fail = true;
  committer_->RunTurn();  // routes the rest, the critical ones first, and fails
  EXPECT_EQ(Nids("ann").size(), 4'096u);
  EXPECT_TRUE(Dead("message").empty());
  faults_.fail = false;
  clock_.Advance(1'000);
  committer_->Wake();
  Turn();
  EXPECT_EQ(Nids("ann").size(), 6'001u);
  EXPECT_EQ(Dead("message").size(), 1u);
}

TEST_F(RouterTest, EntriesWithManyRecipientsEndATurnEarlier) {
  std::string users = "[";
  for (int i = 0; i < 1'000; ++i) users += (i == 0 ? "\"u" : ",\"u") + std::to_string(i) + "\"";
  users += "]";
  AddMany(200, kDefaultStream, {{"user_ids", users}, {"message", "to many"}});
  ASSERT_TRUE(committer_->RunTurn());
  const size_t first = Nids("u7").size();
  EXPECT_GE(first, 60u);
  EXPECT_LE(first, 130u) << "one turn takes about 65,536 recipients";
  Turn();
  EXPECT_EQ(Nids("u7").size(), 200u);
  EXPECT_EQ(Nids("u999").size(), 200u);
}

TEST_F(RouterTest, StreamsThatHaveABacklogShareATurnByTheirWeights) {
  router_->SetWeight("second", 3);
  AddMany(10'000, kDefaultStream, {{"user_id", "bulk"}, {"message", "x"}});
  AddMany(10'000, "second", {{"user_id", "urgent"}, {"message", "x"}});
  ASSERT_TRUE(committer_->RunTurn());
  EXPECT_EQ(Nids("bulk").size(), 1'024u);
  EXPECT_EQ(Nids("urgent").size(), 3'072u);
  Turn();
  EXPECT_EQ(Nids("bulk").size(), 10'000u);
  EXPECT_EQ(Nids("urgent").size(), 10'000u);
}

TEST_F(RouterTest, WhatAStreamDoesNotNeedTheOthersHave) {
  router_->SetWeight("second", 100);
  AddMany(10'000, kDefaultStream, {{"user_id", "bulk"}, {"message", "x"}});
  AddMany(96, "second", {{"user_id", "urgent"}, {"message", "x"}});
  ASSERT_TRUE(committer_->RunTurn());
  EXPECT_EQ(Nids("urgent").size(), 96u);
  EXPECT_EQ(Nids("bulk").size(), 4'000u);
  // One that comes while the other has a backlog is in the turn that appends it.
  AddMany(1, "second", {{"user_id", "urgent"}, {"message", "x"}});
  ASSERT_TRUE(committer_->RunTurn());
  EXPECT_EQ(Nids("urgent").size(), 97u);
  EXPECT_LT(Nids("bulk").size(), 10'000u);
}

TEST(RenderedItemTest, WritesWhatWasGivenAndKeepsDataToTheByte) {
  model::Notification notification;
  notification.message = "a \"b\"";
  notification.title = "T";
  notification.url = "/x";
  notification.actions = {{"ok", "Fine", "/ok"}, {"no", "Not", ""}};
  notification.priority = model::Priority::kCritical;
  notification.data = R"({"n": 1.0e2,  "k":"v"})";
  EXPECT_EQ(RenderItem("5-1", 5, notification),
            R"("nid":"5-1","ts":5,"prio":"critical","title":"T","body":"a \"b\"","url":"/x",)"
            R"("actions":[{"id":"ok","title":"Fine","url":"/ok"},{"id":"no","title":"Not"}],)"
            R"("data":{"n": 1.0e2,  "k":"v"})");
}

}  // namespace
}  // namespace tocsin::notifier
