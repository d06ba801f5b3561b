// Topics of a session: channels beside the user's own log, rights, cursors.
#include "session/scripted_host.h"

namespace tocsin::session {
namespace {

class SessionTopicsTest : public SessionTest {
 protected:
  SessionTopicsTest() {
    for (const char* topic : {"broadcast", "news", "team.red"}) MakeTopic(topic);
  }
  ~SessionTopicsTest() override { session_.reset(); }  // leaves the topics' logs before they go

  void MakeTopic(const std::string& topic, uint64_t last = 10, uint64_t floor = 0) {
    logs_[topic] = std::make_unique<logs::LiveLog>(topic);
    heads_[topic].last = {last, 0};
    heads_[topic].floor = {floor, 0};
    logs_[topic]->Open(heads_[topic]);
  }
  void AnswerTopic(const std::string& topic) {
    session_->OnTopicOpened(host_.numbers[topic], logs_[topic].get(), logs::LogOpening{heads_[topic], {}, "e", {}});
    AnswerTally(topic);
  }
  // The topic's newest items, and what the user has done with some of them.
  void AnswerTally(const std::string& topic, std::map<EntryId, logs::TopicItemState> states = {}, uint64_t as_of = 0) {
    auto window = std::make_shared<logs::TopicWindow>();
    window->last = logs_[topic]->last();
    for (uint64_t id : items_[topic]) window->items.push_back({{id, 0}, "n" + std::to_string(id)});
    session_->OnTopicTallied(host_.numbers[topic], TopicTally{window, {{as_of, 0}, std::move(states)}});
  }
  void AnswerTopics(std::vector<std::string> topics, logs::TopicRecords records = {}) {
    session_->OnTopicsLoaded(records);
    for (const std::string& topic : topics) AnswerTopic(topic);
  }
  // Welcomed, with those topics open.
  void GoLiveWith(std::string_view token, std::string_view members, std::vector<std::string> topics,
                  logs::TopicRecords records = {}) {
    Say("{\"t\":\"hello\",\"tok\":\"" + std::string(token) + "\"" + std::string(members) + "}");
    AnswerOpening();
    AnswerTopics(topics, std::move(records));
    ASSERT_TRUE(session_->live());
    welcome_ = host_.said.front();
    host_.said.erase(host_.said.begin());
    host_.asked.clear();
  }
  void AppendTo(const std::string& topic, std::vector<LogEntryPtr> entries) {
    logs_[topic]->Apply({topic, std::move(entries), {}, {}});
    for (logs::LogFollower* follower : logs_[topic]->followers()) follower->OnLogAdvanced();
  }
  static std::string TopicFrame(std::string_view topic, uint64_t prev, uint64_t first, uint64_t last,
                                std::string_view more = "") {
    std::string frame = Frame(prev, first, last, more);
    return frame.insert(std::string_view("{\"t\":\"n\"").size(), ",\"ch\":\"" + std::string(topic) + "\"");
  }

