// What redis_append.lua and redis_digest.lua make of preferences and rate limits.
#include <gtest/gtest.h>

#include "logs/redis_logs_fixture.h"

namespace tocsin::logs {
namespace {

using Item = AppendRequest::Item;
using Way = AppendRequest::Way;

class RedisWindowsTest : public testing::Test {
 protected:
  RedisWindowsTest() { world_.Prepare(); }
  Item Next(Way way = Way::kAppend, const state::RateLimit* limit = nullptr, const std::string& category = "") {
    ++entry_;
    Item item{{entry_, 0}, std::to_string(entry_) + "-0", model::Priority::kNormal, "\"body\":\"x\""};
    item.way = way;
    item.limit = limit;
    item.traits.category = category;
    return item;
  }
  Appended Append(const std::string& user, std::vector<Item> items, uint64_t tag = 0) {
    return world_.Append({.user = user, .stream = "s", .fence = 1, .items = std::move(items), .preferences_tag = tag})
        .value();
  }
  uint64_t Prefer(const std::string& user, const state::Preferences& wanted) {
    EXPECT_TRUE(world_.Wait<base::Status>([&](auto then) { world_.logs().SetPreferences(user, wanted, then); }).ok());
    return wanted.empty() ? 0 : PreferencesTag(state::RenderPreferences(wanted));
  }
  std::vector<EndedWindow> Ended(const std::string& user, size_t most = 10) {
    using Found = base::Result<std::vector<EndedWindow>>;
    return world_
        .Wait<Found>(
            [&](auto then) { world_.OnStore([&] { world_.logs().FindEndedWindows(BucketOf(user), most, then); }); })
        .value();
  }
  Appended End(EndWindowRequest request) {
    return world_
        .Wait<base::Result<Appended>>(
            [&](auto then) { world_.OnStore([&] { world_.logs().EndWindow(std::move(request), then); }); })
        .value();
  }
  // Appends the digest `nid` of a window.
  Appended Tell(const EndedWindow& window, const std::string& nid, uint64_t tag = 0) {
    return End({.ended = window,
                .preferences_tag = tag,
                .digest = Item{{}, nid, model::Priority::kHigh, "\"body\":\"digest\""}});
  }

