// What users prefer and what is limited, as the commit thread sees it: real store, real logs, time by hand.
#include "notifier/delivery.h"

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "logs/log_reader.h"
#include "notifier/counters.h"
#include "notifier/digest.h"
#include "notifier/rate_limiter.h"
#include "notifier/schedule.h"
#include "storage/failing_writes.h"
#include "storage/temp_dir.h"
#include "wire/instant.h"
#include "wire/json.h"

namespace tocsin::notifier {
namespace {

using model::Priority;
using state::Preferences;

class DeliveryTest : public testing::Test {
 protected:
  DeliveryTest() { Open(); }

  void Open() {
    committer_.reset();
    limiter_.reset();
    schedule_.reset();
    delivery_.reset();
    preferences_.reset();
    logs_.reset();
    store_.reset();
    auto opened = storage::OpenStore({.dir = dir_.path(), .min_free_bytes = 0, .faults = &faults_});
    CHECK_MSG(opened.ok(), opened.status().message());
    store_ = std::move(*opened);
    logs_ = std::make_unique<logs::UserLogs>(*store_, clock_,
                                             logs::UserLogsOptions{.max_entries = 1'000'000, .id_floor = {}}, nullptr);
    preferences_ = std::make_unique<logs::UserPreferences>(*store_, *logs_);
    delivery_ = std::make_unique<Delivery>(*store_, clock_, *logs_);
    schedule_ = std::make_unique<Schedule>(*store_, clock_, *delivery_);
    limiter_ = std::make_unique<RateLimiter>(*store_, clock_, state::RateLimits(rules_), *delivery_);
    delivery_->Ask(*preferences_, *schedule_, *limiter_);
    committer_ = std::make_unique<storage::Committer>(
        *store_, clock_,
        std::vector<storage::Participant*>{delivery_.get(), schedule_.get(), limiter_.get(), logs_.get(),
                                           preferences_.get()});
    committer_->Wake();
    Turn();
  }
  void Turn() {
    for (int turns = 0; committer_->RunTurn() && turns < 100'000; ++turns) {
    }
  }
  void Pass(int64_t ms, int64_t step = 100) {
    for (int64_t passed = 0; passed < ms; passed += step) {
      clock_.Advance(step);
      Turn();
    }
  }
  void At(std::string_view text) { clock_.Set(*wire::ParseRfc3339(text)); }

  void Prefer(const std::string& user, const Preferences& wanted) {
    EXPECT_TRUE(
        committer_->Submit([&](storage::Batch& batch) { ASSERT_TRUE(preferences_->Set(user, wanted, batch).ok()); })
            .ok());
    Turn();
  }
  // As the router would deliver the next entry of its stream; answers the nid.
  std::string Deliver(const std::vector<std::string>& users, std::string_view category,
                      Priority priority = Priority::kNormal) {
    const std::string nid = std::to_string(++entry_) + "-0";
    Deliver(nid, entry_, users, category, priority);
    Turn();
    return nid;
  }
  void Deliver(const std::string& nid, uint64_t entry, const std::vector<std::string>& users, std::string_view category,
               Priority priority) {
    model::Notification notification;
    notification.users = users;
    notification.message = "m";
    notification.category = category;
    notification.priority = priority;
    EXPECT_TRUE(committer_
                    ->Submit([=, this, at_ms = clock_.NowMs()](storage::Batch& batch) {
                      const Parcel parcel{nid, notification, notification.users, at_ms, {"s", {entry, 0}}};
                      ASSERT_TRUE(delivery_->Deliver(parcel, batch).ok());
                    })
                    .ok());
  }

