// Every frame and every close code, with a scripted host. What a frame looks like is fixed here to the byte: these
// frames are what other languages' clients are written against.
#include "session/session.h"

#include <gtest/gtest.h>

#include "model/limits.h"

namespace tocsin::session {
namespace {

using base::Code;
using base::Status;
using logs::Counts;
using logs::LogEntry;
using logs::LogEntryPtr;
using logs::LogHead;
using logs::LogLine;
using logs::LogPiece;
using model::EntryId;

constexpr int64_t kWall = 1'700'000'000'000;
const std::string kEpoch = "0123456789abcdef";

LogEntryPtr Item(uint64_t id) {
  auto entry = std::make_shared<LogEntry>();
  entry->id = {id, 0};
  entry->nid = "n" + std::to_string(id);
  entry->json = "\"nid\":\"" + entry->nid + "\"";
  return entry;
}

LogEntryPtr Change(uint64_t id, model::MarkOp op, std::vector<std::string> nids,
                   std::optional<EntryId> upto = std::nullopt, std::string by = "web") {
  auto entry = std::make_shared<LogEntry>();
  entry->id = {id, 0};
  entry->change = logs::StateChange{op, std::move(nids), upto, std::move(by), {2, 1, {0, 2, 0, 0}}};
  return entry;
}

std::string ItemJson(uint64_t id, std::string_view state = "unread") {
  const std::string n = std::to_string(id);
  return "{\"id\":\"" + n + "-0\",\"nid\":\"n" + n + "\",\"state\":\"" + std::string(state) + "\"}";
}

// `n` with the items from `first` to `last`.
std::string Frame(uint64_t prev, uint64_t first, uint64_t last, std::string_view more = "") {
  std::string items;
  for (uint64_t id = first; id <= last; ++id) items += (id > first ? "," : "") + ItemJson(id);
  return "{\"t\":\"n\",\"prev\":\"" + std::to_string(prev) + "-0\",\"cur\":\"" + std::to_string(last) +
         "-0\",\"items\":[" + items + "]" + std::string(more) + "}";
}
constexpr std::string_view kMore = ",\"more\":true";

std::string Error(std::string_view i, std::string_view code, std::string_view message, std::string_view retry) {
  std::string frame = R"({"t":"err","i":)";
  frame.append(i).append(R"(,"code":")").append(code).append(R"(","msg":")").append(message);
  frame.append(R"(","retry":)").append(retry).append(R"(,"doc":"/docs/errors#)").append(code).append("\"}");
  return frame;
}

// Says what the session did, in order; answers what it was told to.
class ScriptedHost final : public SessionHost {
 public:
  std::vector<std::string> said;  // frames, and "end CODE MESSAGE"
  std::vector<std::optional<EntryId>> curs;
  std::vector<std::string> asked;  // "open ...", "read ...", ...
  bool congested = false;
  std::vector<std::pair<std::string, logs::MarkRequest>> marks;

  void Send(std::string_view frame, std::optional<EntryId> cur) override {
    said.emplace_back(frame);
    curs.push_back(cur);
  }
  bool Congested() const override { return congested; }
  void End(CloseCode code, std::string_view message) override {
    said.push_back("end " + std::to_string(static_cast<int>(code)) + " " + std::string(message));
  }
  base::Result<auth::Identity> Verify(std::string_view token) override {
    if (token == "bad") return Status(Code::kUnauthenticated, "the token's signature is wrong");
    if (token == "old") return Status(Code::kExpired, "the token has expired");
    auth::Identity identity;
    const size_t colon = token.find(':');
    identity.user = token.substr(0, colon);
    identity.expires_ms =
        colon == token.npos ? kWall + 3'600'000 : kWall + std::stoll(std::string(token.substr(colon + 1)));
    return identity;
  }
  void OpenLog(const std::string& user, const std::string& device) override {
    asked.push_back("open " + user + " " + device);
  }
  void ReadLog(EntryId after, size_t max_entries, size_t) override {
    asked.push_back("read " + after.ToString() + " " + std::to_string(max_entries));
  }
  void ListLog(std::string i, EntryId before, size_t limit, logs::ListFilter filter) override {
    asked.push_back("list " + i + " " + (before == EntryId::Max() ? "max" : before.ToString()) + " " +
                    std::to_string(limit) + " " + std::to_string(static_cast<int>(filter)));
  }
  void StoreReceipt(EntryId cursor) override { asked.push_back("receipt " + cursor.ToString()); }
  void StoreMark(std::string i, logs::MarkRequest request) override {
    asked.push_back("mark " + i);
    marks.emplace_back(std::move(i), std::move(request));
  }
};

class SessionTest : public testing::Test {
 protected:
  SessionTest() { Start({.sid = "s1", .header_token = {}}); }

