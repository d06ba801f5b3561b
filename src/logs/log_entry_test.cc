#include "logs/log_entry.h"

#include <gtest/gtest.h>

#include "logs/keys.h"

namespace tocsin::logs {
namespace {

using model::EntryId;
using model::Priority;

LogEntry SomeItem() {
  LogEntry entry;
  entry.id = {7, 1};
  entry.nid = "1700000000000-3@orders";
  entry.priority = Priority::kHigh;
  entry.json = std::string("\"body\":\"\0\xc3\xa9\"", 12);
  return entry;
}

LogEntry SomeChange() {
  LogEntry entry;
  entry.id = {8, 0};
  StateChange& change = entry.change.emplace();
  change.op = MarkOp::kArchive;
  change.nids = {"a", "", std::string(300, 'n')};
  change.by = "web-1";
  change.counts = {5, 4, {1, 2, 1, 1}};
  return entry;
}

LogEntry SomeChangeUpTo() {
  LogEntry entry = SomeChange();
  entry.change->nids.clear();
  entry.change->by.clear();
  entry.change->upto = EntryId{6, 9};
  return entry;
}

TEST(LogEntryCodecTest, RoundTrips) {
  const LogEntry item = SomeItem();
  auto decoded = DecodeLogEntry(item.id, EncodeLogEntry(item));
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->id, item.id);
  EXPECT_EQ(decoded->nid, item.nid);
  EXPECT_EQ(decoded->priority, item.priority);
  EXPECT_EQ(decoded->json, item.json);
  EXPECT_TRUE(decoded->is_item());

  for (const LogEntry& change : {SomeChange(), SomeChangeUpTo()}) {
    auto read = DecodeLogEntry(change.id, EncodeLogEntry(change));
    ASSERT_TRUE(read.ok());
    ASSERT_FALSE(read->is_item());
    EXPECT_EQ(read->change->op, change.change->op);
    EXPECT_EQ(read->change->nids, change.change->nids);
    EXPECT_EQ(read->change->upto, change.change->upto);
    EXPECT_EQ(read->change->by, change.change->by);
    EXPECT_EQ(read->change->counts, change.change->counts);
  }
}

// Stored numbers of operations and priorities never change.
TEST(LogEntryCodecTest, TheBytesAreThoseOfTheFormat) {
  LogEntry item;
  item.nid = "n";
  item.priority = Priority::kCritical;
  item.json = "\"a\":1";
  EXPECT_EQ(EncodeLogEntry(item), "\x01\x03\x01n\"a\":1");
  LogEntry change;
  change.change = StateChange{MarkOp::kDelete, {"n"}, EntryId{1, 2}, "d", {300, 1, {0, 299, 1, 0}}};
  EXPECT_EQ(EncodeLogEntry(change), std::string("\x02\x04\x01"
                                                "d\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02\x01\x01n"
                                                "\xac\x02\x01\0\xab\x02\x01\0\0",
                                                33));
  item.traits = {.category = "c", .collapse_key = "key", .expires_ms = 258, .replaces = {"m"}};
  EXPECT_EQ(EncodeLogEntry(item), std::string("\x03\x03\x01n\x15"
                                              "e\x08\0\0\0\0\0\0\x01\x02"
                                              "c\x01"
                                              "ck\x03keyr\x01m\"a\":1",
                                              31));
  auto decoded = DecodeLogEntry({}, EncodeLogEntry(item));
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->traits, item.traits);
  EXPECT_EQ(decoded->json, item.json);
}

TEST(LogEntryCodecTest, DamageIsAStatusThatNamesTheEntry) {
  for (const LogEntry& entry : {SomeChange(), SomeChangeUpTo()}) {
    const std::string whole = EncodeLogEntry(entry);
    for (size_t size = 0; size < whole.size(); ++size) {
      auto cut = DecodeLogEntry(entry.id, std::string(whole.data(), size));
      if (size + 1 == whole.size()) continue;  // without categories, as entries were before those were counted
      ASSERT_FALSE(cut.ok()) << size;
      EXPECT_EQ(cut.status().code(), base::Code::kCorruption);
      EXPECT_NE(cut.status().message().find("8-0"), std::string_view::npos);
    }
    EXPECT_FALSE(DecodeLogEntry(entry.id, whole + "x").ok());
  }
  const std::string head = EncodeLogEntry(SomeItem()).substr(0, 25);  // up to its JSON, which may have any length
  for (size_t size = 0; size < head.size(); ++size) EXPECT_FALSE(DecodeLogEntry({}, head.substr(0, size)).ok());
  EXPECT_FALSE(DecodeLogEntry({}, std::string("\x04\x00\x01n", 4)).ok());                // no such kind
  EXPECT_FALSE(DecodeLogEntry({}, std::string("\x01\x04\x01n", 4)).ok());                // no such priority
  EXPECT_FALSE(DecodeLogEntry({}, std::string("\x02\x07\0\0\0\0\0\0\0\0\0", 11)).ok());  // no such operation
  EXPECT_FALSE(DecodeLogEntry({}, std::string("\x02\0\0\0\xff\xff\x03\0\0", 9)).ok());   // 65,535 nids in two bytes
}

TEST(LogEntryTest, BytesCountWhatAChangeHolds) {
  EXPECT_GT(SomeItem().bytes(), SomeItem().json.size());
  LogEntry change = SomeChange();
  const size_t before = change.bytes();
  change.change->nids.assign(1'000, std::string(100, 'n'));
  EXPECT_GT(change.bytes(), before + 100'000);
}

TEST(ItemStateTest, EveryOperationOnEveryState) {
  using enum ItemState;
  struct {
    MarkOp op;
    ItemState after[4];  // of unread, seen, read, archived
  } const kTable[] = {
      {MarkOp::kSeen, {kSeen, kSeen, kRead, kArchived}},
      {MarkOp::kRead, {kRead, kRead, kRead, kArchived}},
      {MarkOp::kArchive, {kArchived, kArchived, kArchived, kArchived}},
      {MarkOp::kUnread, {kUnread, kSeen, kSeen, kSeen}},
  };
  for (const auto& row : kTable) {
    for (int state = 0; state < 4; ++state) {
      EXPECT_EQ(Apply(row.op, static_cast<ItemState>(state)), row.after[state]) << model::MarkOpName(row.op) << state;
    }
  }
}

TEST(CountsTest, RemoveUndoesAdd) {
  Counts counts;
  counts.Add(Priority::kHigh, ItemState::kUnread, "a");
  counts.Add(Priority::kLow, ItemState::kSeen, "b");
  counts.Add(Priority::kLow, ItemState::kRead, "b");
  counts.Add(Priority::kLow, ItemState::kArchived, "");
  EXPECT_EQ(counts, (Counts{2, 1, {1, 0, 1, 0}, {{"a", 1}, {"b", 1}}}));
  counts.Remove(Priority::kHigh, ItemState::kUnread, "a");
  counts.Remove(Priority::kLow, ItemState::kSeen, "b");
  counts.Remove(Priority::kLow, ItemState::kRead, "b");
  EXPECT_EQ(counts, Counts{});
}

}  // namespace
}  // namespace tocsin::logs
