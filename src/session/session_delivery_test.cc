// Where a session resumes, and what it delivers when: backlog, live, credit, congestion.
#include <gtest/gtest.h>

#include "model/limits.h"
#include "session/scripted_host.h"
#include "session/session.h"

namespace tocsin::session {
namespace {

// ---- Where it resumes -----------------------------------------------------------------------------------------------

TEST_F(SessionTest, ResumesWhereTheClientStands) {
  const std::string good = R"(,"epoch":"0123456789abcdef")";
  struct {
    std::string members;
    std::optional<EntryId> stored;
    std::string_view cur, resume;
    std::string receipt;  // that the hello amounts to
  } const kCases[] = {
      {good + R"(,"cur":"10-0")", {}, "10-0", "ok", "receipt 10-0"},              // at the floor
      {good + R"(,"cur":"12-7")", {}, "12-7", "ok", "receipt 12-7"},              // no entry has that id
      {good + R"(,"cur":"20-0")", {}, "20-0", "ok", "receipt 20-0"},              // at the head
      {good + R"(,"cur":"15-0")", EntryId{18, 0}, "15-0", "ok", "receipt 15-0"},  // the client's wins
      {good + R"(,"cur":"9-9")", {}, "10-0", "gap", "receipt 9-9"},               // below the floor
      {good + R"(,"cur":"0-0")", {}, "10-0", "gap", ""},                          // ... as far as can be
      {good + R"(,"cur":"20-1")", {}, "10-0", "reset", ""},                       // above the head
      {good + R"(,"cur":"18446744073709551615-18446744073709551615")", {}, "10-0", "reset", ""},
      {R"(,"epoch":"fedcba9876543210","cur":"15-0")", {}, "10-0", "reset", ""},             // another log's
      {R"(,"cur":"15-0")", {}, "10-0", "reset", ""},                                        // of no log at all
      {R"(,"epoch":"x","cur":"15-0","since":"new")", EntryId{18, 0}, "20-0", "reset", ""},  // starts over, by since
      {"", EntryId{15, 0}, "15-0", "ok", ""},                                               // the stored one
      {good, EntryId{15, 0}, "15-0", "ok", ""},
      {"", EntryId{4, 0}, "10-0", "gap", ""},
      {"", EntryId{99, 0}, "20-0", "ok", ""},                   // never beyond the head
      {R"(,"since":"new")", EntryId{15, 0}, "15-0", "ok", ""},  // before any since
      {"", {}, "10-0", "fresh", ""},
      {R"(,"since":"all")", {}, "10-0", "fresh", ""},
      {R"(,"since":"new")", {}, "20-0", "fresh", ""},
      {R"(,"since":15)", {}, "14-18446744073709551615", "fresh", ""},  // 15-0 is of that time
      {R"(,"since":0)", {}, "10-0", "fresh", ""},
      {R"(,"since":5)", {}, "10-0", "fresh", ""},
      {R"(,"since":1900000000000)", {}, "20-0", "fresh", ""},
  };
  SetHead(20, 10);
  for (const auto& c : kCases) {
    Start({.sid = "s1", .header_token = {}});
    Say(R"({"t":"hello","tok":"ann","dev":"web")" + c.members + "}");
    AnswerOpening(c.stored);
    EXPECT_EQ(Said().front(), Welcome(c.cur, c.resume)) << c.members;
    const Strings asked = Asked();
    const bool receipt = asked.size() > 1 && asked[1].starts_with("receipt");
    EXPECT_EQ(receipt ? asked[1] : "", c.receipt) << c.members;
    EXPECT_EQ(session_->told().ToString(), c.cur);
  }
}

// A store that has lost entries (a failover before replication) says up to where: whoever stands below is told once.
TEST_F(SessionTest, WhatTheStoreHasLostIsAGapOnce) {
  lost_ = {20, 0};
  SetHead(20);
  for (const auto& [cur, resume] : {std::pair("15-0", "gap"), std::pair("19-9", "gap"), std::pair("20-0", "ok")}) {
    Start({.sid = "s1", .header_token = {}});
    Say(R"({"t":"hello","tok":"ann","epoch":"0123456789abcdef","cur":")" + std::string(cur) + "\"}");
    AnswerOpening();
    EXPECT_EQ(Said().front(), Welcome(cur, resume)) << "what is left above its cursor is still to come";
  }
  Start({.sid = "s1", .header_token = {}});
  Say(R"({"t":"hello","tok":"ann"})");
  AnswerOpening();
  EXPECT_EQ(Said().front(), Welcome("0-0", "fresh")) << "who starts has lost nothing";
  Lose();
  EXPECT_EQ(Said().back(), "end 4203 the store has lost entries of the log");
}

// Another node has noted the loss, and what it appended above is known here before the word of it is.
TEST_F(SessionTest, NobodyIsTakenPastWhatWasLost) {
  SetHead(20);
  GoLive(R"(,"epoch":"0123456789abcdef","cur":"20-0")");
  lost_ = {30, 0};
  log_.Apply({"ann", {}, {}, {}, EntryId{30, 0}, EntryId{31, 0}});
  Advance();
  AnswerRead({Item(31)}, true);
  EXPECT_EQ(Said().back(), "end 4203 the store has lost entries of the log");
  EXPECT_EQ(session_->told().ToString(), "20-0");
}

TEST_F(SessionTest, AReceiptThatIsStillOnItsWayCounts) {
  SetHead(20, 10);
  log_.Sent("web", {17, 0});
  Say(R"({"t":"hello","tok":"ann","dev":"web"})");
  AnswerOpening(EntryId{12, 0});
  EXPECT_EQ(Said().front(), Welcome("17-0", "ok"));
  log_.Sent("web", {40, 0});  // by a client that lies, over HTTP
  Start({.sid = "s1", .header_token = {}});
  Say(R"({"t":"hello","tok":"ann","dev":"web"})");
  AnswerOpening(EntryId{12, 0});
  EXPECT_EQ(Said().front(), Welcome("20-0", "ok"));
}

// The store is read a moment before the update arrives here: a client that knows it already is no liar.
TEST_F(SessionTest, ACursorAheadOfTheLiveLogButNotOfTheStoreIsGood) {
  SetHead(20, 10);
  Say(R"({"t":"hello","tok":"ann","epoch":"0123456789abcdef","cur":"22-0"})");
  head_.last = {22, 0};
  AnswerOpening();
  EXPECT_EQ(Said(), Strings{Welcome("22-0", "ok")});
  Append({Item(22)});
  EXPECT_EQ(Said(), Strings{});
  Append({Item(23)});
  EXPECT_EQ(Said(), Strings{Frame(22, 23, 23)});
}

TEST_F(SessionTest, WithoutADeviceNothingIsStored) {
  SetHead(20);
  GoLive(R"(,"epoch":"0123456789abcdef","cur":"20-0")");
  Append({Item(21)});
  Say(R"({"t":"ack","cur":"21-0"})");
  EXPECT_EQ(Asked(), Strings{});
  EXPECT_EQ(session_->in_flight(), 0u);
}

// ---- Delivery -------------------------------------------------------------------------------------------------------

TEST_F(SessionTest, SendsWhatIsAppendedFromTheTail) {
  SetHead(0);
  GoLive();
  Append({Item(1)});
  Append({Item(2), Item(3)});
  EXPECT_EQ(Said(), (Strings{Frame(0, 1, 1), Frame(1, 2, 3)}));
  EXPECT_EQ(host_.curs.back(), (EntryId{3, 0}));
  EXPECT_EQ(Asked(), Strings{});
  EXPECT_EQ(session_->in_flight(), 3u);
}

TEST_F(SessionTest, ChangesAreSentInOrderBetweenItems) {
  SetHead(0);
  GoLive();
  host_.congested = true;
  Append({Item(1), Change(2, model::MarkOp::kRead, {"n1", "a\"b"}), Item(3),
          Change(4, model::MarkOp::kDelete, {}, EntryId{1, 0}, "")});
  EXPECT_EQ(Said(), Strings{});
  host_.congested = false;
  session_->OnWritable();
  EXPECT_EQ(
      Said(),
      (Strings{
          R"({"t":"st","id":"2-0","prev":"0-0","cur":"2-0","op":"read","ids":["n1","a\"b"],"by":"web",)"
          R"("counts":{"at":"2-0","unread":2,"unseen":1,"by_priority":{"low":0,"normal":2,"high":0,"critical":0},"by_category":{}}})",
          Frame(2, 3, 3, kMore),
          R"({"t":"st","id":"4-0","prev":"3-0","cur":"4-0","op":"delete","upto":"1-0",)"
          R"("counts":{"at":"4-0","unread":2,"unseen":1,"by_priority":{"low":0,"normal":2,"high":0,"critical":0},"by_category":{}}})"}));
}