  std::map<std::string, std::unique_ptr<logs::LiveLog>> logs_;
  std::map<std::string, LogHead> heads_;
  std::map<std::string, std::vector<uint64_t>> items_;  // of the window
  std::string welcome_;
};

TEST_F(SessionTopicsTest, TheWelcomeHasMapsAndNamesWhatIsRefused) {
  SetHead(5);
  Say(R"({"t":"hello","tok":"ann|news|team.*","topics":["team.red","secret","a b","team.red"]})");
  AnswerOpening();
  EXPECT_EQ(Asked(), (Strings{"open ann ", "topics"}));
  EXPECT_TRUE(Said().empty()) << "the welcome waits for all channels";
  session_->OnTopicsLoaded(logs::TopicRecords());
  EXPECT_EQ(Asked(), (Strings{"topic broadcast", "topic team.red"}));
  AnswerTopic("team.red");
  EXPECT_TRUE(Said().empty());
  AnswerTopic("broadcast");
  EXPECT_EQ(
      Said(),
      Strings{
          R"({"t":"welcome","sid":"s1","user":"ann","epoch":"0123456789abcdef",)"
          R"("head":{"":"5-0","broadcast":"10-0","team.red":"10-0"},"floor":{"":"0-0","broadcast":"0-0","team.red":"0-0"},)"
          R"("cur":{"":"0-0","broadcast":"0-0","team.red":"10-0"},"resume":{"":"fresh","broadcast":"fresh","team.red":"fresh"},)"
          R"("refused":{"secret":{"code":"topic_forbidden","msg":"the token's claim `topics` does not allow this topic"},)"
          R"("a b":{"code":"bad_topic","msg":"expected 1 to 128 of: letters and digits of ASCII, `-`, `_`, `.`, `:`, `@`, `+`, `=`"}},)"
          R"("ping":25,"ttl":3600,"counts":{"at":"5-0","unread":0,"unseen":0,"by_priority":{"low":0,"normal":0,"high":0,"critical":0},"by_category":{}},"now":1700000000000})"})
      << "broadcast from its floor, what was asked for from its head";
  EXPECT_EQ(Asked(), (Strings{"tally team.red", "tally broadcast", "read 0-0 65", "read broadcast 0-0 65"}));
}

TEST_F(SessionTopicsTest, WithoutTopicsNothingIsOtherwise) {
  SetHead(0);
  Say(R"({"t":"hello","tok":"ann"})");
  AnswerOpening();
  EXPECT_EQ(Said(), Strings{Welcome("0-0", "fresh")});
  EXPECT_EQ(Asked(), Strings{"open ann "});
}

TEST_F(SessionTopicsTest, EachChannelHasItsOwnPrev) {
  SetHead(0);
  GoLiveWith("ann|*",
             R"(,"topics":["news"],"cur":{"":"0-0","broadcast":"10-0","news":"10-0"},"epoch":"0123456789abcdef")",
             {"broadcast", "news"});
  EXPECT_NE(welcome_.find(R"("resume":{"":"ok","broadcast":"ok","news":"ok"})"), std::string::npos) << welcome_;
  AppendTo("news", {Item(11)});
  Append({Item(3)});
  AppendTo("broadcast", {Item(12)});
  AppendTo("news", {Item(14)});
  EXPECT_EQ(Said(), (Strings{TopicFrame("news", 10, 11, 11), Frame(0, 3, 3), TopicFrame("broadcast", 10, 12, 12),
                             TopicFrame("news", 11, 14, 14)}));
}

TEST_F(SessionTopicsTest, ResumesPerChannel) {
  SetHead(20);
  MakeTopic("news", 10, 6);
  const std::string hello =
      R"(,"topics":["news","team.red"],"cur":{"":"20-0","news":"4-0","team.red":"11-0"},"epoch":")";
  GoLiveWith("ann|*", hello + kEpoch + "\"", {"broadcast", "news", "team.red"});
  EXPECT_NE(welcome_.find(R"("resume":{"":"ok","broadcast":"fresh","news":"gap","team.red":"reset"})"),
            std::string::npos)
      << welcome_;
  EXPECT_NE(welcome_.find(R"("cur":{"":"20-0","broadcast":"0-0","news":"6-0","team.red":"10-0"})"), std::string::npos);

