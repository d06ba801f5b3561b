#include "logs/user_logs.h"

#include <gtest/gtest.h>

#include "logs/test_logs.h"
#include "model/limits.h"

namespace tocsin::logs {
namespace {

using base::Code;
using base::Status;
using model::EntryId;
using model::Priority;
using storage::Batch;

constexpr int64_t kDayMs = 24LL * 3600 * 1000;

MarkRequest Read(std::vector<std::string> nids) { return {.user = "u", .nids = std::move(nids)}; }

// ---- Appending ------------------------------------------------------------------------------------------------------

TEST(UserLogsAppendTest, IsIdempotentByStreamAndPriority) {
  TestLogs logs;
  auto append = [&](std::string_view nid, Priority priority, const Source& source) {
    ASSERT_TRUE(logs.Turn([&](Batch& batch) {
                      ASSERT_TRUE(logs.user_logs().Append("u", {nid, priority, "\"a\":1"}, source, batch).ok());
                    })
                    .ok());
  };
  append("a", Priority::kNormal, {"s", {5, 0}});
  append("a", Priority::kNormal, {"s", {5, 0}});  // the same again
  append("x", Priority::kNormal, {"s", {4, 9}});  // an older one
  EXPECT_EQ(logs.Shape("u"), "a:unread");
  append("b", Priority::kHigh, {"s", {4, 0}});    // each priority has a mark of its own
  append("c", Priority::kNormal, {"t", {1, 0}});  // and each stream
  append("d", Priority::kNormal, {"s", {5, 1}});
  EXPECT_EQ(logs.Shape("u"), "a:unread b:unread c:unread d:unread");
  logs.Restart();
  append("a", Priority::kNormal, {"s", {5, 1}});
  append("b", Priority::kHigh, {"s", {4, 0}});
  append("c", Priority::kNormal, {"t", {1, 0}});
  EXPECT_EQ(logs.Shape("u"), "a:unread b:unread c:unread d:unread");
  EXPECT_EQ(logs.Head("u").entries, 4u);
  EXPECT_EQ(logs.Head("u").counts, (Counts{4, 4, {0, 3, 1, 0}}));
}

TEST(UserLogsAppendTest, IsIdempotentWithinATurn) {
  TestLogs logs;
  ASSERT_TRUE(logs.Turn([&](Batch& batch) {
                    for (int i = 0; i < 2; ++i) {
                      ASSERT_TRUE(logs.user_logs().Append("u", {"a", {}, "\"a\":1"}, {"s", {5, 0}}, batch).ok());
                    }
                  })
                  .ok());
  EXPECT_EQ(logs.Lines("u").size(), 1u);
}

TEST(UserLogsAppendTest, IdsGrowWhateverTheClockDoes) {
  TestLogs logs({.max_entries = 100, .id_floor = {1'700'000'000'500, 0}});
  logs.clock().Set(1'700'000'000'000);
  std::vector<EntryId> ids;
  auto append = [&](const std::string& nid) {
    ASSERT_TRUE(logs.Append("u", nid).ok());
    ids.push_back(logs.Head("u").last);
  };
  append("a");
  EXPECT_EQ(ids.back(), (EntryId{1'700'000'000'500, 0})) << "the store's floor is above the clock";
  logs.clock().Set(1'700'000'001'000);
  append("b");
  append("c");
  logs.clock().Set(1'600'000'000'000);
  append("d");
  logs.Restart();
  append("e");
  ASSERT_TRUE(logs.Turn([&](Batch& batch) { ASSERT_TRUE(logs.user_logs().Mark(Read({"a"}), batch).ok()); }).ok());
  logs.clock().Set(1'700'000'001'001);
  append("f");
  EXPECT_EQ(ids[1], (EntryId{1'700'000'001'000, 0}));
  EXPECT_EQ(ids[2], (EntryId{1'700'000'001'000, 1}));
  EXPECT_EQ(ids[3], (EntryId{1'700'000'001'000, 2}));
  EXPECT_EQ(ids[4], (EntryId{1'700'000'001'000, 3}));
  EXPECT_EQ(ids[5], (EntryId{1'700'000'001'001, 0}));  // 1000-4 is the mark's
}

TEST(UserLogsAppendTest, CostsOnePutForEachEntryAndOneForTheHead) {
  TestLogs logs;
  Batch batch;
  for (uint64_t n = 1; n <= 5; ++n) {
    ASSERT_TRUE(logs.user_logs().Append("u", {"n", {}, "\"a\":1"}, {"s", {n, 0}}, batch).ok());
  }
  EXPECT_EQ(batch.changes(), 5u);
  ASSERT_TRUE(logs.user_logs().BeforeCommit(batch).ok());
  EXPECT_EQ(batch.changes(), 6u);
  logs.user_logs().AfterCommit(Status(Code::kUnavailable, "never written"));
}

TEST(UserLogsAppendTest, TheListenerHearsOncePerUserAndTurnWhatWasCommitted) {
  TestLogs logs;
  ASSERT_TRUE(logs.Turn([&](Batch& batch) {
                    for (uint64_t n = 1; n <= 2; ++n) {
                      for (std::string_view user : {"u", "v"}) {
                        ASSERT_TRUE(logs.user_logs().Append(user, {"n", {}, "\"a\":1"}, {"s", {n, 0}}, batch).ok());
                      }
                    }
                    EXPECT_TRUE(logs.updates.empty()) << "before the commit";
                  })
                  .ok());
  ASSERT_EQ(logs.updates.size(), 2u);
  for (const LogUpdate& update : logs.updates) {
    ASSERT_EQ(update.entries.size(), 2u);
    EXPECT_LT(update.entries[0]->id, update.entries[1]->id);
    EXPECT_EQ(update.entries[1]->id, logs.Head(update.user).last);
    EXPECT_EQ(update.counts.unread, 2u);
  }
}

TEST(UserLogsAppendTest, UsersNeverMeet) {
  TestLogs logs;
  const std::string users[] = {"a", "ab", std::string("a\0", 2), std::string("a\0h", 3), "ah", "*"};
  for (const std::string& user : users) ASSERT_TRUE(logs.Append(user, "for " + user).ok());
  for (const std::string& user : users) {
    ASSERT_EQ(logs.Lines(user).size(), 1u);
    EXPECT_EQ(logs.Lines(user)[0].entry->nid, "for " + user);
    EXPECT_EQ(logs.Head(user).counts.unread, 1u);
    MarkRequest remove{.user = user, .op = MarkOp::kDelete, .upto = EntryId::Max()};
    EXPECT_EQ(logs.Mark(remove).unread, 0u);
  }
}

// ---- Marks ----------------------------------------------------------------------------------------------------------

class UserLogsMarkTest : public testing::Test {
 protected:
  UserLogsMarkTest() {
    CHECK(logs_.Append("u", "a", Priority::kLow).ok());
    CHECK(logs_.Append("u", "b", Priority::kNormal).ok());
    CHECK(logs_.Append("u", "c", Priority::kHigh).ok());
    CHECK(logs_.Append("u", "d", Priority::kHigh).ok());
  }
  EntryId IdOf(std::string_view nid) {
    for (const LogLine& line : logs_.Lines("u")) {
      if (line.entry->nid == nid) return line.entry->id;
    }
    return {};
  }
  TestLogs logs_;
};

TEST_F(UserLogsMarkTest, EachOperationCountsExactly) {
  auto mark = [&](MarkOp op, std::vector<std::string> nids) {
    const Counts counts = logs_.Mark({.user = "u", .op = op, .nids = std::move(nids)});
    EXPECT_EQ(counts, logs_.Head("u").counts);
    return counts;
  };
  EXPECT_EQ(logs_.Head("u").counts, (Counts{4, 4, {1, 1, 2, 0}}));
  EXPECT_EQ(mark(MarkOp::kSeen, {"a", "b"}), (Counts{4, 2, {1, 1, 2, 0}}));
  EXPECT_EQ(mark(MarkOp::kRead, {"a", "c"}), (Counts{2, 1, {0, 1, 1, 0}}));
  EXPECT_EQ(mark(MarkOp::kUnread, {"a"}), (Counts{3, 1, {1, 1, 1, 0}}));  // seen, not new again
  EXPECT_EQ(mark(MarkOp::kArchive, {"b", "c"}), (Counts{2, 1, {1, 0, 1, 0}}));
  EXPECT_EQ(mark(MarkOp::kUnread, {"b"}), (Counts{3, 1, {1, 1, 1, 0}}));  // out of the archive
  EXPECT_EQ(mark(MarkOp::kDelete, {"a", "c"}), (Counts{2, 1, {0, 1, 1, 0}}));
  EXPECT_EQ(logs_.Shape("u"), "b:seen d:unread <seen> <read> <unread> <archive> <unread> <delete>");
  EXPECT_EQ(logs_.Stored("u", kStateTag), 1u) << "of b";
  logs_.Restart();
  EXPECT_EQ(mark(MarkOp::kDelete, {"b", "d"}), Counts{});
  EXPECT_EQ(logs_.Head("u").entries, 7u) << "the changes";
}

TEST_F(UserLogsMarkTest, WhatChangesNothingIsNoEntry) {
  logs_.Mark(Read({"a"}));
  const EntryId last = logs_.Head("u").last;
  logs_.updates.clear();
  EXPECT_EQ(logs_.Mark(Read({"a"})).unread, 3u);                                          // read already
  EXPECT_EQ(logs_.Mark(Read({"no such nid", ""})).unread, 3u);                            // unknown
  EXPECT_EQ(logs_.Mark({.user = "u", .op = MarkOp::kUnread, .nids = {"b"}}).unread, 3u);  // unread already
  EXPECT_EQ(logs_.Mark({.user = "u", .upto = EntryId{}}).unread, 3u);                     // up to nothing
  EXPECT_EQ(logs_.Mark({.user = "u"}).unread, 3u);
  EXPECT_EQ(logs_.Mark({.user = "nobody", .nids = {"b"}}), Counts{});
  EXPECT_EQ(logs_.Head("u").last, last);
  EXPECT_TRUE(logs_.updates.empty());
}

TEST_F(UserLogsMarkTest, TheEntryNamesWhatItChangedAndWho) {
  logs_.Mark(Read({"b"}));
  MarkRequest request = Read({"b", "d", "x", "d", "a"});
  request.device = "phone";
  logs_.Mark(request);
  const StateChange change = *logs_.Lines("u").back().entry->change;
  EXPECT_EQ(change.nids, (std::vector<std::string>{"d", "a"}));  // each once, those that changed
  EXPECT_FALSE(change.upto);
  EXPECT_EQ(change.by, "phone");
  EXPECT_EQ(change.counts, (Counts{1, 1, {0, 0, 1, 0}}));
}

TEST_F(UserLogsMarkTest, UpToCoversWhatExistsAndIsClampedToTheHead) {
  EXPECT_EQ(logs_.Mark({.user = "u", .upto = IdOf("b")}).unread, 2u);
  EXPECT_EQ(*logs_.Lines("u").back().entry->change->upto, IdOf("b"));
  const EntryId head = logs_.Head("u").last;
  EXPECT_EQ(logs_.Mark({.user = "u", .upto = EntryId::Max()}).unread, 0u);
  EXPECT_EQ(*logs_.Lines("u").back().entry->change->upto, head);
  EXPECT_TRUE(logs_.Lines("u").back().entry->change->nids.empty());
  ASSERT_TRUE(logs_.Append("u", "e").ok());
  EXPECT_EQ(logs_.Shape("u"), "a:read b:read c:read d:read <read> <read> e:unread");
}

TEST_F(UserLogsMarkTest, SeesWhatThisTurnHasAppended) {
  ASSERT_TRUE(logs_
                  .Turn([&](Batch& batch) {
                    UserLogs& user_logs = logs_.user_logs();
                    ASSERT_TRUE(user_logs.Append("u", {"e", {}, "\"a\":1"}, {"t", {1, 0}}, batch).ok());
                    ASSERT_TRUE(user_logs.Append("u", {"f", {}, "\"a\":1"}, {"t", {2, 0}}, batch).ok());
                    EXPECT_EQ(user_logs.Mark(Read({"e"}), batch).value().unread, 5u);
                    MarkRequest remove{.user = "u", .op = MarkOp::kDelete, .nids = {"f"}};
                    EXPECT_EQ(user_logs.Mark(remove, batch).value().unread, 4u);
                  })
                  .ok());
  EXPECT_EQ(logs_.Shape("u"), "a:unread b:unread c:unread d:unread e:read <read> <delete>");
  EXPECT_EQ(logs_.Head("u").entries, 7u);
}

TEST_F(UserLogsMarkTest, AMidIsAppliedOnceFor24Hours) {
  auto mark = [&](MarkOp op, std::string mid) {
    return logs_.Mark({.user = "u", .op = op, .nids = {"a"}, .mid = std::move(mid)}).unread;
  };
  EXPECT_EQ(mark(MarkOp::kRead, "m1"), 3u);
  EXPECT_EQ(mark(MarkOp::kUnread, "m2"), 4u);
  EXPECT_EQ(mark(MarkOp::kRead, "m1"), 4u) << "a repeat does nothing, and answers the counts of now";
  logs_.Restart();
  logs_.clock().Advance(kDayMs - 1);
  EXPECT_EQ(mark(MarkOp::kRead, "m1"), 4u);
  logs_.clock().Set(logs_.clock().NowMs() - 3'600'000);  // set back
  EXPECT_EQ(mark(MarkOp::kRead, "m1"), 4u);
  logs_.clock().Advance(3'600'001);
  EXPECT_EQ(mark(MarkOp::kRead, "m1"), 3u);
}

TEST_F(UserLogsMarkTest, AMidIsRememberedAlsoWhenItChangedNothing) {
  EXPECT_EQ(logs_.Mark({.user = "u", .op = MarkOp::kUnread, .nids = {"a"}, .mid = "m"}).unread, 4u);
  EXPECT_EQ(logs_.Mark(Read({"a"})).unread, 3u);
  EXPECT_EQ(logs_.Mark({.user = "u", .op = MarkOp::kUnread, .nids = {"a"}, .mid = "m"}).unread, 3u);
}

TEST_F(UserLogsMarkTest, AMidIsAppliedOnceWithinATurn) {
  ASSERT_TRUE(logs_
                  .Turn([&](Batch& batch) {
                    MarkRequest read = Read({"a"}), unread = Read({"a"});
                    read.mid = "m";
                    unread.op = MarkOp::kUnread;
                    EXPECT_EQ(logs_.user_logs().Mark(read, batch).value().unread, 3u);
                    EXPECT_EQ(logs_.user_logs().Mark(unread, batch).value().unread, 4u);
                    EXPECT_EQ(logs_.user_logs().Mark(read, batch).value().unread, 4u);
                  })
                  .ok());
}

TEST_F(UserLogsMarkTest, RememberedMidsAreBounded) {
  auto mark = [&](std::string mid) { logs_.Mark({.user = "u", .nids = {"a"}, .mid = std::move(mid)}); };
  for (size_t n = 0; n < model::kMaxMarkIdsKept + 10; ++n) {
    logs_.clock().Advance(1);
    mark("m" + std::to_string(n));
  }
  EXPECT_EQ(logs_.Stored("u", kMarkTag), model::kMaxMarkIdsKept);
  logs_.Restart();
  EXPECT_EQ(logs_.Mark({.user = "u", .op = MarkOp::kUnread, .nids = {"a"}, .mid = "m10"}).unread, 3u);
  EXPECT_EQ(logs_.Mark({.user = "u", .op = MarkOp::kUnread, .nids = {"a"}, .mid = "m9"}).unread, 4u)
      << "the oldest are forgotten";
  logs_.clock().Advance(kDayMs);
  mark("new");
  EXPECT_EQ(logs_.Stored("u", kMarkTag), 1u);
}

}  // namespace
}  // namespace tocsin::logs