TEST_F(SessionTest, ItemsCarryTheirState) {
  SetHead(0);
  GoLive();
  host_.congested = true;
  Append({Item(1), Item(2), Change(3, model::MarkOp::kArchive, {"n2"})});
  host_.congested = false;
  session_->OnWritable();
  EXPECT_EQ(Said()[0], R"({"t":"n","prev":"0-0","cur":"2-0","items":[)" + ItemJson(1) + "," + ItemJson(2, "archived") +
                           R"(],"more":true})");
}

TEST_F(SessionTest, ReadsTheBacklogFromTheStoreThenGoesLive) {
  SetHead(6);
  Say(R"({"t":"hello","tok":"ann","credit":4})");
  AnswerOpening();
  EXPECT_EQ(Asked(), (Strings{"open ann ", "read 0-0 5"}));
  EXPECT_EQ(Said(), Strings{Welcome("0-0", "fresh")});
  Append({Item(7)});
  EXPECT_EQ(Said(), Strings{}) << "backlog before live";
  AnswerRead({Item(1), Item(2), Item(3), Item(4), Item(5)}, false);
  EXPECT_EQ(Said(), Strings{Frame(0, 1, 4, kMore)});
  EXPECT_EQ(Asked(), Strings{}) << "no credit";
  Say(R"({"t":"ack","cur":"4-0"})");
  EXPECT_EQ(Asked(), Strings{"read 4-0 5"});
  AnswerRead({Item(5), Item(6), Item(7)}, true);
  EXPECT_EQ(Said(), Strings{Frame(4, 5, 7)});
  Append({Item(8)});
  EXPECT_EQ(Said(), Strings{Frame(7, 8, 8)});
}