  RedisWorld world_;
  uint64_t entry_ = 0;
  const state::RateLimit two_{"*", 2, 10'000};
};

TEST_F(RedisWindowsTest, AnAppendThatAskedOtherPreferencesDoesNothing) {
  const uint64_t tag = Prefer("ann", {.mute = {"ads"}});
  EXPECT_EQ(Append("ann", {Next()}).other_preferences, tag);
  EXPECT_EQ(Append("ann", {Next()}, tag + 1).other_preferences, tag);
  EXPECT_EQ(world_.Shape("ann"), "");
  EXPECT_FALSE(Append("ann", {Next()}, tag).other_preferences);
  EXPECT_EQ(Append("bob", {Next()}, tag).other_preferences, 0u);
  Prefer("ann", {});
  EXPECT_EQ(Append("ann", {Next()}, tag).other_preferences, 0u);
  EXPECT_FALSE(Append("ann", {Next()}).other_preferences);
  EXPECT_EQ(world_.Shape("ann"), "3-0:unread 6-0:unread");
}

TEST_F(RedisWindowsTest, WhatIsPassedOverStaysSo) {
  const std::vector<Item> items = {Next(), Next(Way::kPassOver), Next()};
  EXPECT_EQ(Append("ann", items).fates, (std::vector{Fate::kAppended, Fate::kPassedOver, Fate::kAppended}));
  std::vector<Item> again = items;
  again[1].way = Way::kAppend;
  EXPECT_EQ(Append("ann", again).fates, std::vector<Fate>(3, Fate::kHadBefore));
  EXPECT_EQ(world_.Shape("ann"), "1-0:unread 3-0:unread");
  EXPECT_EQ(world_.Open("ann").head.entries, 2u);
  // Also where there was no log before.
  const Item first = Next(Way::kPassOver);
  EXPECT_EQ(Append("bob", {first}).fates, std::vector{Fate::kPassedOver});
  EXPECT_EQ(Append("bob", {first}).fates, std::vector{Fate::kHadBefore});
  EXPECT_EQ(world_.Shape("bob"), "");
  EXPECT_EQ(Append("bob", {Next()}).fates, std::vector{Fate::kAppended});
  EXPECT_EQ(world_.Shape("bob"), "5-0:unread");
}

TEST_F(RedisWindowsTest, TheFirstOfAWindowAndADigestOfTheRest) {
  const std::string user = "a:}n";
  std::vector<Item> items;
  for (int n = 0; n < 4; ++n) items.push_back(Next(Way::kAppend, &two_, "ads"));
  items[2].priority = model::Priority::kHigh;
  items.push_back(Next(Way::kAppend, &two_, "news"));
  items.push_back(Next());  // not limited
  const std::vector<Fate> fates = {Fate::kAppended, Fate::kAppended, Fate::kSummedUp,
                                   Fate::kSummedUp, Fate::kAppended, Fate::kAppended};
  EXPECT_EQ(Append(user, items).fates, fates);
  EXPECT_EQ(Append(user, items).fates, std::vector<Fate>(6, Fate::kHadBefore)) << "a repeat is not counted";
  EXPECT_TRUE(Ended(user).empty());
  world_.clock().Advance(10'000);
  const std::vector<EndedWindow> ended = Ended(user);
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].user, user);
  EXPECT_EQ(ended[0].category, "ads");
  EXPECT_EQ(ended[0].window,
            (state::LimitWindow{world_.clock().NowMs(), 2, 2, model::Priority::kHigh, {"3-0", "4-0"}}));
  const Appended told = Tell(ended[0], "digest");
  EXPECT_EQ(told.fates, std::vector{Fate::kAppended});
  EXPECT_EQ(world_.Shape(user), "1-0:unread 2-0:unread 5-0:unread 6-0:unread digest:unread");
  EXPECT_EQ(world_.Open(user).head.counts.unread, 5u);
  EXPECT_TRUE(Ended(user).empty());
  EXPECT_TRUE(Tell(ended[0], "digest").fates.empty()) << "told once";
  EXPECT_EQ(Append(user, {Next(Way::kAppend, &two_, "ads")}).fates, std::vector{Fate::kAppended}) << "a new window";
  for (const std::string& key : {WindowsKey(BucketOf(user)), WindowEndsKey(BucketOf(user))}) {
    const auto size = world_.client().Call(key, {key.ends_with("ends") ? "ZCARD" : "HLEN", key}).value();
    EXPECT_EQ(size.integer, 1) << key << ": windows that are over go";
  }
}

TEST_F(RedisWindowsTest, WhatComesBeforeItsDigestBelongsIntoIt) {
  Append("ann", {Next(Way::kAppend, &two_), Next(Way::kAppend, &two_), Next(Way::kAppend, &two_)});
  world_.clock().Advance(11'000);
  const std::vector<EndedWindow> ended = Ended("ann");
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(Append("ann", {Next(Way::kAppend, &two_)}).fates, std::vector{Fate::kSummedUp});
  EXPECT_TRUE(Tell(ended[0], "digest").fates.empty()) << "it has changed";
  ASSERT_EQ(Ended("ann").size(), 1u);
  EXPECT_EQ(Ended("ann")[0].window.summed, 2u);
  EXPECT_EQ(Tell(Ended("ann")[0], "digest").fates, std::vector{Fate::kAppended});
}

TEST_F(RedisWindowsTest, ADigestAsksPreferencesToo) {
  Append("ann", {Next(Way::kAppend, &two_), Next(Way::kAppend, &two_), Next(Way::kAppend, &two_)});
  world_.clock().Advance(11'000);
  const EndedWindow ended = Ended("ann").at(0);
  const uint64_t tag = Prefer("ann", {.mute = {"ads"}});
  EXPECT_EQ(Tell(ended, "digest").other_preferences, tag);
  ASSERT_EQ(Ended("ann").size(), 1u);
  EXPECT_EQ(End({.ended = ended, .preferences_tag = tag, .digest = {}}).fates, std::vector{Fate::kPassedOver});
  EXPECT_TRUE(Ended("ann").empty());
  EXPECT_EQ(world_.Shape("ann"), "1-0:unread 2-0:unread");
}

TEST_F(RedisWindowsTest, AClockThatWasSetBackDoesNotStretchAWindow) {
  Append("ann", {Next(Way::kAppend, &two_), Next(Way::kAppend, &two_)});
  world_.clock().Set(world_.clock().NowMs() - 3'600'000);
  EXPECT_EQ(Append("ann", {Next(Way::kAppend, &two_)}).fates, std::vector{Fate::kAppended});
}

}  // namespace
}  // namespace tocsin::logs
