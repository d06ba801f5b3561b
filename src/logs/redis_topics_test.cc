// What users follow and where their devices stand in topics, on Redis; and what is the same as on the embedded store.
#include "logs/redis_topics.h"

#include <gtest/gtest.h>

#include "logs/redis_logs_fixture.h"
#include "model/limits.h"
#include "model/topic.h"

namespace tocsin::logs {
namespace {

using base::Code;
using base::Result;
using base::Status;
using model::EntryId;
using By = TopicFollow::By;

class RedisTopicsTest : public testing::Test {
 protected:
  RedisTopicsTest() { world_.Prepare(); }

  TopicStore& topics() { return world_.logs().topics(); }
  TopicRecords Records(const std::string& device = {}) {
    return world_.Wait<Result<TopicRecords>>([&](auto then) { topics().Get("u", device, then); }).value();
  }
  Status Follow(std::string topic, EntryId from, By by = By::kBackEnd) {
    return world_.Wait<Status>([&](auto then) { topics().Follow("u", {std::move(topic), from, by}, then); });
  }
  Status Ack(const std::string& device, const std::string& topic, EntryId cursor, Urgency urgency = Urgency::kNow) {
    return world_.Wait<Status>([&](auto then) { topics().Ack("u", device, topic, cursor, urgency, then); });
  }
  std::string Follows() {
    std::string text;
    for (const TopicFollow& follow : Records().follows) {
      text += follow.topic + "@" + follow.from.ToString() + (follow.by == By::kUser ? "u " : " ");
    }
    return text;
  }

  RedisWorld world_;
};

TEST_F(RedisTopicsTest, AFollowStaysWhereItBegan) {
  ASSERT_TRUE(Follow("news", {7, 1}, By::kUser).ok());
  ASSERT_TRUE(Follow("a", {3, 0}).ok());
  ASSERT_TRUE(Follow("news", {9, 0}, By::kUser).ok());
  EXPECT_EQ(Follows(), "a@3-0 news@7-1u ");
  ASSERT_TRUE(Follow("news", {9, 0}).ok());
  ASSERT_TRUE(Follow("a", {9, 0}, By::kUser).ok());
  EXPECT_EQ(Follows(), "a@3-0 news@7-1 ") << "a back-end's counts more";
  EXPECT_TRUE(world_.Wait<Result<bool>>([&](auto then) { topics().Unfollow("u", "news", then); }).value());
  EXPECT_FALSE(world_.Wait<Result<bool>>([&](auto then) { topics().Unfollow("u", "news", then); }).value());
  EXPECT_EQ(Follows(), "a@3-0 ");
}

TEST_F(RedisTopicsTest, FollowsAreBounded) {
  for (size_t i = 0; i < model::kMaxFollows; ++i) ASSERT_TRUE(Follow("t" + std::to_string(i), {}).ok());
  EXPECT_EQ(Follow("one more", {}).code(), Code::kTooLarge);
  EXPECT_TRUE(Follow("t0", {}).ok()) << "it is there";
}

TEST_F(RedisTopicsTest, CursorsOnlyGrowAndGoWithTheirDevice) {
  ASSERT_TRUE(Ack("phone", "news", {5, 0}, Urgency::kLater).ok());
  ASSERT_TRUE(Ack("phone", "news", {4, 0}).ok());
  ASSERT_TRUE(Ack("phone", "a", {6, 65'535}).ok());
  EXPECT_EQ(Records("phone").cursors,
            (std::map<std::string, EntryId, std::less<>>{{"a", {6, 65'535}}, {"news", {5, 0}}}));
  EXPECT_EQ(world_.Open("u", "phone").device_cursor, std::nullopt) << "it has acknowledged nothing of the own log";
  for (size_t i = 0; i < model::kMaxDevicesPerUser; ++i) {
    world_.clock().Advance(1'000);
    ASSERT_TRUE(Ack("d" + std::to_string(i), "news", {7, 0}).ok());
  }
  EXPECT_TRUE(Records("phone").cursors.empty()) << "beyond 64 the one silent longest is forgotten";
  EXPECT_EQ(Records("d0").cursors.size(), 1u);
}

// The same as UserTopicsTest.WhatAUserDoesIsInTheOwnLog.
TEST_F(RedisTopicsTest, WhatAUserDoesIsInTheOwnLog) {
  const auto mark_of = [](MarkOp op, std::vector<uint64_t> ids, std::optional<EntryId> upto = std::nullopt) {
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
  };
  const auto mark = [this](const TopicMark& wanted) {
    ASSERT_TRUE(world_.Wait<Result<Counts>>([&](auto then) { topics().Mark(wanted, then); }).ok());
  };
  const auto states = [this] {
    std::string text;
    const TopicStates found =
        world_.Wait<Result<TopicStates>>([&](auto then) { topics().States("u", "news", then); }).value();
    for (const auto& [id, state] : found.states) text += std::to_string(id.ms) + ":" + std::to_string(state) + " ";
    EXPECT_EQ(found.as_of, world_.Open("u").head.last);
    return text;
  };
  mark(mark_of(MarkOp::kRead, {1, 3, 4, 5}));
  EXPECT_EQ(states(), "1:2 3:2 4:2 5:2 ");
  const LogEntryPtr entry = world_.Read("u").lines.back().entry;
  ASSERT_FALSE(entry->is_item());
  EXPECT_EQ(entry->change->topic, "news");
  EXPECT_EQ(entry->change->nids, (std::vector<std::string>{"n1", "n3", "n4", "n5"}));
  EXPECT_EQ(entry->change->topic_delta,
            (CountsDelta{
                .unread = -2, .unseen = -2, .unread_by_priority = {0, 0, -2, 0}, .unread_by_category = {{"chat", -1}}}))
      << "4 and 5 count";

  mark(mark_of(MarkOp::kRead, {4}));
  EXPECT_EQ(world_.Open("u").head.entries, 1u) << "nothing was changed";
  EXPECT_EQ(states(), "3:2 4:2 5:2 ") << "what is older than the window is forgotten";
  mark(mark_of(MarkOp::kDelete, {4, 6}));
  mark(mark_of(MarkOp::kUnread, {4, 5}, EntryId{5, 0}));
  EXPECT_EQ(states(), "3:2 4:4 5:1 6:4 ") << "what was deleted stays so";
  EXPECT_EQ(world_.Shape("u"), "<read> <delete> <unread>");
  EXPECT_EQ(world_.Read("u").lines.back().entry->change->upto, (EntryId{5, 0}));

  TopicMark once = mark_of(MarkOp::kSeen, {7});
  once.mid = "m1";
  mark(once);
  once.items[0].id = {8, 0};
  mark(once);
  EXPECT_EQ(states(), "3:2 4:4 5:1 6:4 7:1 ") << "a repeated mark does nothing";
}

// Several Cores of a node have followers of one topic.
TEST_F(RedisTopicsTest, AWatchEndsWithTheLastOfThem) {
  const std::string log = model::TopicLog("news");
  world_.logs().Watch(log);
  world_.logs().Watch(log);
  world_.logs().Unwatch(log);
  EXPECT_EQ(world_.Append(log, "a")->watchers, std::vector<std::string>{"node-a"});
  world_.logs().Unwatch(log);
  EXPECT_EQ(world_.Append(log, "b")->watchers, std::vector<std::string>{});
}

}  // namespace
}  // namespace tocsin::logs