TEST_F(SessionTest, CreditIsAllThatMayBeOutAndChangesCostNone) {
  SetHead(0);
  GoLive(R"(,"credit":2,"dev":"web")");
  Append({Item(1), Item(2), Change(3, model::MarkOp::kSeen, {"n1"}), Change(4, model::MarkOp::kRead, {"n1"}), Item(5),
          Change(6, model::MarkOp::kRead, {"n2"}), Item(7)});
  const Strings said = Said();
  ASSERT_EQ(said.size(), 3u);
  EXPECT_TRUE(said[1].starts_with(R"({"t":"st","id":"3-0","prev":"2-0","cur":"3-0")"));
  EXPECT_TRUE(said[2].starts_with(R"({"t":"st","id":"4-0","prev":"3-0","cur":"4-0")"));
  EXPECT_EQ(session_->in_flight(), 2u);
  Append({Item(8)});
  Append({Change(9, model::MarkOp::kRead, {"n8"})});
  EXPECT_EQ(Said(), Strings{}) << "a change waits behind the item that waits";
  Say(R"({"t":"ack","cur":"1-0"})");  // half a frame returns its part
  const Strings more = Said();
  ASSERT_EQ(more.size(), 2u);
  EXPECT_EQ(more[0], Frame(4, 5, 5, kMore));
  EXPECT_TRUE(more[1].starts_with(R"({"t":"st","id":"6-0","prev":"5-0","cur":"6-0")"));
  EXPECT_EQ(session_->in_flight(), 2u);
  Say(R"({"t":"ack","cur":"4-0"})");
  EXPECT_EQ(Said(), Strings{Frame(6, 7, 7, kMore)});
  EXPECT_EQ(Asked(), (Strings{"receipt 1-0", "receipt 4-0"}));
}

// ---- Early copies ---------------------------------------------------------------------------------------------------

// `n` with early copies of these.
std::string Early(uint64_t cur, std::vector<uint64_t> ids) {
  std::string items;
  for (uint64_t id : ids)
    items += (items.empty() ? "" : ",") + ("{\"nid\":\"n" + std::to_string(id)) + "\",\"state\":\"unread\"}";
  return "{\"t\":\"n\",\"prev\":null,\"cur\":\"" + std::to_string(cur) + "-0\",\"items\":[" + items + "]}";
}

TEST_F(SessionTest, UrgentItemsOvertakeWhatWaitsForCredit) {
  SetHead(0);
  GoLive(R"(,"credit":1)");
  Append({Item(1), Item(2), Urgent(3), Urgent(4, model::Priority::kNormal), Urgent(5, model::Priority::kHigh)});
  EXPECT_EQ(Said(), (Strings{Frame(0, 1, 1, kMore), Early(1, {3, 5})}));
  Append({Urgent(6)});
  EXPECT_EQ(Said(), Strings{Early(1, {6})}) << "each once";
  Say(R"({"t":"ack","nids":["n3","n5","n6"]})");
  EXPECT_EQ(Said(), Strings{}) << "they are acknowledged, and the cursor stays";
  Say(R"({"t":"ack","cur":"1-0"})");
  EXPECT_EQ(Said(), Strings{Frame(1, 2, 2, kMore)});
  Say(R"({"t":"ack","cur":"2-0"})");
  EXPECT_EQ(Said(), Strings{Frame(2, 3, 3, kMore)}) << "in its order it comes again";
}

