#include "wire/notification_fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/topic.h"
#include "wire/publish.h"

namespace tocsin::wire {
namespace {

using model::Notification;
using model::StreamFields;
using ::testing::ElementsAre;
using ::testing::Pair;

Notification Good(const StreamFields& fields) {
  base::Result<Notification> n = FromFields(fields);
  EXPECT_TRUE(n.ok()) << n.status().ToString();
  return n.ok() ? *n : Notification();
}

std::string Reason(StreamFields fields) {
  base::Result<Notification> n = FromFields(fields);
  if (n.ok()) return "accepted";
  EXPECT_EQ(n.status().code(), base::Code::kInvalidArgument);
  return std::string(n.status().message());
}

// With a user and a message before them.
std::string ReasonWith(StreamFields fields) {
  fields.insert(fields.begin(), {{"user_id", "123"}, {"message", "m"}});
  return Reason(fields);
}

void ExpectSame(const Notification& a, const Notification& b) {
  EXPECT_EQ(a.users, b.users);
  EXPECT_EQ(a.message, b.message);
  EXPECT_EQ(a.title, b.title);
  EXPECT_EQ(a.url, b.url);
  EXPECT_EQ(a.icon, b.icon);
  EXPECT_EQ(a.lang, b.lang);
  EXPECT_EQ(a.priority, b.priority);
  EXPECT_EQ(a.data, b.data);
  EXPECT_EQ(a.deliver_at_ms, b.deliver_at_ms);
  ASSERT_EQ(a.actions.size(), b.actions.size());
  for (size_t i = 0; i < a.actions.size(); ++i) {
    EXPECT_EQ(a.actions[i].id, b.actions[i].id);
    EXPECT_EQ(a.actions[i].title, b.actions[i].title);
    EXPECT_EQ(a.actions[i].url, b.actions[i].url);
  }
}

TEST(NotificationFieldsTest, TheSnippetOfTheReplacedStack) {
  const Notification n =
      Good({{"user_id", "123"}, {"message", "You've got a new alert"}, {"lang", "en"}, {"priority", "high"}});
  EXPECT_THAT(n.users, ElementsAre("123"));
  EXPECT_EQ(n.message, "You've got a new alert");
  EXPECT_EQ(n.lang, "en");
  EXPECT_EQ(n.priority, model::Priority::kHigh);
  EXPECT_EQ(n.data, "");
}

TEST(NotificationFieldsTest, WhatIsStored) {
  Notification n;
  n.users = {"u"};
  n.message = "m";
  EXPECT_THAT(ToFields(n), ElementsAre(Pair("user_id", "u"), Pair("message", "m"), Pair("priority", "normal")));
  n.users = {"u", "v\""};
  n.actions = {{"a", "A", "/x"}, {"b", "B", ""}};
  n.data = "{}";
  EXPECT_THAT(ToFields(n), ElementsAre(Pair("user_ids", R"(["u","v\""])"), Pair("message", "m"),
                                       Pair("actions", R"([{"id":"a","title":"A","url":"/x"},{"id":"b","title":"B"}])"),
                                       Pair("priority", "normal"), Pair("data", "{}")));
}

TEST(NotificationFieldsTest, RoundTrip) {
  std::vector<Notification> all;
  ASSERT_FALSE(
      ParsePublish(
          PublishType::kJson,
          R"([{"user_id":"a\u0000b}","message":"\n\u2028","title":"\"\\","url":"/u","icon":"http://i",)"
          R"("lang":"en","priority":"critical","actions":[{"id":"\"","title":"\u00e9","url":"/"}],)"
          R"("data":{"n":0.1,"d":{"e":[]}}},{"user_ids":["[","]",7],"message":"x","deliver_at":1700000000123}])",
          1'700'000'000'000, all)
          .has_value());
  for (const Notification& n : all) ExpectSame(Good(ToFields(n)), n);
}

TEST(NotificationFieldsTest, ATopicIsOneField) {
  base::Result<Notification> n = FromFields(StreamFields{{"topic", "news"}, {"message", "m"}}, nullptr);
  ASSERT_TRUE(n.ok());
  EXPECT_EQ(n->users, std::vector<std::string>{model::TopicLog("news")});
  EXPECT_EQ(ToFields(*n).front(), (std::pair<std::string, std::string>("topic", "news")));
  EXPECT_EQ(Reason({{"topic", "a b"}, {"message", "m"}}), "`topic`: " + std::string(model::kTopicRule));
  EXPECT_EQ(Reason({{"topic", "news"}, {"user_id", "1"}, {"message", "m"}}),
            "`user_id`: expected exactly one of `user_id`, `user_ids` and `topic`");
}

