#include "storage/store.h"

#include <filesystem>
#include <map>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/random.h"
#include "storage/must.h"
#include "storage/temp_dir.h"

namespace tocsin::storage {
namespace {

using base::Code;

std::vector<std::string> Keys(Iterator& at) {
  std::vector<std::string> keys;
  for (at.SeekToFirst(); at.Valid(); at.Next()) keys.emplace_back(at.key());
  EXPECT_TRUE(at.status().ok());
  return keys;
}

class StoreTest : public testing::Test {
 protected:
  StoreOptions Options() { return StoreOptions{.dir = dir_.path(), .min_free_bytes = 0}; }
  TempDir dir_;
};

TEST_F(StoreTest, ANewStoreHasAnEpochOfItsOwnAndOthersCannotEnter) {
  const std::string path = dir_.path() + "/a/b";
  std::string epoch;
  {
    auto store = MustOpen({.dir = path});
    epoch = store->epoch();
    EXPECT_EQ(epoch.size(), 32u);
    EXPECT_TRUE(store->health().ok());
  }
  struct stat entry;
  ASSERT_EQ(stat(path.c_str(), &entry), 0);
  EXPECT_EQ(entry.st_mode & 0777, 0700u);
  EXPECT_EQ(MustOpen({.dir = path})->epoch(), epoch);
  EXPECT_NE(MustOpen(Options())->epoch(), epoch);
}

TEST_F(StoreTest, WhatWasWrittenIsThereAfterReopening) {
  uint64_t written = 0;
  {
    auto store = MustOpen(Options());
    for (Family family : {Family::kMeta, Family::kEntries, Family::kGroups, Family::kLogs, Family::kHeads}) {
      MustPut(*store, family, std::string("k\0ey", 4), "value " + std::to_string(static_cast<int>(family)));
    }
    MustPut(*store, Family::kLogs, "later", "unsynced", Sync::kLater);
    EXPECT_TRUE(store->SyncNow().ok());
    written = store->commit_number();
  }
  auto store = MustOpen(Options());
  EXPECT_EQ(store->commit_number(), written + 1);  // opening writes a batch of its own
  for (Family family : {Family::kMeta, Family::kEntries, Family::kGroups, Family::kLogs, Family::kHeads}) {
    EXPECT_EQ(MustGet(*store, family, std::string("k\0ey", 4)), "value " + std::to_string(static_cast<int>(family)));
  }
  EXPECT_EQ(MustGet(*store, Family::kLogs, "later"), "unsynced");
  EXPECT_EQ(MustGet(*store, Family::kHeads, "later"), "(none)");
}

TEST_F(StoreTest, ALaterChangeOfABatchWinsAndTheBatchCanBeUsedAgain) {
  auto store = MustOpen(Options());
  Batch batch;
  batch.Put(Family::kLogs, "a", "1");
  batch.Put(Family::kLogs, "a", "2");
  batch.Put(Family::kLogs, "b", "1");
  batch.Delete(Family::kLogs, "b");
  EXPECT_EQ(batch.changes(), 4u);
  ASSERT_TRUE(store->Write(batch, Sync::kNow).ok());
  EXPECT_EQ(MustGet(*store, Family::kLogs, "a"), "2");
  EXPECT_EQ(MustGet(*store, Family::kLogs, "b"), "(none)");
  const size_t bytes = batch.bytes();
  const uint64_t written = store->commit_number();
  ASSERT_TRUE(store->Write(batch, Sync::kNow).ok());
  EXPECT_EQ(batch.bytes(), bytes);  // the commit number does not pile up in it
  EXPECT_EQ(store->commit_number(), written + 1);
  batch.Clear();
  EXPECT_TRUE(batch.empty());
}

TEST_F(StoreTest, DeleteRangeTakesBeginAndLeavesEnd) {
  auto store = MustOpen(Options());
  Batch batch;
  for (char c = 'a'; c <= 'f'; ++c) batch.Put(Family::kEntries, std::string(1, c), "v");
  batch.DeleteRange(Family::kEntries, "b", "e");
  batch.DeleteRange(Family::kEntries, "f", "a");  // nothing, and no failure
  ASSERT_TRUE(store->Write(batch, Sync::kNow).ok());
  EXPECT_EQ(Keys(*store->Iterate(Family::kEntries, "", "")), (std::vector<std::string>{"a", "e", "f"}));
}

TEST_F(StoreTest, IteratorsStayWithinTheirBoundsBothWays) {
  auto store = MustOpen(Options());
  Batch batch;
  for (char c = 'a'; c <= 'f'; ++c) batch.Put(Family::kLogs, std::string(1, c), std::string("v") + c);
  ASSERT_TRUE(store->Write(batch, Sync::kNow).ok());

  auto at = store->Iterate(Family::kLogs, "b", "e");
  EXPECT_EQ(Keys(*at), (std::vector<std::string>{"b", "c", "d"}));
  at->SeekToLast();
  ASSERT_TRUE(at->Valid());
  EXPECT_EQ(at->key(), "d");
  EXPECT_EQ(at->value(), "vd");
  at->Prev();
  at->Prev();
  EXPECT_EQ(at->key(), "b");
  at->Prev();
  EXPECT_FALSE(at->Valid());
  at->Seek("a");
  EXPECT_EQ(at->key(), "b");
  at->Seek("e");
  EXPECT_FALSE(at->Valid());
  at->SeekForPrev("z");
  EXPECT_EQ(at->key(), "d");
  at->SeekForPrev("cc");
  EXPECT_EQ(at->key(), "c");
  at->SeekForPrev("a");
  EXPECT_FALSE(at->Valid());
  EXPECT_TRUE(at->status().ok());

  EXPECT_TRUE(Keys(*store->Iterate(Family::kLogs, "x", "")).empty());
  EXPECT_TRUE(Keys(*store->Iterate(Family::kLogs, "e", "b")).empty());
  EXPECT_EQ(Keys(*store->Iterate(Family::kLogs, "e", "")), (std::vector<std::string>{"e", "f"}));
}

TEST_F(StoreTest, AnIteratorShowsOneMoment) {
  auto store = MustOpen(Options());
  MustPut(*store, Family::kLogs, "a", "1");
  auto at = store->Iterate(Family::kLogs, "", "");
  MustPut(*store, Family::kLogs, "a", "2");
  MustPut(*store, Family::kLogs, "b", "1");
  at->SeekToFirst();
  EXPECT_EQ(at->value(), "1");
  at->Next();
  EXPECT_FALSE(at->Valid());
}

TEST_F(StoreTest, TheMemoryTierNeverReadsTheDisk) {
  {
    auto store = MustOpen(Options());
    MustPut(*store, Family::kHeads, "old", "on disk");
  }
  auto store = MustOpen(Options());  // recovery has moved it into a table, which nobody has read yet
  MustPut(*store, Family::kHeads, "new", "in the memtable");
  auto fresh = store->Get(Family::kHeads, "new", Tier::kMemory);
  ASSERT_TRUE(fresh.ok());
  EXPECT_EQ(**fresh, "in the memtable");
  EXPECT_EQ(store->Get(Family::kHeads, "old", Tier::kMemory).status().code(), Code::kWouldBlock);
  auto at = store->Iterate(Family::kHeads, "", "", Tier::kMemory);
  at->SeekToFirst();
  while (at->Valid()) at->Next();
  EXPECT_EQ(at->status().code(), Code::kWouldBlock);

  EXPECT_EQ(MustGet(*store, Family::kHeads, "old"), "on disk");
  auto cached = store->Get(Family::kHeads, "old", Tier::kMemory);  // now its block is in the cache
  ASSERT_TRUE(cached.ok());
  EXPECT_EQ(**cached, "on disk");
}

// A restart opens a few tables only. What lies in the others was read as found, and empty: users could not connect to a
// server that had been restarted some times.
TEST_F(StoreTest, TheMemoryTierSaysWhenATableIsNotOpen) {
  constexpr int kRestarts = 8;
  for (int i = 0; i < kRestarts; ++i) {
    auto store = MustOpen(Options());
    for (Family family : {Family::kMeta, Family::kEntries, Family::kGroups, Family::kLogs, Family::kHeads}) {
      MustPut(*store, family, "a" + std::to_string(i), "value");
      MustPut(*store, family, "z" + std::to_string(i), "value");
    }
  }
  auto store = MustOpen(Options());
  for (Family family : {Family::kMeta, Family::kEntries, Family::kGroups, Family::kLogs, Family::kHeads}) {
    for (const std::string key : {"a1", "m", "z6"}) {
      auto read = store->Get(family, key, Tier::kMemory);
      if (read.ok()) {
        EXPECT_EQ(*read, key == "m" ? std::nullopt : std::optional<std::string>("value"));
      } else {
        EXPECT_EQ(read.status().code(), Code::kWouldBlock);
      }
    }
  }
}

TEST_F(StoreTest, ASecondStoreOnTheDirectoryIsRefusedByName) {
  auto store = MustOpen(Options());
  auto second = OpenStore(Options());
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), Code::kConflict);
  EXPECT_NE(second.status().message().find(dir_.path()), std::string::npos);
  EXPECT_NE(second.status().message().find(std::to_string(getpid())), std::string::npos);
  store.reset();
  EXPECT_TRUE(OpenStore(Options()).ok());  // what is left of the lock is not in the way
}

