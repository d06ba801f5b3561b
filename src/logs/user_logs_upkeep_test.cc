// Trims, devices, turns that fail, and which turns are synced.
#include <gtest/gtest.h>

#include "logs/test_logs.h"
#include "logs/user_logs.h"
#include "model/limits.h"

namespace tocsin::logs {
namespace {

using base::Code;
using base::Status;
using model::EntryId;
using model::Priority;
using storage::Batch;
using storage::Family;

constexpr int64_t kDayMs = 24LL * 3600 * 1000;

MarkRequest Read(std::vector<std::string> nids) { return {.user = "u", .nids = std::move(nids)}; }

// ---- Trims ----------------------------------------------------------------------------------------------------------

TEST(UserLogsTrimTest, TheOldestGoAndFloorAndCountsFollow) {
  TestLogs logs({.max_entries = 32, .id_floor = {}});
  for (int n = 0; n < 32; ++n) ASSERT_TRUE(logs.Append("u", "n" + std::to_string(n)).ok());
  logs.Mark({.user = "u", .op = MarkOp::kDelete, .nids = {"n0"}});
  logs.Mark(Read({"n1", "n3"}));  // one over the limit: n1, n2, n3 go
  const std::vector<LogLine> lines = logs.Lines("u");
  const LogHead head = logs.Head("u");
  EXPECT_EQ(lines.front().entry->nid, "n4");
  EXPECT_EQ(lines.size(), 30u);
  EXPECT_EQ(head.entries, 30u);
  EXPECT_EQ(head.trimmed, 3u);
  EXPECT_EQ(head.counts, (Counts{28, 28, {0, 28, 0, 0}}));
  EXPECT_EQ(head.floor, logs.updates.back().floor);
  EXPECT_EQ(logs.updates.back().counts, head.counts);
  EXPECT_LT(head.floor, lines.front().entry->id);
  EXPECT_EQ(logs.Stored("u", kStateTag), 0u) << "the states of trimmed items go with them";
}

TEST(UserLogsTrimTest, ChangesAreTakenInTheirTurn) {
  TestLogs logs({.max_entries = 4, .id_floor = {}});
  ASSERT_TRUE(logs.Append("u", "a").ok());
  logs.Mark(Read({"a"}));
  const EntryId change = logs.Head("u").last;
  logs.Mark({.user = "u", .op = MarkOp::kDelete, .nids = {"a"}});
  for (const char* nid : {"b", "c", "d"}) ASSERT_TRUE(logs.Append("u", nid).ok());
  EXPECT_EQ(logs.Shape("u"), "<delete> b:unread c:unread d:unread");
  EXPECT_EQ(logs.Head("u").floor, change);
  EXPECT_EQ(logs.Head("u").trimmed, 0u) << "items only";
}

TEST(UserLogsTrimTest, AfterARestartItIsTheSame) {
  TestLogs logs({.max_entries = 20, .id_floor = {}});
  for (int n = 0; n < 19; ++n) ASSERT_TRUE(logs.Append("u", "n" + std::to_string(n)).ok());
  logs.Mark(Read({"n0", "n18"}));
  logs.Restart();
  ASSERT_TRUE(logs.Append("u", "n19").ok());
  EXPECT_EQ(logs.Lines("u").front().entry->nid, "n2");  // one over, and a sixteenth of 20 more
  EXPECT_EQ(logs.Head("u").counts, (Counts{17, 17, {0, 17, 0, 0}}));
}

TEST(UserLogsTrimTest, WhatTheTurnHasAppendedStaysForTheNext) {
  TestLogs logs({.max_entries = 4, .id_floor = {}});
  ASSERT_TRUE(logs.Append("u", "old").ok());
  auto burst = [&](uint64_t from) {
    return logs.Turn([&](Batch& batch) {
      for (uint64_t n = from; n < from + 10; ++n) {
        const std::string nid = std::to_string(n);
        ASSERT_TRUE(logs.user_logs().Append("u", {nid, {}, "\"a\":1"}, {"t", {n, 0}}, batch).ok());
      }
    });
  };
  ASSERT_TRUE(burst(1).ok());
  EXPECT_EQ(logs.Shape("u").substr(0, 8), "1:unread");
  EXPECT_EQ(logs.Head("u").entries, 10u);
  ASSERT_TRUE(burst(11).ok());
  EXPECT_EQ(logs.Shape("u").substr(0, 9), "11:unread");
  EXPECT_EQ(logs.Head("u").counts.unread, 10u);
  EXPECT_EQ(logs.Head("u").entries, 10u);
}

TEST(UserLogsTrimTest, ADeleteOfTheSameTurnIsNotTakenTwice) {
  TestLogs logs({.max_entries = 16, .id_floor = {}});
  for (int n = 0; n < 16; ++n) ASSERT_TRUE(logs.Append("u", "n" + std::to_string(n)).ok());
  ASSERT_TRUE(logs.Turn([&](Batch& batch) {
                    MarkRequest remove{.user = "u", .op = MarkOp::kDelete, .nids = {"n0"}};
                    ASSERT_TRUE(logs.user_logs().Mark(remove, batch).ok());
                    ASSERT_TRUE(logs.user_logs().Append("u", {"new", {}, "\"a\":1"}, {"t", {1, 0}}, batch).ok());
                  })
                  .ok());
  // 15 items, the delete, the new one: one over, and a sixteenth more.
  const LogHead head = logs.Head("u");
  EXPECT_EQ(head.trimmed, 2u);
  EXPECT_EQ(head.entries, 15u);
  EXPECT_EQ(head.entries, logs.Lines("u").size());
  EXPECT_EQ(head.counts.unread, 14u);
}

// ---- Devices --------------------------------------------------------------------------------------------------------

TEST(UserLogsDeviceTest, ACursorOnlyGrowsAndEndsAtTheHead) {
  TestLogs logs;
  for (const char* nid : {"a", "b", "c"}) ASSERT_TRUE(logs.Append("u", nid).ok());
  const std::vector<LogLine> lines = logs.Lines("u");
  ASSERT_TRUE(logs.Ack("u", "phone", lines[1].entry->id).ok());
  EXPECT_EQ(logs.Cursor("u", "phone"), lines[1].entry->id);
  ASSERT_TRUE(logs.Ack("u", "phone", lines[0].entry->id).ok());
  EXPECT_EQ(logs.Cursor("u", "phone"), lines[1].entry->id);
  ASSERT_TRUE(logs.Ack("u", "phone", EntryId::Max()).ok());
  EXPECT_EQ(logs.Cursor("u", "phone"), lines[2].entry->id);
  ASSERT_TRUE(logs.Ack("u", "web", {}).ok());
  EXPECT_EQ(logs.Cursor("u", "web"), std::nullopt) << "it has acknowledged nothing";
  EXPECT_EQ(logs.Cursor("u", "other"), std::nullopt);
  EXPECT_EQ(logs.Cursor("v", "phone"), std::nullopt);
  logs.Restart();
  logs.clock().Advance(2 * kDayMs);  // long enough that it is noted again
  ASSERT_TRUE(logs.Ack("u", "phone", lines[0].entry->id).ok());
  EXPECT_EQ(logs.Cursor("u", "phone"), lines[2].entry->id);
}

// A known device is read alone, a new one needs all of them: what this turn has changed must outlive that.
TEST(UserLogsDeviceTest, ANewDeviceDoesNotUndoWhatAKnownOneSaid) {
  TestLogs logs;
  for (const char* nid : {"a", "b"}) ASSERT_TRUE(logs.Append("u", nid).ok());
  const std::vector<LogLine> lines = logs.Lines("u");
  ASSERT_TRUE(logs.Ack("u", "phone", lines[0].entry->id).ok());
  ASSERT_TRUE(logs.Ack("u", "web", lines[0].entry->id).ok());
  logs.Restart();
  ASSERT_TRUE(logs.Turn([&](Batch& batch) {
                    UserLogs& user_logs = logs.user_logs();
                    ASSERT_TRUE(user_logs.Ack("u", "phone", lines[1].entry->id, batch).ok());
                    ASSERT_TRUE(user_logs.Ack("u", "new", lines[0].entry->id, batch).ok());
                    ASSERT_TRUE(user_logs.Ack("u", "phone", lines[0].entry->id, batch).ok());
                    EXPECT_EQ(batch.changes(), 2u);
                  })
                  .ok());
  EXPECT_EQ(logs.Cursor("u", "phone"), lines[1].entry->id);
  EXPECT_EQ(logs.Cursor("u", "web"), lines[0].entry->id);
  EXPECT_EQ(logs.Cursor("u", "new"), lines[0].entry->id);
}

TEST(UserLogsDeviceTest, Beyond64TheOneSilentLongestIsForgotten) {
  TestLogs logs;
  ASSERT_TRUE(logs.Append("u", "a").ok());
  auto ack = [&](size_t n) {
    logs.clock().Advance(1'000);
    ASSERT_TRUE(logs.Ack("u", "d" + std::to_string(n), {1, 1}).ok());
  };
  for (size_t n = 0; n < model::kMaxDevicesPerUser; ++n) ack(n);
  logs.clock().Advance(kDayMs);
  ack(0);  // heard of again: d1 is now the one silent longest
  logs.Restart();
  ack(64);
  EXPECT_TRUE(logs.Cursor("u", "d0"));
  EXPECT_FALSE(logs.Cursor("u", "d1"));
  EXPECT_TRUE(logs.Cursor("u", "d2"));
  EXPECT_TRUE(logs.Cursor("u", "d64"));
  ack(1);
  EXPECT_FALSE(logs.Cursor("u", "d2"));
}

TEST(UserLogsDeviceTest, SilentFor30DaysItMakesRoomForANewOne) {
  TestLogs logs;
  ASSERT_TRUE(logs.Append("u", "a").ok());
  ASSERT_TRUE(logs.Ack("u", "old", {1, 1}).ok());
  logs.clock().Advance(1);
  ASSERT_TRUE(logs.Ack("u", "young", {1, 1}).ok());
  logs.clock().Advance(model::kDeviceSilenceMs);
  ASSERT_TRUE(logs.Ack("u", "new", {1, 1}).ok());
  EXPECT_FALSE(logs.Cursor("u", "old"));
  EXPECT_TRUE(logs.Cursor("u", "young"));
  EXPECT_TRUE(logs.Cursor("u", "new"));
}

// ---- Turns that fail ------------------------------------------------------------------------------------------------

TEST(UserLogsFailureTest, AFailedTurnLeavesNoTrace) {
  TestLogs logs;
  ASSERT_TRUE(logs.Append("u", "a").ok());
  ASSERT_TRUE(logs.Append("u", "b").ok());
  const LogHead before = logs.Head("u");
  logs.updates.clear();
  logs.fault = Status(Code::kNoSpace, "full");
  EXPECT_EQ(logs.Turn([&](Batch& batch) {
                  UserLogs& user_logs = logs.user_logs();
                  ASSERT_TRUE(user_logs.Append("u", {"c", {}, "\"a\":1"}, {"t", {1, 0}}, batch).ok());
                  MarkRequest read = Read({"a"});
                  read.mid = "m";
                  EXPECT_EQ(user_logs.Mark(read, batch).value().unread, 2u);
                  MarkRequest remove{.user = "u", .op = MarkOp::kDelete, .nids = {"b"}};
                  EXPECT_EQ(user_logs.Mark(remove, batch).value().unread, 1u);
                })
                .code(),
            Code::kNoSpace);
  EXPECT_TRUE(logs.updates.empty());
  EXPECT_EQ(logs.Shape("u"), "a:unread b:unread");
  logs.fault = base::Ok();
  // Everything can be done again: the ingest entry is not a repeat, the mid not either, ids and counts are right.
  ASSERT_TRUE(logs.Turn([&](Batch& batch) {
                    ASSERT_TRUE(logs.user_logs().Append("u", {"c", {}, "\"a\":1"}, {"t", {1, 0}}, batch).ok());
                  })
                  .ok());
  MarkRequest read = Read({"a"});
  read.mid = "m";
  EXPECT_EQ(logs.Mark(read).unread, 2u);
  EXPECT_EQ(logs.Shape("u"), "a:read b:unread c:unread <read>");
  EXPECT_EQ(logs.Head("u").entries, before.entries + 2);
}

TEST(UserLogsFailureTest, ReceiptsAreStagedAgain) {
  TestLogs logs;
  ASSERT_TRUE(logs.Append("u", "a").ok());
  ASSERT_TRUE(logs.Append("v", "b").ok());
  logs.fault = Status(Code::kNoSpace, "full");
  EXPECT_FALSE(logs.Ack("u", "phone", EntryId::Max()).ok());
  EXPECT_FALSE(logs.Ack("v", "web", EntryId::Max()).ok());
  EXPECT_FALSE(logs.Append("u", "x").ok());  // and again in vain
  EXPECT_EQ(logs.Cursor("u", "phone"), std::nullopt);
  logs.fault = base::Ok();
  ASSERT_TRUE(logs.Append("w", "c").ok());
  EXPECT_EQ(logs.Cursor("u", "phone"), logs.Head("u").last);
  EXPECT_EQ(logs.Cursor("v", "web"), logs.Head("v").last);
}

// A store whose reads of one family fail, and that says so of its writes when it is told to.
class FailingStore final : public storage::Store {
 public:
  explicit FailingStore(storage::Store& real) : real_(real) {}
  std::optional<Family> fails;
  Status state;
  mutable int reads = 0;

  Status Write(Batch& batch, storage::Sync sync) override { return state.ok() ? real_.Write(batch, sync) : state; }
  Status SyncNow() override { return real_.SyncNow(); }
  base::Result<std::optional<std::string>> Get(Family family, std::string_view key, storage::Tier tier) const override {
    ++reads;
    return real_.Get(family, key, tier);
  }
  std::unique_ptr<storage::Iterator> Iterate(Family family, std::string_view lower, std::string_view upper,
                                             storage::Tier tier) const override {
    ++reads;
    if (fails == family) return std::make_unique<Broken>();
    return real_.Iterate(family, lower, upper, tier);
  }
  uint64_t commit_number() const override { return real_.commit_number(); }
  const std::string& epoch() const override { return real_.epoch(); }
  Status health() const override { return state; }

 private:
  struct Broken final : storage::Iterator {
    void SeekToFirst() override {}
    void SeekToLast() override {}
    void Seek(std::string_view) override {}
    void SeekForPrev(std::string_view) override {}
    void Next() override {}
    void Prev() override {}
    bool Valid() const override { return false; }
    std::string_view key() const override { return {}; }
    std::string_view value() const override { return {}; }
    Status status() const override { return Status(Code::kCorruption, "damaged"); }
  };
  storage::Store& real_;
};

// The mid was staged before the log was read; the mark failed, the turn did not, and the client's retry was answered
// `ok` without having done anything.
TEST(UserLogsFailureTest, AMarkThatCannotReadTheLogIsNotRememberedAsApplied) {
  TestLogs logs;
  ASSERT_TRUE(logs.Append("u", "a").ok());
  FailingStore store(logs.store());
  UserLogs user_logs(store, logs.clock(), {.max_entries = 100, .id_floor = {}}, nullptr);
  MarkRequest read = Read({"a"});
  read.mid = "m";
  store.fails = Family::kLogs;
  Batch batch;
  EXPECT_EQ(user_logs.Mark(read, batch).status().code(), Code::kCorruption);
  EXPECT_TRUE(batch.empty());
  store.fails.reset();
  EXPECT_EQ(user_logs.Mark(read, batch).value().unread, 0u);
}

TEST(UserLogsFailureTest, DevicesThatCannotBeReadAreNotHalfRead) {
  TestLogs logs;
  ASSERT_TRUE(logs.Append("u", "a").ok());
  ASSERT_TRUE(logs.Ack("u", "phone", EntryId::Max()).ok());
  FailingStore store(logs.store());
  UserLogs user_logs(store, logs.clock(), {.max_entries = 100, .id_floor = {}}, nullptr);
  Batch batch;
  store.fails = Family::kHeads;
  EXPECT_FALSE(user_logs.Ack("u", "web", EntryId::Max(), batch).ok());  // a new one, so all are looked at
  EXPECT_TRUE(batch.empty());
  store.fails.reset();
  EXPECT_TRUE(user_logs.Ack("u", "web", EntryId::Max(), batch).ok());
  EXPECT_EQ(batch.changes(), 1u);
  EXPECT_TRUE(user_logs.Ack("u", "phone", EntryId::Max(), batch).ok());
  EXPECT_EQ(batch.changes(), 1u) << "it is known with that cursor";
}

// With the disk full every turn fails; each would read the logs of all receipts that wait.
TEST(UserLogsFailureTest, WaitingReceiptsCostNothingWhileTheStoreIsUnwell) {
  TestLogs logs;
  ASSERT_TRUE(logs.Append("u", "a").ok());
  FailingStore store(logs.store());
  UserLogs user_logs(store, logs.clock(), {.max_entries = 100, .id_floor = {}}, nullptr);
  Batch batch;
  ASSERT_TRUE(user_logs.Ack("u", "phone", EntryId::Max(), batch).ok());
  user_logs.AfterCommit(Status(Code::kNoSpace, "full"));
  store.state = Status(Code::kNoSpace, "full");
  store.reads = 0;
  ASSERT_TRUE(user_logs.BeforeCommit(batch).ok());
  EXPECT_EQ(store.reads, 0);
  store.state = base::Ok();
  ASSERT_TRUE(user_logs.BeforeCommit(batch).ok());
  EXPECT_GT(store.reads, 0);
}

// ---- Syncs ----------------------------------------------------------------------------------------------------------

// A router stages left-over entries in its BeforeCommit, in a turn without changes. Such a turn was written without a
// sync, and its ids reached devices: a power loss could then take an id back that a device had as its cursor.
TEST(UserLogsSyncTest, ATurnThatAppendsIsSyncedThoughNobodyWaits) {
  class Router final : public storage::Participant {
   public:
    explicit Router(UserLogs& user_logs) : user_logs_(user_logs) {}
    Status BeforeCommit(Batch& batch) override {
      return user_logs_.Append("u", {"n", {}, "\"a\":1"}, {"s", {++source_, 0}}, batch);
    }
    void AfterCommit(const Status&) override {}
    bool lazy() const override { return true; }

   private:
    UserLogs& user_logs_;
    uint64_t source_ = 0;
  };
  TestLogs logs;
  Router router(logs.user_logs());
  storage::Committer committer(logs.store(), logs.clock(), {&router, &logs.user_logs()});
  committer.Wake();
  ASSERT_TRUE(committer.RunTurn());
  EXPECT_EQ(committer.stats().syncs, 1u);
}

TEST(UserLogsSyncTest, ATurnOfReceiptsWaitsForALaterSync) {
  class Receipt final : public storage::Change {
   public:
    explicit Receipt(UserLogs& user_logs) : user_logs_(user_logs) {}
    void Stage(Batch& batch) override { CHECK(user_logs_.Ack("u", "phone", EntryId::Max(), batch).ok()); }
    void Done(const Status&) override {}
    bool lazy() const override { return true; }

   private:
    UserLogs& user_logs_;
  };
  TestLogs logs;
  ASSERT_TRUE(logs.Append("u", "a").ok());
  const uint64_t syncs = logs.committer().stats().syncs;
  ASSERT_TRUE(logs.committer().Submit(std::make_unique<Receipt>(logs.user_logs())).ok());
  ASSERT_TRUE(logs.committer().RunTurn());
  EXPECT_EQ(logs.committer().stats().syncs, syncs);
  EXPECT_EQ(logs.Cursor("u", "phone"), logs.Head("u").last);
}

}  // namespace
}  // namespace tocsin::logs