TEST(NotificationFieldsTest, UnknownFieldsGoIntoData) {
  EXPECT_EQ(Good({{"user_id", "1"}, {"message", "m"}, {"order", "7\""}, {"Title", ""}}).data,
            R"({"order":"7\"","Title":""})");
  EXPECT_EQ(Good({{"order", "7"}, {"data", " {\"a\": 0.10} "}, {"user_id", "1"}, {"message", "m"}}).data,
            R"({"a": 0.10,"order":"7"})");
  EXPECT_EQ(Good({{"order", "7"}, {"data", "{ }"}, {"user_id", "1"}, {"message", "m"}}).data, R"({ "order":"7"})");
}

TEST(NotificationFieldsTest, EmptyValuesCountAsNotGiven) {
  const Notification n = Good({{"user_id", "1"},
                               {"user_ids", ""},
                               {"message", "m"},
                               {"title", ""},
                               {"url", ""},
                               {"lang", ""},
                               {"priority", ""},
                               {"data", ""},
                               {"actions", ""},
                               {"ttl_s", ""}});
  EXPECT_EQ(n.priority, model::Priority::kNormal);
  EXPECT_EQ(n.data, "");
}

TEST(NotificationFieldsTest, UnknownPriorityIsNormalAndNoted) {
  UnknownPriority unknown = UnknownPriority::kNo;
  StreamFields fields = {{"user_id", "1"}, {"message", "m"}, {"priority", "HIGH"}};
  base::Result<Notification> n = FromFields(fields, &unknown);
  ASSERT_TRUE(n.ok());
  EXPECT_EQ(n->priority, model::Priority::kNormal);
  EXPECT_EQ(unknown, UnknownPriority::kYes);
  fields[2].second = "low";
  ASSERT_TRUE(FromFields(fields, &unknown).ok());
  EXPECT_EQ(unknown, UnknownPriority::kNo);
}

