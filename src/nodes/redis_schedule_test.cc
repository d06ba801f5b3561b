// The schedule of a stream on a real redis-server, with a wall clock that is set by hand: nodes come and go, stopped in
// the middle of what they do.
#include "nodes/redis_schedule.h"

#include <cstdlib>
#include <map>
#include <random>
#include <unordered_map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nodes/nodes_fixture.h"
#include "nodes/redis_schedules.h"
#include "notifier/scheduled_row.h"

namespace tocsin::nodes {
namespace {

using fixture::Eventually;
using fixture::Server;
using fixture::TestNode;
using fixture::Text;
using model::EntryId;
using notifier::SchedulePage;
using notifier::SchedulePlace;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr char kStream[] = "s", kOther[] = "other";
constexpr int64_t kStart = 1'700'000'000'000;

std::string NidOf(EntryId id, const char* stream = kStream) { return id.ToString() + "@" + stream; }

notifier::Timer Later(EntryId id, const std::string& user, int64_t due_ms, const char* stream = kStream) {
  model::Notification notification;
  notification.users = {user};
  notification.message = "m";
  notification.deliver_at_ms = due_ms;
  return notifier::ScheduledTimer(NidOf(id, stream), notification);
}
notifier::Timer Held(EntryId id, const std::string& user, int64_t until_ms) {
  model::Notification notification;
  notification.users = {"somebody", user};
  notification.message = "m";
  return notifier::HeldTimer(NidOf(id), user, notification, until_ms);
}

// A node that holds the stream under that number, until it goes, whatever is under way then.
class ScheduleNode final : public TestNode {
 public:
  ScheduleNode(const Server& server, uint64_t fence, int64_t now_ms)
      : TestNode(server.url(), "n" + std::to_string(fence)), wall_(now_ms) {
    OnCore([&] {
      timed_logs_ = std::make_unique<logs::RedisLogs>(
          redis(), core(),
          logs::RedisLogsOptions{.max_entries = 1'000'000, .clock = &wall_, .node = name(), .listener = nullptr});
      schedule_ = std::make_unique<RedisSchedule>(core(), redis(), wall_, *timed_logs_, kStream,
                                                  [this](std::vector<logs::Appended> more) { grown_ += more.size(); });
      other_ = std::make_unique<RedisSchedule>(core(), redis(), wall_, *timed_logs_, kOther,
                                               [](const std::vector<logs::Appended>&) {});
      schedules_ = std::make_unique<RedisSchedules>(redis(), std::vector<std::string>{kStream, kOther});
    });
    PrepareLogs();
    std::promise<base::Status> raised;
    OnCore([&] {
      timed_logs_->RaiseFence(kStream, fence, [&](const base::Status& status) { raised.set_value(status); });
    });
    EXPECT_TRUE(raised.get_future().get().ok());
    OnCore([&] {
      schedule_->timers().Begin(fence);
      other_->timers().Begin(fence);
    });
  }
  ~ScheduleNode() override {
    End([this] {
      schedules_.reset();
      schedule_.reset();
      other_.reset();
      timed_logs_.reset();
    });
  }
  RedisSchedule& schedule() { return *schedule_; }

