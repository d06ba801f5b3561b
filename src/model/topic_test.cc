#include "model/topic.h"

#include <gtest/gtest.h>

#include "model/limits.h"
#include "model/notification.h"

namespace tocsin::model {
namespace {

TEST(TopicTest, Names) {
  for (std::string_view good : {"a", "orders:42", "team.red_1", "a@b+c=d", "-"})
    EXPECT_TRUE(IsValidTopic(good)) << good;
  for (std::string_view bad : {"", "a b", "a/b", "news*", "caf\xc3\xa9", "a,b", "\"", "\xff", "a\n"}) {
    EXPECT_FALSE(IsValidTopic(bad)) << bad;
  }
  EXPECT_TRUE(IsValidTopic(std::string(kMaxTopic, 'x')));
  EXPECT_FALSE(IsValidTopic(std::string(kMaxTopic + 1, 'x')));
}

TEST(TopicTest, ItsLogIsNoUsers) {
  const std::string log = TopicLog("news");
  EXPECT_TRUE(IsTopicLog(log));
  EXPECT_EQ(TopicOf(log), "news");
  EXPECT_FALSE(IsValidUserId(log));
  EXPECT_FALSE(IsTopicLog("news"));
  EXPECT_FALSE(IsTopicLog(""));
}

TEST(TopicTest, RightsAreExactOrByPrefix) {
  const TopicRights rights{true, {"news", "team.*"}};
  EXPECT_TRUE(rights.Name("news"));
  EXPECT_FALSE(rights.Name("news2"));
  EXPECT_FALSE(rights.Name("new"));
  EXPECT_TRUE(rights.Name("team.red"));
  EXPECT_TRUE(rights.Name("team."));
  EXPECT_FALSE(rights.Name("team"));
  EXPECT_TRUE((TopicRights{true, {"*"}}.Name("anything")));
  EXPECT_FALSE(TopicRights{}.Name("anything"));
  EXPECT_TRUE(TopicRights{}.Name(kBroadcast));
}

}  // namespace
}  // namespace tocsin::model
