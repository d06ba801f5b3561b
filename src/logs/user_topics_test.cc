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

TopicMark MarkOf(MarkOp op, std::vector<uint64_t> ids, std::optional<EntryId> upto = std::nullopt) {
  TopicMark mark{.user = "u",
                 .device = "web",
                 .topic = "news",
                 .op = op,
                 .upto = upto,
                 .mid = {},
                 .oldest = {2, 0},
                 .counted_from = {3, 0},
                 .items = {}};
  for (uint64_t id : ids)
    mark.items.push_back({{id, 0}, "n" + std::to_string(id), model::Priority::kHigh, id == 5 ? "chat" : ""});
  return mark;
}

TEST_F(UserTopicsTest, WhatAUserDoesIsInTheOwnLog) {
  const auto mark = [this](const TopicMark& wanted) {
    ASSERT_TRUE(
        world_.Turn([&](storage::Batch& batch) { ASSERT_TRUE(world_.user_logs().MarkTopic(wanted, batch).ok()); })
            .ok());
  };
  const auto states = [this] {
    std::string text;
    const TopicStates found = world_.reader().StatesInTopic("u", "news", storage::Tier::kDisk).value();
    for (const auto& [id, state] : found.states) text += std::to_string(id.ms) + ":" + std::to_string(state) + " ";
    EXPECT_EQ(found.as_of, world_.Head("u").last);
    return text;
  };
  mark(MarkOf(MarkOp::kRead, {1, 3, 4, 5}));
  EXPECT_EQ(states(), "1:2 3:2 4:2 5:2 ");
  const LogEntryPtr entry = world_.updates.back().entries.back();
  ASSERT_FALSE(entry->is_item());
  EXPECT_EQ(entry->change->topic, "news");
  EXPECT_EQ(entry->change->nids, (std::vector<std::string>{"n1", "n3", "n4", "n5"}));
  EXPECT_EQ(entry->change->topic_delta,
            (CountsDelta{
                .unread = -2, .unseen = -2, .unread_by_priority = {0, 0, -2, 0}, .unread_by_category = {{"chat", -1}}}))
      << "4 and 5 count";
  EXPECT_EQ(world_.Lines("u").back().entry->change->topic_delta, entry->change->topic_delta) << "as it is stored";

  mark(MarkOf(MarkOp::kRead, {4}));
  EXPECT_EQ(world_.Head("u").entries, 1u) << "nothing was changed";
  EXPECT_EQ(states(), "3:2 4:2 5:2 ") << "what is older than the window is forgotten";
  mark(MarkOf(MarkOp::kDelete, {4, 6}));
  mark(MarkOf(MarkOp::kUnread, {4, 5}, EntryId{5, 0}));
  EXPECT_EQ(states(), "3:2 4:4 5:1 6:4 ") << "what was deleted stays so";
  EXPECT_EQ(world_.Shape("u"), "<read> <delete> <unread>");
  EXPECT_EQ(world_.updates.back().entries.back()->change->upto, (EntryId{5, 0}));

  TopicMark once = MarkOf(MarkOp::kSeen, {7});
  once.mid = "m1";
  mark(once);
  once.items[0].id = {8, 0};
  mark(once);
  EXPECT_EQ(states(), "3:2 4:4 5:1 6:4 7:1 ") << "a repeated mark does nothing";
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
