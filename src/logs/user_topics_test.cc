// What users follow and where their devices stand in topics, on the embedded store.
#include "logs/user_topics.h"

#include <gtest/gtest.h>

#include "logs/keys.h"
#include "logs/test_logs.h"
#include "model/limits.h"
#include "model/topic.h"

namespace tocsin::logs {
namespace {

using base::Code;
using base::Status;
using model::EntryId;
using By = TopicFollow::By;

class UserTopicsTest : public testing::Test {
 protected:
  Status Follow(std::string_view user, std::string topic, EntryId from, By by = By::kBackEnd) {
    Status status;
    const Status turn = world_.Turn([&](storage::Batch& batch) {
      status = world_.user_logs().topics().Follow(user, {std::move(topic), from, by}, batch);
    });
    return turn.ok() ? status : turn;
  }
  Status Ack(std::string_view device, std::string_view topic, EntryId cursor) {
    return world_.Turn(
        [&](storage::Batch& batch) { CHECK(world_.user_logs().AckTopic("u", device, topic, cursor, batch).ok()); });
  }
  TopicRecords Records(std::string_view device = {}) {
    return world_.reader().Topics("u", device, storage::Tier::kDisk).value();
  }
  std::string Follows() {
    std::string text;
    for (const TopicFollow& follow : Records().follows) {
      text += follow.topic + "@" + follow.from.ToString() + (follow.by == By::kUser ? "u " : " ");
    }
    return text;
  }

  TestLogs world_;
};

TEST_F(UserTopicsTest, AFollowStaysWhereItBegan) {
  ASSERT_TRUE(Follow("u", "news", {7, 1}, By::kUser).ok());
  ASSERT_TRUE(Follow("u", "a", {3, 0}).ok());
  ASSERT_TRUE(Follow("u", "news", {9, 0}, By::kUser).ok());
  EXPECT_EQ(Follows(), "a@3-0 news@7-1u ");
  ASSERT_TRUE(Follow("u", "news", {9, 0}).ok());
  ASSERT_TRUE(Follow("u", "a", {9, 0}, By::kUser).ok());
  EXPECT_EQ(Follows(), "a@3-0 news@7-1 ") << "a back-end's counts more";
  world_.Restart();
  EXPECT_EQ(Follows(), "a@3-0 news@7-1 ");
  EXPECT_TRUE(world_.reader().Topics("v", {}, storage::Tier::kDisk)->follows.empty());

  bool ended = false, again = true;
  ASSERT_TRUE(world_
                  .Turn([&](storage::Batch& batch) {
                    ended = world_.user_logs().topics().Unfollow("u", "news", batch).value();
                    again = world_.user_logs().topics().Unfollow("u", "news", batch).value();
                  })
                  .ok());
  EXPECT_TRUE(ended);
  EXPECT_FALSE(again) << "a turn sees what it has done";
  EXPECT_EQ(Follows(), "a@3-0 ");
}

TEST_F(UserTopicsTest, FollowsAreBounded) {
  ASSERT_TRUE(Follow("u", "first", {}).ok());
  std::vector<Code> codes;
  ASSERT_TRUE(
      world_
          .Turn([&](storage::Batch& batch) {
            for (size_t i = 0; i < model::kMaxFollows; ++i) {
              codes.push_back(world_.user_logs().topics().Follow("u", {"t" + std::to_string(i), {}, {}}, batch).code());
            }
          })
          .ok());
  EXPECT_EQ(std::count(codes.begin(), codes.end(), Code::kOk), static_cast<ptrdiff_t>(model::kMaxFollows) - 1);
  EXPECT_EQ(codes.back(), Code::kTooLarge);
  EXPECT_EQ(Follow("u", "one more", {}).code(), Code::kTooLarge);
  EXPECT_TRUE(Follow("u", "first", {}).ok()) << "it is there";
  EXPECT_TRUE(Follow("v", "one more", {}).ok());
}

TEST_F(UserTopicsTest, CursorsOnlyGrowAndAreOfADevice) {
  ASSERT_TRUE(Ack("phone", "news", {5, 0}).ok());
  ASSERT_TRUE(Ack("phone", "news", {4, 0}).ok());
  ASSERT_TRUE(Ack("phone", "a", {6, 0}).ok());
  ASSERT_TRUE(Ack("phone2", "news", {9, 0}).ok());
  EXPECT_EQ(Records("phone").cursors, (std::map<std::string, EntryId, std::less<>>{{"a", {6, 0}}, {"news", {5, 0}}}));
  EXPECT_TRUE(Records().cursors.empty());
  EXPECT_EQ(world_.Cursor("u", "phone"), std::nullopt) << "it has acknowledged nothing of the own log";
  EXPECT_EQ(world_.Stored("u", kDeviceTag), 2u);
}

TEST_F(UserTopicsTest, AFailedTurnLeavesNoTrace) {
  world_.fault = Status(Code::kNoSpace, "full");
  EXPECT_EQ(Follow("u", "news", {7, 1}).code(), Code::kNoSpace);
  world_.fault = base::Ok();
  EXPECT_EQ(Follows(), "");
  ASSERT_TRUE(Follow("u", "news", {8, 0}).ok());
  EXPECT_EQ(Follows(), "news@8-0 ");
}

TEST_F(UserTopicsTest, CursorsGoWithTheirDevice) {
  ASSERT_TRUE(Ack("first", "news", {5, 0}).ok());
  for (size_t i = 0; i < model::kMaxDevicesPerUser; ++i) {
    world_.clock().Advance(1'000);
    ASSERT_TRUE(Ack("d" + std::to_string(i), "news", {7, 0}).ok());
  }
  EXPECT_TRUE(Records("first").cursors.empty()) << "beyond 64 the one silent longest is forgotten";
  EXPECT_EQ(Records("d0").cursors.size(), 1u);
  EXPECT_EQ(world_.Stored("u", kCursorTag), model::kMaxDevicesPerUser);
}

TEST_F(UserTopicsTest, ATopicsLogIsALog) {
  const std::string log = model::TopicLog("news");
  ASSERT_TRUE(world_.Append(log, "a").ok());
  ASSERT_TRUE(world_.Append(log, "b").ok());
  EXPECT_EQ(world_.Shape(log), "a:unread b:unread");
  EXPECT_EQ(world_.updates.back().user, log);
  EXPECT_EQ(world_.Head(log).entries, 2u);
}

}  // namespace
}  // namespace tocsin::logs
