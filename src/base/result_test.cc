#include "base/result.h"

#include <gtest/gtest.h>

namespace tocsin::base {
namespace {

Status FailsWhen(bool fail) {
  RETURN_IF_ERROR(fail ? Status(Code::kNotFound, "no stream `x`") : Ok());
  return Ok();
}

TEST(StatusTest, OkIsOnePointerAndCopies) {
  static_assert(sizeof(Status) == sizeof(void*));
  Status failure(Code::kNoSpace, "disk full");
  Status copy = failure;
  EXPECT_EQ(copy.code(), Code::kNoSpace);
  EXPECT_EQ(copy.ToString(), "no space: disk full");
  copy = Ok();
  EXPECT_TRUE(copy.ok());
  EXPECT_FALSE(failure.ok());
}

TEST(StatusTest, ReturnIfErrorLeavesWithTheFailure) {
  EXPECT_TRUE(FailsWhen(false).ok());
  EXPECT_EQ(FailsWhen(true).message(), "no stream `x`");
}

TEST(ResultTest, HoldsAValueOrAFailure) {
  Result<std::string> good = std::string("x");
  ASSERT_TRUE(good.ok());
  EXPECT_EQ(std::move(good).value(), "x");
  Result<int> bad = Status(Code::kInternal, "why");
  EXPECT_FALSE(bad.ok());
  EXPECT_DEATH(static_cast<void>(bad.value()), "CHECK failed");
}

}  // namespace
}  // namespace tocsin::base
