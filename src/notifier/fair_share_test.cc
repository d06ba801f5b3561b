#include "notifier/fair_share.h"

#include <gtest/gtest.h>

namespace tocsin::notifier {
namespace {

constexpr auto kSome = FairShare::Backlog::kSome;
constexpr auto kNone = FairShare::Backlog::kNone;

TEST(FairShareTest, ByWeightAmongThoseThatHaveABacklog) {
  FairShare share;
  const size_t main = share.Add(1), bulk = share.Add(1), urgent = share.Add(8);
  EXPECT_FALSE(share.any());
  share.Set(bulk, kSome);
  EXPECT_EQ(share.Of(bulk, 4'096), 4'096u) << "alone it has all";
  share.Set(urgent, kSome);
  share.Set(urgent, kSome);  // once more changes nothing
  EXPECT_EQ(share.Of(bulk, 900), 100u);
  EXPECT_EQ(share.Of(urgent, 900), 800u);
  EXPECT_EQ(share.Of(main, 1'000), 100u) << "what it would have with a backlog";
  EXPECT_TRUE(share.Has(bulk));
  share.Set(urgent, kNone);
  EXPECT_EQ(share.Of(bulk, 900), 900u);
  share.Set(bulk, kNone);
  EXPECT_FALSE(share.any());
}

TEST(FairShareTest, NobodyGetsNothing) {
  FairShare share;
  const size_t small = share.Add(1), large = share.Add(100);
  share.Set(small, kSome);
  share.Set(large, kSome);
  EXPECT_EQ(share.Of(small, 10), 1u);
}

}  // namespace
}  // namespace tocsin::notifier