  Start({.sid = "s1", .header_token = {}});
  GoLiveWith("ann|*", R"(,"topics":["news"],"cur":{"news":"10-0"},"epoch":"another")", {"broadcast", "news"});
  EXPECT_NE(welcome_.find(R"("resume":{"":"fresh","broadcast":"fresh","news":"reset"})"), std::string::npos)
      << welcome_;
}

TEST_F(SessionTopicsTest, CreditCountsOverAllChannels) {
  SetHead(0);
  GoLiveWith("ann|*", R"(,"topics":["news"],"credit":3,"since":"new")", {"broadcast", "news"});
  AppendTo("news", {Item(11), Item(12)});
  Append({Item(1), Item(2)});
  EXPECT_EQ(Said(), (Strings{TopicFrame("news", 10, 11, 12), Frame(0, 1, 1, kMore)}));
  AppendTo("news", {Item(13)});
  EXPECT_EQ(Said(), Strings{}) << "no credit is left in any channel";
  Say(R"({"t":"ack","ch":"news","cur":"11-0"})");
  EXPECT_EQ(Said(), Strings{Frame(1, 2, 2)}) << "the own log comes first";
  Say(R"({"t":"ack","cur":"2-0"})");
  EXPECT_EQ(Said(), Strings{TopicFrame("news", 12, 13, 13)});
  EXPECT_EQ(session_->in_flight(), 2u);
  Say(R"({"t":"unsub","i":1,"topics":["news","nothing"]})");
  EXPECT_EQ(Said(), Strings{R"({"t":"ok","i":1,"topics":{"news":{}}})"});
  EXPECT_EQ(session_->in_flight(), 0u) << "a channel that ends gives its credit back";
  EXPECT_EQ(host_.closed, Strings{"news"});
}

TEST_F(SessionTopicsTest, ReceiptsAreStoredPerTopic) {
  SetHead(0);
  GoLiveWith("ann|*", R"(,"dev":"phone","topics":["news"],"cur":{"news":"10-0"},"epoch":"0123456789abcdef")",
             {"broadcast", "news"});
  AppendTo("news", {Item(11), Item(12)});
  Say(R"({"t":"ack","ch":"news","cur":"11-0"})");
  Say(R"({"t":"ack","ch":"news","cur":"99-0"})");
  Say(R"({"t":"ack","ch":"other","cur":"12-0"})");
  EXPECT_EQ(Asked(), (Strings{"receipt news 11-0", "receipt news 12-0"})) << "clamped to what was told";
}

TEST_F(SessionTopicsTest, AFollowStartsWhereItWasMadeAndAStoredCursorWins) {
  SetHead(0);
  logs::TopicRecords records;
  records.follows = {{"news", {7, 0}, logs::TopicFollow::By::kBackEnd},
                     {"team.red", {7, 0}, logs::TopicFollow::By::kBackEnd}};
  records.cursors = {{"news", {9, 0}}, {"broadcast", {8, 0}}};
  GoLiveWith("ann", R"(,"dev":"phone","topics":[])", {"broadcast", "news", "team.red"}, records);
  EXPECT_NE(welcome_.find(R"("cur":{"":"0-0","broadcast":"8-0","news":"9-0","team.red":"7-0"})"), std::string::npos)
      << welcome_;
}

TEST_F(SessionTopicsTest, TheClaimLimitsFollows) {
  SetHead(0);
  logs::TopicRecords records;
  records.follows = {{"news", {7, 0}, logs::TopicFollow::By::kUser},
                     {"team.red", {7, 0}, logs::TopicFollow::By::kBackEnd}};
  for (const auto& [token, resume] :
       {std::pair("ann", R"("resume":{"":"fresh","broadcast":"fresh","team.red":"fresh"})"),
        std::pair("ann|news", R"("resume":{"":"fresh","broadcast":"fresh","news":"fresh"})")}) {
    Start({.sid = "s1", .header_token = {}});
    Say("{\"t\":\"hello\",\"topics\":[],\"tok\":\"" + std::string(token) + "\"}");
    AnswerOpening();
    session_->OnTopicsLoaded(records);
    for (const auto& [topic, number] : std::map(host_.numbers)) AnswerTopic(topic);
    EXPECT_NE(Said().front().find(resume), std::string::npos) << token;
  }
}

TEST_F(SessionTopicsTest, ANewTokenTakesATopicAway) {
  SetHead(0);
  GoLiveWith("ann|news|team.*", R"(,"topics":["news","team.red"],"since":"new")", {"broadcast", "news", "team.red"});
  Say(R"({"t":"auth","i":7,"tok":"ann|news"})");
  EXPECT_EQ(
      Said(),
      (Strings{R"({"t":"end","ch":"team.red","code":"topic_forbidden","msg":"the token's claim `topics` does not )"
               R"(allow this topic"})",
               R"({"t":"ok","i":7,"ttl":3600})"}));
  EXPECT_EQ(host_.closed, Strings{"team.red"});
  AppendTo("team.red", {Item(11)});
  AppendTo("news", {Item(11)});
  AppendTo("broadcast", {Item(11)});
  EXPECT_EQ(Said(), (Strings{TopicFrame("news", 10, 11, 11), TopicFrame("broadcast", 10, 11, 11)}));
  Say(R"({"t":"sub","i":8,"topics":["team.red"]})");
  session_->OnTopicsLoaded(logs::TopicRecords());
  EXPECT_EQ(Said(),
            Strings{R"({"t":"ok","i":8,"topics":{"team.red":{"code":"topic_forbidden","msg":"the token's claim )"
                    R"(`topics` does not allow this topic"}}})"});
}

TEST_F(SessionTopicsTest, SubscribesOneByOne) {
  SetHead(0);
  GoLiveWith("ann|*", R"(,"topics":[],"since":"new")", {"broadcast"});
  Say(R"({"t":"sub","i":1,"topics":["news","!"],"since":"all"})");
  Say(R"({"t":"sub","i":2,"topics":["news","team.red"]})");
  EXPECT_EQ(Asked(), Strings{"topics"}) << "one request after the other";
  session_->OnTopicsLoaded(logs::TopicRecords());
  EXPECT_EQ(Asked(), Strings{"topic news"});
  AnswerTopic("news");
  EXPECT_EQ(Said(),
            Strings{R"({"t":"ok","i":1,"topics":{"news":{"head":"10-0","floor":"0-0","cur":"0-0","resume":"fresh"},)"
                    R"("!":{"code":"bad_topic","msg":"expected 1 to 128 of: letters and digits of ASCII, `-`, `_`, )"
                    R"(`.`, `:`, `@`, `+`, `=`"}}})"});
  EXPECT_EQ(Asked(), (Strings{"tally news", "read news 0-0 65", "topics"}));
  session_->OnTopicsLoaded(logs::TopicRecords());
  AnswerTopic("team.red");
  EXPECT_EQ(Said(),
            Strings{R"({"t":"ok","i":2,"topics":{"news":{"head":"10-0","floor":"0-0","cur":"0-0","resume":"ok"},)"
                    R"("team.red":{"head":"10-0","floor":"0-0","cur":"10-0","resume":"fresh"}}})"});
  for (int i = 3; i <= 7; ++i) Say(R"({"t":"sub","i":)" + std::to_string(i) + R"(,"topics":["news"]})");
  EXPECT_EQ(Said(), Strings{Error("7", "overload", "too many `sub` wait for an answer", "true")});
}

