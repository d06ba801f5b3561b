#include "logs/user_preferences.h"

#include <gtest/gtest.h>

#include "logs/redis_logs_fixture.h"
#include "logs/test_logs.h"

namespace tocsin::logs {
namespace {

using state::Preferences;

const Preferences kMuted{.mute = {"ads"}};

class UserPreferencesTest : public testing::Test {
 protected:
  // The logs with a committer that knows of the preferences too.
  base::Status Set(std::string_view user, const Preferences& value) {
    const base::Status outcome =
        logs_.Turn([&](storage::Batch& batch) { EXPECT_TRUE(all_->Set(user, value, batch).ok()); });
    all_->AfterCommit(outcome);
    return outcome;
  }
  std::shared_ptr<const Preferences> Of(std::string_view user) { return all_->Of(user).value(); }
  void Restart() {
    all_.reset();
    logs_.Restart();
    all_ = std::make_unique<UserPreferences>(logs_.store(), logs_.user_logs());
  }

  TestLogs logs_;
  std::unique_ptr<UserPreferences> all_ = std::make_unique<UserPreferences>(logs_.store(), logs_.user_logs());
};

TEST_F(UserPreferencesTest, AreThereUntilTheyAreRemoved) {
  EXPECT_EQ(Of("ann"), nullptr);
  ASSERT_TRUE(Set("ann", kMuted).ok());
  EXPECT_EQ(*Of("ann"), kMuted);
  EXPECT_EQ(Of("an"), nullptr);
  Restart();
  EXPECT_EQ(*Of("ann"), kMuted);
  EXPECT_EQ(logs_.reader().ReadPreferences("ann", storage::Tier::kDisk).value(), kMuted);
  ASSERT_TRUE(Set("ann", {}).ok());
  EXPECT_EQ(Of("ann"), nullptr);
  EXPECT_EQ(logs_.Stored("ann", kPreferencesTag), 0u);
  Restart();
  EXPECT_EQ(Of("ann"), nullptr);
}

TEST_F(UserPreferencesTest, LeaveTheLogAsItIs) {
  ASSERT_TRUE(logs_.Append("ann", "a").ok());
  const LogHead before = logs_.Head("ann");
  const size_t updates = logs_.updates.size();
  ASSERT_TRUE(Set("ann", kMuted).ok());
  EXPECT_EQ(logs_.updates.size(), updates) << "nobody is told";
  EXPECT_EQ(logs_.Head("ann").last, before.last);
  EXPECT_EQ(logs_.Head("ann").preferred, Preferred::kYes);
  ASSERT_TRUE(logs_.Append("ann", "b").ok());
  EXPECT_EQ(logs_.Shape("ann"), "a:unread b:unread");
  EXPECT_EQ(*Of("ann"), kMuted);
}

TEST_F(UserPreferencesTest, ChangeInTheTurnThatAppends) {
  ASSERT_TRUE(
      logs_
          .Turn([&](storage::Batch& batch) {
            ASSERT_TRUE(logs_.user_logs().Append("ann", {"a", {}, "\"body\":\"x\""}, {"s", {1, 0}}, batch).ok());
            ASSERT_TRUE(all_->Set("ann", kMuted, batch).ok());
            EXPECT_EQ(*Of("ann"), kMuted);
            ASSERT_TRUE(logs_.user_logs().Append("ann", {"b", {}, "\"body\":\"x\""}, {"s", {2, 0}}, batch).ok());
          })
          .ok());
  ASSERT_EQ(logs_.updates.size(), 1u);
  EXPECT_EQ(logs_.updates[0].entries.size(), 2u);
  Restart();
  EXPECT_EQ(*Of("ann"), kMuted);
}

TEST_F(UserPreferencesTest, AFailedTurnLeavesNoTrace) {
  ASSERT_TRUE(Set("ann", kMuted).ok());
  logs_.fault = base::Status(base::Code::kUnavailable, "planted");
  EXPECT_FALSE(Set("ann", {}).ok());
  EXPECT_FALSE(Set("bob", kMuted).ok());
  logs_.fault = base::Ok();
  EXPECT_EQ(*Of("ann"), kMuted);
  EXPECT_EQ(Of("bob"), nullptr);
}

class RedisPreferencesTest : public testing::Test {
 protected:
  RedisPreferencesTest() { world_.Prepare(); }
  base::Status Set(const std::string& user, const Preferences& value) {
    return world_.Wait<base::Status>([&](auto then) { world_.logs().SetPreferences(user, value, then); });
  }
  Preferences Get(const std::string& user) {
    return world_.Wait<base::Result<Preferences>>([&](auto then) { world_.logs().GetPreferences(user, then); }).value();
  }
  TaggedPreferences Find(const std::string& user) {
    return world_
        .Wait<base::Result<TaggedPreferences>>(
            [&](auto then) { world_.OnStore([&] { world_.logs().FindPreferences(user, then); }); })
        .value();
  }

