#include "wire/publish.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/limits.h"
#include "model/topic.h"

namespace tocsin::wire {
namespace {

using model::Notification;
using ::testing::ElementsAre;

constexpr int64_t kNowMs = 1'700'000'000'000;

std::vector<Notification> Parse(std::string_view body, PublishType type = PublishType::kJson) {
  std::vector<Notification> out;
  const std::optional<InputError> error = ParsePublish(type, body, kNowMs, out);
  EXPECT_FALSE(error.has_value()) << body << ": " << error->field << ": " << error->message;
  return out;
}

std::string Refusal(std::string_view body, PublishType type = PublishType::kJson) {
  std::vector<Notification> out(2);
  const std::optional<InputError> error = ParsePublish(type, body, kNowMs, out);
  EXPECT_EQ(out.size(), error ? 2U : 3U);  // what was there stays, nothing of a refused body does
  if (!error) return "accepted";
  return std::to_string(error->index) + " " + error->field + ": " + error->message;
}

// One notification with these members beside a user and a message.
std::string With(std::string_view members) { return R"({"user_id":"u","message":"m",)" + std::string(members) + "}"; }
std::string Quoted(size_t size) { return "\"" + std::string(size, 'x') + "\""; }

TEST(PublishTest, Everything) {
  const std::vector<Notification> all = Parse(
      R"( {"user_id":"u1","message":"Hi \u00e9","title":"T","url":"/orders/1?x#y","icon":"https://cdn.example/i.png",)"
      R"("actions":[{"id":"ok","title":"OK","url":"/ok"},{"title":"No","id":"no"}],"lang":"pt-BR","priority":"high",)"
      R"("data":{ "a" : 0.10, "b":[1e3]} } )");
  ASSERT_EQ(all.size(), 1U);
  const Notification& n = all[0];
  EXPECT_THAT(n.users, ElementsAre("u1"));
  EXPECT_EQ(n.message, "Hi \xc3\xa9");
  EXPECT_EQ(n.title, "T");
  EXPECT_EQ(n.url, "/orders/1?x#y");
  EXPECT_EQ(n.icon, "https://cdn.example/i.png");
  ASSERT_EQ(n.actions.size(), 2U);
  EXPECT_EQ(n.actions[0].url, "/ok");
  EXPECT_EQ(n.actions[1].id, "no");
  EXPECT_EQ(n.actions[1].url, "");
  EXPECT_EQ(n.lang, "pt-BR");
  EXPECT_EQ(n.priority, model::Priority::kHigh);
  EXPECT_EQ(n.data, R"({ "a" : 0.10, "b":[1e3]})");  // byte for byte
}

TEST(PublishTest, Recipients) {
  EXPECT_THAT(Parse(R"({"user_id":123,"message":"m"})")[0].users, ElementsAre("123"));
  EXPECT_THAT(Parse(R"({"user_id":-0,"message":"m"})")[0].users, ElementsAre("0"));
  EXPECT_THAT(Parse(R"({"user_id":123456789012345678901234567890,"message":"m"})")[0].users,
              ElementsAre("123456789012345678901234567890"));
  EXPECT_THAT(Parse(R"({"user_ids":["b",7,"a","b","7","\u0061"],"message":"m"})")[0].users, ElementsAre("b", "7", "a"));
  EXPECT_THAT(Parse(R"({"user_id":null,"user_ids":["a"],"message":"m","title":null,"data":null})")[0].users,
              ElementsAre("a"));
}

TEST(PublishTest, ArraysAndLines) {
  EXPECT_EQ(Parse(R"([{"user_id":"a","message":"1"},{"user_id":"b","message":"2"}])")[1].message, "2");
  const std::string lines = "{\"user_id\":\"a\",\"message\":\"1\"}\r\n\n  \n{\"user_id\":\"b\",\"message\":\"2\"}";
  EXPECT_EQ(Parse(lines, PublishType::kNdjson)[1].message, "2");
  EXPECT_EQ(Parse(lines + "\n", PublishType::kNdjson).size(), 2U);
  std::string most = "[", most_lines;
  for (size_t i = 0; i < model::kMaxNotificationsPerRequest; ++i) {
    most += R"({"user_id":"a","message":"1"},)";
    most_lines += "{\"user_id\":\"a\",\"message\":\"1\"}\n";
  }
  EXPECT_EQ(Parse(most_lines, PublishType::kNdjson).size(), 1'000U);
  EXPECT_EQ(Refusal(most_lines + R"({"user_id":"a","message":"1"})", PublishType::kNdjson),
            "-1 : expected at most 1000 notifications");
  EXPECT_EQ(Refusal(most + R"({"user_id":"a","message":"1"}])"), "-1 : expected at most 1000 notifications");
}

TEST(PublishTest, RefusesTheBody) {
  EXPECT_EQ(Refusal(""), "-1 : not valid JSON: expected a value at byte 0, where the text ends");
  EXPECT_EQ(Refusal("{"), "-1 : not valid JSON: expected a key in quotes at byte 1, where the text ends");
  EXPECT_EQ(Refusal("[]"), "-1 : expected at least one notification");
  EXPECT_EQ(Refusal("\"x\""), "-1 : expected a notification as a JSON object, not a string");
  EXPECT_EQ(Refusal("[[]]"), "0 : expected a notification as a JSON object, not an array");
  EXPECT_EQ(Refusal(R"([{"user_id":"a","message":"1"},null])"),
            "1 : expected a notification as a JSON object, not null");
  EXPECT_EQ(Refusal(R"({"user_id":"a","user_id":"b","message":"m"})"),
            "-1 : not valid JSON: the key `user_id` a second time in its object at byte 15");
  EXPECT_EQ(Refusal("{\"user_id\":\"\xff\",\"message\":\"m\"}"),
            "-1 : not valid JSON: bytes that are not UTF-8 at byte 12");
  EXPECT_EQ(Refusal("", PublishType::kNdjson), "-1 : expected at least one notification");
  EXPECT_EQ(Refusal("{\"user_id\":\"a\",\"message\":\"1\"}\n{\"user_id\"}", PublishType::kNdjson),
            "1 : not valid JSON: expected `:` at byte 10 (in its line)");
  EXPECT_EQ(Refusal("{\"user_id\":\"a\",\"message\":\"1\"}\n\n{\"message\":\"1\"}", PublishType::kNdjson),
            "1 user_id: required: `user_id`, `user_ids` for several, or `topic`");
}

TEST(PublishTest, RefusesFields) {
  struct Bad {
    std::string body;
    std::string refusal;
  };
  const std::string link =
      "expected an http or https address, or a path that starts with a single `/`; no spaces or control characters";
  std::string many_users = "\"u0\"";
  for (int i = 1; i <= 1'000; ++i) many_users += ",\"u" + std::to_string(i) + "\"";
  for (const Bad& bad : std::vector<Bad>{
           {R"({"message":"m"})", "-1 user_id: required: `user_id`, `user_ids` for several, or `topic`"},
           {R"({"user_id":null,"message":"m"})", "-1 user_id: required: `user_id`, `user_ids` for several, or `topic`"},
           {R"({"user_id":"","message":"m"})", "-1 user_id: expected 1 to 256 bytes of UTF-8"},
           {R"({"user_id":)" + Quoted(257) + R"(,"message":"m"})", "-1 user_id: expected 1 to 256 bytes of UTF-8"},
           {R"({"user_id":1.0,"message":"m"})", "-1 user_id: expected a string or an integer"},
           {R"({"user_id":1e3,"message":"m"})", "-1 user_id: expected a string or an integer"},
           {R"({"user_id":true,"message":"m"})", "-1 user_id: expected a string or an integer"},
           {R"({"user_id":["u"],"message":"m"})", "-1 user_id: expected a string or an integer"},
           {R"({"user_id":"u","user_ids":["v"],"message":"m"})",
            "-1 user_ids: expected exactly one of `user_id`, `user_ids` and `topic`"},
           {R"({"user_ids":["v"],"user_id":"v","message":"m"})",
            "-1 user_id: expected exactly one of `user_id`, `user_ids` and `topic`"},
           {R"({"topic":"news","user_id":"v","message":"m"})",
            "-1 user_id: expected exactly one of `user_id`, `user_ids` and `topic`"},
           {R"({"user_id":"v","topic":"news","message":"m"})",
            "-1 topic: expected exactly one of `user_id`, `user_ids` and `topic`"},
           {R"({"topic":"a/b","message":"m"})", "-1 topic: " + std::string(model::kTopicRule)},
           {R"({"topic":"","message":"m"})", "-1 topic: " + std::string(model::kTopicRule)},
           {R"({"topic":7,"message":"m"})", "-1 topic: expected a string"},
           {R"({"user_ids":[],"message":"m"})", "-1 user_ids: expected an array of 1 to 1000 user ids"},
           {R"({"user_ids":"u","message":"m"})", "-1 user_ids: expected an array of 1 to 1000 user ids"},
           {R"({"user_ids":[)" + many_users + R"(],"message":"m"})",
            "-1 user_ids: expected an array of 1 to 1000 user ids"},
           {R"({"user_ids":["u",null],"message":"m"})", "-1 user_ids[1]: expected a string or an integer"},
           {R"({"user_ids":["u","v",""],"message":"m"})", "-1 user_ids[2]: expected 1 to 256 bytes of UTF-8"},
           {R"({"user_id":"u"})", "-1 message: required, 1 to 16384 bytes of UTF-8"},
           {R"({"user_id":"u","message":null})", "-1 message: required, 1 to 16384 bytes of UTF-8"},
           {R"({"user_id":"u","message":""})", "-1 message: expected 1 to 16384 bytes of UTF-8"},
           {R"({"user_id":"u","message":5})", "-1 message: expected a string"},
           {R"({"user_id":"u","message":)" + Quoted(16'385) + "}", "-1 message: expected 1 to 16384 bytes of UTF-8"},
           {With(R"("title":["x"])"), "-1 title: expected a string"},
           {With(R"("title":)" + Quoted(1'025)), "-1 title: expected at most 1024 bytes of UTF-8"},
           {With(R"("url":7)"), "-1 url: expected a string"},
           {With(R"("url":"/)" + std::string(2'048, 'x') + "\""), "-1 url: expected at most 2048 bytes of UTF-8"},
           {With(R"("url":"javascript:x")"), "-1 url: LINK"},
           {With(R"("icon":"data:image/png;base64,xx")"), "-1 icon: LINK"},
           {With(R"("lang":"en_US")"), "-1 lang: expected a language tag such as `en` or `pt-BR`"},
           {With(R"("lang":5)"), "-1 lang: expected a string"},
           {With(R"("priority":"urgent")"), "-1 priority: expected one of `low`, `normal`, `high`, `critical`"},
           {With(R"("priority":1)"), "-1 priority: expected a string"},
           {With(R"("actions":{})"), "-1 actions: expected an array of at most 3 actions"},
           {With(R"("actions":[{"id":"1","title":"t"},{"id":"2","title":"t"},{"id":"3","title":"t"},{"id":"4"}])"),
            "-1 actions: expected an array of at most 3 actions"},
           {With(R"("actions":["x"])"), "-1 actions[0]: expected an object with `id`, `title` and `url`"},
           {With(R"("actions":[{"title":"t"}])"), "-1 actions[0].id: required, 1 to 64 bytes of UTF-8"},
           {With(R"("actions":[{"id":"a"}])"), "-1 actions[0].title: required, 1 to 128 bytes of UTF-8"},
           {With(R"("actions":[{"id":)" + Quoted(65) + "}]"), "-1 actions[0].id: expected at most 64 bytes of UTF-8"},
           {With(R"("actions":[{"title":)" + Quoted(129) + "}]"),
            "-1 actions[0].title: expected at most 128 bytes of UTF-8"},
           {With(R"("actions":[{"id":7}])"), "-1 actions[0].id: expected a string"},
           {With(R"("actions":[{"id":"a\nb"}])"), "-1 actions[0].id: expected no control characters"},
           {With(R"("actions":[{"id":"a","title":"t"},{"id":"b","title":"t","url":"//evil"}])"),
            "-1 actions[1].url: LINK"},
           {With(R"("actions":[{"id":"a","title":"t"},{"id":"a","title":"u"}])"),
            "-1 actions[1].id: used by an action before it"},
           {With(R"("actions":[{"id":"a","title":"t","style":"red"}])"),
            "-1 actions[0].style: unknown field; an action has `id`, `title` and `url`"},
           {With(R"("data":[1])"), "-1 data: expected a JSON object"},
           {With(R"("data":"{}")"), "-1 data: expected a JSON object"},
           {With(R"("data":{"x":)" + Quoted(65'530) + "}"), "-1 data: expected at most 65536 bytes of JSON"},
           {With(R"("data":{"x":)" + std::string(24, '[') + std::string(24, ']') + "}"),
            "-1 data: expected at most 24 levels"},
           {With(R"("mesage":"x")"),
            "-1 mesage: unknown field; known are user_id, user_ids, topic, message, title, url, icon, actions, "
            "lang, priority, data, category, collapse_key, ttl_s, expires_at, deliver_at"},
           {With(R"("ttl_s":0)"), "-1 ttl_s: expected whole seconds, 1 to 31622400"},
           {With(R"("ttl_s":"60")"), "-1 ttl_s: expected whole seconds, 1 to 31622400"},
           {With(R"("category":5)"), "-1 category: expected a string"},
       }) {
    std::string expected = bad.refusal;
    if (const size_t at = expected.find("LINK"); at != expected.npos) expected.replace(at, 4, link);
    EXPECT_EQ(Refusal(bad.body), expected) << bad.body.substr(0, 200);
  }
  for (std::string_view later : {"template", "params", "idempotency_key"}) {
    EXPECT_EQ(Refusal(With("\"" + std::string(later) + "\":1")), "-1 " + std::string(later) + ": not supported yet");
  }
}

TEST(PublishTest, ATopicStandsInPlaceOfUsers) {
  std::vector<model::Notification> out;
  ASSERT_FALSE(ParsePublish(PublishType::kJson, R"({"topic":"team.red","message":"m"})", 0, out));
  EXPECT_EQ(out[0].users, std::vector<std::string>{model::TopicLog("team.red")});
}

TEST(PublishTest, TimeOfDelivery) {
  EXPECT_EQ(Parse(With(R"("deliver_at":1700000000001)"))[0].deliver_at_ms, kNowMs + 1);
  EXPECT_EQ(Parse(With(R"("deliver_at":"2023-11-14T23:13:20+01:00")"))[0].deliver_at_ms, kNowMs);
  EXPECT_EQ(Parse(With(R"("deliver_at":1699999940000)"))[0].deliver_at_ms, kNowMs - 60'000);
  EXPECT_EQ(Parse(With(R"("deliver_at":1731622400000)"))[0].deliver_at_ms, kNowMs + 366LL * 86'400'000);
  EXPECT_EQ(Parse(With(R"("deliver_at":null)"))[0].deliver_at_ms, std::nullopt);
  const std::string form =
      "-1 deliver_at: expected milliseconds since 1970, or RFC 3339 text with a zone such as `2030-01-01T09:00:00Z`";
  for (const char* bad : {"1.5", "1e300", "true", "\"soon\"", "\"1700000000001\"", "\"\"", "[]", "99999999999999999999",
                          "\"2023-11-14T23:13:20\""}) {
    EXPECT_EQ(Refusal(With("\"deliver_at\":" + std::string(bad))), form) << bad;
  }
  for (const char* past :
       {"0", "-1", "1700000000", "1699999939999", "-9223372036854775808", "\"1980-01-01T00:00:00Z\""}) {
    EXPECT_EQ(Refusal(With("\"deliver_at\":" + std::string(past))),
              "-1 deliver_at: lies more than 60 seconds in the past (a number counts milliseconds since 1970)")
        << past;
  }
  for (const char* far : {"1731622400001", "9223372036854775807", "\"9999-12-31T23:59:59Z\""}) {
    EXPECT_EQ(Refusal(With("\"deliver_at\":" + std::string(far))),
              "-1 deliver_at: lies more than 366 days ahead (a number counts milliseconds since 1970)")
        << far;
  }
  EXPECT_EQ(Refusal("[" + With(R"("deliver_at":1700000000001)") + "," + With(R"("deliver_at":1)") + "]"),
            "1 deliver_at: lies more than 60 seconds in the past (a number counts milliseconds since 1970)");
}

TEST(PublishTest, Boundaries) {
  EXPECT_EQ(Refusal(R"({"user_id":)" + Quoted(256) + R"(,"message":)" + Quoted(16'384) + "}"), "accepted");
  EXPECT_EQ(Refusal(With(R"("title":)" + Quoted(1'024))), "accepted");
  EXPECT_EQ(Refusal(With(R"("url":"/)" + std::string(2'047, 'x') + "\"")), "accepted");
  EXPECT_EQ(Refusal(With(R"("data":{"x":)" + Quoted(65'528) + "}")), "accepted");
  EXPECT_EQ(Refusal(With(R"("data":{"x":)" + std::string(23, '[') + "\"[[\\\"[[\"" + std::string(23, ']') + "}")),
            "accepted");
  EXPECT_EQ(Refusal(With(R"("url":"","lang":"","title":"","actions":[])")), "accepted");
}

TEST(PublishTest, LinksLeadNowhereElse) {
  for (std::string_view good : {"/", "/a/b?c=d#e", "/\xc3\xa9", "http://a", "https://a.example:8443/x?y#z", "HTTPS://A",
                                "http://[::1]/", "/a//b", "http://a?q"}) {
    EXPECT_EQ(Refusal(With(R"("url":")" + std::string(good) + "\"")), "accepted") << good;
  }
  for (std::string_view bad : {"//evil.example",
                               "/\\\\evil.example",
                               "\\\\/evil",
                               "javascript:alert(1)",
                               "JavaScript:x",
                               " javascript:x",
                               "java\\nscript:x",
                               "vbscript:x",
                               "data:text/html,x",
                               "file:///etc",
                               "ftp://a",
                               "a",
                               "a/b",
                               "?q",
                               "#x",
                               "http:",
                               "http:/a",
                               "http://",
                               "http:///a",
                               "http://?q",
                               "http://:80",
                               "http://@a",
                               "https:a",
                               "blob:http://a",
                               "/a b",
                               "/a\\tb",
                               "/a\\u0000",
                               "/a\\u007f",
                               "/a\\u0085",
                               "http://a\\\\b",
                               "javascript://a/%0aalert(1)",
                               "mailto:a@b",
                               "\\u0001http://a"}) {
    EXPECT_THAT(Refusal(With(R"("url":")" + std::string(bad) + "\"")),
                ::testing::StartsWith("-1 url: expected an http"))
        << bad;
  }
}

TEST(PublishTest, LanguageTags) {
  for (std::string_view good : {"en", "pt-BR", "zh-Hans-CN", "de-1996", "x-whatever", "sl-rozaj-biske"}) {
    EXPECT_EQ(Refusal(With(R"("lang":")" + std::string(good) + "\"")), "accepted") << good;
  }
  for (std::string_view bad : {"-", "en-", "-en", "en--US", "e n", "12", "englishes", "en_US", "\\u00e9",
                               "en-abcdefghi", "aa-aaaaaaaa-aaaaaaaa-aaaaaaaa-aaaaaaaa"}) {
    EXPECT_THAT(Refusal(With(R"("lang":")" + std::string(bad) + "\"")), ::testing::StartsWith("-1 lang:")) << bad;
  }
}

TEST(PublishTest, ContentTypes) {
  EXPECT_EQ(ParsePublishType(""), PublishType::kJson);
  EXPECT_EQ(ParsePublishType("application/json"), PublishType::kJson);
  EXPECT_EQ(ParsePublishType("Application/JSON ; Charset=UTF-8"), PublishType::kJson);
  EXPECT_EQ(ParsePublishType("application/json;charset=\"utf-8\";"), PublishType::kJson);
  EXPECT_EQ(ParsePublishType("application/x-ndjson"), PublishType::kNdjson);
  for (std::string_view bad : {"text/plain", "application/jsonx", "application/json; charset=latin1",
                               "application/x-www-form-urlencoded", "application/json, text/plain", "json"}) {
    EXPECT_FALSE(ParsePublishType(bad).has_value()) << bad;
  }
}

}  // namespace
}  // namespace tocsin::wire
