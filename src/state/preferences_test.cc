#include "state/preferences.h"

#include <gtest/gtest.h>

#include "model/limits.h"

namespace tocsin::state {
namespace {

std::string FieldOf(std::string_view json) {
  Preferences out;
  const auto error = ParsePreferences(json, out);
  if (!error) return "good";
  EXPECT_TRUE(out.empty()) << "touched by what was refused";
  EXPECT_FALSE(error->message.empty());
  return error->field;
}

TEST(PreferencesTest, ReadsWhatItWrites) {
  Preferences out;
  const std::string json = R"({"mute":["a","z"],"quiet_hours":{"tz":"Europe/Berlin","from":"22:05","to":"07:00"}})";
  ASSERT_FALSE(ParsePreferences(json, out));
  EXPECT_EQ(out, (Preferences{{"a", "z"}, QuietHours{"Europe/Berlin", 22 * 60 + 5, 7 * 60}}));
  EXPECT_EQ(RenderPreferences(out), json);
  auto decoded = DecodePreferences(json);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(*decoded, out);
}

TEST(PreferencesTest, NothingSaidIsEmpty) {
  for (const char* json : {"{}", R"({"mute":[]})", R"({"mute":null,"quiet_hours":null})"}) {
    Preferences out{{"x"}, {}};
    ASSERT_FALSE(ParsePreferences(json, out)) << json;
    EXPECT_TRUE(out.empty());
    EXPECT_EQ(RenderPreferences(out), "{}");
  }
  EXPECT_TRUE(DecodePreferences("").value().empty());
}

TEST(PreferencesTest, MutedOnceEach) {
  Preferences out;
  ASSERT_FALSE(ParsePreferences(R"({"mute":["b","a","b"]})", out));
  EXPECT_EQ(out.mute, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(out.Mutes("a"));
  EXPECT_FALSE(out.Mutes("c"));
  EXPECT_FALSE(out.Mutes(""));
}

TEST(PreferencesTest, RefusesByName) {
  EXPECT_EQ(FieldOf("[]"), "");
  EXPECT_EQ(FieldOf("{"), "");
  EXPECT_EQ(FieldOf(R"({"mutes":[]})"), "mutes");
  EXPECT_EQ(FieldOf(R"({"mute":"a"})"), "mute");
  EXPECT_EQ(FieldOf(R"({"mute":["a",7]})"), "mute[1]");
  EXPECT_EQ(FieldOf(R"({"mute":[""]})"), "mute[0]");
  EXPECT_EQ(FieldOf(R"({"mute":[")" + std::string(model::kMaxCategory, 'c') + R"("]})"), "good");
  EXPECT_EQ(FieldOf(R"({"mute":[")" + std::string(model::kMaxCategory + 1, 'c') + R"("]})"), "mute[0]");
  EXPECT_EQ(FieldOf(R"({"quiet_hours":[]})"), "quiet_hours");
  EXPECT_EQ(FieldOf(R"({"quiet_hours":{}})"), "quiet_hours");
  const auto quiet = [](std::string_view members) {
    return FieldOf("{\"quiet_hours\":{" + std::string(members) + "}}");
  };
  EXPECT_EQ(quiet(R"("tz":"UTC","from":"00:00","to":"23:59")"), "good");
  EXPECT_EQ(quiet(R"("tz":"UTC","from":"00:00")"), "quiet_hours");
  EXPECT_EQ(quiet(R"("tz":"UTC","from":"00:00","to":"00:00")"), "quiet_hours.to");
  EXPECT_EQ(quiet(R"("tz":"UTC","from":"00:00","to":"24:00")"), "quiet_hours.to");
  EXPECT_EQ(quiet(R"("tz":"UTC","from":"00:60","to":"01:00")"), "quiet_hours.from");
  EXPECT_EQ(quiet(R"("tz":"UTC","from":"1:00","to":"01:00")"), "quiet_hours.from");
  EXPECT_EQ(quiet(R"("tz":"UTC","from":100,"to":"01:00")"), "quiet_hours.from");
  EXPECT_EQ(quiet(R"("tz":"UTC","from":"00:00","to":"01:00","on":"mon")"), "quiet_hours.on");
  for (const char* zone : {"Europe/Atlantis", "../../etc/passwd", "/etc/passwd", "", "europe/berlin", "Europe",
                           "right/Europe/Berlin", "zone.tab", "Europe/Berlin\\u0000"}) {
    EXPECT_EQ(quiet(R"("from":"00:00","to":"01:00","tz":")" + std::string(zone) + "\""), "quiet_hours.tz") << zone;
  }
  EXPECT_EQ(quiet(R"("from":"00:00","to":"01:00","tz":1)"), "quiet_hours.tz");
}

TEST(PreferencesTest, AtMostSoManyAreMuted) {
  std::string list;
  for (size_t n = 0; n < model::kMaxMutedCategories; ++n) list += (n ? ",\"" : "\"") + std::to_string(n) + "\"";
  EXPECT_EQ(FieldOf("{\"mute\":[" + list + "]}"), "good");
  EXPECT_EQ(FieldOf("{\"mute\":[" + list + ",\"0\"]}"), "mute");
}

TEST(PreferencesTest, StoredOnesMayNameAZoneThatHasGone) {
  auto decoded = DecodePreferences(R"({"quiet_hours":{"tz":"Europe/Atlantis","from":"00:00","to":"01:00"}})");
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->quiet_hours->tz, "Europe/Atlantis");
  EXPECT_EQ(DecodePreferences("{\"mute\":").status().code(), base::Code::kCorruption);
}

}  // namespace
}  // namespace tocsin::state
