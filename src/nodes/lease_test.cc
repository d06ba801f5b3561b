#include "nodes/lease.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nodes/nodes_fixture.h"

namespace tocsin::nodes {
namespace {

using fixture::Eventually;
using fixture::Server;
using fixture::Text;
using redis::fixture::TestClient;

constexpr char kKey[] = "tocsin:{s}:s:lease";
constexpr char kCounter[] = "tocsin:{s}:s:lease:fence";

// A node that wants the lease and looks after it, until it is frozen.
class Wanting final : public Lease::Holder {
 public:
  enum class Ticks { kMany, kNone };
  Wanting(const Server& server, const std::string& name, Ticks ticks = Ticks::kMany) : client_(server.url()) {
    client_.Run([&](redis::Client& client) {
      lease_ = std::make_unique<Lease>(client_.thread().core(), client, kKey, name, *this);
      if (ticks == Ticks::kNone) return;
      client_.thread().core().Every(50, [this] {
        if (lease_) lease_->Tick();
      });
    });
  }
  ~Wanting() override {
    Thaw();
    client_.Run([](redis::Client& client) { client.Stop(); });
  }
  void Freeze() {
    frozen_ = true;
    client_.thread().core().Post([this] { frozen_.wait(true); });
  }
  void Thaw() {
    frozen_ = false;
    frozen_.notify_all();
  }
  void Release() {
    client_.Run([this](redis::Client&) { lease_->Release(); });
  }
  void TickAndRelease() {
    client_.Run([this](redis::Client&) {
      lease_->Tick();
      lease_->Release();
    });
  }
  void Renumber(uint64_t seen) {
    client_.Run([this, seen](redis::Client&) { lease_->Renumber(seen); });
  }
  bool held() {
    bool held = false;
    client_.Run([&](redis::Client&) { held = lease_->held(); });
    return held;
  }
  // Read without asking its Core, which may be frozen.
  uint64_t fence() const { return fence_; }
  int taken() const { return taken_; }
  int lost() const { return lost_; }

 private:
  void OnLease(uint64_t fence) override {
    fence_ = fence;
    ++taken_;
  }
  void OnLeaseLost() override { ++lost_; }