TEST_F(StoreTest, AnotherProcessIsRefusedToo) {
  auto store = MustOpen(Options());
  const pid_t child = fork();
  if (child == 0) {
    auto second = OpenStore(Options());
    _exit(!second.ok() && second.status().code() == Code::kConflict ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST_F(StoreTest, ANewerFormatIsRefusedAndLeftAlone) {
  {
    auto store = MustOpen(Options());
    MustPut(*store, Family::kMeta, std::string("\0format", 7), std::string("\0\0\0\0\0\0\0\x63", 8));
  }
  for (int i = 0; i < 2; ++i) {
    auto store = OpenStore(Options());
    ASSERT_FALSE(store.ok());
    EXPECT_EQ(store.status().code(), Code::kConflict);
    EXPECT_NE(store.status().message().find("format 99"), std::string::npos) << store.status().message();
    EXPECT_NE(store.status().message().find("newer"), std::string::npos);
  }
}

TEST_F(StoreTest, ADirectoryThatCannotBeMadeIsNamed) {
  auto store = OpenStore({.dir = "/proc/tocsin"});
  ASSERT_FALSE(store.ok());
  EXPECT_NE(store.status().message().find("/proc/tocsin"), std::string::npos);
}

TEST_F(StoreTest, LittleFreeSpaceRefusesWritesNotReads) {
  {
    auto store = MustOpen(Options());
    MustPut(*store, Family::kLogs, "a", "1");
  }
  StoreOptions options = Options();
  options.min_free_bytes = uint64_t{1} << 60;
  auto store = MustOpen(options);
  Batch batch;
  batch.Put(Family::kLogs, "b", "1");
  EXPECT_EQ(store->Write(batch, Sync::kNow).code(), Code::kNoSpace);
  EXPECT_EQ(store->health().code(), Code::kNoSpace);
  EXPECT_EQ(MustGet(*store, Family::kLogs, "a"), "1");
  EXPECT_EQ(MustGet(*store, Family::kLogs, "b"), "(none)");
}

// Random operations against a std::map, with reopening in between.
TEST_F(StoreTest, BehavesAsAMap) {
  StoreOptions options = Options();
  options.max_wal_bytes = 100 << 10;  // many flushes and compactions
  base::SeededRandom random(7);
  std::map<std::string, std::string> model;
  auto store = MustOpen(options);
  for (int step = 0; step < 20'000; ++step) {
    const std::string key = "k" + std::to_string(random.Below(500));
    const std::string other = "k" + std::to_string(random.Below(500));
    Batch batch;
    const uint64_t dice = random.Below(1000);
    if (dice < 700) {
      model[key] = random.Hex(random.Below(100));
      batch.Put(Family::kEntries, key, model[key]);
    } else if (dice < 990) {
      model.erase(key);
      batch.Delete(Family::kEntries, key);
    } else if (key < other) {
      model.erase(model.lower_bound(key), model.lower_bound(other));
      batch.DeleteRange(Family::kEntries, key, other);
    }
    ASSERT_TRUE(store->Write(batch, Sync::kLater).ok());
    if (step % 4'000 == 3'999) {
      store.reset();
      store = MustOpen(options);
    }
    if (step % 1'000 != 0) continue;
    std::map<std::string, std::string> found;
    auto at = store->Iterate(Family::kEntries, "", "");
    for (at->SeekToFirst(); at->Valid(); at->Next()) found.emplace(at->key(), at->value());
    ASSERT_TRUE(at->status().ok());
    ASSERT_EQ(found, model) << "step " << step;
  }
}

}  // namespace
}  // namespace tocsin::storage
