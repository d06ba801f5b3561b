#include "wire/client_frame.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin::wire {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

template <typename Frame>
Frame Parse(std::string_view text) {
  base::Result<ClientFrame> frame = ParseClientFrame(text);
  EXPECT_TRUE(frame.ok()) << text << ": " << frame.status().ToString();
  if (!frame.ok() || !std::holds_alternative<Frame>(*frame)) {
    ADD_FAILURE() << "not the expected type: " << text;
    return {};
  }
  return std::get<Frame>(*frame);
}

TEST(ClientFrameTest, HelloWithEverything) {
  const auto hello = Parse<Hello>(
      R"({"t":"hello","tok":"a.b.c","dev":"phone-1","epoch":"e1","cur":"17-3","lang":"pt-BR","credit":128,)"
      R"("since":1700000000000,"topics":["x"],"later":{"a":[]}})");
  EXPECT_EQ(hello.token, "a.b.c");
  EXPECT_EQ(hello.device, "phone-1");
  EXPECT_EQ(hello.epoch, "e1");
  EXPECT_EQ(hello.cursor, (model::EntryId{17, 3}));
  EXPECT_EQ(hello.lang, "pt-BR");
  EXPECT_EQ(hello.credit, 128);
  EXPECT_EQ(hello.since.kind, Since::Kind::kTime);
  EXPECT_EQ(hello.since.ms, 1'700'000'000'000);
  EXPECT_TRUE(hello.since.given);
  EXPECT_TRUE(hello.knows_topics);
  EXPECT_THAT(hello.topics, ElementsAre("x"));
}

TEST(ClientFrameTest, HelloWithNothing) {
  const auto hello = Parse<Hello>(R"({"t":"hello","cur":null,"credit":null})");
  EXPECT_EQ(hello.token, "");
  EXPECT_FALSE(hello.cursor.has_value());
  EXPECT_EQ(hello.credit, 0);
  EXPECT_EQ(hello.since.kind, Since::Kind::kAll);
  EXPECT_FALSE(hello.since.given);
  EXPECT_FALSE(hello.knows_topics);
}

TEST(ClientFrameTest, Subscriptions) {
  const auto subscribe = Parse<Subscribe>(R"({"t":"sub","i":1,"topics":["a","b"],"cur":{"a":"1-2"},"since":"all"})");
  EXPECT_EQ(subscribe.correlator, "1");
  EXPECT_THAT(subscribe.topics, ElementsAre("a", "b"));
  EXPECT_EQ(subscribe.cursors, (std::map<std::string, model::EntryId>{{"a", {1, 2}}}));
  EXPECT_TRUE(subscribe.since.given);
  EXPECT_THAT(Parse<Unsubscribe>(R"({"t":"unsub","i":"x","topics":["a"]})").topics, ElementsAre("a"));
  std::string many = "\"t\"";
  for (int i = 0; i < 100; ++i) many += ",\"t\"";
  for (std::string_view kind : {"sub", "unsub"}) {
    const std::string start = "{\"t\":\"" + std::string(kind) + "\",\"i\":1";
    EXPECT_EQ(ParseClientFrame(start + ",\"topics\":[" + many + "]}").status().message(),
              "`topics`: expected at most 100");
    EXPECT_EQ(ParseClientFrame(start + ",\"topics\":[1]}").status().message(),
              "`topics`: expected a string of at most 256 bytes");
    EXPECT_EQ(ParseClientFrame(start + "}").status().message(), "`topics`: expected an array of 1 to 100 topics");
    EXPECT_EQ(ParseClientFrame("{\"t\":\"" + std::string(kind) + "\",\"topics\":[\"a\"]}").status().message(),
              "`i`: expected a number or a string");
  }
}

TEST(ClientFrameTest, HelloCursorMap) {
  const auto hello = Parse<Hello>(R"({"t":"hello","cur":{"news":"9-9","":"5-1"}})");
  EXPECT_EQ(hello.cursor, (model::EntryId{5, 1}));
  EXPECT_TRUE(hello.knows_topics);
  EXPECT_EQ(hello.topic_cursors, (std::map<std::string, model::EntryId>{{"news", {9, 9}}}));
  EXPECT_FALSE(Parse<Hello>(R"({"t":"hello","cur":{"news":"9-9"}})").cursor.has_value());
  EXPECT_FALSE(Parse<Hello>(R"({"t":"hello","cur":{}})").cursor.has_value());
}

