#include "server/inbox_client.h"

#include <gtest/gtest.h>

namespace tocsin::server {
namespace {

using base::Result;

std::string Welcome(const std::string& cursor, const std::string& resume = "fresh") {
  return R"({"t":"welcome","sid":"s","user":"ann","epoch":"e1","head":"9-0","floor":"0-0","cur":")" + cursor +
         R"(","resume":")" + resume + R"(","ping":25,"ttl":60,"counts":{"unread":2}})";
}
std::string Note(const std::string& id, const std::string& nid, const std::string& more = "") {
  return R"({"id":")" + id + R"(","nid":")" + nid + R"(","ts":1700000000000,"prio":"normal","title":"T","body":"b )" +
         nid + "\"" + more + R"(,"state":"unread"})";
}
std::string Frame(const std::string& prev, const std::string& cur, const std::string& notes) {
  return R"({"t":"n","prev":)" + (prev == "null" ? prev : "\"" + prev + "\"") + R"(,"cur":")" + cur + R"(","items":[)" +
         notes + "]}";
}

class InboxClientTest : public testing::Test {
 protected:
  InboxStep Step(const std::string& text) {
    Result<InboxStep> step = inbox_.OnMessage(text);
    EXPECT_TRUE(step.ok()) << step.status().ToString();
    return step.ok() ? std::move(step).value() : InboxStep();
  }

  InboxClient inbox_{"desk", "all", {.output = Output::kReadable}};
};

TEST_F(InboxClientTest, HelloTakesUpWhereItStands) {
  EXPECT_EQ(inbox_.Hello("tok"), R"({"t":"hello","tok":"tok","dev":"desk","since":"all"})");
  EXPECT_FALSE(inbox_.welcomed());
  Step(Welcome("5-0"));
  EXPECT_TRUE(inbox_.welcomed());
  Step(Frame("5-0", "7-0", Note("6-0", "n1") + "," + Note("7-0", "n2")));
  EXPECT_EQ(inbox_.unacked(), 2);
  EXPECT_EQ(inbox_.TakeAck(), R"({"t":"ack","cur":"7-0"})");
  EXPECT_EQ(inbox_.TakeAck(), "");
  EXPECT_EQ(inbox_.unacked(), 0);
  EXPECT_EQ(inbox_.Hello("t2"), R"({"t":"hello","tok":"t2","dev":"desk","epoch":"e1","cur":"7-0"})");
  InboxClient since("", "1700000000000", {});
  EXPECT_EQ(since.Hello("t"), R"({"t":"hello","tok":"t","since":1700000000000})");
}

TEST_F(InboxClientTest, ShowsEachOnceAndMovesOverEmptyFrames) {
  inbox_.Hello("t");
  InboxStep step =
      Step(Welcome("0-0") + "\n" + Frame("0-0", "1-0", Note("1-0", "n1")) + "\n" + Frame("1-0", "4-0", ""));
  EXPECT_NE(step.print.find("T: b n1\n"), std::string::npos) << step.print;
  EXPECT_NE(step.notes.find("connected as ann, 2 unread"), std::string::npos);
  EXPECT_EQ(inbox_.TakeAck(), R"({"t":"ack","cur":"4-0"})");
  EXPECT_EQ(Step(Frame("4-0", "5-0", Note("5-0", "n1"))).print, "");  // the same notification again
  EXPECT_EQ(inbox_.TakeAck(), R"({"t":"ack","cur":"5-0"})");
}

TEST_F(InboxClientTest, AFrameFromElsewhereIsNotApplied) {
  inbox_.Hello("t");
  Step(Welcome("3-0"));
  InboxStep step = Step(Frame("2-0", "9-0", Note("9-0", "n9")));
  EXPECT_TRUE(step.out_of_step);
  EXPECT_EQ(step.print, "");
  EXPECT_EQ(inbox_.TakeAck(), "");
  EXPECT_NE(inbox_.Hello("t").find(R"("cur":"3-0")"), std::string::npos);
}

TEST_F(InboxClientTest, AnEarlyCopyIsShownReceiptedAndDroppedLater) {
  inbox_.Hello("t");
  Step(Welcome("0-0"));
  std::string early =
      R"({"t":"n","prev":null,"cur":"0-0","items":[{"nid":"n5","ts":1,"prio":"critical","body":"fire"}]})";
  InboxStep step = Step(early);
  EXPECT_NE(step.print.find("CRITICAL  fire"), std::string::npos);
  EXPECT_EQ(inbox_.TakeAck(), R"({"t":"ack","nids":["n5"]})");
  EXPECT_EQ(Step(Frame("0-0", "5-0", Note("5-0", "n5"))).print, "");
  EXPECT_EQ(inbox_.TakeAck(), R"({"t":"ack","cur":"5-0"})");
}

TEST_F(InboxClientTest, AResetStartsOver) {
  inbox_.Hello("t");
  Step(Welcome("0-0") + "\n" + Frame("0-0", "1-0", Note("1-0", "n1")));
  inbox_.Hello("t");
  InboxStep step = Step(Welcome("0-0", "reset"));
  EXPECT_NE(step.notes.find("starting over"), std::string::npos);
  EXPECT_NE(Step(Frame("0-0", "1-0", Note("1-0", "n1"))).print, "");
}

