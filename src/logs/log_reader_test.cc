#include "logs/log_reader.h"

#include <gtest/gtest.h>

#include "logs/test_logs.h"

namespace tocsin::logs {
namespace {

using model::EntryId;
using storage::Tier;

class LogReaderTest : public testing::Test {
 protected:
  void AppendItems(int count, std::string_view json = "\"body\":\"x\"") {
    for (int n = 0; n < count; ++n) {
      ASSERT_TRUE(logs_.Append("u", "n" + std::to_string(next_++), model::Priority::kNormal, json).ok());
    }
  }
  LogPiece Read(EntryId after, size_t max_entries, size_t max_bytes = 1 << 20) {
    return logs_.reader().Read("u", after, max_entries, max_bytes, Tier::kDisk).value();
  }
  ListPage List(EntryId before, size_t limit, ListFilter filter = ListFilter::kAll) {
    return logs_.reader().List("u", before, limit, filter, Tier::kDisk).value();
  }
  static std::string Nids(const std::vector<LogLine>& lines) {
    std::string nids;
    for (const LogLine& line : lines) nids += (nids.empty() ? "" : " ") + line.entry->nid;
    return nids;
  }

  TestLogs logs_{{.max_entries = 10'000, .id_floor = {}}};
  int next_ = 0;
};

TEST_F(LogReaderTest, AUserWithoutALogHasTheEmptyOne) {
  auto opening = logs_.reader().Open("nobody", "phone", Tier::kMemory);
  ASSERT_TRUE(opening.ok());
  EXPECT_TRUE(opening->head.last.IsZero());
  EXPECT_EQ(opening->head.counts, Counts{});
  EXPECT_FALSE(opening->device_cursor);
  const LogPiece piece = Read({}, 10);
  EXPECT_TRUE(piece.lines.empty());
  EXPECT_TRUE(piece.complete);
  EXPECT_FALSE(piece.gap);
  EXPECT_FALSE(List(EntryId::Max(), 10).before);
}

TEST_F(LogReaderTest, ReadsForwardInPieces) {
  AppendItems(10);
  logs_.Mark({.user = "u", .nids = {"n1", "n8"}});
  EntryId after;
  std::string nids;
  int pieces = 0;
  for (bool complete = false; !complete; ++pieces) {
    const LogPiece piece = Read(after, 3);
    ASSERT_FALSE(piece.lines.empty());
    for (const LogLine& line : piece.lines) {
      nids += line.entry->nid + " ";
      if (!line.entry->is_item()) continue;
      const bool read = line.entry->nid == "n1" || line.entry->nid == "n8";
      EXPECT_EQ(line.state, read ? ItemState::kRead : ItemState::kUnread) << line.entry->nid;
    }
    after = piece.lines.back().entry->id;
    complete = piece.complete;
  }
  EXPECT_EQ(nids, "n0 n1 n2 n3 n4 n5 n6 n7 n8 n9  ");
  EXPECT_EQ(pieces, 4);
  EXPECT_TRUE(Read(after, 3).lines.empty());
  EXPECT_TRUE(Read(EntryId::Max(), 3).lines.empty());
  // A cursor need not be an entry.
  EXPECT_EQ(Nids(Read({after.ms - 1, 0}, 1).lines), "n0");
}

// What lies above every item with a state is read without looking for states; what does not, is not.
TEST_F(LogReaderTest, FindsStatesWhereverTheReadBegins) {
  AppendItems(6);
  logs_.Mark({.user = "u", .nids = {"n3"}});
  logs_.Mark({.user = "u", .op = MarkOp::kSeen, .nids = {"n1"}});
  const std::vector<LogLine> all = logs_.Lines("u");
  EXPECT_EQ(logs_.Head("u").stated, all[3].entry->id);
  for (size_t from = 0; from < 6; ++from) {
    const std::vector<LogLine> lines = Read(from == 0 ? EntryId{} : all[from - 1].entry->id, 2).lines;
    for (size_t i = 0; i < 2 && from + i < 6; ++i) {
      EXPECT_EQ(lines[i].state, from + i == 3   ? ItemState::kRead
                                : from + i == 1 ? ItemState::kSeen
                                                : ItemState::kUnread)
          << from << i;
    }
  }
}

TEST_F(LogReaderTest, APieceEndsAfterItsBytesButIsNeverEmpty) {
  AppendItems(5, "\"body\":\"" + std::string(1'000, 'x') + "\"");
  EXPECT_EQ(Read({}, 100, 2'500).lines.size(), 3u);
  EXPECT_EQ(Read({}, 100, 1).lines.size(), 1u);
  EXPECT_FALSE(Read({}, 100, 1).complete);
  EXPECT_TRUE(Read({}, 5).complete) << "the limit was met exactly at the end";
}

TEST_F(LogReaderTest, TellsOfEntriesThatALimitTook) {
  TestLogs logs({.max_entries = 4, .id_floor = {}});
  for (const char* nid : {"a", "b", "c", "d", "e"}) ASSERT_TRUE(logs.Append("u", nid).ok());
  const EntryId floor = logs.Head("u").floor;
  ASSERT_FALSE(floor.IsZero());
  auto gap = [&](EntryId after) { return logs.reader().Read("u", after, 10, 1 << 20, Tier::kDisk).value().gap; };
  EXPECT_TRUE(gap({}));
  EXPECT_TRUE(gap(*floor.Previous()));
  EXPECT_FALSE(gap(floor));
  EXPECT_FALSE(gap(EntryId::Max()));
  logs.Mark({.user = "u", .op = MarkOp::kDelete, .nids = {"c"}});
  EXPECT_FALSE(gap(floor)) << "a deleted item is no gap";
}

TEST_F(LogReaderTest, ListsBackwardInPages) {
  AppendItems(7);
  logs_.Mark({.user = "u", .nids = {"n2"}});
  logs_.Mark({.user = "u", .op = MarkOp::kArchive, .nids = {"n3", "n4"}});
  logs_.Mark({.user = "u", .op = MarkOp::kDelete, .nids = {"n5"}});
  struct {
    ListFilter filter;
    std::string_view nids;
  } const kCases[] = {
      {ListFilter::kAll, "n6 n4 n3 n2 n1 n0"},
      {ListFilter::kInbox, "n6 n2 n1 n0"},
      {ListFilter::kUnread, "n6 n1 n0"},
      {ListFilter::kArchived, "n4 n3"},
  };
  for (const auto& c : kCases) {
    for (size_t limit : {1, 2, 3, 100}) {
      std::vector<LogLine> lines;
      std::optional<EntryId> before = EntryId::Max();
      while (before) {
        const ListPage page = List(*before, limit, c.filter);
        EXPECT_LE(page.lines.size(), limit);
        lines.insert(lines.end(), page.lines.begin(), page.lines.end());
        before = page.before;
      }
      EXPECT_EQ(Nids(lines), c.nids) << limit;
      for (const LogLine& line : lines) {
        const std::string& nid = line.entry->nid;
        EXPECT_EQ(line.state, nid == "n2"                  ? ItemState::kRead
                              : nid == "n3" || nid == "n4" ? ItemState::kArchived
                                                           : ItemState::kUnread);
      }
    }
  }
  EXPECT_TRUE(List({}, 5).lines.empty()) << "before everything";
}

TEST_F(LogReaderTest, APageIsBoundedInBytes) {
  AppendItems(30, "\"body\":\"" + std::string(16'000, 'x') + "\"");
  const ListPage page = List(EntryId::Max(), 200);
  EXPECT_EQ(page.lines.size(), kMaxPageBytes / 16'000 + 1);
  ASSERT_TRUE(page.before);
  EXPECT_EQ(page.lines.size() + List(*page.before, 200).lines.size(), 30u);
}

TEST_F(LogReaderTest, APageLooksAtABoundedNumberOfEntries) {
  ASSERT_TRUE(logs_
                  .Turn([&](storage::Batch& batch) {
                    for (uint64_t n = 1; n <= kMaxListScan + 5; ++n) {
                      const std::string nid = "m" + std::to_string(n);
                      ASSERT_TRUE(logs_.user_logs().Append("u", {nid, {}, "\"a\":1"}, {"t", {n, 0}}, batch).ok());
                    }
                  })
                  .ok());
  logs_.Mark({.user = "u", .op = MarkOp::kArchive, .nids = {"m1"}});
  const ListPage first = List(EntryId::Max(), 10, ListFilter::kArchived);
  EXPECT_TRUE(first.lines.empty());
  ASSERT_TRUE(first.before);
  const ListPage second = List(*first.before, 10, ListFilter::kArchived);
  EXPECT_EQ(Nids(second.lines), "m1");
  EXPECT_FALSE(second.before);
}

TEST_F(LogReaderTest, FiltersHaveNames) {
  EXPECT_EQ(ParseListFilter("inbox"), ListFilter::kInbox);
  EXPECT_EQ(ParseListFilter("unread"), ListFilter::kUnread);
  EXPECT_EQ(ParseListFilter("archived"), ListFilter::kArchived);
  EXPECT_EQ(ParseListFilter("all"), ListFilter::kAll);
  EXPECT_EQ(ParseListFilter("Inbox"), std::nullopt);
  EXPECT_EQ(ParseListFilter(""), std::nullopt);
}

// A Core asks for memory only; what a read thread has fetched once is there the next time.
TEST_F(LogReaderTest, MemoryAnswersOrSaysThatItWouldBlock) {
  AppendItems(50);
  logs_.Mark({.user = "u", .nids = {"n3"}});
  ASSERT_TRUE(logs_.Ack("u", "phone", {7, 7}).ok());
  logs_.Restart();
  auto cold = logs_.reader().Read("u", {}, 100, 1 << 20, Tier::kMemory);
  EXPECT_TRUE(cold.ok() || cold.status().code() == base::Code::kWouldBlock) << cold.status().ToString();
  EXPECT_EQ(Read({}, 100).lines.size(), 51u);
  auto warm = logs_.reader().Read("u", {}, 100, 1 << 20, Tier::kMemory);
  ASSERT_TRUE(warm.ok()) << warm.status().ToString();
  EXPECT_EQ(warm->lines.size(), 51u);
  EXPECT_EQ(warm->lines[3].state, ItemState::kRead);
  ASSERT_TRUE(logs_.reader().Open("u", "phone", Tier::kDisk).ok());
  EXPECT_EQ(logs_.reader().Open("u", "phone", Tier::kMemory).value().device_cursor, (EntryId{7, 7}));
}

TEST_F(LogReaderTest, TheEpochIsTheUsersAndTheStores) {
  const std::string epoch = logs_.reader().Epoch("u");
  EXPECT_EQ(epoch.size(), 16u);
  EXPECT_NE(epoch, logs_.reader().Epoch("v"));
  EXPECT_NE(epoch, logs_.reader().Epoch(std::string("u\0", 2)));
  logs_.Restart();
  EXPECT_EQ(epoch, logs_.reader().Epoch("u"));
  EXPECT_NE(epoch, TestLogs().reader().Epoch("u"));
}

}  // namespace
}  // namespace tocsin::logs
