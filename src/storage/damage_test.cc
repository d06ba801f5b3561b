// Damaged directories: what opens is an exact prefix of what was written, or it is refused with the reason. A value
// that was altered is never served.
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/random.h"
#include "storage/must.h"
#include "storage/temp_dir.h"
#include "storage/unsynced_fs.h"
#include "storage/wal_check.h"

namespace tocsin::storage {
namespace {

namespace fs = std::filesystem;
using base::Code;

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

void WriteFile(const std::string& path, std::string_view bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

std::vector<std::string> FilesOf(const std::string& dir, std::string_view ending, std::string_view beginning = "") {
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(dir)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(ending) && name.starts_with(beginning)) files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string KeyOf(int number) { return "k" + std::to_string(100'000 + number); }
std::string ValueOf(int number) {
  return "value of " + std::to_string(number) + std::string(static_cast<size_t>(number % 50), 'v');
}

class DamageTest : public testing::Test {
 protected:
  // A directory as a kill -9 leaves it: `batches` batches, of which the last ones are in logs. Nothing is synced for
  // real (these tests are about bytes), which makes thousands of openings bearable.
  void Write(int batches, const StoreOptions& with = {}) {
    UnsyncedFs disk;
    StoreOptions options = with;
    options.dir = dir_.path() + "/live";
    options.file_system = disk.file_system();
    auto store = MustOpen(options);
    for (int i = 1; i <= batches; ++i) {
      Put(*store, i);
      const std::vector<std::string> logs = FilesOf(options.dir, ".log");
      ends_.push_back(fs::file_size(logs.back()));
    }
    fs::copy(options.dir, original_, fs::copy_options::recursive);
  }

  // The same with two logs: the flush that would make the older one superfluous is held up. `ends_` are those of the
  // newer one.
  void WriteTwoLogs() {
    UnsyncedFs disk;
    StoreOptions options{.dir = dir_.path() + "/live", .max_wal_bytes = 64 << 10, .file_system = disk.file_system()};
    auto store = MustOpen(options);
    std::mutex mutex;
    std::condition_variable changed;
    bool held = true;
    disk.OnSync([&](const std::string& path) {
      if (!path.ends_with(".sst")) return;
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return !held; });
    });
    int number = 0;
    while (FilesOf(options.dir, ".log").size() < 2) Put(*store, ++number);
    in_older_ = number - 1;
    for (int i = 0; i < 20; ++i) Put(*store, ++number);
    batches_ = number;
    fs::copy(options.dir, original_, fs::copy_options::recursive);
    {
      std::lock_guard lock(mutex);
      held = false;
    }
    changed.notify_all();
  }

  // Batch `number` changes two families.
  void Put(Store& store, int number) {
    Batch batch;
    batch.Put(Family::kEntries, KeyOf(number), ValueOf(number));
    batch.Put(Family::kHeads, "head", std::to_string(number));
    ASSERT_TRUE(store.Write(batch, Sync::kNow).ok());
    batches_ = number;
  }

  // Flips a bit of a copy and opens it. "refused": it does not open. "reported": some reads fail. "torn": the very last
  // batch is gone, which a cut can look like. "harmless": all is there. A wrong value fails the test.
  std::string FlipOneBit(const std::string& copy, const std::string& name, base::Random& random) {
    fs::remove_all(copy);
    fs::copy(original_, copy, fs::copy_options::recursive);
    std::string bytes = ReadFile(copy + "/" + name);
    const uint64_t bit = random.Below(8 * bytes.size());
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    WriteFile(copy + "/" + name, bytes);
    SCOPED_TRACE(name + " bit " + std::to_string(bit) + " of " + std::to_string(8 * bytes.size()));
    auto store = Open(copy);
    if (!store.ok()) {
      EXPECT_EQ(store.status().code(), Code::kCorruption) << store.status().message();
      return "refused";
    }
    int reported = 0, missing = 0;
    for (int i = 1; i <= batches_; ++i) {
      auto value = (*store)->Get(Family::kEntries, KeyOf(i));
      if (!value.ok()) {
        EXPECT_EQ(value.status().code(), Code::kCorruption) << value.status().message();
        ++reported;
      } else if (!value->has_value()) {
        EXPECT_EQ(i, batches_);
        ++missing;
      } else {
        EXPECT_EQ(**value, ValueOf(i));
      }
    }
    auto at = (*store)->Iterate(Family::kEntries, "", "");
    int number = 0;
    for (at->SeekToFirst(); at->Valid(); at->Next()) {
      ++number;
      EXPECT_EQ(at->key(), KeyOf(number));
      EXPECT_EQ(at->value(), ValueOf(number));
    }
    EXPECT_TRUE(number + missing == batches_ || at->status().code() == Code::kCorruption);
    return reported > 0 ? "reported" : missing > 0 ? "torn" : "harmless";
  }

  // A fresh copy of what was written, to be damaged.
  std::string Copy() {
    const std::string copy = dir_.path() + "/copy";
    fs::remove_all(copy);
    fs::copy(original_, copy, fs::copy_options::recursive);
    return copy;
  }

  base::Result<std::unique_ptr<Store>> Open(const std::string& dir) {
    return OpenStore({.dir = dir, .min_free_bytes = 0, .file_system = disk_.file_system()});
  }

  // The number of the last batch in the store; checks that it and all before it are there, whole, and none after it.
  int PrefixOf(const Store& store) {
    const std::string head = MustGet(store, Family::kHeads, "head");
    const int last = head == "(none)" ? 0 : std::stoi(head);
    auto at = store.Iterate(Family::kEntries, "", "");
    int number = 0;
    for (at->SeekToFirst(); at->Valid(); at->Next()) {
      ++number;
      EXPECT_EQ(at->key(), KeyOf(number));
      EXPECT_EQ(at->value(), ValueOf(number));
    }
    EXPECT_TRUE(at->status().ok());
    EXPECT_EQ(number, last);
    return last;
  }

  TempDir dir_{TempDir::Where::kMemory};
  UnsyncedFs disk_;
  const std::string original_ = dir_.path() + "/original";
  std::vector<uint64_t> ends_;  // of batch i + 1 in its log
  int batches_ = 0;
  int in_older_ = 0;  // WriteTwoLogs: batches in the older log
};

// Every byte of the last 4 KiB. What the check leaves of the log is the same for all cuts within one batch, so opening
// the store is tried at a few cuts of each batch, and the check itself at every one.
TEST_F(DamageTest, ALogThatIsCutAnywhereOpensAsThePrefixBeforeTheCut) {
  Write(60);
  const std::string name = fs::path(FilesOf(original_, ".log").back()).filename();
  const std::string log = ReadFile(original_ + "/" + name);
  ASSERT_GT(log.size(), 4'096u);
  const std::string alone = dir_.path() + "/alone";
  fs::create_directory(alone);
  for (uint64_t cut = log.size() - 4'096; cut <= log.size(); ++cut) {
    const auto next = std::upper_bound(ends_.begin(), ends_.end(), cut);
    const uint64_t begin = next == ends_.begin() ? 0 : *(next - 1);
    WriteFile(alone + "/" + name, log.substr(0, cut));
    base::Status status = CheckLogs(alone, 0);
    ASSERT_TRUE(status.ok()) << status.message();
    ASSERT_EQ(fs::file_size(alone + "/" + name), begin) << "cut at " << cut;

    const uint64_t into = cut - begin;
    if (into != 0 && into != 60) continue;
    const std::string copy = Copy();
    fs::resize_file(copy + "/" + name, cut);
    auto store = Open(copy);
    ASSERT_TRUE(store.ok()) << "cut at " << cut << ": " << store.status().message();
    ASSERT_EQ(PrefixOf(**store), next - ends_.begin()) << "cut at " << cut;
  }
}

TEST_F(DamageTest, AnOlderLogThatIsCutIsRefused) {
  WriteTwoLogs();
  const std::vector<std::string> logs = FilesOf(original_, ".log");
  ASSERT_EQ(logs.size(), 2u);
  {
    auto store = Open(Copy());
    ASSERT_TRUE(store.ok()) << store.status().message();
    EXPECT_EQ(PrefixOf(**store), batches_);
  }
  const std::string older = fs::path(logs[0]).filename(), newer = fs::path(logs[1]).filename();
  const uint64_t size = fs::file_size(logs[0]);
  base::SeededRandom random(1);
  std::vector<uint64_t> cuts{0, 1, size / 2, size - 1};
  for (int i = 0; i < 20; ++i) cuts.push_back(random.Below(size));
  for (const uint64_t cut : cuts) {
    const std::string copy = Copy();
    fs::resize_file(copy + "/" + older, cut);
    for (int attempt = 0; attempt < 2; ++attempt) {  // the refusal has changed nothing
      auto store = Open(copy);
      ASSERT_FALSE(store.ok()) << "cut at " << cut << " of " << size;
      EXPECT_EQ(store.status().code(), Code::kCorruption);
      EXPECT_NE(store.status().message().find("missing"), std::string::npos) << store.status().message();
    }
  }
  // Gone altogether: the first number that is replayed does not follow the one in the tables.
  const std::string copy = Copy();
  fs::remove(copy + "/" + older);
  EXPECT_EQ(Open(copy).status().code(), Code::kCorruption);
  // The newer one may be gone: that is a prefix.
  const std::string prefix = Copy();
  fs::remove(prefix + "/" + newer);
  auto store = Open(prefix);
  ASSERT_TRUE(store.ok()) << store.status().message();
  EXPECT_EQ(PrefixOf(**store), in_older_);
}

// One bit of 500 places in every kind of file; in lanes, because RocksDB sleeps for a second when a compaction fails.
TEST_F(DamageTest, AFlippedBitIsRefusedOrReportedAndNeverServed) {
  Write(3'000, {.max_wal_bytes = 64 << 10});
  std::vector<std::string> files = FilesOf(original_, ".sst");
  for (const std::string& log : FilesOf(original_, ".log")) files.insert(files.end(), 4, log);
  for (const std::string& manifest : FilesOf(original_, "", "MANIFEST-")) files.insert(files.end(), 4, manifest);
  files.push_back(original_ + "/CURRENT");
  constexpr uint64_t kLanes = 10;
  std::mutex mutex;
  std::map<std::string, int> outcomes;
  std::vector<std::thread> lanes;
  for (uint64_t lane = 0; lane < kLanes; ++lane) {
    lanes.emplace_back([&, lane] {
      base::SeededRandom random(lane);
      for (int sample = 0; sample < 50; ++sample) {
        const std::string name = fs::path(files[random.Below(files.size())]).filename();
        const std::string outcome = FlipOneBit(dir_.path() + "/lane" + std::to_string(lane), name, random);
        std::lock_guard lock(mutex);
        ++outcomes[outcome];
      }
    });
  }
  for (std::thread& lane : lanes) lane.join();
  std::string told;
  for (const auto& [outcome, count] : outcomes) told += outcome + " " + std::to_string(count) + ", ";
  SCOPED_TRACE(told);
  EXPECT_GT(outcomes["refused"], 100);
  EXPECT_GT(outcomes["reported"], 10);
  EXPECT_LT(outcomes["torn"], 5);
}

// --- How a log ends, on bytes alone.

class LogEndTest : public DamageTest {
 protected:
  std::string Log(int batches) {
    Write(batches);
    return ReadFile(FilesOf(original_, ".log").back());
  }
};

TEST_F(LogEndTest, EveryFlippedBitOfALogIsSeen) {
  const std::string log = Log(40);
  ASSERT_EQ(FindLogEnd(log, LogKind::kBatches).kind, LogEnd::Kind::kWhole);
  const uint64_t last_begin = ends_[ends_.size() - 2];
  for (size_t bit = 0; bit < 8 * log.size(); ++bit) {
    std::string flipped = log;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    const LogEnd end = FindLogEnd(flipped, LogKind::kBatches);
    if (bit / 8 < last_begin) {
      ASSERT_EQ(end.kind, LogEnd::Kind::kDamaged) << "bit " << bit;
    } else {
      ASSERT_NE(end.kind, LogEnd::Kind::kWhole) << "bit " << bit;
      if (end.kind == LogEnd::Kind::kTorn) {
        ASSERT_EQ(end.offset, last_begin) << "bit " << bit;
      }
    }
  }
}

TEST_F(LogEndTest, UnwrittenSectorsAtTheEndAreATornAppend) {
  const std::string log = Log(40);
  // A sector is written whole or not at all: zeros begin at one, or where the last synced batch ended. The last two
  // batches were not synced.
  for (size_t begin = ends_[37]; begin < log.size(); ++begin) {
    if (begin % 512 != 0 && begin != ends_[37] && begin != ends_[38]) continue;
    std::string torn = log;
    std::fill(torn.begin() + static_cast<std::ptrdiff_t>(begin), torn.end(), '\0');
    torn.append(1'024, '\0');
    const LogEnd end = FindLogEnd(torn, LogKind::kBatches);
    ASSERT_EQ(end.kind, LogEnd::Kind::kTorn) << "zeros from " << begin;
    ASSERT_EQ(end.offset, begin < ends_[38] ? ends_[37] : begin < ends_[39] ? ends_[38] : ends_[39]);
  }
}

TEST_F(LogEndTest, UnwrittenSectorsBeforeSyncedBatchesAreDamage) {
  const std::string log = Log(200);
  std::string lost = log;
  ASSERT_GT(log.size(), 4'096u);
  std::fill(lost.begin() + 1'024, lost.begin() + 2'048, '\0');
  EXPECT_EQ(FindLogEnd(lost, LogKind::kBatches).kind, LogEnd::Kind::kDamaged);
}

TEST_F(LogEndTest, GarbageIsNeverRead) {
  base::SeededRandom random(4);
  for (int i = 0; i < 2'000; ++i) {
    std::string bytes(random.Below(3'000), '\0');
    random.Fill({reinterpret_cast<unsigned char*>(bytes.data()), bytes.size()});
    const LogEnd end = FindLogEnd(bytes, i % 2 == 0 ? LogKind::kBatches : LogKind::kManifest);
    EXPECT_EQ(end.kind == LogEnd::Kind::kWhole, bytes.empty());
  }
}

}  // namespace
}  // namespace tocsin::storage