TEST_F(SessionTest, AtMostEightEarlyCopiesAreOut) {
  SetHead(0);
  GoLive(R"(,"credit":1)");
  std::vector<LogEntryPtr> entries = {Item(1), Item(2)};
  for (uint64_t id = 3; id <= 12; ++id) entries.push_back(Urgent(id));
  Append(entries);
  EXPECT_EQ(Said(), (Strings{Frame(0, 1, 1, kMore), Early(1, {3, 4, 5, 6, 7, 8, 9, 10})}));
  Say(R"({"t":"ack","nids":["n3"]})");
  EXPECT_EQ(Said(), Strings{Early(1, {11})});
  Say(R"({"t":"ack","nids":["n4","n5"]})");
  EXPECT_EQ(Said(), Strings{Early(1, {12})});
}

TEST_F(SessionTest, UrgentItemsOfABacklogAreLookedFor) {
  logs::Counts counts;
  counts.unread_by_priority[3] = 2;
  SetHead(100, 0, counts);
  Say(R"({"t":"hello","tok":"ann","credit":2})");
  AnswerOpening();
  Said();
  Asked();
  AnswerRead({Item(1), Item(2), Item(3)}, false);
  EXPECT_EQ(Said(), Strings{Frame(0, 1, 2, kMore)});
  EXPECT_EQ(Asked(), Strings{"urgent 16"});
  logs::ListPage page;
  page.lines = {{Urgent(101), logs::ItemState::kUnread},
                {Urgent(90), logs::ItemState::kUnread},
                {Urgent(50, model::Priority::kHigh), logs::ItemState::kUnread},
                {Urgent(2), logs::ItemState::kUnread}};
  session_->OnUrgent(kOwnChannel, page);
  EXPECT_EQ(Said(), Strings{Early(2, {50, 90})}) << "101 came after the question, 2 it has";
  Say(R"({"t":"ack","nids":["n50"]})");
  EXPECT_EQ(Asked(), Strings{}) << "all up to the head was looked at";
}

// An event stream acknowledges nothing: what has come in its order makes room for others.
TEST_F(SessionTest, WithoutAcknowledgementsEarlyCopiesEndWithTheirOrder) {
  logs::Counts counts;
  counts.unread_by_priority[3] = 9;
  SetHead(100, 0, counts);
  Start({.sid = "s1", .header_token = {}, .credit = SessionOptions::Credit::kUnlimited});
  Say(R"({"t":"hello","tok":"ann"})");
  AnswerOpening();
  AnswerRead({Item(1)}, false);
  const auto page = [](uint64_t first, uint64_t last) {
    logs::ListPage urgent;
    for (uint64_t id = last; id >= first; --id) urgent.lines.push_back({Urgent(id), logs::ItemState::kUnread});
    return urgent;
  };
  session_->OnUrgent(kOwnChannel, page(10, 18));
  Said();
  AnswerRead({Item(5)}, false);
  EXPECT_EQ(Said(), Strings{Frame(1, 5, 5, kMore)}) << "eight are out";
  std::vector<LogEntryPtr> in_order;
  for (uint64_t id = 10; id <= 17; ++id) in_order.push_back(Urgent(id));
  AnswerRead(in_order, false);
  Said();
  session_->OnUrgent(kOwnChannel, page(10, 18));
  EXPECT_EQ(Said(), Strings{Early(17, {18})});
}

TEST_F(SessionTest, NothingOvertakesWhereNothingWaits) {
  SetHead(0);
  GoLive();
  Append({Item(1), Urgent(2)});
  EXPECT_EQ(Said().size(), 1u);
  host_.congested = true;
  Append({Urgent(3)});
  EXPECT_EQ(Said(), Strings{}) << "a client that does not read cannot be told early";
}

TEST_F(SessionTest, WithoutCreditSeveralChangesAreReadAtOnce) {
  SetHead(40);
  Say(R"({"t":"hello","tok":"ann","credit":1})");
  AnswerOpening();
  Asked();
  AnswerRead({Item(1), Change(2, model::MarkOp::kRead, {"n1"})}, false);
  EXPECT_EQ(Asked(), Strings{"read 2-0 16"});
}

TEST_F(SessionTest, UnlimitedCreditCountsNothing) {
  Start({.sid = "s1",
         .header_token = {},
         .liveness = SessionOptions::Liveness::kNone,
         .credit = SessionOptions::Credit::kUnlimited});
  SetHead(0);
  GoLive();
  std::vector<LogEntryPtr> many;
  for (uint64_t id = 1; id <= 60; ++id) many.push_back(Item(id));
  for (int round = 0; round < 3; ++round) {
    for (LogEntryPtr& entry : many) entry = Item(entry->id.ms + (round > 0 ? 60 : 0));
    Append(many);
  }
  EXPECT_EQ(session_->told(), (EntryId{180, 0}));
  EXPECT_EQ(session_->in_flight(), 0u);
}