TEST(NotificationFieldsTest, ReasonsNameTheField) {
  const std::string required = "`user_id`: required: `user_id`, `user_ids` for several, or `topic`";
  EXPECT_EQ(Reason({}), required);
  EXPECT_EQ(Reason({{"message", "m"}}), required);
  EXPECT_EQ(Reason({{"user_id", ""}, {"message", "m"}}), required);
  EXPECT_EQ(Reason({{"user_id", "1"}}), "`message`: required, 1 to 16384 bytes of UTF-8");
  EXPECT_EQ(Reason({{"user_id", "\xff"}, {"message", "m"}}), "`user_id`: expected 1 to 256 bytes of UTF-8");
  EXPECT_EQ(Reason({{"user_id", "1"}, {"message", "\xff"}}), "`message`: expected 1 to 16384 bytes of UTF-8");
  EXPECT_EQ(Reason({{"user_id", "1"}, {"message", std::string(16'385, 'x')}}),
            "`message`: expected 1 to 16384 bytes of UTF-8");
  EXPECT_EQ(ReasonWith({{"user_ids", "[\"2\"]"}}),
            "`user_ids`: expected exactly one of `user_id`, `user_ids` and `topic`");
  EXPECT_EQ(Reason({{"user_ids", "1,2"}, {"message", "m"}}),
            "`user_ids`: not valid JSON: expected nothing after the value at byte 1");
  EXPECT_EQ(Reason({{"user_ids", "[]"}, {"message", "m"}}), "`user_ids`: expected an array of 1 to 1000 user ids");
  EXPECT_EQ(Reason({{"user_ids", "[1,{}]"}, {"message", "m"}}), "`user_ids[1]`: expected a string or an integer");
  EXPECT_EQ(ReasonWith({{"message", "n"}}), "`message`: given twice");
  EXPECT_EQ(ReasonWith({{"x", "1"}, {"x", "2"}}), "`x`: given twice");
  EXPECT_EQ(ReasonWith({{"title", "\xc3"}}), "`title`: expected at most 1024 bytes of UTF-8");
  EXPECT_EQ(ReasonWith({{"lang", "en_US"}}), "`lang`: expected a language tag such as `en` or `pt-BR`");
  EXPECT_THAT(ReasonWith({{"url", "javascript:x"}}), ::testing::StartsWith("`url`: expected an http or https address"));
  EXPECT_EQ(ReasonWith({{"url", "/" + std::string(2'048, 'x')}}), "`url`: expected at most 2048 bytes of UTF-8");
  EXPECT_EQ(ReasonWith({{"actions", "[{\"id\":\"a\"}]"}}), "`actions[0].title`: required, 1 to 128 bytes of UTF-8");
  EXPECT_EQ(ReasonWith({{"actions", "x"}}), "`actions`: not valid JSON: expected a value at byte 0");
  EXPECT_EQ(ReasonWith({{"data", "{\"a\":}"}}), "`data`: not valid JSON: expected a value at byte 5");
  EXPECT_EQ(ReasonWith({{"data", "[]"}}), "`data`: expected a JSON object");
  EXPECT_EQ(ReasonWith({{"data", "{\"x\":1}"}, {"x", "2"}}), "`data`: has a key that is also a field of the entry");
  EXPECT_EQ(ReasonWith({{"category", std::string(65, 'c')}}), "`category`: expected at most 64 bytes of UTF-8");
  EXPECT_EQ(ReasonWith({{"category", "*"}}), "`category`: expected a name; `*` stands for all the others");
  EXPECT_EQ(ReasonWith({{"collapse_key", "a\nb"}}), "`collapse_key`: expected no control characters");
  for (const char* ttl : {"0", "-1", "1.5", "x", "31622401", "99999999999999999999"}) {
    EXPECT_EQ(ReasonWith({{"ttl_s", ttl}}), "`ttl_s`: expected whole seconds, 1 to 31622400") << ttl;
  }
  EXPECT_THAT(ReasonWith({{"expires_at", "tomorrow"}}), ::testing::StartsWith("`expires_at`: expected milliseconds"));
  EXPECT_EQ(ReasonWith({{"x", "\xff"}}), "`x`: goes into `data`, which takes UTF-8 only");
  EXPECT_EQ(ReasonWith({{"\xff", "x"}}), "`(not UTF-8)`: goes into `data`, which takes UTF-8 only");
  EXPECT_EQ(ReasonWith({{"x", std::string(65'537, 'x')}}),
            "`data`: expected at most 65536 bytes of JSON, with the unknown fields in it");
  EXPECT_EQ(ReasonWith({{"x", std::string(20'000, '\x01')}}),  // six bytes each, escaped
            "`data`: expected at most 65536 bytes of JSON, with the unknown fields in it");
  EXPECT_EQ(ReasonWith({{std::string(100, 'k'), "\xff"}}),
            "`" + std::string(64, 'k') + "`: goes into `data`, which takes UTF-8 only");
  for (std::string_view later : {"template", "params", "idempotency_key"}) {
    EXPECT_EQ(ReasonWith({{std::string(later), "1"}}), "`" + std::string(later) + "`: not supported yet");
  }
}

TEST(NotificationFieldsTest, TheTimeOfAnEntryIsHeldAgainstItsOwn) {
  const auto read = [](std::string_view at) {
    const std::vector<std::pair<std::string_view, std::string_view>> fields = {
        {"user_id", "u"}, {"message", "m"}, {"deliver_at", at}};
    return FromEntry(fields, 1'700'000'000'000);
  };
  EXPECT_EQ(read("1700000000001")->deliver_at_ms, 1'700'000'000'001);
  EXPECT_EQ(read("2023-11-14T22:13:20Z")->deliver_at_ms, 1'700'000'000'000);
  EXPECT_EQ(read("")->deliver_at_ms, std::nullopt);
  EXPECT_EQ(FromFields(ToFields(*read("1700000000001")))->deliver_at_ms, 1'700'000'000'001);
  EXPECT_EQ(read("soon").status().message(),
            "`deliver_at`: expected milliseconds since 1970, or RFC 3339 text with a zone such as "
            "`2030-01-01T09:00:00Z`");
  EXPECT_EQ(read("1699999939999").status().message(),
            "`deliver_at`: lies more than 60 seconds in the past (a number counts milliseconds since 1970)");
  EXPECT_EQ(read("1731622400001").status().message(),
            "`deliver_at`: lies more than 366 days ahead (a number counts milliseconds since 1970)");
}

}  // namespace
}  // namespace tocsin::wire
