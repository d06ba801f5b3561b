// A day of scheduled notifications in virtual time, on a real store: none early, none lost, none doubled, across twenty
// restarts, writes that fail, and cancellations. TOCSIN_SCHEDULED says how many, TOCSIN_SCHEDULED_DISK=1 that the store
// lies on a disk; what it prints are the figures of bench/README.md.
#include <cstdlib>
#include <fstream>
#include <random>

#include <gtest/gtest.h>

#include "logs/log_reader.h"
#include "notifier/router.h"
#include "storage/failing_writes.h"
#include "storage/temp_dir.h"

namespace tocsin::notifier {
namespace {

constexpr int64_t kStart = 1'700'000'000'000, kDay = 24 * 3'600'000, kStep = 60'000;
constexpr int kRestarts = 20;

size_t Total() {
  const char* given = std::getenv("TOCSIN_SCHEDULED");
  return given == nullptr ? 20'000 : static_cast<size_t>(std::atoll(given));
}
storage::TempDir::Where Where() {
  return std::getenv("TOCSIN_SCHEDULED_DISK") == nullptr ? storage::TempDir::Where::kMemory
                                                         : storage::TempDir::Where::kDisk;
}

long ResidentMb() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::atol(line.c_str() + 6) / 1'024;
  }
  return 0;
}

class ScheduleDay : public testing::Test {
 protected:
  ScheduleDay() { Open(); }

  // As a process that was killed and has started again.
  void Open() {
    committer_.reset();
    router_.reset();
    schedule_.reset();
    delivery_.reset();
    logs_.reset();
    streams_.reset();
    store_.reset();
    auto opened = storage::OpenStore({.dir = dir_.path(), .min_free_bytes = 0, .faults = &faults_});
    CHECK_MSG(opened.ok(), opened.status().message());
    store_ = std::move(*opened);
    streams_ = std::make_unique<streams::StreamEngine>(*store_, clock_);
    logs_ = std::make_unique<logs::UserLogs>(*store_, clock_,
                                             logs::UserLogsOptions{.max_entries = 1'000'000, .id_floor = {}}, nullptr);
    delivery_ = std::make_unique<Delivery>(*store_, clock_, *logs_);
    schedule_ = std::make_unique<Schedule>(*store_, clock_, *delivery_);
    router_ = std::make_unique<Router>(*streams_, *delivery_, *schedule_, clock_,
                                       std::vector<std::string>{std::string(kDefaultStream)});
    committer_ = std::make_unique<storage::Committer>(
        *store_, clock_,
        std::vector<storage::Participant*>{router_.get(), schedule_.get(), streams_.get(), logs_.get()});
    router_->SetCommitter(*committer_);
    committer_->Wake();
    Turns(SIZE_MAX);
  }
  void Turns(size_t most) {
    for (size_t turns = 0; turns < most && committer_->RunTurn(); ++turns) {
    }
  }
  // Entries whose message is their number.
  void Add(size_t from, size_t to, const std::vector<int64_t>& due, size_t users) {
    ASSERT_TRUE(
        committer_
            ->Submit([&, from, to](storage::Batch&) {
              for (size_t i = from; i < to; ++i) {
                const std::string user = "u" + std::to_string(i % users), message = std::to_string(i);
                const std::string at = std::to_string(due[i]);
                const streams::FieldView fields[] = {{"user_id", user}, {"message", message}, {"deliver_at", at}};
                auto added = streams_->Append(kDefaultStream, fields);
                ASSERT_TRUE(added.ok()) << added.status().ToString();
                nids_.push_back(NidOf(kDefaultStream, **added));
              }
            })
            .ok());
    Turns(SIZE_MAX);
  }
  bool Cancel(const std::string& nid) {
    bool cancelled = false;
    EXPECT_TRUE(committer_
                    ->Submit([&](storage::Batch& batch) {
                      auto was = schedule_->Cancel(nid, batch);
                      ASSERT_TRUE(was.ok());
                      cancelled = *was;
                    })
                    .ok());
    Turns(1);
    return cancelled;
  }
  long DiskMb() const {
    uintmax_t bytes = 0;
    for (const auto& file : std::filesystem::recursive_directory_iterator(dir_.path())) {
      if (file.is_regular_file()) bytes += file.file_size();
    }
    return static_cast<long>(bytes >> 20);
  }