TEST_F(SessionTest, AcksAreClampedToWhatWasSent) {
  SetHead(0);
  GoLive(R"(,"credit":2,"dev":"web")");
  Append({Item(1), Item(2), Item(3)});
  Said();
  Say(R"({"t":"ack","cur":"99-0"})");
  EXPECT_EQ(Asked(), Strings{"receipt 2-0"});
  EXPECT_EQ(Said(), Strings{Frame(2, 3, 3)});
  Say(R"({"t":"ack","cur":"1-0"})");  // long since
  EXPECT_EQ(Asked(), Strings{});
  Say(R"({"t":"ack","cur":"5-0","ch":"news"})");  // a topic's
  Say(R"({"t":"ack","nids":["n1"]})");            // of early copies
  EXPECT_EQ(Asked(), Strings{});
  EXPECT_EQ(session_->in_flight(), 1u);
}

TEST_F(SessionTest, APeerThatDoesNotReadIsNotSentMore) {
  SetHead(0);
  GoLive();
  host_.congested = true;
  for (uint64_t id = 1; id <= 100; ++id) Append({Item(id)});
  EXPECT_EQ(Said(), Strings{});
  EXPECT_EQ(Asked(), Strings{});
  host_.congested = false;
  session_->OnWritable();
  EXPECT_EQ(Asked(), Strings{"read 0-0 65"}) << "the tail did not keep it all";
}

TEST_F(SessionTest, TheTailIsLetGoOfOnceItWasTakenLate) {
  SetHead(0);
  GoLive();
  host_.congested = true;
  Append({Item(1), Item(2)});
  EXPECT_TRUE(log_.TailCovers({0, 0}));
  host_.congested = false;
  session_->OnWritable();
  EXPECT_FALSE(log_.TailCovers({1, 0}));
}

TEST_F(SessionTest, WhatWasDeletedIsCoveredByTheNextCursor) {
  SetHead(5);
  GoLive();
  AnswerRead({Item(1), Item(3)}, true);
  EXPECT_EQ(Said(), (Strings{R"({"t":"n","prev":"0-0","cur":"3-0","items":[)" + ItemJson(1) + "," + ItemJson(3) +
                                 R"(],"more":true})",
                             R"({"t":"n","prev":"3-0","cur":"5-0","items":[]})"}));
}

TEST_F(SessionTest, AFrameEndsAtItsTargetSize) {
  SetHead(0);
  GoLive();
  host_.congested = true;
  std::vector<LogEntryPtr> large;
  for (uint64_t id = 1; id <= 3; ++id) {
    auto entry = std::make_shared<LogEntry>(*Item(id));
    entry->json += ",\"body\":\"" + std::string(model::kFrameTarget / 2, 'x') + "\"";
    large.push_back(std::move(entry));
  }
  SetHead(0);
  for (LogEntryPtr& entry : large) Append({entry});
  host_.congested = false;
  session_->OnWritable();
  ASSERT_EQ(Asked(), Strings{"read 0-0 65"}) << "too much for the tail";
  AnswerRead(large, true);
  EXPECT_EQ(host_.said.size(), 2u);
}

// A session that lags silently skipped what a limit had taken from under it.
TEST_F(SessionTest, ATrimThatOvertakesItEndsIt) {
  SetHead(20, 5);
  GoLive(R"(,"epoch":"0123456789abcdef","cur":"6-0")");
  AnswerRead({Item(15), Item(16)}, false, true);
  EXPECT_EQ(
      Said(),
      (Strings{
          R"({"t":"bye","code":4103,"msg":"the log was trimmed beyond this cursor; what is left follows a new hello"})",
          "end 4103 the log was trimmed beyond this cursor; what is left follows a new hello"}));
}

TEST_F(SessionTest, AReadThatFailsIsAnOverload) {
  SetHead(20);
  GoLive();
  session_->OnLogRead(kOwnChannel, Status(Code::kCorruption, "some/file is damaged"));
  EXPECT_EQ(Said(), (Strings{R"({"t":"bye","code":4100,"msg":"the log cannot be read now"})",
                             "end 4100 the log cannot be read now"}));
  AnswerRead({Item(1)}, true);
  EXPECT_EQ(Said(), Strings{});
}

}  // namespace
}  // namespace tocsin::session
