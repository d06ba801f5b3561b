#include "gateway/cursor_text.h"

#include <gtest/gtest.h>

namespace tocsin::gateway {
namespace {

using model::EntryId;

TEST(CursorTextTest, ReadsBothFormsAndRefusesTheRest) {
  auto both = ParseEpochCursor("abc:5-1", "cur");
  ASSERT_TRUE(both.ok());
  EXPECT_EQ(both->epoch, "abc");
  EXPECT_EQ(both->cursor, (EntryId{5, 1}));
  EXPECT_EQ(EpochCursorText(both->epoch, both->cursor), "abc:5-1");
  auto plain = ParseEpochCursor("5-1", "cur");
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(plain->epoch, "");
  auto map = ParseEpochCursor("abc:5-1,team:red/7-0,broadcast/9-2", "cur");
  ASSERT_TRUE(map.ok());
  EXPECT_EQ(map->cursor, (EntryId{5, 1}));
  EXPECT_EQ(map->topics, (std::map<std::string, EntryId>{{"team:red", {7, 0}}, {"broadcast", {9, 2}}}));
  EXPECT_EQ(ParseEpochCursor("5-1,team:red/7-0", "cur")->epoch, "");
  for (const char* wrong :
       {"abc:5-1,", "abc:5-1,news", "abc:5-1,news/", "abc:5-1,/7-0", "abc:5-1,a b/7-0", ",news/7-0"}) {
    EXPECT_FALSE(ParseEpochCursor(wrong, "cur").ok()) << wrong;
  }
  for (const char* wrong : {"", ":", ":5-1", "abc:", "abc:5", "abc:5-1x", "a:b:5-1", "5", "-1-1"}) {
    EXPECT_FALSE(ParseEpochCursor(wrong, "cur").ok()) << wrong;
  }
  EXPECT_NE(ParseEpochCursor("x", "Last-Event-ID").status().message().find("Last-Event-ID"), std::string::npos);
}

HttpRequest Request(std::string_view query, std::string last_event_id = {}) {
  HttpRequest request;
  request.query = *wire::QueryParameters::Parse(query);
  request.last_event_id = std::move(last_event_id);
  return request;
}

TEST(CursorTextTest, AQueryIsAHello) {
  auto hello = HelloFromQuery(Request("dev=phone&since=new&lang=de&credit=5000&cur=e:7-0"));
  ASSERT_TRUE(hello.ok()) << hello.status().ToString();
  EXPECT_EQ(hello->device, "phone");
  EXPECT_EQ(hello->lang, "de");
  EXPECT_EQ(hello->credit, model::kMaxCredit);
  EXPECT_EQ(hello->since.kind, wire::Since::Kind::kNew);
  EXPECT_EQ(hello->epoch, "e");
  EXPECT_EQ(hello->cursor, (EntryId{7, 0}));

  EXPECT_FALSE(hello->knows_topics);

  auto topics = HelloFromQuery(Request("topics=news,team:red&since=all", "e:7-0,news/5-1"));
  ASSERT_TRUE(topics.ok());
  EXPECT_TRUE(topics->knows_topics);
  EXPECT_EQ(topics->topics, (std::vector<std::string>{"news", "team:red"}));
  EXPECT_EQ(topics->topic_cursors, (std::map<std::string, EntryId>{{"news", {5, 1}}}));
  EXPECT_TRUE(topics->since.given);
  EXPECT_TRUE(HelloFromQuery(Request("topics="))->knows_topics);

  auto resumed = HelloFromQuery(Request("cur=e:7-0", "e:9-0"));
  ASSERT_TRUE(resumed.ok());
  EXPECT_EQ(resumed->cursor, (EntryId{9, 0})) << "what the browser's EventSource says is newer than the address";

  for (const char* wrong : {"dev=a%20b", "since=yesterday", "since=-1", "credit=0", "credit=x", "cur=7"}) {
    EXPECT_FALSE(HelloFromQuery(Request(wrong)).ok()) << wrong;
  }
}

}  // namespace
}  // namespace tocsin::gateway
