// Disks that fail: a sync once, every call in turn, and disks that are full.
#include <filesystem>
#include <map>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include "storage/must.h"
#include "storage/temp_dir.h"
#include "storage/unsynced_fs.h"

namespace tocsin::storage {
namespace {

using base::Code;
using base::Status;

class FaultTest : public testing::Test {
 protected:
  StoreOptions Options() {
    return StoreOptions{.dir = dir_.path(), .min_free_bytes = 0, .file_system = disk_.file_system()};
  }
  void LosePower() {
    disk_.CutPower();
    base::SeededRandom random(3);
    disk_.Restart(random);
  }
  TempDir dir_;
  UnsyncedFs disk_;
};

TEST_F(FaultTest, AfterOneFailedSyncNothingIsConfirmedUntilReopened) {
  auto store = MustOpen(Options());
  MustPut(*store, Family::kLogs, "a", "1");
  disk_.FailSync(1, UnsyncedFs::Error::kIo);
  EXPECT_EQ(TryPut(*store, Family::kLogs, "b", "1").code(), Code::kUnavailable);
  for (int i = 0; i < 10; ++i) {  // the disk answers ok again
    EXPECT_EQ(TryPut(*store, Family::kLogs, "c", "1").code(), Code::kUnavailable);
    EXPECT_EQ(TryPut(*store, Family::kLogs, "c", "1", Sync::kLater).code(), Code::kUnavailable);
    EXPECT_EQ(store->SyncNow().code(), Code::kUnavailable);
  }
  EXPECT_EQ(store->health().code(), Code::kUnavailable);
  EXPECT_NE(store->health().message().find("until a restart"), std::string::npos);
  EXPECT_EQ(MustGet(*store, Family::kLogs, "a"), "1");
  EXPECT_EQ(MustGet(*store, Family::kLogs, "b"), "(none)");

  store.reset();
  store = MustOpen(Options());
  EXPECT_EQ(MustGet(*store, Family::kLogs, "a"), "1");
  EXPECT_EQ(MustGet(*store, Family::kLogs, "c"), "(none)");
  MustPut(*store, Family::kLogs, "d", "1");
}

// The pages that the failed sync dropped are still in the page cache, so the process that comes next reads them. What
// it confirms on top must not rest on them: a power loss then would leave a hole below.
TEST_F(FaultTest, WhatIsConfirmedAfterAFailedSyncAndARestartDoesNotRestOnDroppedPages) {
  auto store = MustOpen(Options());
  MustPut(*store, Family::kLogs, "a", "1");
  disk_.FailSync(1, UnsyncedFs::Error::kIo);
  EXPECT_FALSE(TryPut(*store, Family::kLogs, "b", "1").ok());
  store.reset();
  store = MustOpen(Options());
  const std::string b = MustGet(*store, Family::kLogs, "b");
  EXPECT_EQ(b, "1");  // the premise: it can be read
  MustPut(*store, Family::kLogs, "d", "1");
  disk_.CutPower();
  store.reset();
  LosePower();
  store = MustOpen(Options());
  EXPECT_EQ(MustGet(*store, Family::kLogs, "a"), "1");
  EXPECT_EQ(MustGet(*store, Family::kLogs, "b"), b);
  EXPECT_EQ(MustGet(*store, Family::kLogs, "d"), "1");
}

TEST_F(FaultTest, ASyncThatFailsForWantOfSpaceIsAFailedSync) {
  auto store = MustOpen(Options());
  disk_.FailSync(1, UnsyncedFs::Error::kNoSpace);
  EXPECT_EQ(TryPut(*store, Family::kLogs, "a", "1").code(), Code::kUnavailable);
  EXPECT_EQ(TryPut(*store, Family::kLogs, "a", "1").code(), Code::kUnavailable);
}

// Each row: how many batches are in the log before, how large those are that meet the full disk, how many bytes are
// left then, and whether the file system can reserve blocks for the log.
TEST_F(FaultTest, AFullDiskRefusesAndWorksAgainOnceThereIsSpace) {
  struct Row {
    int before;
    size_t size;
    uint64_t left;
    UnsyncedFs::Reserving reserving;
  };
  constexpr auto kCan = UnsyncedFs::Reserving::kCan, kCannot = UnsyncedFs::Reserving::kCannot;
  for (const Row& row :
       {Row{0, 100, 0, kCannot}, Row{0, 100, 20, kCannot}, Row{5, 100, 50, kCannot}, Row{5, 300'000, 0, kCannot},
        Row{0, 300'000, 150'000, kCannot}, Row{5, 300'000, 32'768, kCannot}, Row{300, 300'000, 200'001, kCannot},
        Row{0, 300'000, 0, kCan}, Row{5, 300'000, 100'000, kCan}, Row{5, 6'000'000, 0, kCan}, Row{0, 5'000, 0, kCan}}) {
    SCOPED_TRACE(std::to_string(row.before) + " " + std::to_string(row.size) + " " + std::to_string(row.left));
    TempDir dir;
    StoreOptions options = Options();
    options.dir = dir.path();
    disk_.CanReserve(row.reserving);
    auto store = MustOpen(options);
    for (int i = 0; i < row.before; ++i) MustPut(*store, Family::kLogs, "k" + std::to_string(i), "1");

    disk_.SetFreeBytes(row.left);
    const std::string value(row.size, 'v');
    int stored = 0;  // in what was reserved before
    while (TryPut(*store, Family::kEntries, "big" + std::to_string(stored), value).ok()) ++stored;
    const uint64_t commit = store->commit_number();
    const std::string refused = "big" + std::to_string(stored);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(TryPut(*store, Family::kEntries, refused, value).code(), Code::kNoSpace);
    EXPECT_EQ(store->commit_number(), commit);
    EXPECT_EQ(MustGet(*store, Family::kEntries, refused), "(none)");

    disk_.SetFreeBytes(UINT64_MAX);
    MustPut(*store, Family::kEntries, "small", "1");
    MustPut(*store, Family::kEntries, refused, "now it fits");
    EXPECT_TRUE(store->health().ok());
    disk_.CutPower();
    store.reset();
    LosePower();
    store = MustOpen(options);
    EXPECT_EQ(MustGet(*store, Family::kEntries, "small"), "1");
    EXPECT_EQ(MustGet(*store, Family::kEntries, refused), "now it fits");
    for (int i = 0; i < row.before; ++i) EXPECT_EQ(MustGet(*store, Family::kLogs, "k" + std::to_string(i)), "1");
    for (int i = 0; i < stored; ++i) EXPECT_TRUE(MustGet(*store, Family::kEntries, "big" + std::to_string(i)) == value);
  }
}

// The disk fills while tables are written, again and again, at another place every time.
TEST_F(FaultTest, ADiskThatFillsUpDuringFlushesLosesNothing) {
  StoreOptions options = Options();
  options.max_wal_bytes = 100 << 10;  // many flushes and compactions
  auto store = MustOpen(options);
  base::SeededRandom random(11);
  std::map<std::string, std::string> model;
  int refused = 0;
  for (int round = 0; round < 12; ++round) {
    disk_.SetFreeBytes(random.Below(400'000));
    for (int i = 0; i < 50'000; ++i) {
      const std::string key = std::to_string(random.Below(5'000)), value = random.Hex(random.Below(2'000));
      const Status status = TryPut(*store, Family::kEntries, key, value);
      if (status.ok()) {
        model[key] = value;
        continue;
      }
      ASSERT_EQ(status.code(), Code::kNoSpace) << status.message();
      ++refused;
      break;
    }
    for (const auto& [key, value] : model) ASSERT_EQ(MustGet(*store, Family::kEntries, key), value);
    disk_.SetFreeBytes(UINT64_MAX);
    Status status = TryPut(*store, Family::kEntries, "round", std::to_string(round));
    ASSERT_TRUE(status.ok()) << status.message();
  }
  EXPECT_EQ(refused, 12);
  disk_.CutPower();
  store.reset();
  LosePower();
  store = MustOpen(options);
  for (const auto& [key, value] : model) ASSERT_EQ(MustGet(*store, Family::kEntries, key), value);
}

// The Nth call that changes the disk fails, for N = 1, 2, ... until a run meets no failure. Whatever was confirmed is
// there after a power loss; whatever can be read is what was written.
// True: the run met no failure.
bool RunWithFailure(uint64_t nth, UnsyncedFs::Error error) {
  TempDir dir;
  UnsyncedFs disk;
  StoreOptions options{.dir = dir.path(), .min_free_bytes = 0, .file_system = disk.file_system()};
  std::vector<std::string> confirmed;
  disk.FailCall(nth, error);
  for (int life = 0; life < 2; ++life) {
    auto store = OpenStore(options);
    if (!store.ok()) continue;
    for (int i = 0; i < 5; ++i) {
      const std::string key = std::to_string(life) + "/" + std::to_string(i);
      const Sync sync = i % 2 == 0 ? Sync::kNow : Sync::kLater;
      if (TryPut(**store, Family::kLogs, key, "v" + key, sync).ok() && sync == Sync::kNow) confirmed.push_back(key);
    }
  }
  const bool clean = disk.calls() < nth;
  disk.FailCall(0, error);
  disk.CutPower();
  base::SeededRandom random(nth);
  disk.Restart(random);
  auto store = OpenStore(options);
  EXPECT_TRUE(store.ok()) << store.status().message();
  if (!store.ok()) return clean;
  for (const std::string& key : confirmed) EXPECT_EQ(MustGet(**store, Family::kLogs, key), "v" + key);
  auto at = (*store)->Iterate(Family::kLogs, "", "");
  for (at->SeekToFirst(); at->Valid(); at->Next()) EXPECT_EQ(at->value(), "v" + std::string(at->key()));
  EXPECT_TRUE(at->status().ok());
  MustPut(**store, Family::kLogs, "z", "1");
  return clean;
}

// In lanes, because RocksDB sleeps for a second when a flush fails.
void FailEveryCall(UnsyncedFs::Error error) {
  constexpr uint64_t kLanes = 16;
  UnsyncedFs::MoreFlushThreads(kLanes);
  std::vector<std::thread> lanes;
  for (uint64_t lane = 1; lane <= kLanes; ++lane) {
    lanes.emplace_back([=] {
      for (uint64_t nth = lane; nth < 1'000; nth += kLanes) {
        SCOPED_TRACE("call " + std::to_string(nth));
        if (RunWithFailure(nth, error)) return;
      }
      ADD_FAILURE() << "no end of calls";
    });
  }
  for (std::thread& lane : lanes) lane.join();
}

TEST(EveryCallTest, FailsWithEio) { FailEveryCall(UnsyncedFs::Error::kIo); }
TEST(EveryCallTest, FailsWithEnospc) { FailEveryCall(UnsyncedFs::Error::kNoSpace); }

// No fault file system: a real one of 64 MiB.
TEST(FullDiskTest, ARealFullDiskRefusesAndRecovers) {
  TempDir dir;
  if (mount("tmpfs", dir.path().c_str(), "tmpfs", 0, "size=64m") != 0) GTEST_SKIP() << "needs root to mount a tmpfs";
  {
    // Small buffers: RocksDB allocates a log ahead by their size, and a log that has its blocks cannot meet ENOSPC.
    StoreOptions options{
        .dir = dir.path() + "/store", .min_free_bytes = 0, .write_buffer_bytes = 4 << 20, .max_wal_bytes = 1 << 20};
    base::SeededRandom random(5);
    auto store = MustOpen(options);
    std::map<std::string, std::string> model;
    auto put = [&](const std::string& key) {
      std::string value = random.Hex(10'000);
      Status status = TryPut(*store, Family::kEntries, key, value);
      EXPECT_TRUE(status.ok() || status.code() == Code::kNoSpace) << status.message();
      if (status.ok()) model[key] = std::move(value);
      return status.ok();
    };
    for (int i = 0; i < 200; ++i) ASSERT_TRUE(put(std::to_string(i)));
    const std::string filler = dir.path() + "/filler", bytes(4'096, 'f');
    for (int round = 0; round < 3; ++round) {
      const int descriptor = open(filler.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
      while (write(descriptor, bytes.data(), bytes.size()) > 0) {
      }
      close(descriptor);
      int refused = 0;
      for (int i = 0; i < 400 && refused < 3; ++i) refused += put("full" + std::to_string(i)) ? 0 : 1;
      EXPECT_EQ(refused, 3);
      for (const auto& [key, value] : model) ASSERT_EQ(MustGet(*store, Family::kEntries, key), value);
      std::filesystem::remove(filler);
      EXPECT_TRUE(put("after" + std::to_string(round)));
    }
    store.reset();
    store = MustOpen(options);
    for (const auto& [key, value] : model) ASSERT_EQ(MustGet(*store, Family::kEntries, key), value);
  }
  EXPECT_EQ(umount(dir.path().c_str()), 0);
}

}  // namespace
}  // namespace tocsin::storage
