#include "server/migrate_head.h"

#include <gtest/gtest.h>

#include "logs/redis_keys.h"

namespace tocsin::server {
namespace {

using model::EntryId;
using model::Priority;
using wire::RespReply;

RespReply Reply(const std::vector<std::string>& words) {
  RespReply reply;
  reply.type = RespReply::Type::kArray;
  for (const std::string& word : words) {
    RespReply element;
    element.type = RespReply::Type::kBulk;
    element.text = word;
    reply.elements.push_back(element);
  }
  return reply;
}

logs::LogHead Head() {
  logs::LogHead head;
  head.last = {1'700'000'000'123, 7};
  head.floor = {1'600'000'000'000, 65'535};
  head.entries = 3;
  head.trimmed = 12;
  head.counts = {5, 4, {0, 1, 2, 3}, {{"a b", 300}, {"news", 2}}};
  head.sources = {{"a", Priority::kNormal, {UINT64_MAX, 1ull << 40}},
                  {"b", Priority::kCritical, {1, 2}},
                  {"a", Priority::kLow, {3, UINT64_MAX}}};
  return head;
}

std::map<std::string, std::string> Names(const std::vector<std::string>& streams) {
  std::map<std::string, std::string> names;
  for (const std::string& stream : streams) names[logs::StreamTag(stream)] = stream;
  return names;
}

TEST(MigrateHeadTest, WordsSayAllOfAHead) {
  const logs::LogHead head = Head();
  logs::LogHead read;
  ASSERT_TRUE(ReadHeadWords(Reply(HeadWordsOf(head, 9)), Names({"a", "b"}), read));
  EXPECT_EQ(read.last, head.last);
  EXPECT_EQ(read.floor, head.floor);
  EXPECT_EQ(read.entries, 9u);
  EXPECT_EQ(read.trimmed, 12u);
  EXPECT_EQ(read.counts, head.counts);
  std::map<std::pair<std::string, Priority>, EntryId> marks;
  for (const logs::SourceMark& mark : read.sources) marks[{mark.stream, mark.priority}] = mark.id;
  for (const logs::SourceMark& mark : head.sources) EXPECT_EQ((marks[{mark.stream, mark.priority}]), mark.id);
  EXPECT_EQ(read.sources.size(), 3u);
}

TEST(MigrateHeadTest, PreferencesAreNoStream) {
  logs::LogHead read;
  ASSERT_TRUE(ReadHeadWords(Reply(HeadWordsOf(Head(), 9, "{}")), Names({"a", "b"}), read));
  EXPECT_EQ(read.preferred, logs::Preferred::kYes);
  EXPECT_EQ(read.sources.size(), 3u);
  logs::LogHead other;
  ASSERT_TRUE(ReadHeadWords(Reply(HeadWordsOf(Head(), 9)), Names({"a", "b"}), other));
  EXPECT_EQ(other.preferred, logs::Preferred::kNo);
}

TEST(MigrateHeadTest, MarksOfStreamsThatNobodyNamesAreLeftOut) {
  logs::LogHead read;
  ASSERT_TRUE(ReadHeadWords(Reply(HeadWordsOf(Head(), 1)), Names({"b"}), read));
  ASSERT_EQ(read.sources.size(), 1u);
  EXPECT_EQ(read.sources[0].stream, "b");
}

TEST(MigrateHeadTest, WhatIsNoHeadIsRefused) {
  const std::vector<std::string> words = HeadWordsOf(Head(), 1);
  for (size_t size = 0; size < words.size(); ++size) {
    const bool whole =
        size == 13 || size == 14 || size == 19 || size == 24 || size == 25;  // it ends behind a mark or tag
    logs::LogHead read;
    EXPECT_EQ(ReadHeadWords(Reply({words.begin(), words.begin() + static_cast<std::ptrdiff_t>(size)}), {}, read), whole)
        << size;
  }
  for (size_t at = 0; at < words.size(); ++at) {
    for (const std::string& wrong : {std::string(), std::string("x1"), std::string("-1")}) {
      std::vector<std::string> other = words;
      other[at] = wrong;
      logs::LogHead read;
      EXPECT_FALSE(ReadHeadWords(Reply(other), {}, read)) << at;
    }
  }
  std::vector<std::string> other = words;
  other[13] = "n4";  // a priority that there is not
  logs::LogHead read;
  EXPECT_FALSE(ReadHeadWords(Reply(other), {}, read));
}

}  // namespace
}  // namespace tocsin::server