TEST_F(SessionTopicsTest, WhatEndedBeforeItBeganStaysAway) {
  SetHead(0);
  GoLiveWith("ann|*", R"(,"topics":[],"since":"new")", {"broadcast"});
  Say(R"({"t":"sub","i":1,"topics":["news"]})");
  session_->OnTopicsLoaded(logs::TopicRecords());
  Say(R"({"t":"unsub","i":2,"topics":["news"]})");
  AnswerTopic("news");
  EXPECT_EQ(Said(), (Strings{R"({"t":"ok","i":2,"topics":{"news":{}}})", R"({"t":"ok","i":1,"topics":{}})"}));
  EXPECT_TRUE(logs_["news"]->followers().empty());
}

TEST_F(SessionTopicsTest, ASessionHasSoManyTopics) {
  SetHead(0);
  logs::TopicRecords records;
  for (int i = 0; i < 100; ++i) records.follows.push_back({"t" + std::to_string(100 + i), {}, {}});
  Say(R"({"t":"hello","tok":"ann","topics":[]})");
  AnswerOpening();
  session_->OnTopicsLoaded(records);
  EXPECT_EQ(host_.numbers.size(), 100u) << "with broadcast";
  EXPECT_FALSE(host_.numbers.contains("t199"));
}

TEST_F(SessionTopicsTest, AnUrgentItemOfATopicOvertakes) {
  SetHead(0);
  GoLiveWith("ann|*", R"(,"topics":["news"],"credit":1,"since":"new")", {"broadcast", "news"});
  Append({Item(1), Item(2)});
  Said();
  AppendTo("news", {Item(11), Urgent(12)});
  EXPECT_EQ(Said(),
            Strings{R"({"t":"n","ch":"news","prev":null,"cur":"10-0","items":[{"nid":"n12","state":"unread"}]})"});
}

// What the user did with items of a topic: an entry of the user's own log.
LogEntryPtr TopicChange(uint64_t id, std::string topic, model::MarkOp op, std::vector<std::string> nids,
                        std::optional<EntryId> upto, logs::CountsDelta delta) {
  auto entry = std::make_shared<LogEntry>(*Change(id, op, std::move(nids), upto));
  entry->change->topic = std::move(topic);
  entry->change->topic_delta = delta;
  return entry;
}

std::string CountsAt(std::string_view at, int unread, int unseen, int normal) {
  return "\"counts\":{\"at\":\"" + std::string(at) + "\",\"unread\":" + std::to_string(unread) +
         ",\"unseen\":" + std::to_string(unseen) + ",\"by_priority\":{\"low\":0,\"normal\":" + std::to_string(normal) +
         ",\"high\":0,\"critical\":0},\"by_category\":{}}";
}

class SessionTopicMarksTest : public SessionTopicsTest {
 protected:
  // Follows news from 5-0 on, of which 6 was read and 8 deleted; broadcast has one item.
  void Begin(std::string_view members = "") {
    SetHead(0);
    items_["news"] = {4, 6, 8, 9};
    items_["broadcast"] = {3};
    logs::TopicRecords records;
    records.follows = {{"news", {5, 0}, logs::TopicFollow::By::kBackEnd}};
    Say("{\"t\":\"hello\",\"tok\":\"ann\",\"topics\":[]" + std::string(members) + "}");
    AnswerOpening();
    session_->OnTopicsLoaded(records);
    for (const char* topic : {"broadcast", "news"}) {
      session_->OnTopicOpened(host_.numbers[topic], logs_[topic].get(), logs::LogOpening{heads_[topic], {}, "e", {}});
    }
    AnswerTally("broadcast");
    AnswerTally("news", {{EntryId{6, 0}, 2}, {EntryId{8, 0}, logs::kTopicItemDeleted}}, 2);
    ASSERT_TRUE(session_->live());
    welcome_ = Said().front();
    Asked();
  }
};