  std::atomic<bool> frozen_{false};
  std::atomic<uint64_t> fence_{0};
  std::atomic<int> taken_{0}, lost_{0};
  std::unique_ptr<Lease> lease_;
  TestClient client_;  // ends before it
};

TEST(LeaseTest, OneAtATimeAndTheHolderKeepsIt) {
  Server server;
  Wanting a(server, "a");
  ASSERT_TRUE(Eventually([&] { return a.held(); }));
  Wanting b(server, "b");
  // Several renewals later nothing has changed.
  server.Ask({"CONFIG", "RESETSTAT"});
  ASSERT_TRUE(Eventually([&] { return server.Info("commandstats", "cmdstat_pexpire").starts_with("calls=5,"); }));
  EXPECT_TRUE(a.held());
  EXPECT_EQ(a.taken(), 1);
  EXPECT_EQ(b.taken(), 0);
  EXPECT_EQ(Text(server.Ask({"GET", kKey})), "a");
  EXPECT_GE(a.fence(), 1'700'000'000'000u) << "not below the clock";
}

TEST(LeaseTest, AFrozenHolderLosesItAndFindsOutWhenItGoesOn) {
  Server server;
  Wanting a(server, "a");
  ASSERT_TRUE(Eventually([&] { return a.held(); }));
  Wanting b(server, "b");
  a.Freeze();
  ASSERT_TRUE(Eventually([&] { return b.held(); }));
  EXPECT_GT(b.fence(), a.fence());
  EXPECT_EQ(a.lost(), 0) << "it does not know yet";
  a.Thaw();
  ASSERT_TRUE(Eventually([&] { return a.lost() == 1; }));
  EXPECT_FALSE(a.held());
  EXPECT_TRUE(b.held());
}

TEST(LeaseTest, ReleaseHandsItOverAtOnce) {
  Server server;
  Wanting a(server, "a");
  ASSERT_TRUE(Eventually([&] { return a.held(); }));
  Wanting b(server, "b");
  a.Release();
  EXPECT_EQ(a.lost(), 1);
  ASSERT_TRUE(Eventually([&] { return server.Ask({"GET", kKey}).text != "a"; }));
  ASSERT_TRUE(Eventually([&] { return b.held(); }, Lease::kTtlMs - 1'000)) << "it did not wait for the expiry";
  EXPECT_GT(b.fence(), a.fence());
  EXPECT_EQ(a.taken(), 1) << "it tries no more";
}

TEST(LeaseTest, WhatIsTakenWhileBeingReleasedIsGivenBack) {
  Server server;
  Wanting a(server, "a", Wanting::Ticks::kNone);
  a.TickAndRelease();  // the answer comes to one that does not want it any more
  ASSERT_TRUE(Eventually([&] { return server.Ask({"EXISTS", kCounter}).integer == 1; })) << "taken";
  Wanting b(server, "b");
  ASSERT_TRUE(Eventually([&] { return b.held(); }, Lease::kTtlMs - 1'000));
  EXPECT_EQ(a.taken(), 0);
}

TEST(LeaseTest, NumbersGrowAlsoWhenTheCounterIsLost) {
  Server server;
  auto a = std::make_unique<Wanting>(server, "a");
  ASSERT_TRUE(Eventually([&] { return a->held(); }));
  const uint64_t first = a->fence();
  server.Ask({"DEL", kCounter});
  a->Release();
  Wanting b(server, "b");
  ASSERT_TRUE(Eventually([&] { return b.held(); }));
  EXPECT_GT(b.fence(), first) << "by the clock";
  // By the counter, where that is ahead of the clock.
  server.Ask({"SET", kCounter, "4000000000000"});
  b.Release();
  Wanting c(server, "c");
  ASSERT_TRUE(Eventually([&] { return c.held(); }));
  EXPECT_EQ(c.fence(), 4'000'000'000'001u);
}

TEST(LeaseTest, TakenAnewWhenAHigherNumberWasUsed) {
  Server server;
  Wanting a(server, "a"), b(server, "b");
  ASSERT_TRUE(Eventually([&] { return a.held() || b.held(); }));
  Wanting& holder = a.held() ? a : b;
  holder.Renumber(4'000'000'000'000);
  ASSERT_TRUE(Eventually([&] { return holder.taken() == 2; }));
  EXPECT_EQ(holder.fence(), 4'000'000'000'001u);
  EXPECT_EQ(holder.lost(), 1) << "what went under the old number has ended";
  EXPECT_TRUE(holder.held());
  EXPECT_EQ(a.taken() + b.taken(), 2);
  // Who does not hold it gets nothing by that.
  Wanting& other = &holder == &a ? b : a;
  other.Renumber(5'000'000'000'000);
  server.Ask({"CONFIG", "RESETSTAT"});
  ASSERT_TRUE(Eventually([&] { return server.Info("commandstats", "cmdstat_pexpire").starts_with("calls=2,"); }));
  EXPECT_EQ(other.taken(), 0);
  EXPECT_TRUE(holder.held());
}

TEST(LeaseTest, WithoutTheServerTheHolderGivesUpByItsOwnClock) {
  Server server;
  Wanting a(server, "a");
  ASSERT_TRUE(Eventually([&] { return a.held(); }));
  server.Freeze();
  ASSERT_TRUE(Eventually([&] { return a.lost() == 1; }));
  EXPECT_FALSE(a.held());
  server.Thaw();
  ASSERT_TRUE(Eventually([&] { return a.held(); })) << "and goes on when it is back";
  server.Restart();
  server.Ask({"FLUSHALL"});
  const uint64_t before = a.fence();
  ASSERT_TRUE(Eventually([&] { return a.fence() > before; })) << "an empty server knows no holder";
}

}  // namespace
}  // namespace tocsin::nodes