  void Start(SessionOptions options) {
    session_.reset();
    host_ = ScriptedHost();
    session_ = std::make_unique<Session>(host_, std::move(options), now());
  }
  // Opens the log with that head.
  void SetHead(uint64_t last, uint64_t floor = 0, Counts counts = {}) {
    head_.last = {last, 0};
    head_.floor = {floor, 0};
    head_.counts = counts;
    log_.Open(head_);
  }
  void Say(std::string_view frame) { session_->OnMessage(frame, now()); }
  void AnswerOpening(std::optional<EntryId> device_cursor = std::nullopt) {
    session_->OnLogOpened(&log_, logs::LogOpening{head_, device_cursor}, kEpoch, now());
  }
  // A session that has been welcomed, the welcome forgotten.
  void GoLive(std::string_view members = "", std::optional<EntryId> device_cursor = std::nullopt) {
    Say("{\"t\":\"hello\",\"tok\":\"ann\"" + std::string(members) + "}");
    AnswerOpening(device_cursor);
    ASSERT_TRUE(session_->live());
    host_.said.erase(host_.said.begin());
    host_.asked.clear();
  }
  void Append(std::vector<LogEntryPtr> entries, uint64_t floor = 0) {
    log_.Apply({"ann", std::move(entries), {floor, 0}, {9, 9, {}}});
    session_->OnLogAdvanced();
  }
  void AnswerRead(std::vector<LogEntryPtr> entries, bool complete, bool gap = false) {
    LogPiece piece;
    for (LogEntryPtr& entry : entries) piece.lines.push_back({std::move(entry), logs::ItemState::kUnread});
    piece.complete = complete;
    piece.gap = gap;
    session_->OnLogRead(piece);
  }
  // What the session has sent since the last time.
  std::vector<std::string> Said() { return std::exchange(host_.said, {}); }
  std::vector<std::string> Asked() { return std::exchange(host_.asked, {}); }
  std::string Welcome(std::string_view cur, std::string_view resume) const {
    return "{\"t\":\"welcome\",\"sid\":\"s1\",\"user\":\"ann\",\"epoch\":\"" + kEpoch + "\",\"head\":\"" +
           head_.last.ToString() + "\",\"floor\":\"" + head_.floor.ToString() + "\",\"cur\":\"" + std::string(cur) +
           "\",\"resume\":\"" + std::string(resume) + "\",\"ping\":25,\"ttl\":3600,\"counts\":{\"at\":\"" +
           head_.last.ToString() +
           "\",\"unread\":0,\"unseen\":0,\"by_priority\":{\"low\":0,\"normal\":0,\"high\":0,\"critical\":0}},\"now\":" +
           std::to_string(kWall) + "}";
  }
  Moment now() const { return {wall_ms_, monotonic_ms_}; }
  void Pass(int64_t ms) {
    wall_ms_ += ms;
    monotonic_ms_ += ms;
    session_->OnTick(now());
  }