TEST_F(SessionTopicMarksTest, CountsAreOfAllThatTheUserFollows) {
  Begin(R"(,"since":"new")");
  EXPECT_NE(welcome_.find(CountsAt("0-0", 2, 2, 2)), std::string::npos) << "9 and the broadcast: " << welcome_;
  AppendTo("news", {Item(11)});
  Said();
  Append({TopicChange(3, "news", model::MarkOp::kRead, {"n9"}, {},
                      {.unread = -1, .unseen = -1, .unread_by_priority = {0, -1, 0, 0}, .unread_by_category = {}})});
  ASSERT_EQ(host_.said.size(), 1u);
  EXPECT_EQ(host_.said[0],
            R"({"t":"st","id":"3-0","prev":"0-0","cur":"3-0","op":"read","of":"news","ids":["n9"],"by":"web",)" +
                CountsAt("3-0", 2 + 2, 1 + 2, 2 + 2) + "}")
      << "those of the own log, which Change says are 2, 1, and of the topics";
}

TEST_F(SessionTopicMarksTest, AChangeThatTheTallyHasCountsOnce) {
  Begin(R"(,"since":"new")");
  Append({TopicChange(2, "news", model::MarkOp::kRead, {"n6"}, {},
                      {.unread = -1, .unseen = -1, .unread_by_priority = {0, -1, 0, 0}, .unread_by_category = {}})});
  EXPECT_NE(host_.said.back().find(CountsAt("2-0", 2 + 2, 1 + 2, 2 + 2)), std::string::npos) << host_.said.back();
}

TEST_F(SessionTopicMarksTest, ItemsCarryWhatTheUserDidWithThem) {
  Begin();
  const ChannelNumber news = host_.numbers["news"];
  LogPiece piece;
  for (uint64_t id : {6, 8, 9}) piece.lines.push_back({Item(id), logs::ItemState::kUnread});
  piece.complete = true;
  Append({TopicChange(3, "news", model::MarkOp::kSeen, {}, EntryId{9, 0}, {})});
  Said();
  session_->OnLogRead(news, piece);
  EXPECT_EQ(Said(), (Strings{R"({"t":"n","ch":"news","prev":"5-0","cur":"9-0","items":[)" + ItemJson(6, "read") + "," +
                                 ItemJson(9, "seen") + R"(],"more":true})",
                             R"({"t":"n","ch":"news","prev":"9-0","cur":"10-0","items":[]})"}))
      << "8 was deleted";
}

TEST_F(SessionTopicMarksTest, MarksNameTheTopic) {
  Begin(R"(,"since":"new")");
  Say(R"({"t":"mark","i":1,"op":"read","ids":["n9"],"ch":"news"})");
  Say(R"({"t":"mark","i":2,"op":"read","upto":"9-0","ch":"broadcast"})");
  Say(R"({"t":"mark","i":3,"op":"read","ids":["n9"],"ch":"other"})");
  EXPECT_EQ(Asked(), (Strings{"mark 1 of news from 5-0", "mark 2 of broadcast from 0-0"}));
  EXPECT_EQ(host_.marks[0].second.nids, Strings{"n9"});
  EXPECT_EQ(Said(), Strings{Error("3", "no_topic", "`ch`: this session does not have that topic", "false")});
  session_->OnMarked("1", Counts{});
  EXPECT_EQ(Said(), Strings{R"({"t":"ok","i":1,)" + CountsAt("0-0", 2, 2, 2) + "}"});
}

TEST_F(SessionTopicMarksTest, WhatABackEndTakesBackIsTalliedAnew) {
  Begin(R"(,"since":"new")");
  AppendTo("news", {Change(11, model::MarkOp::kDelete, {"n9"})});
  EXPECT_EQ(
      Said(),
      Strings{
          R"({"t":"st","ch":"news","id":"11-0","prev":"10-0","cur":"11-0","op":"delete","ids":["n9"],"by":"web"})"});
  EXPECT_EQ(Asked(), Strings{"tally news"});
}

TEST_F(SessionTopicsTest, AStoreThatFailsEndsTheSession) {
  SetHead(0);
  Say(R"({"t":"hello","tok":"ann","topics":[]})");
  AnswerOpening();
  session_->OnTopicsLoaded(logs::TopicRecords());
  session_->OnTopicOpened(host_.numbers["broadcast"], nullptr, Status(Code::kUnavailable, "x"));
  EXPECT_EQ(Said().back(), "end 4100 a topic's log cannot be read now");
}

}  // namespace
}  // namespace tocsin::session
