#include "server/dead_letters.h"

#include <gtest/gtest.h>

namespace tocsin::server {
namespace {

using base::Code;
using base::Result;
using Fields = std::vector<std::pair<std::string, std::string>>;

const StreamEntry kLetter = {.id = "5-1",
                             .fields = {{"tocsin_reason", "`user_id`: required"},
                                        {"tocsin_stream", "s"},
                                        {"tocsin_id", "4-0"},
                                        {"tocsin_attempts", "1"},
                                        {"user", "ann"},
                                        {"message", "a=b~c"},
                                        {"tag", "one"},
                                        {"tag", "two"}}};

bool Holds(std::string_view text) {
  Result<FieldFilter> filter = FieldFilter::Parse(text);
  EXPECT_TRUE(filter.ok()) << text;
  return filter.ok() && filter->Holds(kLetter);
}

TEST(FieldFilter, EqualsAndContains) {
  EXPECT_TRUE(Holds("user=ann"));
  EXPECT_FALSE(Holds("user=an"));
  EXPECT_FALSE(Holds("user=anna"));
  EXPECT_TRUE(Holds("user~nn"));
  EXPECT_TRUE(Holds("user~"));
  EXPECT_FALSE(Holds("user="));
  EXPECT_FALSE(Holds("nobody~"));
  EXPECT_TRUE(Holds("tocsin_reason~user_id"));
  EXPECT_TRUE(Holds("tag=two"));
  EXPECT_FALSE(Holds("tag=three"));
}

TEST(FieldFilter, TheFirstSignCounts) {
  EXPECT_TRUE(Holds("message=a=b~c"));
  EXPECT_TRUE(Holds("message~=b~"));
  EXPECT_FALSE(Holds("message~=c"));
}

TEST(FieldFilter, WhatIsNone) {
  for (const char* text : {"", "user", "=ann", "~ann"}) {
    Result<FieldFilter> filter = FieldFilter::Parse(text);
    ASSERT_FALSE(filter.ok()) << text;
    EXPECT_EQ(filter.status().code(), Code::kInvalidArgument);
  }
}

TEST(Mending, LeavesOutWhatTheServerAdded) {
  EXPECT_EQ(Mending().Apply(kLetter), (Fields{{"user", "ann"}, {"message", "a=b~c"}, {"tag", "one"}, {"tag", "two"}}));
}

TEST(Mending, SetsAndUnsets) {
  Result<Mending> mending = Mending::Parse({"user=bob=x", "tag=", "user_id=ann"}, {"message", "nosuch"});
  ASSERT_TRUE(mending.ok());
  EXPECT_EQ(mending->Apply(kLetter), (Fields{{"user", "bob=x"}, {"tag", ""}, {"user_id", "ann"}}));
  EXPECT_TRUE(Mending::Parse({}, {"user", "message", "tag"})->Apply(kLetter).empty());
  for (const char* set : {"user", "=x", "", "tocsin_id=1"}) EXPECT_FALSE(Mending::Parse({set}, {}).ok()) << set;
}

TEST(DeadLetterChoice, IsCheckedBeforeAServerIsAsked) {
  DeadLettersOptions options;
  options.ids = {"10-0", "9-5", "10-0"};
  Result<DeadLetterChoice> choice = DeadLetterChoice::Parse(options);
  ASSERT_TRUE(choice.ok());
  EXPECT_EQ(choice->ids, (std::vector<std::string>{"9-5", "10-0"}));  // each once: else it would be redriven twice
  options.ids = {"01-0", "1-0"};
  EXPECT_EQ(DeadLetterChoice::Parse(options)->ids.size(), 1u);
  options.selection = DeadLettersOptions::Selection::kAll;
  EXPECT_FALSE(DeadLetterChoice::Parse(options).ok());
  options.selection = DeadLettersOptions::Selection::kChosen;
  options.older_than = "7d";
  EXPECT_FALSE(DeadLetterChoice::Parse(options).ok());
  options.ids = {};
  EXPECT_EQ(DeadLetterChoice::Parse(options)->older_than_ms, 604'800'000);
  options.newer_than = "soon";
  EXPECT_FALSE(DeadLetterChoice::Parse(options).ok());
  options.newer_than = "";
  options.ids = {"1"};
  options.older_than = "";
  EXPECT_FALSE(DeadLetterChoice::Parse(options).ok());
  options.ids = {};
  options.filters = {"user=ann", "user"};
  EXPECT_FALSE(DeadLetterChoice::Parse(options).ok());
}

TEST(DeadLetter, OfARouterAndOfAGroup) {
  EXPECT_EQ(FailedGroup(kLetter), "");
  EXPECT_EQ(FailedGroup({.id = "1-0", .fields = {{"tocsin_group", "tocsin"}}}), "");
  EXPECT_EQ(FailedGroup({.id = "1-0", .fields = {{"tocsin_group", "mailer"}}}), "mailer");
  EXPECT_EQ(DeadLetterJson(kLetter),
            R"({"id":"5-1","reason":"`user_id`: required","former_id":"4-0","attempts":"1","group":null,)"
            R"("fields":{"user":"ann","message":"a=b~c","tag":"one","tag":"two"}})");
}

TEST(DeadLetterSource, TheFirstIngestStreamByDefault) {
  Config config;
  DeadLettersOptions options;
  EXPECT_EQ(DeadLetterSource(options, config).value(), "notifications_stream");
  config.ingest_streams = {{"a", 1}, {"b", 1}};
  EXPECT_EQ(DeadLetterSource(options, config).value(), "a");
  options.stream = "audit";
  EXPECT_EQ(DeadLetterSource(options, config).value(), "audit");
  options.stream = "audit:dead";
  EXPECT_NE(DeadLetterSource(options, config).status().message().find("`audit`"), std::string_view::npos);
}

}  // namespace
}  // namespace tocsin::server