  void SetTime(int64_t now_ms) {
    OnCore([&] {
      wall_.Set(now_ms);
      schedule_->timers().Look();
    });
  }
  base::Status Add(std::vector<notifier::Timer> timers) {
    return Answer<base::Status>([&](auto then) { schedule_->Add(timers, then); });
  }
  base::Status AddToOther(std::vector<notifier::Timer> timers) {
    return Answer<base::Status>([&](auto then) { other_->Add(timers, then); });
  }
  base::Status Hold(std::vector<notifier::Timer> timers) {
    return Answer<base::Status>([&](auto then) { schedule_->Hold(timers, then); });
  }
  bool Cancel(EntryId id) {
    return *Answer<base::Result<bool>>([&](auto then) { schedules_->Cancel(NidOf(id), then); });
  }
  SchedulePage List(const SchedulePlace& after, size_t limit) {
    return *Answer<base::Result<SchedulePage>>([&](auto then) { schedules_->List(after, limit, then); });
  }
  std::optional<notifier::ScheduledState> Find(EntryId id) {
    return *Answer<base::Result<std::optional<notifier::ScheduledState>>>(
        [&](auto then) { schedules_->Find(NidOf(id), then); });
  }
  std::vector<std::string> Waiting() {
    std::vector<std::string> nids;
    for (const auto& line : List({}, 1'000).lines) nids.push_back(line.place.id.ToString() + line.place.user);
    return nids;
  }
  size_t grown() {
    return Get<size_t>([this] { return grown_; });
  }

 private:
  template <typename T>
  T Answer(const std::function<void(std::function<void(const T&)>)>& ask) {
    auto promise = std::make_shared<std::promise<T>>();
    auto future = promise->get_future();
    OnCore([&] { ask([promise](const T& answer) { promise->set_value(answer); }); });
    return future.get();
  }

  base::ManualClock wall_;
  std::unique_ptr<logs::RedisLogs> timed_logs_;
  std::unique_ptr<RedisSchedule> schedule_, other_;
  std::unique_ptr<RedisSchedules> schedules_;
  size_t grown_ = 0;
};

constexpr EntryId Id(uint64_t seq) { return {kStart, seq}; }

TEST(RedisScheduleTest, FiresAtItsTimeOnceAndInOrder) {
  Server server;
  ScheduleNode node(server, 1, kStart);
  ASSERT_TRUE(node.Add({Later(Id(1), "a", kStart + 2'000), Later(Id(2), "a", kStart + 1'000)}).ok());
  ASSERT_TRUE(node.Add({Later(Id(2), "a", kStart + 500), Later(Id(3), "a", kStart + 1'000)}).ok());
  EXPECT_THAT(node.Waiting(), ElementsAre(Id(2).ToString(), Id(3).ToString(), Id(1).ToString()));
  node.SetTime(kStart + 999);
  node.SetTime(kStart + 1'000);
  ASSERT_TRUE(Eventually([&] { return node.Nids("a").size() == 2; }));
  node.SetTime(kStart + 5'000);
  ASSERT_TRUE(Eventually([&] { return node.Nids("a").size() == 3; }));
  EXPECT_THAT(node.Nids("a"), ElementsAre(NidOf(Id(2)), NidOf(Id(3)), NidOf(Id(1))));
  // Taken again from the stream, after it has fired.
  ASSERT_TRUE(node.Add({Later(Id(3), "a", kStart + 1'000)}).ok());
  EXPECT_THAT(node.Waiting(), IsEmpty());
}

TEST(RedisScheduleTest, ACancelledOneIsKnownAndNeverFires) {
  Server server;
  ScheduleNode node(server, 1, kStart);
  ASSERT_TRUE(node.Add({Later(Id(1), "a", kStart + 1'000), Later(Id(10), "a", kStart + 1'000)}).ok());
  ASSERT_TRUE(node.Hold({Held(Id(1), "b", kStart + 1'000), Held(Id(10), "c", kStart + 1'000)}).ok());
  EXPECT_THAT(node.Find(Id(1))->held, ElementsAre(std::pair<std::string, int64_t>("b", kStart + 1'000)));
  EXPECT_TRUE(node.Cancel(Id(1)));
  EXPECT_FALSE(node.Cancel(Id(1)));
  EXPECT_TRUE(node.Find(Id(1))->cancelled);
  EXPECT_FALSE(node.Find(Id(1))->due_ms.has_value());
  EXPECT_FALSE(node.Find(Id(1))->fields.empty());
  // Routed again, as after a failover.
  ASSERT_TRUE(node.Add({Later(Id(1), "a", kStart + 1'000)}).ok());
  ASSERT_TRUE(node.Hold({Held(Id(1), "b", kStart + 1'000)}).ok());
  EXPECT_THAT(node.Waiting(), ElementsAre(Id(10).ToString(), Id(10).ToString() + "c"));
  node.SetTime(kStart + 1'000);
  ASSERT_TRUE(Eventually([&] { return node.Nids("a").size() + node.Nids("c").size() == 2; }));
  EXPECT_THAT(node.Nids("b"), IsEmpty());
  EXPECT_FALSE(node.Cancel(Id(10))) << "delivered";
  EXPECT_FALSE(node.Find(Id(10)).has_value());
}

TEST(RedisScheduleTest, PagesAreInTheOrderOfTimeOverStreamsAndUsers) {
  Server server;
  ScheduleNode node(server, 1, kStart);
  std::vector<notifier::Timer> timers, held, others;
  std::vector<std::string> wanted;
  for (uint64_t i = 0; i < 60; ++i) timers.push_back(Later(Id(i), "a", kStart + 1'000));
  for (uint64_t i = 0; i < 60; ++i) {
    others.push_back(Later(Id(i), "a", kStart + 1'000, kOther));
    wanted.push_back(NidOf(Id(i), kOther));
    wanted.push_back(NidOf(Id(i)));
    for (const char* user : {"b", "c"}) {
      held.push_back(Held(Id(i), user, kStart + 1'000));
      wanted.push_back(NidOf(Id(i)) + user);
    }
  }
  ASSERT_TRUE(node.Add(timers).ok());
  ASSERT_TRUE(node.Hold(held).ok());
  ASSERT_TRUE(node.AddToOther(others).ok());
  std::vector<std::string> listed;
  SchedulePlace after;
  for (bool more = true; more;) {
    const SchedulePage page = node.List(after, 7);
    ASSERT_FALSE(page.lines.empty());
    for (const auto& line : page.lines)
      listed.push_back(line.place.id.ToString() + "@" + line.place.stream + line.place.user);
    after = page.lines.back().place;
    more = page.more;
  }
  EXPECT_EQ(listed, wanted);
}

TEST(RedisScheduleTest, AnOlderOwnerCanDoNothing) {
  Server server;
  ScheduleNode older(server, 1, kStart);
  ASSERT_TRUE(older.Add({Later(Id(1), "a", kStart + 1'000)}).ok());
  ScheduleNode newer(server, 2, kStart);
  ASSERT_TRUE(newer.Add({Later(Id(2), "a", kStart + 1'000)}).ok());
  EXPECT_EQ(older.Add({Later(Id(3), "a", kStart + 1'000)}).code(), base::Code::kConflict);
  older.SetTime(kStart + 2'000);
  newer.SetTime(kStart + 500);
  EXPECT_THAT(newer.Waiting(), ElementsAre(Id(1).ToString(), Id(2).ToString())) << "it is refused";
  newer.SetTime(kStart + 1'000);
  ASSERT_TRUE(Eventually([&] { return newer.Nids("a").size() == 2; }));
  EXPECT_EQ(older.grown(), 0u);
}

// What a failover of the logs' server may take: the logs, while the schedule has it that all is done.
TEST(RedisScheduleTest, WhatHasFiredGoesThroughTheLogsAgain) {
  Server server;
  ScheduleNode node(server, 1, kStart);
  std::vector<notifier::Timer> timers;
  for (uint64_t i = 0; i < 600; ++i) timers.push_back(Later(Id(i), "u" + std::to_string(i % 2), kStart + 1'000));
  ASSERT_TRUE(node.Add(timers).ok());
  node.SetTime(kStart + 1'000);
  ASSERT_TRUE(Eventually([&] { return node.Nids("u0").size() + node.Nids("u1").size() == 600; }));
  ASSERT_TRUE(Eventually([&] {
    return Text(server.Ask({"ZCARD", TimerKeys(kStream, notifier::TimerKind::kDeliver)[5]})) == "600";
  }));
  const std::vector<std::string> before = node.Nids("u1");
  server.Ask({"DEL", logs::LogKey("u1")});
  node.OnCore([&] { node.schedule().timers().Again(); });
  ASSERT_TRUE(Eventually([&] { return node.Nids("u1").size() == 300; }));
  EXPECT_EQ(node.Nids("u1"), before);
  EXPECT_EQ(node.Nids("u0").size(), 300u) << "and nothing twice";
}

size_t Total() {
  const char* given = std::getenv("TOCSIN_SCHEDULED");
  return given == nullptr ? 20'000 : static_cast<size_t>(std::atoll(given));
}

// None early, none lost, none doubled, though the node is killed twenty times, most often in the middle of firing.
TEST(RedisScheduleTest, ADayWithTwentyRestarts) {
  const size_t total = Total(), users = std::max<size_t>(total / 500, 20);
  constexpr int64_t kDay = 24 * 3'600'000, kStep = 20 * 60'000;
  std::mt19937_64 random(20261124);
  Server server;
  uint64_t fence = 1;
  auto node = std::make_unique<ScheduleNode>(server, fence, kStart);
  std::vector<int64_t> due(total);
  const auto used_memory = [&] { return std::stoll(server.Info("memory", "used_memory")); };
  const int64_t empty = used_memory();
  const auto began = std::chrono::steady_clock::now();
  const auto seconds = [&] {
    return static_cast<double>((std::chrono::steady_clock::now() - began) / std::chrono::milliseconds(1)) / 1'000;
  };
  for (size_t i = 0; i < total;) {
    std::vector<notifier::Timer> batch;
    for (; i < total && batch.size() < 256; ++i) {
      due[i] = kStart + 1 + static_cast<int64_t>(random() % kDay);
      batch.push_back(Later(Id(i), "u" + std::to_string(random() % users), due[i]));
    }
    ASSERT_TRUE(node->Add(batch).ok());
  }
  std::printf("%zu scheduled after %.1f s: %lld bytes of Redis for each\n", total, seconds(),
              static_cast<long long>((used_memory() - empty) / static_cast<int64_t>(total)));
  int restarts = 0;
  for (int64_t now = kStart; now <= kStart + kDay + kStep; now += kStep) {
    node->SetTime(now);
    if (restarts < 20 && random() % 3 == 0) {
      for (auto turns = random() % 60; turns > 0; --turns) node->grown();  // of its Core
      node.reset();
      node = std::make_unique<ScheduleNode>(server, ++fence, now);
      ++restarts;
    }
    const std::string next = std::to_string(now);
    const auto keys = TimerKeys(kStream, notifier::TimerKind::kDeliver);
    ASSERT_TRUE(Eventually([&] {
      return Text(server.Ask({"ZCOUNT", keys[1], "-inf", next})) == "0" && Text(server.Ask({"ZCARD", keys[3]})) == "0";
    }));
  }
  std::printf("all fired after %.1f s, %d restarts\n", seconds(), restarts);
  EXPECT_EQ(restarts, 20);
  std::vector<int> seen(total);
  for (size_t user = 0; user < users; ++user) {
    auto promise = std::make_shared<std::promise<logs::LogPiece>>();
    node->logs().Read("u" + std::to_string(user), {}, 1'000'000, 1 << 30,
                      [promise](const base::Result<logs::LogPiece>& piece) { promise->set_value(*piece); });
    for (const logs::LogLine& line : promise->get_future().get().lines) {
      const size_t at = EntryId::Parse(line.entry->nid.substr(0, line.entry->nid.find('@')))->seq;
      ++seen[at];
      const auto delivered = static_cast<int64_t>(line.entry->id.ms);
      ASSERT_GE(delivered, due[at]) << "early";
      ASSERT_LE(delivered, due[at] + kStep + 1'000) << "late";
    }
  }
  EXPECT_EQ(std::count(seen.begin(), seen.end(), 1), static_cast<ptrdiff_t>(total));
}

}  // namespace
}  // namespace tocsin::nodes
