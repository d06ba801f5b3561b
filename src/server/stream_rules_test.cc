#include "server/stream_rules.h"

#include <gtest/gtest.h>

namespace tocsin::server {
namespace {

TEST(RedeliveryRules, EveryWord) {
  auto rules = ParseRedelivery("orders/email after=30s deliveries=5 backoff=3 longest=2h, a/b/c  after=1m");
  ASSERT_TRUE(rules.ok()) << rules.status().ToString();
  ASSERT_EQ(rules->size(), 2u);
  EXPECT_EQ(rules->at(0).stream, "orders");
  EXPECT_EQ(rules->at(0).group, "email");
  EXPECT_EQ(rules->at(0).redelivery.after_ms, 30'000);
  EXPECT_EQ(rules->at(0).redelivery.max_deliveries, 5u);
  EXPECT_EQ(rules->at(0).redelivery.backoff, 3u);
  EXPECT_EQ(rules->at(0).redelivery.longest_ms, 7'200'000);
  EXPECT_EQ(rules->at(1).stream, "a/b");
  EXPECT_EQ(rules->at(1).group, "c");
  EXPECT_EQ(rules->at(1).redelivery.max_deliveries, 0u);
  EXPECT_TRUE(ParseRedelivery("")->empty());
  EXPECT_EQ(ParseRedelivery("s/g after=2h longest=1s")->front().redelivery.longest_ms, 7'200'000);
}

TEST(RedeliveryRules, WrongOnesAreNamed) {
  for (const char* wrong : {"orders", "/g after=1s", "s/ after=1s", "s/g", "s/g after", "s/g after=", "s/g after=-1s",
                            "s/g deliveries=0", "s/g backoff=0", "s/g backoff=1.5", "s/g retries=3", "s/g after=0"}) {
    const auto rules = ParseRedelivery(wrong);
    ASSERT_FALSE(rules.ok()) << wrong;
    EXPECT_NE(rules.status().message().find("STREAM/GROUP after=TIME is allowed"), std::string_view::npos);
    EXPECT_TRUE(rules.status().message().starts_with("`" + std::string(wrong) + "`: ")) << rules.status().message();
  }
}

TEST(RetentionRules, EveryWord) {
  auto rules = ParseRetention("orders age=7d entries=1000 bytes=1MiB cap=4GiB needed=drop,audit cap=8192");
  ASSERT_TRUE(rules.ok()) << rules.status().ToString();
  ASSERT_EQ(rules->size(), 2u);
  EXPECT_EQ(rules->at(0).stream, "orders");
  EXPECT_EQ(rules->at(0).age_ms, 7 * 86'400'000);
  EXPECT_EQ(rules->at(0).entries, 1'000u);
  EXPECT_EQ(rules->at(0).bytes, 1u << 20);
  EXPECT_EQ(rules->at(0).cap_bytes, 4ull << 30);
  EXPECT_EQ(rules->at(0).needed, notifier::Needed::kDrop);
  EXPECT_EQ(rules->at(1).needed, notifier::Needed::kKeep);
  EXPECT_FALSE(rules->at(1).age_ms);
}

TEST(RetentionRules, WrongOnesAreNamed) {
  for (const char* wrong : {"orders", "orders needed=drop", "orders age=x", "orders age=0", "orders entries=0",
                            "orders bytes=10", "orders cap=1PB", "orders needed=all age=1d", "orders ages=1d"}) {
    const auto rules = ParseRetention(wrong);
    ASSERT_FALSE(rules.ok()) << wrong;
    EXPECT_NE(rules.status().message().find("for example orders age=7d"), std::string_view::npos);
  }
  EXPECT_FALSE(ParseRetention("a age=1d, a entries=5").ok());
}

TEST(RateLimitRules, EveryWord) {
  auto rules = ParseRateLimits("* most=60 per=1m, marketing per=1h most=3");
  ASSERT_TRUE(rules.ok()) << rules.status().ToString();
  EXPECT_EQ(*rules, (std::vector<state::RateLimit>{{"*", 60, 60'000}, {"marketing", 3, 3'600'000}}));
  EXPECT_TRUE(ParseRateLimits("")->empty());
}

TEST(RateLimitRules, WrongOnesAreNamed) {
  const std::string long_name(65, 'c');
  for (const std::string& wrong :
       {std::string("ads"), std::string("ads most=3"), std::string("ads per=1m"), std::string("ads most=0 per=1m"),
        std::string("ads most=1000001 per=1m"), std::string("ads most=3 per=0"), std::string("ads most=3 per=8d"),
        std::string("ads most=3 in=1m"), std::string("ads 3/1m"), long_name + " most=3 per=1m"}) {
    const auto rules = ParseRateLimits(wrong);
    ASSERT_FALSE(rules.ok()) << wrong;
    EXPECT_NE(rules.status().message().find("marketing most=3 per=1h"), std::string_view::npos);
  }
  EXPECT_FALSE(ParseRateLimits("a most=1 per=1m, a most=2 per=1m").ok());
}

TEST(RetentionRules, IngestStreamsAndTheirDeadLettersHaveOne) {
  const auto rules = WithDefaults(*ParseRetention("bulk entries=5"), {"notifications_stream", "bulk"});
  ASSERT_EQ(rules.size(), 4u);
  EXPECT_EQ(rules[0].stream, "bulk");
  EXPECT_EQ(rules[0].entries, 5u);
  EXPECT_FALSE(rules[0].cap_bytes);  // whoever gives a rule gives all of it
  EXPECT_EQ(rules[1].stream, "notifications_stream");
  EXPECT_TRUE(rules[1].age_ms && rules[1].entries && rules[1].cap_bytes);
  EXPECT_EQ(rules[2].stream, "notifications_stream:dead");
  EXPECT_EQ(rules[3].stream, "bulk:dead");
}

}  // namespace
}  // namespace tocsin::server
