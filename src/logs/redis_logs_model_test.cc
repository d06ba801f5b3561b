// Random operations on user logs, on Redis and on the embedded store with one clock: both are to say the same.
#include <random>

#include <gtest/gtest.h>

#include "logs/redis_logs_fixture.h"
#include "logs/test_logs.h"

namespace tocsin::logs {
namespace {

using model::EntryId;
using storage::Tier;

constexpr size_t kMaxEntries = 40;
const std::vector<std::string> kUsers = {"ada", "}", std::string("a\0b", 3)};
const std::vector<std::string> kDevices = {"phone", "tablet", "tv"};

class RedisLogsModelTest : public testing::TestWithParam<uint32_t> {
 protected:
  RedisLogsModelTest() { redis_.Prepare(); }

  size_t Below(size_t bound) { return std::uniform_int_distribution<size_t>(0, bound - 1)(random_); }
  const std::string& OneOf(const std::vector<std::string>& all) { return all[Below(all.size())]; }
  std::string SomeNid() { return (Below(3) == 0 ? "t" : "s") + std::to_string(Below(source_ + 2)); }
  // Of an entry, or near one, or anything.
  EntryId SomeId(const std::string& user) {
    if (Below(12) == 0) return EntryId::Max();
    if (Below(12) == 0) return {};
    const std::vector<LogLine> lines = embedded_.Lines(user);
    if (lines.empty()) return {1, 1};
    EntryId id = lines[Below(lines.size())].entry->id;
    if (Below(3) == 0) id.seq += Below(3);
    if (Below(3) == 0) id.ms -= Below(3);
    return id;
  }

  ItemTraits SomeTraits() {
    ItemTraits traits;
    if (Below(2) == 0) traits.category = "c" + std::to_string(Below(8) == 0 ? Below(200) : Below(3));
    if (Below(3) == 0) traits.collapse_key = "k" + std::to_string(Below(4));
    if (Below(5) == 0) traits.expires_ms = 1'700'000'000'000;
    return traits;
  }

  void Append() {
    const std::string& user = OneOf(kUsers);
    // Sometimes what the log may have already, alone or before what is new.
    uint64_t first = Below(5) == 0 ? Below(source_ + 1) : source_ + 1;
    const uint64_t last = std::max(first, source_ + Below(3));
    AppendRequest request{.user = user, .stream = Below(3) == 0 ? "t" : "s", .fence = 3, .items = {}};
    for (; first <= last && request.items.size() < 8; ++first) {
      request.items.push_back({{first, 7},
                               "n" + std::to_string(first),
                               static_cast<model::Priority>(first % model::kPriorities),
                               "\"body\":\"" + std::string(Below(200), 'x') + "\"",
                               SomeTraits()});
    }
    source_ = std::max(source_, request.items.back().source.ms);
    ASSERT_TRUE(
        embedded_
            .Turn([&](storage::Batch& batch) {
              for (const auto& item : request.items) {
                const NewItem added{item.nid, item.priority, item.json, item.traits};
                ASSERT_TRUE(embedded_.user_logs().Append(user, added, {request.stream, item.source}, batch).ok());
              }
            })
            .ok());
    ASSERT_TRUE(redis_.Append(request).ok());
  }
  void Mark() {
    MarkRequest request{.user = OneOf(kUsers),
                        .op = static_cast<MarkOp>(Below(model::kUserMarkOps + 1))};  // kExpire too
    if (request.op == MarkOp::kDelete && Below(2) == 0) request.spare = Spare::kRead;
    if (Below(2) == 0) request.device = OneOf(kDevices);
    if (Below(4) == 0) request.mid = "m" + std::to_string(Below(10));
    if (Below(4) == 0) {
      request.upto = SomeId(request.user);
    } else {
      for (size_t n = Below(6); n > 0; --n) request.nids.push_back(SomeNid());
    }
    // The embedded one stages the mark before it trims, and so do the scripts.
    EXPECT_EQ(redis_.Mark(request), embedded_.Mark(request));
  }
  void Ack() {
    const std::string& user = OneOf(kUsers);
    const std::string& device = OneOf(kDevices);
    const EntryId cursor = SomeId(user);
    EXPECT_EQ(redis_.Ack(user, device, cursor).ok(), embedded_.Ack(user, device, cursor).ok());
  }
  void PassTime() {
    // No sum of them comes near the time for which a mark id is kept: with the clock set back, what was forgotten is so
    // in the embedded store only.
    static constexpr int64_t kSteps[] = {0, 1, 1, 2, 1'000, -3, 3'600'500, model::kMarkIdMs / 2 + 1'000};
    embedded_.clock().Set(embedded_.clock().NowMs() + kSteps[Below(std::size(kSteps))]);
  }

