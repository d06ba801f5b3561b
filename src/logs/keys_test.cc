#include "logs/keys.h"

#include <set>

#include <gtest/gtest.h>

#include "model/limits.h"

namespace tocsin::logs {
namespace {

using model::EntryId;

// Users that would meet if keys were joined: prefixes of each other, with separators, NUL and the bytes of tags and
// ids.
std::vector<std::string> HostileUsers() {
  std::vector<std::string> users = {"a",  "ab",  "ad",  "ah", "am", "as",   "a:",      "a_",
                                    "a*", "{a}", "a.b", "\n", "*",  "abc:", "\xc3\xa9"};
  users.emplace_back("a\0", 2);
  users.emplace_back("a\0h", 3);
  users.emplace_back("\0", 1);
  users.emplace_back("\0\1a", 3);
  users.emplace_back(model::kMaxUserId, 'a');
  users.emplace_back(model::kMaxUserId - 1, 'a');
  users.push_back("a" + std::string(EntryId::kEncodedSize, '\0'));
  return users;
}

TEST(LogKeysTest, NoUsersKeyIsWithinAnothersRange) {
  const std::vector<std::string> users = HostileUsers();
  std::set<std::string> heads_keys, logs_keys;
  for (const std::string& user : users) {
    std::vector<std::string> mine = {HeadKey(user)};
    for (const std::string& name : users) {
      mine.push_back(DeviceKey(user, name));
      mine.push_back(MarkKey(user, name));
    }
    mine.push_back(StateKey(user, {1, 2}));
    for (const std::string& key : mine) EXPECT_TRUE(heads_keys.insert(key).second);
    EXPECT_TRUE(logs_keys.insert(EntryKey(user, {1, 2})).second);
    mine.push_back(EntryKey(user, {1, 2}));
    for (const std::string& other : users) {
      const std::string lower = UserPrefix(other), upper = model::PrefixSuccessor(lower);
      for (const std::string& key : mine) EXPECT_EQ(key >= lower && key < upper, user == other);
    }
  }
}

// A device or mid may have any bytes: it stays under its tag.
TEST(LogKeysTest, TagsOfAUserDoNotMeet) {
  const std::string names[] = {"", "d", "dd", std::string(16, '\xff'), std::string("\0", 1)};
  for (char tag : {kHeadTag, kDeviceTag, kMarkTag, kStateTag}) {
    const std::string lower = TagPrefix("u", tag), upper = model::PrefixSuccessor(lower);
    auto within = [&](const std::string& key) { return key >= lower && key < upper; };
    EXPECT_EQ(within(HeadKey("u")), tag == kHeadTag);
    EXPECT_EQ(within(StateKey("u", EntryId::Max())), tag == kStateTag);
    for (const std::string& name : names) {
      EXPECT_EQ(within(DeviceKey("u", name)), tag == kDeviceTag);
      EXPECT_EQ(within(MarkKey("u", name)), tag == kMarkTag);
    }
  }
}

TEST(LogKeysTest, EntriesAreInTheOrderOfTheirIds) {
  EXPECT_LT(EntryKey("u", {9, 0}), EntryKey("u", {10, 0}));
  EXPECT_LT(EntryKey("u", {9, 255}), EntryKey("u", {9, 256}));
  EXPECT_EQ(EntryKey("u", {1, 2}), std::string("\0\1u\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2", 19));
}

TEST(LogRecordsTest, RoundTripAndRefuseDamage) {
  LogHead head;
  head.last = {9, 9};
  head.floor = {1, 1};
  head.entries = 70'000;
  head.trimmed = 3;
  head.stated = {8, 7};
  head.counts = {500, 20, {1, 2, 300, 197}, {{"deals", 400}, {"news", 7}}};
  head.sources = {{"notifications_stream", model::Priority::kHigh, {5, 5}}, {"", model::Priority::kLow, {6, 0}}};
  const std::string bytes = EncodeHead(head);
  auto decoded = DecodeHead("u", bytes);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->last, head.last);
  EXPECT_EQ(decoded->floor, head.floor);
  EXPECT_EQ(decoded->entries, head.entries);
  EXPECT_EQ(decoded->trimmed, head.trimmed);
  EXPECT_EQ(decoded->stated, head.stated);
  EXPECT_EQ(decoded->counts, head.counts);
  ASSERT_EQ(decoded->sources.size(), 2u);
  EXPECT_EQ(decoded->sources[0].stream, "notifications_stream");
  EXPECT_EQ(decoded->sources[0].priority, model::Priority::kHigh);
  EXPECT_EQ(decoded->sources[1].id, (EntryId{6, 0}));
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(DecodeHead("u", bytes.substr(0, size)).status().code(), base::Code::kCorruption) << size;
  }
  EXPECT_FALSE(DecodeHead("u", bytes + "x").ok());
  EXPECT_FALSE(DecodeHead("u", "\x03" + bytes.substr(1)).ok());  // another version

  const std::string device = EncodeDevice({{5, 6}, 1'700'000'000'000});
  EXPECT_EQ(DecodeDevice(device)->cursor, (EntryId{5, 6}));
  EXPECT_EQ(DecodeDevice(device)->heard_ms, 1'700'000'000'000);
  EXPECT_FALSE(DecodeDevice(device.substr(0, 15)).ok());
  EXPECT_FALSE(DecodeDevice(device + "x").ok());

  EXPECT_EQ(*DecodeMarkTime(EncodeMarkTime(1'700'000'000'000)), 1'700'000'000'000);
  EXPECT_FALSE(DecodeMarkTime("").ok());
  EXPECT_EQ(*DecodeState(EncodeState(ItemState::kArchived)), ItemState::kArchived);
  EXPECT_FALSE(DecodeState("\x04").ok());
  EXPECT_FALSE(DecodeState("").ok());
  EXPECT_FALSE(KeyId(EntryKey("u", {1, 2}) + "x", 3).ok());
  EXPECT_FALSE(KeyId(UserPrefix("u"), 3).ok());
  EXPECT_EQ(*KeyId(EntryKey("u", {1, 2}), 3), (EntryId{1, 2}));
}

}  // namespace
}  // namespace tocsin::logs