TEST_F(InboxClientTest, StopsAtItsLimitWithTheCursorThere) {
  InboxClient two("desk", "all", {}, 2);
  two.Hello("t");
  Result<InboxStep> step =
      two.OnMessage(Welcome("0-0") + "\n" +
                    Frame("0-0", "3-0", Note("1-0", "n1") + "," + Note("2-0", "n2") + "," + Note("3-0", "n3")));
  ASSERT_TRUE(step.ok());
  EXPECT_TRUE(two.reached_limit());
  EXPECT_EQ(step->print.find("n3"), std::string::npos);
  EXPECT_EQ(two.TakeAck(), R"({"t":"ack","cur":"2-0"})");
}

TEST_F(InboxClientTest, AnswersPingsAndKeepsTheBye) {
  inbox_.Hello("t");
  Step(Welcome("0-0"));
  EXPECT_EQ(Step(R"({"t":"ping","ts":1})").reply, R"({"t":"pong"})");
  Step(R"({"t":"bye","code":4200,"msg":"going\u001b[2J away","after_ms":700})");
  EXPECT_EQ(inbox_.farewell().code, 4200);
  EXPECT_EQ(inbox_.farewell().after_ms, 700);
  EXPECT_EQ(inbox_.farewell().message, "going [2J away");
  Step(R"({"t":"something-new","x":[1,2]})");  // ignored
}

TEST_F(InboxClientTest, TheTerminalIsNotObeyed) {
  inbox_.Hello("t");
  Step(Welcome("0-0"));
  InboxStep step = Step(
      Frame("0-0", "1-0",
            R"({"id":"1-0","nid":"n","ts":1,"prio":"low","title":"\u001b]0;x\u0007","body":"a\nb\u009bc\u007fé"})"));
  EXPECT_EQ(step.print.find('\x1b'), std::string::npos);
  EXPECT_NE(step.print.find("a b c \xc3\xa9\n"), std::string::npos) << step.print;
}

TEST_F(InboxClientTest, JsonIsPassedOnAsItIs) {
  InboxClient json("", "all", {.output = Output::kJson});
  json.Hello("t");
  std::string note = Note("1-0", "n1", R"(,"data":{"a":0.10})");
  std::string state =
      R"({"t":"st","id":"2-0","prev":"1-0","cur":"2-0","op":"read","ids":["n1"],"counts":{"unread":0}})";
  Result<InboxStep> step = json.OnMessage(Welcome("0-0") + "\n" + Frame("0-0", "1-0", note) + "\n" + state);
  ASSERT_TRUE(step.ok());
  EXPECT_EQ(step->print, note + "\n" + state + "\n");
}

TEST_F(InboxClientTest, WhatIsNotTheProtocolIsRefused) {
  inbox_.Hello("t");
  EXPECT_FALSE(inbox_.OnMessage(Frame("0-0", "1-0", "")).ok());  // before the welcome
  Step(Welcome("0-0"));
  for (const char* text : {"{", "[]", "7", R"({"t":"n","prev":"x","cur":"1-0","items":[]})",
                           R"({"t":"st","op":"read"})", R"({"t":"welcome","cur":7})"}) {
    EXPECT_FALSE(inbox_.OnMessage(text).ok()) << text;
  }
}

TEST(AfterFarewell, TheCloseCodeSaysWhatToDo) {
  base::SeededRandom random(3);
  struct Case {
    int code;
    int64_t after_ms;
    int attempt;
    NextTry::Kind kind;
    int64_t least_ms, most_ms;
  };
  using Kind = NextTry::Kind;
  const Case cases[] = {{4001, -1, 0, Kind::kStop, 0, 0},
                        {4003, 5, 3, Kind::kStop, 0, 0},
                        {4100, -1, 0, Kind::kAgain, 5'000, 5'500},
                        {4103, -1, 9, Kind::kAgain, 5'000, 35'000},
                        {4100, 60'000, 0, Kind::kAgain, 60'000, 60'000},
                        {4200, 700, 0, Kind::kAgain, 700, 700},
                        {4202, -1, 0, Kind::kAgain, 0, 500},
                        {4300, -1, 0, Kind::kAgainWithNewToken, 0, 0},
                        {4301, -1, 5, Kind::kAgainWithNewToken, 0, 16'000},
                        {1006, -1, 0, Kind::kAgain, 0, 500},
                        {0, -1, 50, Kind::kAgain, 0, 30'000},
                        {1002, -1, 2, Kind::kAgain, 0, 2'000}};
  for (const Case& each : cases) {
    for (int i = 0; i < 100; ++i) {
      NextTry next = AfterFarewell({.code = each.code, .after_ms = each.after_ms}, each.attempt, random);
      EXPECT_EQ(next.kind, each.kind) << each.code;
      EXPECT_GE(next.wait_ms, each.least_ms) << each.code;
      EXPECT_LE(next.wait_ms, each.most_ms) << each.code;
    }
  }
}

}  // namespace
}  // namespace tocsin::server