  // As RedisWorld::Append, by who has asked the preferences.
  base::Result<Appended> Append(const std::string& user, const std::string& nid,
                                model::Priority priority = model::Priority::kNormal) {
    return world_.Append({.user = user,
                          .stream = "s",
                          .fence = 1,
                          .items = {{{++source_, 0}, nid, priority, "\"body\":\"x\""}},
                          .preferences_tag = Find(user).tag});
  }

  RedisWorld world_;
  uint64_t source_ = 0;
};

TEST_F(RedisPreferencesTest, AreThereUntilTheyAreRemoved) {
  EXPECT_TRUE(Get("ann").empty());
  EXPECT_EQ(Find("ann").tag, 0u);
  ASSERT_TRUE(Set("ann", kMuted).ok());
  EXPECT_EQ(Get("ann"), kMuted);
  const uint64_t tag = Find("ann").tag;
  EXPECT_NE(tag, 0u);
  ASSERT_TRUE(Set("ann", {.mute = {"ads", "news"}}).ok());
  EXPECT_NE(Find("ann").tag, tag);
  ASSERT_TRUE(Set("ann", kMuted).ok());
  EXPECT_EQ(Find("ann").tag, tag);
  ASSERT_TRUE(Set("ann", {}).ok());
  EXPECT_TRUE(Get("ann").empty());
  EXPECT_EQ(Find("ann").tag, 0u);
}

TEST_F(RedisPreferencesTest, LeaveTheLogAsItIs) {
  ASSERT_TRUE(Set("ann", kMuted).ok());
  EXPECT_EQ(world_.Shape("ann"), "");
  EXPECT_EQ(world_.Open("ann").head.last, model::EntryId());
  EXPECT_TRUE(world_.List("ann").lines.empty());
  ASSERT_TRUE(Set("bob", kMuted).ok());
  ASSERT_TRUE(Append("bob", "a").ok());
  ASSERT_TRUE(Set("bob", {.mute = {"news"}}).ok());
  ASSERT_TRUE(Append("bob", "b", model::Priority::kHigh).ok());
  ASSERT_TRUE(Set("bob", {}).ok());
  ASSERT_TRUE(Append("bob", "c").ok());
  EXPECT_EQ(world_.Shape("bob"), "a:unread b:unread c:unread");
  EXPECT_EQ(world_.Open("bob").head.counts.unread, 3u);
}

// The marks of ingest streams lie behind the flag: a repeat is still known as one.
TEST_F(RedisPreferencesTest, RepeatsAreStillKnown) {
  AppendRequest request{.user = "ann", .stream = "s", .fence = 1, .items = {{{7, 0}, "a", {}, "\"body\":\"x\""}}};
  ASSERT_TRUE(world_.Append(request).ok());
  ASSERT_TRUE(Set("ann", kMuted).ok());
  request.preferences_tag = Find("ann").tag;
  ASSERT_TRUE(world_.Append(request).ok());
  ASSERT_TRUE(Set("ann", {}).ok());
  request.preferences_tag = 0;
  ASSERT_TRUE(world_.Append(request).ok());
  EXPECT_EQ(world_.Shape("ann"), "a:unread");
}

}  // namespace
}  // namespace tocsin::logs
