// How a session begins and ends, and all that has to do with time. What a frame looks like is fixed here to the byte:
// these frames are what other languages' clients are written against.
#include "session/session.h"

#include <gtest/gtest.h>

#include "session/scripted_host.h"

namespace tocsin::session {
namespace {

// ---- Hello ----------------------------------------------------------------------------------------------------------

TEST_F(SessionTest, AHelloIsAnsweredByAWelcome) {
  SetHead(9, 2, {3, 2, {0, 1, 1, 1}});
  Say(R"({"t":"hello","tok":"ann","dev":"phone"})");
  EXPECT_EQ(Asked(), Strings{"open ann phone"});
  EXPECT_EQ(Said(), Strings{});
  AnswerOpening();
  EXPECT_EQ(
      Said(),
      Strings{R"({"t":"welcome","sid":"s1","user":"ann","epoch":"0123456789abcdef","head":"9-0","floor":"2-0",)"
              R"("cur":"2-0","resume":"fresh","ping":25,"ttl":3600,"counts":{"at":"9-0","unread":3,"unseen":2,)"
              R"("by_priority":{"low":0,"normal":1,"high":1,"critical":1},"by_category":{}},"now":1700000000000})"});
  EXPECT_EQ(host_.curs, (std::vector<std::optional<EntryId>>{EntryId{2, 0}}));
  EXPECT_EQ(Asked(), Strings{"read 2-0 65"});
  EXPECT_EQ(session_->user(), "ann");
  EXPECT_EQ(session_->device(), "phone");
}

TEST_F(SessionTest, TheTokenMayComeInTheHeader) {
  Start({.sid = "s1", .header_token = "ann"});
  Say(R"({"t":"hello"})");
  EXPECT_EQ(Asked(), Strings{"open ann "});
  Start({.sid = "s1", .header_token = "ann"});
  Say(R"({"t":"hello","tok":"bob"})");
  EXPECT_EQ(Asked(), Strings{"open bob "});
}

TEST_F(SessionTest, ATransportMayBeginWithoutAHello) {
  SetHead(0);
  auth::Identity identity;
  identity.user = "ann";
  identity.expires_ms = kWall + 3'600'000;
  wire::Hello hello;
  hello.device = "web";
  session_->Begin(identity, hello);
  AnswerOpening();
  EXPECT_EQ(Said(), Strings{Welcome("0-0", "fresh")});
}

TEST_F(SessionTest, BadTokensSayWhatToDo) {
  struct {
    std::string_view hello, bye, end;
  } const kCases[] = {
      {R"({"t":"hello"})", R"({"t":"bye","code":4001,"msg":"no token: send it as `tok` in `hello`"})",
       "end 4001 no token: send it as `tok` in `hello`"},
      {R"({"t":"hello","tok":"bad"})", R"({"t":"bye","code":4001,"msg":"the token's signature is wrong"})",
       "end 4001 the token's signature is wrong"},
      {R"({"t":"hello","tok":"old"})", R"({"t":"bye","code":4300,"msg":"the token has expired"})",
       "end 4300 the token has expired"},
  };
  for (const auto& c : kCases) {
    Start({.sid = "s1", .header_token = {}});
    Say(c.hello);
    EXPECT_EQ(Said(), (Strings{std::string(c.bye), std::string(c.end)}));
    EXPECT_TRUE(session_->ended());
    Say(R"({"t":"hello","tok":"ann"})");
    Pass(100'000);
    EXPECT_EQ(Said(), Strings{}) << "nothing after bye";
    EXPECT_EQ(Asked(), Strings{});
  }
}

TEST_F(SessionTest, NoHelloWithinFiveSeconds) {
  Pass(4'999);
  EXPECT_EQ(Said(), Strings{});
  Pass(1);
  EXPECT_EQ(Said(),
            (Strings{R"({"t":"bye","code":4004,"msg":"no `hello` within 5 s"})", "end 4004 no `hello` within 5 s"}));
}

// Frames of unknown types were counted as signs of life, so that a stranger could stay for ever.
TEST_F(SessionTest, ChatterDoesNotPutOffTheDeadlineOfTheHello) {
  for (int second = 0; second < 5; ++second) {
    Say(R"({"t":"pong"})");
    Say(R"({"t":"later-version"})");
    Pass(1'000);
  }
  EXPECT_TRUE(session_->ended());
}

TEST_F(SessionTest, FramesOutOfTurnBreakTheProtocol) {
  struct {
    Strings frames;
    std::string_view message;
  } const kCases[] = {
      {{R"({"t":"ack","cur":"1-0"})"}, "the first frame must be `hello`"},
      {{R"({"t":"hello","tok":"ann"})", R"({"t":"ack","cur":"1-0"})"}, "wait for `welcome` before other frames"},
      {{R"({"t":"hello","tok":"ann"})", R"({"t":"list","i":1})"}, "wait for `welcome` before other frames"},
      {{R"({"t":"hello","tok":"ann"})", R"({"t":"hello","tok":"ann"})"}, "a second `hello`"},
      {{R"({"t":"hello","tok":7})"}, "`tok`: expected a string of at most 8192 bytes"},
      {{R"({"t":"hello","tok":"ann","cur":"5"})"}, "`cur`: expected an entry id in quotes, `<ms>-<n>`"},
      {{"[]"}, "expected a JSON object"},
  };
  for (const auto& c : kCases) {
    Start({.sid = "s1", .header_token = {}});
    for (const std::string& frame : c.frames) Say(frame);
    ASSERT_EQ(host_.said.size(), 2u) << c.message;
    EXPECT_EQ(Said().back(), "end 4004 " + std::string(c.message));
  }
  Start({.sid = "s1", .header_token = {}});
  SetHead(0);
  GoLive();
  Say(R"({"t":"hello","tok":"ann"})");
  EXPECT_EQ(Said().back(), "end 4004 a second `hello`");
}

TEST_F(SessionTest, UnknownTypesAreIgnoredAndAMessageMayHoldSeveralFrames) {
  SetHead(3);
  GoLive(R"(,"since":"new")");
  Say("{\"t\":\"whatever\",\"x\":[1]}\n\n{\"t\":\"list\",\"i\":\"a\"}\r\n{\"t\":\"pong\"}\n{\"t\":\"list\",\"i\":2}");
  EXPECT_EQ(Asked(), (Strings{"list \"a\" max 50 0", "list 2 max 50 0"}));
  Say("{\"t\":\"list\",\"i\":3}\nnonsense\n{\"t\":\"list\",\"i\":4}");
  EXPECT_EQ(Asked(), Strings{"list 3 max 50 0"}) << "nothing is heard after the bye";
  EXPECT_TRUE(session_->ended());
}

TEST_F(SessionTest, AnOpeningThatFailsIsAnOverload) {
  Say(R"({"t":"hello","tok":"ann"})");
  session_->OnLogOpened(nullptr, Status(Code::kUnavailable, "IO error: some/file"), now());
  EXPECT_EQ(Said(), (Strings{R"({"t":"bye","code":4100,"msg":"the log cannot be read now"})",
                             "end 4100 the log cannot be read now"}));
}

// ---- Time -----------------------------------------------------------------------------------------------------------

TEST_F(SessionTest, PingsASilentClientAndClosesADeadOne) {
  SetHead(0);
  GoLive();
  Pass(24'999);
  EXPECT_EQ(Said(), Strings{});
  Pass(1);
  EXPECT_EQ(Said(), Strings{R"({"t":"ping","ts":1700000025000})"});
  Pass(9'999);
  EXPECT_EQ(Said(), Strings{}) << "one ping at a time";
  Say(R"({"t":"pong"})");
  Pass(1);
  Pass(24'000);
  EXPECT_EQ(Said(), Strings{});
  Say(R"({"t":"anything"})");  // any frame is a sign of life
  Pass(24'999);
  EXPECT_EQ(Said(), Strings{});
  Pass(1);
  EXPECT_EQ(Said().size(), 1u);
  Pass(10'000);
  EXPECT_EQ(Said(), (Strings{R"({"t":"bye","code":4202,"msg":"no frame came after a ping"})",
                             "end 4202 no frame came after a ping"}));
}

TEST_F(SessionTest, AWakeUpThatWasLostCostsUpToAPing) {
  SetHead(0);
  GoLive();
  log_.Apply({"ann", {Item(1)}, {}, {}});  // nobody says so
  Pass(25'000);
  EXPECT_EQ(Said(), (Strings{R"({"t":"ping","ts":1700000025000})", Frame(0, 1, 1)}));
}

TEST_F(SessionTest, AClientThatOnlyListensIsNotPinged) {
  Start({.sid = "s1", .header_token = {}, .liveness = SessionOptions::Liveness::kNone});
  SetHead(0);
  GoLive();
  Pass(1'000'000);
  EXPECT_EQ(Said(), Strings{});
}

TEST_F(SessionTest, WarnsOnceBeforeTheTokenEndsThenEnds) {
  SetHead(0);
  Say(R"({"t":"hello","tok":"ann:90000"})");
  AnswerOpening();
  Said();
  Pass(20'000);
  Say(R"({"t":"pong"})");
  EXPECT_EQ(Said(), Strings{});
  Pass(10'000);
  EXPECT_EQ(Said(), Strings{R"({"t":"warn","what":"token_expiring","in_ms":60000})"});
  Pass(10'000);
  EXPECT_EQ(Said(), Strings{});
  Say(R"({"t":"pong"})");
  Pass(20'000);
  Say(R"({"t":"pong"})");
  Pass(20'000);
  Say(R"({"t":"pong"})");
  EXPECT_EQ(Said(), Strings{});
  Pass(10'000);
  EXPECT_EQ(Said(),
            (Strings{R"({"t":"bye","code":4300,"msg":"the token has expired"})", "end 4300 the token has expired"}));
}

TEST_F(SessionTest, ANewTokenOfTheSameUserKeepsTheSession) {
  SetHead(0);
  Say(R"({"t":"hello","tok":"ann:90000"})");
  AnswerOpening();
  Said();
  Pass(40'000);
  Said();  // ping and warning
  Say(R"({"t":"auth","i":1,"tok":"ann:640000"})");
  EXPECT_EQ(Said(), Strings{R"({"t":"ok","i":1,"ttl":600})"});
  for (int i = 0; i < 27; ++i) {
    Pass(20'000);
    Say(R"({"t":"pong"})");
  }
  EXPECT_EQ(Said(), Strings{R"({"t":"warn","what":"token_expiring","in_ms":60000})"}) << "it warns again";
}

TEST_F(SessionTest, ATokenThatWillNotDoLeavesTheOldOneInForce) {
  SetHead(0);
  GoLive();
  Say(R"({"t":"auth","i":1,"tok":"bob"})");
  Say(R"({"t":"auth","i":2,"tok":"bad"})");
  Say(R"({"t":"auth","i":3,"tok":"old"})");
  EXPECT_EQ(Said(),
            (Strings{Error("1", "wrong_user", "the token is another user's; this session keeps its own", "false"),
                     Error("2", "bad_token", "the token's signature is wrong", "false"),
                     Error("3", "token_expired", "the token has expired", "false")}));
  EXPECT_TRUE(session_->live());
  EXPECT_EQ(session_->user(), "ann");
}

// A clock that jumps by a day ended every session at once.
TEST_F(SessionTest, AClockThatIsSetDisconnectsNobody) {
  SetHead(0);
  GoLive();
  wall_ms_ += 86'400'000;
  Pass(1'000);
  wall_ms_ -= 2 * 86'400'000;
  Pass(1'000);
  EXPECT_EQ(Said(), Strings{});
  for (int i = 0; i < 3'600 / 20; ++i) {
    Say(R"({"t":"pong"})");
    Pass(20'000);
  }
  EXPECT_EQ(Said().back(), "end 4300 the token has expired") << "it lives as long as the token was good for";
}

// ---- Ends -----------------------------------------------------------------------------------------------------------

TEST_F(SessionTest, ADrainSaysWhenToComeBack) {
  SetHead(0);
  GoLive();
  session_->Drain(1'234);
  EXPECT_EQ(Said(), (Strings{R"({"t":"bye","code":4200,"msg":"the server is going away","after_ms":1234})",
                             "end 4200 the server is going away"}));
  session_->Drain(1);
  session_->Bye(CloseCode::kSlow);
  Append({Item(1)});
  Say(R"({"t":"list","i":1})");
  EXPECT_EQ(Said(), Strings{});
  EXPECT_EQ(Asked(), Strings{});
}

TEST_F(SessionTest, EveryCloseCodeHasItsNumberAndItsReason) {
  struct {
    CloseCode code;
    int number;
    std::string_view reason;
  } const kCases[] = {
      {CloseCode::kBadToken, 4001, "the token is not valid"},
      {CloseCode::kRevoked, 4003, "the user's tokens were revoked"},
      {CloseCode::kProtocol, 4004, "a frame broke the protocol"},
      {CloseCode::kOrigin, 4006, "this origin is not allowed"},
      {CloseCode::kOverload, 4100, "the server is overloaded"},
      {CloseCode::kSlow, 4103, "the client reads too slowly"},
      {CloseCode::kDrain, 4200, "the server is going away"},
      {CloseCode::kNoPong, 4202, "no frame came after a ping"},
      {CloseCode::kLogLost, 4203, "the store has lost entries of the log"},
      {CloseCode::kExpired, 4300, "the token has expired"},
  };
  for (const auto& c : kCases) {
    Start({.sid = "s1", .header_token = {}});
    session_->Bye(c.code);
    const std::string number = std::to_string(c.number), reason(c.reason);
    EXPECT_EQ(Said(), (Strings{R"({"t":"bye","code":)" + number + R"(,"msg":")" + reason + "\"}",
                               "end " + number + " " + reason}));
  }
  Start({.sid = "s1", .header_token = {}});
  session_->Bye(CloseCode::kRevoked, "by \"ops\"");
  EXPECT_EQ(Said()[0], R"({"t":"bye","code":4003,"msg":"by \"ops\""})");
}

TEST_F(SessionTest, AnswersAfterTheEndAreDropped) {
  SetHead(9);
  GoLive();
  Say(R"({"t":"mark","i":1,"op":"read","ids":["n1"]})");
  Say(R"({"t":"list","i":2})");
  session_->Bye(CloseCode::kRevoked);
  Said();
  AnswerRead({Item(1)}, true);
  session_->OnMarked("1", Counts{});
  session_->OnListed("2", logs::ListPage{});
  session_->OnLogOpened(&log_, logs::LogOpening{}, now());
  session_->OnWritable();
  EXPECT_EQ(Said(), Strings{});
}

TEST_F(SessionTest, LeavesTheLogWhenItGoes) {
  SetHead(0);
  GoLive();
  EXPECT_EQ(log_.followers().size(), 1u);
  session_.reset();
  EXPECT_TRUE(log_.followers().empty());
}

}  // namespace
}  // namespace tocsin::session