TEST(ClientFrameTest, HelloCreditIsCut) {
  EXPECT_EQ(Parse<Hello>(R"({"t":"hello","credit":100000})").credit, 1'024);
  EXPECT_EQ(Parse<Hello>(R"({"t":"hello","since":"new"})").since.kind, Since::Kind::kNew);
  EXPECT_EQ(Parse<Hello>(R"({"t":"hello","since":"all"})").since.kind, Since::Kind::kAll);
}

TEST(ClientFrameTest, AckInAnySpelling) {
  for (std::string_view text : {R"({"t":"ack","cur":"17-3"})", R"({ "t":"ack", "cur":"17-3" })",
                                R"({"cur":"17-3","t":"ack"})", R"({"t":"\u0061ck","cur":"17\u002d3"})"}) {
    const auto ack = Parse<Ack>(text);
    EXPECT_EQ(ack.cursor, (model::EntryId{17, 3})) << text;
    EXPECT_THAT(ack.nids, IsEmpty());
    EXPECT_EQ(ack.channel, "");
  }
  const auto ack = Parse<Ack>(R"({"t":"ack","nids":["1-0","2-0@orders"],"ch":"news"})");
  EXPECT_FALSE(ack.cursor.has_value());
  EXPECT_THAT(ack.nids, ElementsAre("1-0", "2-0@orders"));
  EXPECT_EQ(ack.channel, "news");
}

TEST(ClientFrameTest, Mark) {
  const auto by_nid = Parse<Mark>(R"({"t":"mark","i":7,"op":"archive","ids":["1-0"],"mid":"m-1"})");
  EXPECT_EQ(by_nid.correlator, "7");
  EXPECT_EQ(by_nid.op, MarkOp::kArchive);
  EXPECT_THAT(by_nid.nids, ElementsAre("1-0"));
  EXPECT_EQ(by_nid.mark_id, "m-1");
  EXPECT_FALSE(by_nid.upto.has_value());
  const auto upto = Parse<Mark>(R"({"t":"mark","i":"\u0078","op":"read","upto":"9-0","ch":""})");
  EXPECT_EQ(upto.correlator, R"("\u0078")");  // as written
  EXPECT_EQ(upto.upto, (model::EntryId{9, 0}));
  EXPECT_EQ(upto.channel, "");
  for (MarkOp op : {MarkOp::kRead, MarkOp::kUnread, MarkOp::kSeen, MarkOp::kArchive, MarkOp::kDelete}) {
    EXPECT_EQ(model::ParseMarkOp(model::MarkOpName(op)), op);
  }
}

TEST(ClientFrameTest, ListAuthPongUnknown) {
  const auto list = Parse<List>(R"({"t":"list","i":1.50,"before":"abc","limit":200,"filter":"unread"})");
  EXPECT_EQ(list.correlator, "1.50");
  EXPECT_EQ(list.before, "abc");
  EXPECT_EQ(list.limit, 200);
  EXPECT_EQ(list.filter, "unread");
  EXPECT_EQ(Parse<List>(R"({"t":"list","i":1})").limit, 0);
  EXPECT_EQ(Parse<AuthToken>(R"({"t":"auth","i":2,"tok":"x"})").token, "x");
  Parse<Pong>(R"({"t":"pong","ts":12})");
  EXPECT_EQ(Parse<Unknown>(R"({"t":"dance","cur":17})").type, "dance");
}

TEST(ClientFrameTest, ErrorsNameTheMember) {
  struct Bad {
    std::string text;
    std::string_view message;
  };
  const std::string long_text(10'000, 'x');
  std::string many = R"({"t":"ack","nids":["1-0")";
  for (int i = 0; i < 1'000; ++i) many += R"(,"1-0")";
  for (const Bad& bad : std::vector<Bad>{
           {"", "not valid JSON: expected a value at byte 0, where the text ends"},
           {"{", "not valid JSON: expected a key in quotes at byte 1, where the text ends"},
           {"7", "expected a JSON object"},
           {"[]", "expected a JSON object"},
           {"{}", "`t`: expected the type of the frame as a string"},
           {R"({"t":1})", "`t`: expected the type of the frame as a string"},
           {R"({"t":"ack","t":"ack"})", "not valid JSON: the key `t` a second time in its object at byte 11"},
           {R"({"t":"ack"})", "`cur`: expected an entry id in quotes, `<ms>-<n>`"},
           {R"({"t":"ack","cur":17})", "`cur`: expected an entry id in quotes, `<ms>-<n>`"},
           {R"({"t":"ack","cur":"17"})", "`cur`: expected an entry id in quotes, `<ms>-<n>`"},
           {R"({"t":"ack","cur":"17-"})", "`cur`: expected an entry id in quotes, `<ms>-<n>`"},
           {R"({"t":"ack","cur":"-1-0"})", "`cur`: expected an entry id in quotes, `<ms>-<n>`"},
           {R"({"t":"ack","cur":""})", "`cur`: expected an entry id in quotes, `<ms>-<n>`"},
           {R"({"t":"ack","cur":"})", "not valid JSON: a string that does not end at byte 19, where the text ends"},
           {R"({"t":"ack","cur":"18446744073709551616-0"})", "`cur`: expected an entry id in quotes, `<ms>-<n>`"},
           {R"({"t":"ack","nids":"1-0"})", "`nids`: expected an array of nids"},
           {R"({"t":"ack","nids":[]})", "`nids`: expected at least one nid"},
           {R"({"t":"ack","nids":[1]})", "`nids`: expected a string of at most 320 bytes"},
           {R"({"t":"ack","nids":[""]})", "`nids`: expected nids that are not empty"},
           {many + "]}", "`nids`: expected at most 1000 nids"},
           {R"({"t":"ack","cur":"1-0","ch":1})", "`ch`: expected a string of at most 256 bytes"},
           {R"({"t":"hello","tok":1})", "`tok`: expected a string of at most 8192 bytes"},
           {R"({"t":"hello","tok":")" + long_text + "\"}", "`tok`: expected a string of at most 8192 bytes"},
           {R"({"t":"hello","dev":""})", "`dev`: expected 1 to 128 printable ASCII characters"},
           {R"({"t":"hello","dev":"a b"})", "`dev`: expected 1 to 128 printable ASCII characters"},
           {R"({"t":"hello","dev":{}})", "`dev`: expected a string of at most 128 bytes"},
           {R"({"t":"hello","epoch":5})", "`epoch`: expected a string of at most 64 bytes"},
           {R"({"t":"hello","cur":["1-0"]})", "`cur`: expected an entry id in quotes, `<ms>-<n>`"},
           {R"({"t":"hello","cur":{"news":"x"}})", "`cur`: expected an entry id in quotes, `<ms>-<n>`"},
           {R"({"t":"hello","lang":"e n"})", "`lang`: expected a language tag such as `en` or `pt-BR`"},
           {R"({"t":"hello","lang":true})", "`lang`: expected a string of at most 35 bytes"},
           {R"({"t":"hello","credit":0})", "`credit`: expected a whole number of at least 1"},
           {R"({"t":"hello","credit":1.5})", "`credit`: expected a whole number of at least 1"},
           {R"({"t":"hello","credit":"64"})", "`credit`: expected a whole number of at least 1"},
           {R"({"t":"hello","since":"never"})", "`since`: expected `new`, `all` or milliseconds since 1970"},
           {R"({"t":"hello","since":-1})", "`since`: expected `new`, `all` or milliseconds since 1970"},
           {R"({"t":"mark","op":"read","ids":["1-0"]})", "`i`: expected a number or a string"},
           {R"({"t":"mark","i":{},"op":"read","ids":["1-0"]})",
            "`i`: expected a number or a string of at most 64 bytes"},
           {R"({"t":"mark","i":")" + std::string(63, 'x') + R"(","op":"read","ids":["1-0"]})",
            "`i`: expected a number or a string of at most 64 bytes"},
           {R"({"t":"mark","i":1,"ids":["1-0"]})",
            "`op`: expected one of `read`, `unread`, `seen`, `archive`, `delete`"},
           {R"({"t":"mark","i":1,"op":"update","ids":["1-0"]})",
            "`op`: expected one of `read`, `unread`, `seen`, `archive`, `delete`"},
           {R"({"t":"mark","i":1,"op":"read"})", "`ids`: expected either `ids` or `upto`"},
           {R"({"t":"mark","i":1,"op":"read","ids":["1-0"],"upto":"1-0","ch":""})",
            "`ids`: expected either `ids` or `upto`"},
           {R"({"t":"mark","i":1,"op":"read","upto":"1-0"})",
            "`ch`: expected the log that `upto` belongs to (\"\" is the user's own)"},
           {R"({"t":"mark","i":1,"op":"read","upto":1,"ch":""})", "`upto`: expected an entry id in quotes, `<ms>-<n>`"},
           {R"({"t":"mark","i":1,"op":"read","ids":["1-0"],"mid":1})", "`mid`: expected a string of at most 64 bytes"},
           {R"({"t":"list"})", "`i`: expected a number or a string"},
           {R"({"t":"list","i":1,"limit":0})", "`limit`: expected a whole number from 1 to 200"},
           {R"({"t":"list","i":1,"limit":201})", "`limit`: expected a whole number from 1 to 200"},
           {R"({"t":"list","i":1,"before":1})", "`before`: expected a string of at most 1024 bytes"},
           {R"({"t":"list","i":1,"filter":[]})", "`filter`: expected a string of at most 64 bytes"},
           {R"({"t":"auth","tok":"x"})", "`i`: expected a number or a string"},
           {R"({"t":"auth","i":1})", "`tok`: expected a token"},
       }) {
    base::Result<ClientFrame> frame = ParseClientFrame(bad.text);
    ASSERT_FALSE(frame.ok()) << bad.text;
    EXPECT_EQ(frame.status().code(), base::Code::kInvalidArgument);
    EXPECT_EQ(frame.status().message(), bad.message) << bad.text;
  }
}

TEST(ClientFrameTest, SplitsAMessage) {
  std::vector<std::string_view> lines;
  ClientFrameReader reader("{\"t\":\"pong\"}\n\n \r\n{\"a\":\"\\n\"}\n");
  while (const std::optional<std::string_view> line = reader.Next()) lines.push_back(*line);
  EXPECT_THAT(lines, ElementsAre("{\"t\":\"pong\"}", "{\"a\":\"\\n\"}"));
  EXPECT_FALSE(ClientFrameReader("").Next().has_value());
  EXPECT_FALSE(ClientFrameReader("\n \n").Next().has_value());
}

}  // namespace
}  // namespace tocsin::wire
