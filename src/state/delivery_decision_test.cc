#include "state/delivery_decision.h"

#include <gtest/gtest.h>

#include "state/time_zone.h"
#include "wire/instant.h"

namespace tocsin::state {
namespace {

using What = Decision::What;
using model::Priority;

// "2026-03-29T01:00:00Z", or with another offset.
int64_t At(std::string_view text) {
  const auto ms = wire::ParseRfc3339(text);
  EXPECT_TRUE(ms) << text;
  return ms.value_or(0);
}

Preferences Quiet(std::string tz, int from_hour, int from_minute, int to_hour, int to_minute) {
  return {.quiet_hours = QuietHours{std::move(tz), from_hour * 60 + from_minute, to_hour * 60 + to_minute}};
}

// Until when it is held; empty: it is not.
void ExpectHeld(const Preferences& preferences, std::string_view now, std::string_view until) {
  const Decision decision = Decide(preferences, "", Priority::kHigh, At(now));
  if (until.empty()) {
    EXPECT_EQ(decision.what, What::kDeliver) << now << " until " << decision.until_ms;
    return;
  }
  EXPECT_EQ(decision.what, What::kHold) << now;
  EXPECT_EQ(decision.until_ms, At(until)) << now << " until " << until;
}

TEST(DecisionTest, MutedWhateverItsPriority) {
  const Preferences muted{.mute = {"ads"}};
  for (const Priority priority : {Priority::kLow, Priority::kCritical}) {
    EXPECT_EQ(Decide(muted, "ads", priority, 0).what, What::kMute);
    EXPECT_EQ(Decide(muted, "bills", priority, 0).what, What::kDeliver);
    EXPECT_EQ(Decide(muted, "", priority, 0).what, What::kDeliver);
  }
}

TEST(DecisionTest, MuteComesBeforeQuietHours) {
  Preferences both = Quiet("UTC", 0, 0, 12, 0);
  both.mute = {"ads"};
  EXPECT_EQ(Decide(both, "ads", Priority::kLow, At("2026-01-01T01:00:00Z")).what, What::kMute);
  EXPECT_EQ(Decide(both, "x", Priority::kLow, At("2026-01-01T01:00:00Z")).what, What::kHold);
}

TEST(DecisionTest, CriticalPassesQuietHours) {
  EXPECT_EQ(Decide(Quiet("UTC", 0, 0, 12, 0), "", Priority::kCritical, At("2026-01-01T01:00:00Z")).what,
            What::kDeliver);
}

TEST(DecisionTest, HeldOnceButMutedStill) {
  Preferences both = Quiet("UTC", 0, 0, 12, 0);
  both.mute = {"ads"};
  EXPECT_EQ(Decide(both, "x", Priority::kLow, At("2026-01-01T01:00:00Z"), Held::kYes).what, What::kDeliver);
  EXPECT_EQ(Decide(both, "ads", Priority::kLow, At("2026-01-01T01:00:00Z"), Held::kYes).what, What::kMute);
}

TEST(DecisionTest, AZoneThatHasGoneHoldsNothing) {
  EXPECT_EQ(Decide(Quiet("Europe/Atlantis", 0, 0, 23, 59), "", Priority::kLow, 0).what, What::kDeliver);
}

TEST(QuietHoursTest, WithinADay) {
  const Preferences lunch = Quiet("UTC", 12, 0, 13, 30);
  ExpectHeld(lunch, "2026-01-01T11:59:59.999Z", "");
  ExpectHeld(lunch, "2026-01-01T12:00:00Z", "2026-01-01T13:30:00Z");
  ExpectHeld(lunch, "2026-01-01T13:29:59.999Z", "2026-01-01T13:30:00Z");
  ExpectHeld(lunch, "2026-01-01T13:30:00Z", "");
}

TEST(QuietHoursTest, OverMidnightInAZoneAheadAndBehind) {
  const Preferences berlin = Quiet("Europe/Berlin", 22, 0, 7, 0);
  ExpectHeld(berlin, "2026-01-10T21:59:59+01:00", "");
  ExpectHeld(berlin, "2026-01-10T22:00:00+01:00", "2026-01-11T07:00:00+01:00");
  ExpectHeld(berlin, "2026-01-11T00:30:00+01:00", "2026-01-11T07:00:00+01:00");
  ExpectHeld(berlin, "2026-01-11T07:00:00+01:00", "");
  ExpectHeld(Quiet("America/Los_Angeles", 22, 0, 7, 0), "2026-01-11T01:00:00-08:00", "2026-01-11T07:00:00-08:00");
  ExpectHeld(Quiet("Asia/Kolkata", 22, 0, 7, 0), "2026-01-11T06:59:00+05:30", "2026-01-11T07:00:00+05:30");
  ExpectHeld(berlin, "1969-12-31T23:30:00+01:00", "1970-01-01T07:00:00+01:00");
}

TEST(QuietHoursTest, AllButAMinute) {
  const Preferences most = Quiet("UTC", 0, 1, 0, 0);
  ExpectHeld(most, "2026-01-01T00:00:30Z", "");
  ExpectHeld(most, "2026-01-01T00:01:00Z", "2026-01-02T00:00:00Z");
  ExpectHeld(most, "2026-01-01T23:59:59Z", "2026-01-02T00:00:00Z");
}

// In Berlin 2026-03-29 there is no time from 02:00 to 03:00, and 2026-10-25 it comes twice. Both changes are at 01:00
// UTC.
TEST(QuietHoursTest, NightThatLosesAnHour) {
  const Preferences night = Quiet("Europe/Berlin", 22, 0, 7, 0);
  ExpectHeld(night, "2026-03-28T21:00:00Z", "2026-03-29T05:00:00Z");  // eight hours
  ExpectHeld(night, "2026-03-29T00:59:59Z", "2026-03-29T05:00:00Z");
  ExpectHeld(night, "2026-03-29T01:00:00Z", "2026-03-29T05:00:00Z");
  ExpectHeld(night, "2026-03-29T04:59:59Z", "2026-03-29T05:00:00Z");
  ExpectHeld(night, "2026-03-29T05:00:00Z", "");
  ExpectHeld(night, "2026-03-29T19:59:59Z", "");
  ExpectHeld(night, "2026-03-29T20:00:00Z", "2026-03-30T05:00:00Z");
}

TEST(QuietHoursTest, NightThatGainsAnHour) {
  const Preferences night = Quiet("Europe/Berlin", 22, 0, 7, 0);
  ExpectHeld(night, "2026-10-24T20:00:00Z", "2026-10-25T06:00:00Z");  // ten hours
  ExpectHeld(night, "2026-10-25T00:30:00Z", "2026-10-25T06:00:00Z");
  ExpectHeld(night, "2026-10-25T01:30:00Z", "2026-10-25T06:00:00Z");
  ExpectHeld(night, "2026-10-25T06:00:00Z", "");
}

TEST(QuietHoursTest, TimesThatAreSkippedMeanTheChange) {
  const Preferences from = Quiet("Europe/Berlin", 2, 30, 5, 0);
  ExpectHeld(from, "2026-03-29T00:59:59Z", "");
  ExpectHeld(from, "2026-03-29T01:00:00Z", "2026-03-29T03:00:00Z");
  const Preferences to = Quiet("Europe/Berlin", 1, 0, 2, 30);
  ExpectHeld(to, "2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z");
  ExpectHeld(to, "2026-03-29T01:00:00Z", "");
  const Preferences inside = Quiet("Europe/Berlin", 2, 15, 2, 45);  // a window that this day does not have
  ExpectHeld(inside, "2026-03-29T00:59:59Z", "");
  ExpectHeld(inside, "2026-03-29T01:00:00Z", "");
  ExpectHeld(inside, "2026-03-30T00:20:00Z", "2026-03-30T00:45:00Z");
}

TEST(QuietHoursTest, OfTimesThatComeTwiceTheFirstBeginsAndTheSecondEnds) {
  const Preferences from = Quiet("Europe/Berlin", 2, 30, 5, 0);
  ExpectHeld(from, "2026-10-25T00:29:59Z", "");
  ExpectHeld(from, "2026-10-25T00:30:00Z", "2026-10-25T04:00:00Z");
  ExpectHeld(from, "2026-10-25T01:10:00Z", "2026-10-25T04:00:00Z");
  const Preferences to = Quiet("Europe/Berlin", 1, 0, 2, 30);
  ExpectHeld(to, "2026-10-25T00:40:00Z", "2026-10-25T01:30:00Z");  // after the first 02:30
  ExpectHeld(to, "2026-10-25T01:30:00Z", "");
}

TEST(QuietHoursTest, ADayThatAZoneLeavesOut) {
  // Samoa went from 2011-12-29 to 2011-12-31, at 10:00 UTC.
  const Preferences night = Quiet("Pacific/Apia", 22, 0, 7, 0);
  ExpectHeld(night, "2011-12-30T09:00:00Z", "2011-12-30T10:00:00Z");
  ExpectHeld(night, "2011-12-30T18:00:00Z", "");
}

// Held against the zone's own clocks, minute by minute over a year with both changes.
TEST(QuietHoursTest, AgreesWithTheClocksOnTheWall) {
  const QuietHours night{"Europe/Berlin", 22 * 60, 7 * 60};
  const auto zone = TimeZone::Find(night.tz);
  ASSERT_TRUE(zone.ok());
  for (int64_t now = At("2026-01-01T00:00:00Z"); now < At("2027-01-01T00:00:00Z"); now += 7 * 60'000) {
    const int64_t minute = zone->ToLocalMs(now) / 60'000 % (24 * 60);
    const bool quiet = minute >= night.from || minute < night.to;
    const auto until = QuietUntil(night, now);
    ASSERT_TRUE(until.ok());
    ASSERT_EQ(until->has_value(), quiet) << now;
    if (!quiet) continue;
    ASSERT_EQ(zone->ToLocalMs(**until) / 60'000 % (24 * 60), night.to) << now;
  }
}

TEST(TimeZoneTest, FarMomentsDoNoHarm) {
  const auto zone = TimeZone::Find("Europe/Berlin");
  ASSERT_TRUE(zone.ok());
  for (const int64_t ms : {INT64_MIN / 2, int64_t{-1}, int64_t{0}, INT64_MAX / 2}) {
    EXPECT_LE(std::abs(zone->ToLocalMs(ms) - ms), 24 * 3'600'000);
    EXPECT_LE(std::abs(zone->ToUtcMs(ms, TimeZone::Twice::kFirst) - ms), 24 * 3'600'000);
  }
}

}  // namespace
}  // namespace tocsin::state
