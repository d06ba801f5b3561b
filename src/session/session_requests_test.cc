// Marks and lists: what is asked of the host, and how the client is answered.
#include <gtest/gtest.h>

#include "session/scripted_host.h"
#include "session/session.h"

namespace tocsin::session {
namespace {

// ---- Requests -------------------------------------------------------------------------------------------------------

TEST_F(SessionTest, AMarkIsStoredAndAnsweredWithTheCountsOfTheLog) {
  SetHead(4);
  GoLive(R"(,"dev":"web","since":"new")");
  Say(R"({"t":"mark","i":7,"op":"archive","ids":["n1","n2"],"mid":"m1"})");
  Say(R"({"t":"mark","i":"x","op":"read","ch":"","upto":"3-0"})");
  ASSERT_EQ(host_.marks.size(), 2u);
  EXPECT_EQ(host_.marks[0].second.user, "ann");
  EXPECT_EQ(host_.marks[0].second.device, "web");
  EXPECT_EQ(host_.marks[0].second.op, model::MarkOp::kArchive);
  EXPECT_EQ(host_.marks[0].second.nids, (Strings{"n1", "n2"}));
  EXPECT_EQ(host_.marks[0].second.mid, "m1");
  EXPECT_EQ(host_.marks[1].second.upto, (EntryId{3, 0}));
  // In the same turn something else was appended: the counts belong to the id that goes with them.
  Append({Change(5, model::MarkOp::kArchive, {"n1", "n2"}), Item(6)});
  Said();
  session_->OnMarked("7", Counts{1, 1, {}});
  EXPECT_EQ(Said(), Strings{R"({"t":"ok","i":7,"counts":{"at":"6-0","unread":9,"unseen":9,)"
                            R"("by_priority":{"low":0,"normal":0,"high":0,"critical":0},"by_category":{}}})"});
}

TEST_F(SessionTest, FailuresOfOursTellNothingOfThisMachine) {
  SetHead(4);
  GoLive(R"(,"since":"new")");
  struct {
    Code code;
    std::string_view name, message, retry;
  } const kCases[] = {
      {Code::kNoSpace, "no_space", "the server's disk is full; nothing was stored", "true"},
      {Code::kUnavailable, "unavailable", "the server cannot answer now; nothing was stored", "true"},
      {Code::kCancelled, "unavailable", "the server cannot answer now; nothing was stored", "true"},
      {Code::kResourceExhausted, "overload", "the server has too much to do now", "true"},
      {Code::kCorruption, "internal", "the server has failed; nothing was stored", "false"},
  };
  for (const auto& c : kCases) {
    Say(R"({"t":"mark","i":1,"op":"read","ids":["n1"]})");
    session_->OnMarked("1", Status(c.code, "IO error: /var/lib/secret/000012.log"));
    Say(R"({"t":"list","i":"two"})");
    session_->OnListed("\"two\"", Status(c.code, "IO error: /var/lib/secret/000012.log"));
    EXPECT_EQ(Said(), (Strings{Error("1", c.name, c.message, c.retry), Error("\"two\"", c.name, c.message, c.retry)}));
  }
}

TEST_F(SessionTest, AListIsAnsweredByAPage) {
  SetHead(4);
  GoLive(R"(,"since":"new")");
  Say(R"({"t":"list","i":1,"before":"9-3","limit":2,"filter":"archived"})");
  Say(R"({"t":"list","i":2,"filter":"unread"})");
  EXPECT_EQ(Asked(), (Strings{"list 1 9-3 2 2", "list 2 max 50 1"}));
  logs::ListPage page;
  page.lines = {{Item(3), logs::ItemState::kArchived}, {Item(2), logs::ItemState::kArchived}};
  page.before = EntryId{2, 0};
  session_->OnListed("1", page);
  session_->OnListed("2", logs::ListPage{});
  const std::string counts =
      R"("counts":{"at":"4-0","unread":0,"unseen":0,"by_priority":{"low":0,"normal":0,"high":0,"critical":0},"by_category":{}}})";
  EXPECT_EQ(Said(), (Strings{R"({"t":"ok","i":1,"items":[)" + ItemJson(3, "archived") + "," + ItemJson(2, "archived") +
                                 R"(],"before":"2-0",)" + counts,
                             R"({"t":"ok","i":2,"items":[],)" + counts}));
  EXPECT_EQ(host_.curs.back(), std::nullopt) << "a reply moves no cursor";
}

TEST_F(SessionTest, RequestsThatCannotBeMetAreRefusedAndTheSessionGoesOn) {
  SetHead(4);
  GoLive(R"(,"since":"new")");
  Say(R"({"t":"list","i":1,"before":"yesterday"})");
  Say(R"({"t":"list","i":2,"filter":"spam"})");
  Say(R"({"t":"mark","i":3,"op":"read","ch":"news","upto":"1-0"})");
  EXPECT_EQ(Said(),
            (Strings{Error("1", "bad_request", "`before`: not from an earlier page", "false"),
                     Error("2", "bad_request", "`filter`: one of `inbox`, `unread`, `archived`, `all`", "false"),
                     Error("3", "no_topic", "`ch`: this session does not have that topic", "false")}));
  EXPECT_TRUE(session_->live());
  EXPECT_EQ(Asked(), Strings{});
}

TEST_F(SessionTest, RequestsThatWaitAreBounded) {
  SetHead(4);
  GoLive(R"(,"since":"new")");
  for (int i = 0; i < 65; ++i) Say(R"({"t":"mark","i":)" + std::to_string(i) + R"(,"op":"read","ids":["n1"]})");
  EXPECT_EQ(Asked().size(), 64u);
  EXPECT_EQ(Said(), Strings{Error("64", "overload", "too many marks wait for an answer", "true")});
  session_->OnMarked("0", Counts{});
  Said();
  Say(R"({"t":"mark","i":65,"op":"read","ids":["n1"]})");
  EXPECT_EQ(Asked(), Strings{"mark 65"});
  for (int i = 0; i < 5; ++i) Say(R"({"t":"list","i":)" + std::to_string(i) + "}");
  EXPECT_EQ(Asked().size(), 4u) << "a page may be long";
  EXPECT_EQ(Said(), Strings{Error("4", "overload", "too many lists wait for an answer", "true")});
}

}  // namespace
}  // namespace tocsin::session