  int64_t wall_ms_ = kWall, monotonic_ms_ = 5'000;
  ScriptedHost host_;
  logs::LiveLog log_{"ann"};
  LogHead head_;
  std::unique_ptr<Session> session_;
};

using Strings = std::vector<std::string>;

// ---- Hello ----------------------------------------------------------------------------------------------------------

TEST_F(SessionTest, AHelloIsAnsweredByAWelcome) {
  SetHead(9, 2, {3, 2, {0, 1, 1, 1}});
  Say(R"({"t":"hello","tok":"ann","dev":"phone"})");
  EXPECT_EQ(Asked(), Strings{"open ann phone"});
  EXPECT_EQ(Said(), Strings{});
  AnswerOpening();
  EXPECT_EQ(Said(),
            Strings{R"({"t":"welcome","sid":"s1","user":"ann","epoch":"0123456789abcdef","head":"9-0","floor":"2-0",)"
                    R"("cur":"2-0","resume":"fresh","ping":25,"ttl":3600,"counts":{"at":"9-0","unread":3,"unseen":2,)"
                    R"("by_priority":{"low":0,"normal":1,"high":1,"critical":1}},"now":1700000000000})"});
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
  session_->OnLogOpened(nullptr, Status(Code::kUnavailable, "IO error: some/file"), kEpoch, now());
  EXPECT_EQ(Said(), (Strings{R"({"t":"bye","code":4100,"msg":"the log cannot be read now"})",
                             "end 4100 the log cannot be read now"}));
}

// ---- Where it resumes -----------------------------------------------------------------------------------------------

TEST_F(SessionTest, ResumesWhereTheClientStands) {
  const std::string good = R"(,"epoch":"0123456789abcdef")";
  struct {
    std::string members;
    std::optional<EntryId> stored;
    std::string_view cur, resume;
    std::string receipt;  // that the hello amounts to
  } const kCases[] = {
      {good + R"(,"cur":"10-0")", {}, "10-0", "ok", "receipt 10-0"},                 // at the floor
      {good + R"(,"cur":"12-7")", {}, "12-7", "ok", "receipt 12-7"},                 // no entry has that id
      {good + R"(,"cur":"20-0")", {}, "20-0", "ok", "receipt 20-0"},                 // at the head
      {good + R"(,"cur":{"":"15-0","t":"1-0"})", {}, "15-0", "ok", "receipt 15-0"},  // of a map
      {good + R"(,"cur":"15-0")", EntryId{18, 0}, "15-0", "ok", "receipt 15-0"},     // the client's wins
      {good + R"(,"cur":"9-9")", {}, "10-0", "gap", "receipt 9-9"},                  // below the floor
      {good + R"(,"cur":"0-0")", {}, "10-0", "gap", ""},                             // ... as far as can be
      {good + R"(,"cur":"20-1")", {}, "10-0", "reset", ""},                          // above the head
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
          R"("counts":{"at":"2-0","unread":2,"unseen":1,"by_priority":{"low":0,"normal":2,"high":0,"critical":0}}})",
          Frame(2, 3, 3, kMore),
          R"({"t":"st","id":"4-0","prev":"3-0","cur":"4-0","op":"delete","upto":"1-0",)"
          R"("counts":{"at":"4-0","unread":2,"unseen":1,"by_priority":{"low":0,"normal":2,"high":0,"critical":0}}})"}));
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
  Say(R"({"t":"ack","cur":"1-0"})");
  EXPECT_EQ(Said(), Strings{}) << "half a frame returns nothing";
  Say(R"({"t":"ack","cur":"4-0"})");
  const Strings more = Said();
  ASSERT_EQ(more.size(), 3u);
  EXPECT_EQ(more[0], Frame(4, 5, 5, kMore));
  EXPECT_TRUE(more[1].starts_with(R"({"t":"st","id":"6-0")"));
  EXPECT_EQ(more[2], Frame(6, 7, 7, kMore));
  EXPECT_EQ(Asked(), (Strings{"receipt 1-0", "receipt 4-0"}));
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
  session_->OnLogRead(Status(Code::kCorruption, "some/file is damaged"));
  EXPECT_EQ(Said(), (Strings{R"({"t":"bye","code":4100,"msg":"the log cannot be read now"})",
                             "end 4100 the log cannot be read now"}));
  AnswerRead({Item(1)}, true);
  EXPECT_EQ(Said(), Strings{});
}

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
                            R"("by_priority":{"low":0,"normal":0,"high":0,"critical":0}}})"});
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
      R"("counts":{"at":"4-0","unread":0,"unseen":0,"by_priority":{"low":0,"normal":0,"high":0,"critical":0}}})";
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
                     Error("3", "bad_request", "`ch`: there are no topics yet", "false")}));
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
  session_->OnLogOpened(&log_, logs::LogOpening{}, kEpoch, now());
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
