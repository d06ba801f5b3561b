#include "logs/redis_element.h"

#include <gtest/gtest.h>

namespace tocsin::logs {
namespace {

using model::EntryId;

LogEntry Item(std::string nid, std::string json, model::Priority priority = model::Priority::kHigh) {
  LogEntry entry;
  entry.nid = std::move(nid);
  entry.json = std::move(json);
  entry.priority = priority;
  return entry;
}

std::string Element(const LogEntry& item, char state = 2) {
  return std::string(1, state) + std::string("\x00\x00\x00\x00\x03\xe8\x01\x02", 8) + EncodeElementEntry(item);
}

TEST(RedisElementTest, GivesBackWhatWasRendered) {
  const std::string rendered = R"("nid":"1700-2","ts":1700,"prio":"high","body":"x")";
  for (const std::string& json : {rendered, rendered.substr(0, 33), std::string(R"("body":"x")"), std::string(),
                                  R"("nid":"1700-3","ts":1700,"prio":"high","body":"x")" + std::string(),
                                  R"("nid":"1700-2","ts":1701,"prio":"high","body":"x")" + std::string(),
                                  R"("nid":"1700-2","ts":1700,"prio":"low","body":"x")" + std::string()}) {
    auto line = DecodeElement(Element(Item("1700-2", json)));
    ASSERT_TRUE(line.ok()) << json;
    EXPECT_EQ(line->entry->json, json);
    EXPECT_EQ(line->entry->nid, "1700-2");
    EXPECT_EQ(line->entry->priority, model::Priority::kHigh);
    EXPECT_EQ(line->entry->id, (EntryId{1000, 258}));
    EXPECT_EQ(line->state, ItemState::kRead);
  }
  EXPECT_LT(EncodeElementEntry(Item("1700-2", rendered)).size(), EncodeLogEntry(Item("1700-2", rendered)).size() - 30);
}

TEST(RedisElementTest, TakesAnyNid) {
  for (const std::string nid : {"", "-", "7", "1-2@my-stream", "a\"b", "\x01"}) {
    const std::string json =
        "\"nid\":\"" + nid + "\",\"ts\":" + nid.substr(0, nid.find('-')) + ",\"prio\":\"high\",\"body\":\"x\"";
    auto line = DecodeElement(Element(Item(nid, json)));
    ASSERT_TRUE(line.ok()) << nid;
    EXPECT_EQ(line->entry->nid, nid);
    EXPECT_EQ(line->entry->json, json);
  }
}

TEST(RedisElementTest, RefusesWhatIsNone) {
  const std::string good = Element(Item("a", "x"));
  ASSERT_TRUE(DecodeElement(good).ok());
  for (size_t size = 0; size < 11; ++size) EXPECT_FALSE(DecodeElement(good.substr(0, size)).ok()) << size;
  EXPECT_FALSE(DecodeElement(Element(Item("a", "x"), 4)).ok()) << "no such state";
  EXPECT_FALSE(DecodeElement("\xff").ok()) << "a tombstone";
}

}  // namespace
}  // namespace tocsin::logs