  storage::TempDir dir_{Where()};
  base::ManualClock clock_{kStart};
  storage::FailingWrites faults_;
  std::unique_ptr<storage::Store> store_;
  std::unique_ptr<streams::StreamEngine> streams_;
  std::unique_ptr<logs::UserLogs> logs_;
  std::unique_ptr<Delivery> delivery_;
  std::unique_ptr<Schedule> schedule_;
  std::unique_ptr<Router> router_;
  std::unique_ptr<storage::Committer> committer_;
  std::vector<std::string> nids_;
};

TEST_F(ScheduleDay, NoneEarlyNoneLostNoneDoubled) {
  const size_t total = Total(), users = std::max<size_t>(total / 500, 20);
  std::mt19937_64 random(20261124);
  const auto began = std::chrono::steady_clock::now();
  const auto seconds = [&] {
    return static_cast<double>((std::chrono::steady_clock::now() - began) / std::chrono::milliseconds(1)) / 1'000;
  };
  std::vector<int64_t> due(total);
  for (int64_t& one : due) one = kStart + 120'000 + static_cast<int64_t>(random() % kDay);
  const long empty_mb = ResidentMb();
  for (size_t i = 0; i < total; i += 2'000) Add(i, std::min(i + 2'000, total), due, users);
  std::printf("%zu pending after %.1f s: %ld MB resident (%ld before), %ld MB on disk, stream included\n", total,
              seconds(), ResidentMb(), empty_mb, DiskMb());
  Open();
  std::printf("opened again after %.1f s: %ld MB resident\n", seconds(), ResidentMb());

  std::vector<bool> cancelled(total);
  int restarts = 0;
  const auto steps = static_cast<uint64_t>(kDay / kStep);
  for (const int64_t end = kStart + kDay + 180'000; clock_.NowMs() < end;) {
    clock_.Advance(kStep);
    if (random() % 3 == 0) {
      const size_t one = random() % total;
      if (Cancel(nids_[one])) cancelled[one] = true;
    }
    if (random() % 40 == 0) {
      faults_.fail = true;
      Turns(3);
      faults_.fail = false;
      clock_.Advance(Timers::kLookMs);
    }
    if (restarts < kRestarts && random() % steps < 3 * kRestarts) {
      Turns(random() % 3);  // in the middle of what is due
      Open();
      ++restarts;
    }
    Turns(SIZE_MAX);
  }
  clock_.Advance(kStep);
  Turns(SIZE_MAX);
  std::printf("all fired after %.1f s, %d restarts: %ld MB resident\n", seconds(), restarts, ResidentMb());
  EXPECT_EQ(restarts, kRestarts);
  EXPECT_TRUE(schedule_->List({}, 1)->lines.empty());

  std::vector<int> seen(total);
  for (size_t user = 0; user < users; ++user) {
    auto piece = logs::LogReader(*store_).Read("u" + std::to_string(user), {}, total, SIZE_MAX, storage::Tier::kDisk);
    ASSERT_TRUE(piece.ok());
    for (const logs::LogLine& line : piece->lines) {
      const std::string& json = line.entry->json;
      const auto one = static_cast<size_t>(std::atoll(json.c_str() + json.find("\"body\":\"") + 8));
      ++seen[one];
      const auto delivered = static_cast<int64_t>(line.entry->id.ms);
      ASSERT_GE(delivered, due[one]) << "early";
      ASSERT_LE(delivered, due[one] + 2 * kStep) << "late";
    }
  }
  size_t taken_back = 0;
  for (size_t i = 0; i < total; ++i) {
    ASSERT_EQ(seen[i], cancelled[i] ? 0 : 1) << i;
    taken_back += cancelled[i] ? 1 : 0;
  }
  EXPECT_GT(taken_back, 10u);
}

}  // namespace
}  // namespace tocsin::notifier