  static std::string Text(const std::vector<LogLine>& lines) {
    std::string text;
    for (const LogLine& line : lines) {
      text += line.entry->id.ToString() + " ";
      const bool item = line.entry->is_item();
      if (item) text += std::string(ItemStateName(line.state)) + " ";
      for (unsigned char byte : EncodeLogEntry(*line.entry))
        text += byte > 32 && byte < 127 ? std::string(1, byte) : "." + std::to_string(byte);
      text += "\n";
    }
    return text;
  }
  static std::string Text(const Counts& counts) {
    std::string text;
    EncodeCounts(counts, text);
    EncodeCategories(counts, text);
    std::string numbers;
    for (unsigned char byte : text) numbers += std::to_string(byte) + " ";
    return numbers;
  }
  void Compare(const std::string& user) {
    const LogHead ours = redis_.Open(user).head, theirs = embedded_.Head(user);
    EXPECT_EQ(ours.last, theirs.last);
    EXPECT_EQ(ours.floor, theirs.floor);
    EXPECT_EQ(ours.entries, theirs.entries);
    EXPECT_EQ(ours.trimmed, theirs.trimmed);
    EXPECT_EQ(Text(ours.counts), Text(theirs.counts));
    EXPECT_EQ(Text(redis_.Read(user).lines), Text(embedded_.Lines(user)));
    for (const std::string& device : kDevices) {
      EXPECT_EQ(redis_.Open(user, device).device_cursor, embedded_.Cursor(user, device)) << device;
    }
    const EntryId at = SomeId(user);
    const size_t entries = Below(20), bytes = Below(4'000);
    const LogPiece piece = redis_.Read(user, at, entries, bytes);
    const LogPiece their_piece = embedded_.reader().Read(user, at, entries, bytes, Tier::kDisk).value();
    EXPECT_EQ(Text(piece.lines), Text(their_piece.lines));
    EXPECT_EQ(piece.gap, their_piece.gap);
    if (at != EntryId::Max()) {
      EXPECT_EQ(piece.complete, their_piece.complete);
    }
    const ListFilter filter = static_cast<ListFilter>(Below(5));
    const ListPage page = redis_.List(user, at, entries, filter);
    const ListPage their_page = embedded_.reader().List(user, at, entries, filter, Tier::kDisk).value();
    EXPECT_EQ(Text(page.lines), Text(their_page.lines));
    if (entries > 0 || at != EntryId::Max()) {
      EXPECT_EQ(page.before, their_page.before);
    }
  }

  std::mt19937 random_{GetParam()};
  TestLogs embedded_{{.max_entries = kMaxEntries, .id_floor = {}}};
  RedisWorld redis_{kMaxEntries, &embedded_.clock()};
  uint64_t source_ = 0;
};

TEST_P(RedisLogsModelTest, SaysWhatTheEmbeddedStoreSays) {
  for (int step = 0; step < 1'500 && !HasFailure(); ++step) {
    SCOPED_TRACE("seed " + std::to_string(GetParam()) + ", step " + std::to_string(step));
    const size_t what = Below(10);
    if (what < 4) {
      Append();
    } else if (what < 7) {
      Mark();
    } else if (what < 9) {
      Ack();
    } else {
      PassTime();
    }
    Compare(OneOf(kUsers));
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RedisLogsModelTest, testing::Values(1, 2, 3));

}  // namespace
}  // namespace tocsin::logs