  std::vector<logs::LogLine> Lines(std::string_view user) {
    return logs::LogReader(*store_).Read(user, {}, 1'000'000, SIZE_MAX, storage::Tier::kDisk).value().lines;
  }
  std::vector<std::string> Nids(std::string_view user) {
    std::vector<std::string> nids;
    for (const logs::LogLine& line : Lines(user)) nids.push_back(line.entry->nid);
    return nids;
  }
  std::vector<SchedulePage::Line> Held() { return schedule_->List({}, 1'000)->lines; }

  storage::TempDir dir_{storage::TempDir::Where::kMemory};
  base::ManualClock clock_;
  storage::FailingWrites faults_;
  std::vector<state::RateLimit> rules_;
  std::unique_ptr<storage::Store> store_;
  std::unique_ptr<logs::UserLogs> logs_;
  std::unique_ptr<logs::UserPreferences> preferences_;
  std::unique_ptr<Delivery> delivery_;
  std::unique_ptr<Schedule> schedule_;
  std::unique_ptr<RateLimiter> limiter_;
  std::unique_ptr<storage::Committer> committer_;
  uint64_t entry_ = 0;
};

using Texts = std::vector<std::string>;

Preferences Nights() { return {.quiet_hours = state::QuietHours{"Europe/Berlin", 22 * 60, 7 * 60}}; }

TEST_F(DeliveryTest, WhatOneUserMutesOthersGet) {
  Prefer("ann", {.mute = {"ads"}});
  const int64_t muted = ended_muted.Value();
  const std::string ad = Deliver({"ann", "bob"}, "ads", Priority::kCritical);
  const std::string bill = Deliver({"ann", "bob"}, "bills");
  EXPECT_EQ(Nids("ann"), Texts{bill});
  EXPECT_EQ(Nids("bob"), (Texts{ad, bill}));
  EXPECT_EQ(ended_muted.Value(), muted + 1);
  // What was passed over stays so, whatever the user says later.
  Prefer("ann", {});
  Deliver(ad, 1, {"ann", "bob"}, "ads", Priority::kCritical);
  Turn();
  EXPECT_EQ(Nids("ann"), Texts{bill});
  EXPECT_EQ(Nids("bob"), (Texts{ad, bill}));
  const std::string next = Deliver({"ann"}, "ads");
  EXPECT_EQ(Nids("ann"), (Texts{bill, next}));
}

TEST_F(DeliveryTest, QuietHoursHoldUntilTheyEnd) {
  Prefer("ann", Nights());
  At("2026-03-29T00:30:00+01:00");  // the night that loses an hour
  const std::string first = Deliver({"ann", "bob"}, "");
  const std::string urgent = Deliver({"ann"}, "", Priority::kCritical);
  const std::string second = Deliver({"ann"}, "", Priority::kHigh);
  EXPECT_EQ(Nids("ann"), Texts{urgent});
  EXPECT_EQ(Nids("bob"), Texts{first});
  ASSERT_EQ(Held().size(), 2u);
  EXPECT_EQ(Held()[0].place.deliver_at_ms, *wire::ParseRfc3339("2026-03-29T07:00:00+02:00"));
  EXPECT_EQ(Held()[0].place.user, "ann");
  Open();
  At("2026-03-29T06:59:59+02:00");
  Pass(900);
  EXPECT_EQ(Nids("ann"), Texts{urgent});
  Pass(1'000);
  EXPECT_EQ(Nids("ann"), (Texts{urgent, first, second}));
  EXPECT_TRUE(Held().empty());
}

TEST_F(DeliveryTest, WhatIsHeldIsAskedAboutAgain) {
  Prefer("ann", Nights());
  At("2026-01-10T23:00:00+01:00");
  Deliver({"ann"}, "ads");
  const std::string bill = Deliver({"ann"}, "bills");
  Prefer("ann", {.mute = {"ads"}, .quiet_hours = state::QuietHours{"Europe/Berlin", 6 * 60, 9 * 60}});
  EXPECT_TRUE(Nids("ann").empty()) << "what is held keeps its time";
  At("2026-01-11T07:00:00+01:00");
  Pass(1'000);
  EXPECT_EQ(Nids("ann"), Texts{bill}) << "held once; what is muted by then never comes";
  EXPECT_TRUE(Held().empty());
}

TEST_F(DeliveryTest, TheFirstOfAWindowAndADigestOfTheRest) {
  rules_ = {{"*", 2, 10'000}, {"news", 1, 60'000}};
  Open();
  const int64_t digested = ended_digested.Value();
  Texts nids;
  for (const Priority priority : {Priority::kLow, Priority::kLow, Priority::kHigh, Priority::kLow}) {
    nids.push_back(Deliver({"ann"}, "ads", priority));
    Pass(100);
  }
  const std::string urgent = Deliver({"ann"}, "ads", Priority::kCritical);
  const std::string other = Deliver({"ann"}, "bills");
  const std::string elsewhere = Deliver({"bob"}, "ads");
  EXPECT_EQ(Nids("ann"), (Texts{nids[0], nids[1], urgent, other}));
  EXPECT_EQ(Nids("bob"), Texts{elsewhere});
  Open();
  Pass(9'000);
  EXPECT_EQ(Nids("ann").size(), 4u);
  EXPECT_EQ(ended_digested.Value(), digested);
  Pass(1'500);
  ASSERT_EQ(Nids("ann").size(), 5u);
  EXPECT_EQ(ended_digested.Value(), digested + 2);
  const logs::LogEntry digest = *Lines("ann").back().entry;
  EXPECT_EQ(digest.nid, DigestNid(nids[2]));
  EXPECT_EQ(digest.priority, Priority::kHigh);
  const std::string json = "{" + digest.json + "}";
  const auto item = wire::ParseJson(json);
  ASSERT_TRUE(item.ok());
  EXPECT_EQ(wire::Find(*item, "data")->raw,
            R"({"digest":{"count":2,"category":"ads","nids":[")" + nids[2] + R"(",")" + nids[3] + R"("]}})");
  EXPECT_EQ(wire::Text(*wire::Find(*item, "body")), "2 more notifications in ads");
  // A new window.
  nids.push_back(Deliver({"ann"}, "ads"));
  EXPECT_EQ(Nids("ann").back(), nids[4]);
  Pass(20'000);
  EXPECT_EQ(Nids("ann").size(), 6u) << "nothing was summed up";
  EXPECT_EQ(Nids("bob"), Texts{elsewhere});
}

TEST_F(DeliveryTest, ADigestWaitsForTheEndOfQuietHoursAndIsNotLimitedItself) {
  rules_ = {{"*", 1, 60'000}};
  Open();
  Prefer("ann", Nights());
  At("2026-01-10T21:59:30+01:00");
  const std::string first = Deliver({"ann"}, "");
  const std::string second = Deliver({"ann"}, "");
  const std::string third = Deliver({"ann"}, "");
  At("2026-01-10T22:00:31+01:00");
  Pass(1'000);
  EXPECT_EQ(Nids("ann"), Texts{first});
  ASSERT_EQ(Held().size(), 1u);
  At("2026-01-11T07:00:00+01:00");
  const std::string fourth = Deliver({"ann"}, "");  // opens a window
  Pass(1'000);
  EXPECT_EQ(Nids("ann"), (Texts{first, fourth, DigestNid(second)}));
}

TEST_F(DeliveryTest, ARepeatIsNotCounted) {
  rules_ = {{"*", 1, 10'000}};
  Open();
  Deliver({"ann"}, "");
  const std::string second = Deliver({"ann"}, "");
  Deliver("1-0", 1, {"ann"}, "", Priority::kNormal);
  Deliver(second, 2, {"ann"}, "", Priority::kNormal);
  Turn();
  Pass(11'000);
  ASSERT_EQ(Lines("ann").size(), 2u);
  EXPECT_NE(Lines("ann")[1].entry->json.find("\"count\":1"), std::string::npos);
}

// Whatever fails and whenever it ends: each is delivered, muted or in just one digest.
TEST_F(DeliveryTest, NothingIsLostOrToldTwiceAcrossFailuresAndRestarts) {
  rules_ = {{"*", 2, 3'000}};
  Open();
  std::mt19937_64 random(20'261'124);
  const std::vector<std::string> users = {"ann", "bob"};
  for (int step = 0; step < 600; ++step) {
    switch (random() % 8) {
      case 0:
        Open();
        break;
      case 1:
        // A turn that fails takes what was asked for in it along: it is asked for again, as a router would.
        faults_.fail = true;
        Deliver(std::to_string(entry_ + 1) + "-0", entry_ + 1, users, "c", Priority::kLow);
        clock_.Advance(700);
        Turn();
        faults_.fail = false;
        break;
      default:
        Deliver(users, "c", random() % 4 == 0 ? Priority::kHigh : Priority::kLow);
    }
    Pass(static_cast<int64_t>(random() % 700), 350);
  }
  Pass(10'000);
  for (const std::string& user : users) {
    std::vector<std::string> told;
    for (const logs::LogLine& line : Lines(user)) {
      if (!IsDigest(line.entry->nid)) {
        told.push_back(line.entry->nid);
        continue;
      }
      const std::string json = "{" + line.entry->json + "}";
      const auto item = wire::ParseJson(json);
      ASSERT_TRUE(item.ok());
      const auto digest = *wire::Find(*wire::Find(*item, "data"), "digest");
      for (const auto& nid : wire::Elements(*wire::Find(digest, "nids"))) told.push_back(wire::Text(nid));
      EXPECT_EQ(wire::Integer(*wire::Find(digest, "count")).value(),
                static_cast<int64_t>(wire::Elements(*wire::Find(digest, "nids")).size()));
    }
    EXPECT_EQ(told.size(), entry_) << user;
    std::sort(told.begin(), told.end());
    EXPECT_EQ(std::unique(told.begin(), told.end()), told.end()) << user;
  }
}

}  // namespace
}  // namespace tocsin::notifier
