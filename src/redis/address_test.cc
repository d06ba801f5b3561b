#include "redis/address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "redis/client.h"
#include "redis/refusal.h"

namespace tocsin::redis {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using Kind = Deployment::Kind;

TEST(AddressTest, OneServer) {
  const auto plain = ParseDeployment("redis://localhost");
  ASSERT_TRUE(plain.ok()) << plain.status().ToString();
  EXPECT_EQ(plain->kind, Kind::kSingle);
  EXPECT_THAT(plain->endpoints, ElementsAre(Endpoint{"localhost", 6379}));
  EXPECT_FALSE(plain->tls);

  const auto full = ParseDeployment("rediss://al%40ice:p%3Aw%2F@[::1]:7000/3?ca=/a.pem&cert=/c&key=/k&servername=r");
  ASSERT_TRUE(full.ok()) << full.status().ToString();
  EXPECT_TRUE(full->tls);
  EXPECT_EQ(full->user, "al@ice");
  EXPECT_EQ(full->password, "p:w/");
  EXPECT_THAT(full->endpoints, ElementsAre(Endpoint{"::1", 7000}));
  EXPECT_EQ(full->database, 3);
  EXPECT_EQ(full->ca_file + full->cert_file + full->key_file + full->server_name, "/a.pem/c/kr");
  EXPECT_EQ(full->ToString(), "rediss://[::1]:7000/3");
  EXPECT_EQ(ParseDeployment("redis://:secret@h")->password, "secret");
  EXPECT_EQ(ParseDeployment("redis://:secret@h")->user, "");
}

TEST(AddressTest, ClusterAndSentinels) {
  const auto cluster = ParseDeployment("redis-cluster://u:p@a:7000,b,[fe80::1]:7002/0");
  ASSERT_TRUE(cluster.ok()) << cluster.status().ToString();
  EXPECT_EQ(cluster->kind, Kind::kCluster);
  EXPECT_THAT(cluster->endpoints, ElementsAre(Endpoint{"a", 7000}, Endpoint{"b", 6379}, Endpoint{"fe80::1", 7002}));

  const auto sentinels = ParseDeployment("rediss-sentinel://:p@a,b:5000/my%2Fmaster/2?sentinel_password=x&ca=/c");
  ASSERT_TRUE(sentinels.ok()) << sentinels.status().ToString();
  EXPECT_EQ(sentinels->kind, Kind::kSentinel);
  EXPECT_THAT(sentinels->endpoints, ElementsAre(Endpoint{"a", 26379}, Endpoint{"b", 5000}));
  EXPECT_EQ(sentinels->primary_name, "my/master");
  EXPECT_EQ(sentinels->database, 2);
  EXPECT_EQ(sentinels->sentinel_password, "x");
  EXPECT_EQ(sentinels->ToString(), "rediss-sentinel://a:26379,b:5000/my%2Fmaster/2");
}

TEST(AddressTest, SaysWhatIsWrongAndKeepsSecrets) {
  for (const char* wrong : {
           "",
           "localhost:6379",
           "http://h",
           "redis:/h",
           "redis://",
           "redis://:6379",
           "redis://h:0",
           "redis://h:65536",
           "redis://h:x",
           "redis://h:",
           "redis://h:-1",
           "redis://a,b",
           "redis-cluster://a,,b",
           "redis://::1",
           "redis://[::1",
           "redis://[::1]7",
           "redis://h h",
           "redis://secret@h",
           "redis://secret:@h",
           "redis://u:%zz@h",
           "redis://h/x",
           "redis://h/-1",
           "redis://h/0/1",
           "redis-cluster://h/1",
           "redis-sentinel://h",
           "redis-sentinel://h/",
           "redis-sentinel://h/m/x",
           "redis://h?ca=/c",
           "rediss://h?cert=/c",
           "rediss://h?ca=",
           "redis://h?sentinel_user=u",
           "redis-sentinel://h/m?sentinel_user=u",
           "redis://h?foo=1",
           "redis://h#f",
       }) {
    const auto parsed = ParseDeployment(wrong);
    ASSERT_FALSE(parsed.ok()) << wrong;
    EXPECT_EQ(parsed.status().code(), base::Code::kInvalidArgument);
    EXPECT_THAT(std::string(parsed.status().message()), Not(HasSubstr("secret"))) << wrong;
    EXPECT_GT(parsed.status().message().size(), 10U);
  }
}

TEST(AddressTest, Slots) {
  // From the Cluster specification, and CLUSTER KEYSLOT of a redis-server.
  EXPECT_EQ(SlotOf("123456789"), 0x31C3);
  EXPECT_EQ(SlotOf("foo"), 12182);
  EXPECT_EQ(SlotOf(""), 0);
  EXPECT_EQ(SlotOf("{user1000}.following"), SlotOf("{user1000}.followers"));
  EXPECT_EQ(SlotOf("{user1000}.following"), SlotOf("user1000"));
  EXPECT_EQ(SlotOf("foo{}{bar}"), 8363);
  EXPECT_EQ(SlotOf("foo{{bar}}zap"), SlotOf("{bar"));
  EXPECT_EQ(SlotOf("foo{bar}{zap}"), SlotOf("bar"));
}

TEST(AddressTest, Refusals) {
  const auto moved = ParseRefusal("MOVED 3999 127.0.0.1:6381");
  ASSERT_TRUE(moved);
  EXPECT_EQ(moved->kind, Refusal::Kind::kMoved);
  EXPECT_EQ(moved->slot, 3999);
  EXPECT_EQ(moved->to, (Endpoint{"127.0.0.1", 6381}));
  EXPECT_EQ(ParseRefusal("ASK 1 ::1:7")->to, (Endpoint{"::1", 7}));
  EXPECT_EQ(ParseRefusal("MOVED 1 :7")->to, (Endpoint{"", 7}));
  EXPECT_EQ(ParseRefusal("MOVED 1 ?:7")->to, (Endpoint{"", 7}));
  EXPECT_EQ(ParseRefusal("READONLY You can't write against a read only replica.")->kind, Refusal::Kind::kReadonly);
  EXPECT_EQ(ParseRefusal("NOSCRIPT No matching script.")->kind, Refusal::Kind::kNoScript);
  EXPECT_EQ(ParseRefusal("UNBLOCKED force unblock from blocking operation, instance state changed")->kind,
            Refusal::Kind::kReadonly);
  for (const char* other :
       {"", "UNBLOCKED client unblocked via CLIENT UNBLOCK", "ERR MOVED 1 a:1", "MOVED", "MOVED 1", "MOVED 16384 a:1",
        "MOVED x a:1", "MOVED 1 a", "ASK 1 a:0", "ASK 1 a:99999", "WRONGTYPE x", "MOVEDX 1 a:1"}) {
    EXPECT_FALSE(ParseRefusal(other)) << other;
  }
}

}  // namespace
}  // namespace tocsin::redis
