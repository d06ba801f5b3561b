#include "notifier/delivery_limit.h"

#include "notifier/upkeep_fixture.h"

namespace tocsin::notifier {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class DeliveryLimitTest : public UpkeepTest {
 protected:
  DeliveryLimitTest() : limit_(*streams_, clock_) {}

  void Rule(std::string group, uint64_t max_deliveries) {
    streams_->SetRedelivery({{.stream = "s",
                              .group = std::move(group),
                              .redelivery = {.after_ms = 10'000, .backoff = 1, .max_deliveries = max_deliveries}}});
    Serve(limit_);
  }
  // The fields of each dead letter, as text.
  std::vector<std::string> Dead() {
    std::vector<std::string> letters;
    auto dead = streams_->Range("s:dead", {}, model::EntryId::Max());
    for (const streams::EntryView& entry : dead->list) {
      std::string& text = letters.emplace_back();
      for (const auto& [name, value] : entry.Fields()) text.append(name).append("=").append(value).append("; ");
    }
    return letters;
  }

  DeliveryLimit limit_;
};

TEST_F(DeliveryLimitTest, AnEntryThatAlwaysFailsIsADeadLetterWithItsStory) {
  Rule("g", 2);
  const std::string id = Add("s", "poison");
  MakeGroup("s", "g");
  EXPECT_EQ(Read("s", "g").size(), 1u);
  Pass(10'000);
  EXPECT_EQ(Read("s", "g").size(), 1u);
  Pass(9'000);
  EXPECT_THAT(Dead(), IsEmpty());
  Pass(1'000);
  EXPECT_THAT(Dead(), ElementsAre("tocsin_reason=not acknowledged after 2 deliveries, the last to the consumer "
                                  "`worker` 10 s ago; tocsin_stream=s; tocsin_id=" +
                                  id + "; tocsin_group=g; tocsin_attempts=2; f=poison; "));
  EXPECT_EQ(streams_->PendingOf("s", "g")->count, 0u);
  EXPECT_EQ(Length("s"), 1u);  // other groups may not have read it
  Pass(1'000'000);
  EXPECT_EQ(Dead().size(), 1u);
}

TEST_F(DeliveryLimitTest, EveryGroupOfAStreamAndWithinTheSecond) {
  Rule("*", 1);
  Add("s");
  MakeGroup("s", "a");
  MakeGroup("s", "b");
  Read("s", "a");
  Read("s", "b");
  Pass(10'999);
  EXPECT_EQ(Dead().size(), 2u);
}

TEST_F(DeliveryLimitTest, AFatalOneAtOnce) {
  Rule("g", 5);
  Add("s");
  MakeGroup("s", "g");
  const auto ids = Read("s", "g");
  ASSERT_TRUE(streams_->Nack("s", "g", ids, {.mode = streams::NackOptions::Mode::kFatal}).ok());
  Pass(1'000);
  ASSERT_EQ(Dead().size(), 1u);
  EXPECT_TRUE(Dead().front().starts_with("tocsin_reason=a consumer gave it back as not to be tried again; "));
}

TEST_F(DeliveryLimitTest, ManyAreTakenTurnByTurn) {
  Rule("g", 1);
  constexpr int kMany = 3 * DeliveryLimit::kAtOnce + 7;
  AddMany("s", kMany);
  MakeGroup("s", "g");
  Read("s", "g");
  Pass(11'000);
  EXPECT_EQ(Length("s:dead"), uint64_t{kMany});
  EXPECT_EQ(streams_->PendingOf("s", "g")->count, 0u);
}

TEST_F(DeliveryLimitTest, AnEntryThatIsGoneLeavesThePendingListOnly) {
  Rule("g", 1);
  Add("s");
  MakeGroup("s", "g");
  const auto ids = Read("s", "g");
  ASSERT_TRUE(streams_->Delete("s", ids).ok());
  Pass(11'000);
  EXPECT_THAT(Dead(), IsEmpty());
  EXPECT_EQ(streams_->PendingOf("s", "g")->count, 0u);
}

}  // namespace
}  // namespace tocsin::notifier
