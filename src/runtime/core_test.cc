#include "runtime/core.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace tocsin::runtime {
namespace {

struct Pair {
  Pair() { EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0); }
  ~Pair() {
    close(fds[0]);
    close(fds[1]);
  }
  int fds[2];
};

TEST(CoreTest, RunsPostsOfManyThreadsInTheOrderOfEach) {
  Core core(0, base::SystemClock());
  constexpr int kThreads = 4, kPosts = 10'000;
  std::vector<int> last(kThreads, -1);
  int run = 0;
  std::vector<std::thread> posters;
  for (int t = 0; t < kThreads; ++t) {
    posters.emplace_back([&core, &last, &run, t] {
      for (int i = 0; i < kPosts; ++i) {
        core.Post([&core, &last, &run, t, i] {
          EXPECT_EQ(last[static_cast<size_t>(t)], i - 1);
          EXPECT_EQ(Core::Current(), &core);
          last[static_cast<size_t>(t)] = i;
          if (++run == kThreads * kPosts) core.Stop();
        });
      }
    });
  }
  core.Run();
  for (auto& poster : posters) poster.join();
  EXPECT_EQ(run, kThreads * kPosts);
}

// Reads one byte a call, so that only a watch that stays armed sees them all.
struct OneByteReader final : Watch::Handler {
  OneByteReader(Core& c, int f) : core(c), fd(f) {}
  void OnReadable() override {
    char byte = 0;
    if (read(fd, &byte, 1) == 1) got.push_back(byte);
    if (got.size() == 3) {
      watch.reset();  // inside its own call
      core.Stop();
    }
  }
  void OnWritable() override { ++writable; }
  Core& core;
  int fd;
  std::string got;
  int writable = 0;
  std::unique_ptr<Watch> watch;
};

TEST(CoreTest, AWatchStaysArmedAndMayEndInsideItsOwnCall) {
  Core core(0, base::SystemClock());
  Pair pair;
  OneByteReader reader(core, pair.fds[0]);
  reader.watch = core.Observe(pair.fds[0], reader);
  reader.watch->WantWrite();
  ASSERT_EQ(write(pair.fds[1], "abc", 3), 3);
  core.Run();
  EXPECT_EQ(reader.got, "abc");
  EXPECT_EQ(reader.writable, 1);
}

TEST(CoreTest, APausedWatchIsSilentUntilResumed) {
  Core core(0, base::SystemClock());
  Pair pair;
  OneByteReader reader(core, pair.fds[0]);
  reader.watch = core.Observe(pair.fds[0], reader);
  reader.watch->Pause();
  ASSERT_EQ(write(pair.fds[1], "abc", 3), 3);
  core.After(20, [&reader] {
    EXPECT_EQ(reader.got, "");
    reader.watch->Resume();
  });
  core.Run();
  EXPECT_EQ(reader.got, "abc");
}

TEST(CoreTest, TurnEndComesAfterWhatTheTurnRan) {
  Core core(0, base::SystemClock());
  std::string trace;
  core.AtTurnEnd([&trace] {
    if (!trace.empty()) trace += '|';
  });
  core.Post([&] {
    trace += 'a';
    core.Post([&] {
      trace += 'c';
      core.Stop();
    });
  });
  core.Post([&] { trace += 'b'; });
  core.Run();
  EXPECT_EQ(trace.substr(0, 2), "ab") << "posts of one turn run together";
  EXPECT_NE(trace.find("c"), std::string::npos);
  EXPECT_EQ(trace.back(), '|');
}

// epoll reports a hang-up whether or not anybody asked. A watch that is paused must not make the loop spin.
TEST(CoreTest, AHangUpThatNobodyReadsDoesNotSpin) {
  Core core(0, base::SystemClock());
  Pair pair;
  OneByteReader reader(core, pair.fds[0]);
  reader.watch = core.Observe(pair.fds[0], reader);
  reader.watch->Pause();
  shutdown(pair.fds[1], SHUT_RDWR);
  int turns = 0;
  core.AtTurnEnd([&turns] { ++turns; });
  core.After(50, [&core] { core.Stop(); });
  core.Run();
  EXPECT_LT(turns, 20);
}

TEST(CoreTest, APostWakesASleepingLoop) {
  Core core(0, base::SystemClock());
  bool ran = false;
  std::thread loop([&core] { core.Run(); });
  core.Post([&] {
    ran = true;
    core.Stop();
  });
  loop.join();
  EXPECT_TRUE(ran);
}

TEST(CoreTest, TimersFireInTheOrderOfTheirTimes) {
  Core core(0, base::SystemClock());
  std::string trace;
  core.After(20, [&] {
    trace += 'c';
    core.Stop();
  });
  core.After(1, [&trace] { trace += 'a'; });
  core.After(10, [&trace] { trace += 'b'; });
  core.Run();
  EXPECT_EQ(trace, "abc");
}

TEST(CoreTest, EveryTicksUntilTheEnd) {
  Core core(0, base::SystemClock());
  int ticks = 0;
  core.Every(1, [&] {
    if (++ticks == 3) core.Stop();
  });
  core.Run();
  EXPECT_GE(ticks, 3);  // a late loop may tick once more before it takes the stop
}

}  // namespace
}  // namespace tocsin::runtime
