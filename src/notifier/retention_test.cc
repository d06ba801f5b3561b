#include "notifier/retention.h"

#include <optional>

#include "notifier/upkeep_fixture.h"

namespace tocsin::notifier {
namespace {

class RetentionTest : public UpkeepTest {
 protected:
  void Rule(RetentionRule rule) {
    rule.stream = "s";
    retention_.emplace(*streams_, clock_, std::vector{rule});
    Serve(*retention_);
  }
  void Acknowledge(std::string_view group, size_t count = SIZE_MAX) {
    const auto ids = Read("s", group, count);
    ASSERT_TRUE(streams_->Ack("s", group, ids).ok());
  }
  void Look() { Pass(Retention::kEveryMs); }
  uint64_t Bytes() { return (*streams_->SizeOf("s"))->bytes; }

  std::optional<Retention> retention_;
};

TEST_F(RetentionTest, ByLengthToANode) {
  Rule({.entries = 1'000});
  AddMany("s", 5'050);
  Look();
  EXPECT_EQ(Length("s"), 1'050u);  // nodes of 100, the last one begun
}

TEST_F(RetentionTest, ByAge) {
  Rule({.age_ms = 60'000});
  AddMany("s", 200);
  Pass(30'000);
  AddMany("s", 200);
  Pass(30'000);
  EXPECT_EQ(Length("s"), 400u);
  Look();
  EXPECT_EQ(Length("s"), 200u);
  Pass(1'000'000);
  EXPECT_EQ(Length("s"), 0u);
}

TEST_F(RetentionTest, ByBytes) {
  const std::string value(1'000, 'x');
  Rule({.bytes = 100'000});
  AddMany("s", 1'000, value);
  EXPECT_GT(Bytes(), 1'000'000u);
  Look();
  EXPECT_LE(Bytes(), 100'000u);
  EXPECT_GT(Bytes(), 90'000u);
}

TEST_F(RetentionTest, ALongBacklogGoesWithoutWaitingForTheNextLook) {
  Rule({.entries = 100});
  for (int i = 0; i < 30; ++i) AddMany("s", 10'000);
  Look();  // and the turns that this one asks for
  EXPECT_EQ(Length("s"), 100u);
}

TEST_F(RetentionTest, WhatAGroupHasNotReadOrNotAcknowledgedStays) {
  Rule({.age_ms = 60'000, .entries = 100, .bytes = 4'096});
  AddMany("s", 1'000);
  MakeGroup("s", "fast");
  MakeGroup("s", "slow");
  Acknowledge("fast");
  Acknowledge("slow", 300);
  Pass(1'000'000);
  EXPECT_EQ(Length("s"), 700u);
  const auto held = Read("s", "slow", 300);
  Look();
  EXPECT_EQ(Length("s"), 700u);
  ASSERT_TRUE(streams_->Ack("s", "slow", held).ok());
  Acknowledge("slow");
  Look();
  EXPECT_EQ(Length("s"), 0u);
}

TEST_F(RetentionTest, UnlessToldToDropIt) {
  Rule({.entries = 100, .needed = Needed::kDrop});
  AddMany("s", 1'000);
  MakeGroup("s", "g");
  Read("s", "g", 50);
  Look();
  EXPECT_EQ(Length("s"), 100u);
  EXPECT_EQ(streams_->PendingOf("s", "g")->count, 0u);  // no ids are left of what is gone
}

TEST_F(RetentionTest, AnAbandonedGroupHoldsUpToTheCap) {
  const std::string value(1'000, 'x');
  Rule({.entries = 10, .cap_bytes = 1'000'000});
  MakeGroup("s", "abandoned");
  AddMany("s", 900, value);
  Read("s", "abandoned", 10);
  Look();
  EXPECT_EQ(Length("s"), 900u);
  AddMany("s", 2'000, value);
  Look();
  EXPECT_LE(Bytes(), 1'000'000u);
  EXPECT_GT(Bytes(), 990'000u);
  EXPECT_GT(Length("s"), 900u);
  EXPECT_EQ(streams_->PendingOf("s", "abandoned")->count, 0u);
}

TEST_F(RetentionTest, NothingGoesThatWasNotRouted) {
  const std::string value(1'000, 'x');
  Rule({.entries = 10, .cap_bytes = 100'000, .needed = Needed::kDrop});
  MakeGroup("s", "tocsin");
  AddMany("s", 1'000, value);
  Acknowledge("tocsin", 200);
  Look();
  EXPECT_GE(Length("s"), 800u);
  EXPECT_LT(Length("s"), 810u);
  Acknowledge("tocsin");
  Look();
  EXPECT_LE(Length("s"), 13u);
}

TEST_F(RetentionTest, AStreamThatIsNotThereIsNoMatter) {
  Rule({.age_ms = 1, .entries = 1, .bytes = 4'096, .cap_bytes = 4'096, .needed = Needed::kDrop});
  Look();
  EXPECT_FALSE(*streams_->Exists("s"));
}

}  // namespace
}  // namespace tocsin::notifier
