#include "base/result.h"

#include <gtest/gtest.h>

namespace margay::base {
namespace {

Result<int> half(int n) {
  if (n % 2 != 0) return fail(ErrorCode::invalid, std::to_string(n) + " is odd");
  return n / 2;
}

Result<int> quarter(int n) {
  MARGAY_TRY(const int once, half(n));
  MARGAY_CHECK(half(once));
  return half(once);
}

TEST(Result, TryReturnsTheFirstError) {
  EXPECT_EQ(quarter(8), 2);
  EXPECT_EQ(quarter(6).error().message, "3 is odd");
}

TEST(Error, WrapTellsItFromFurtherOut) {
  EXPECT_EQ(half(1).error().wrap("read pool").message, "read pool: 1 is odd");
}

TEST(FieldError, ReadsLikeKubernetes) {
  const FieldError error{FieldError::Type::invalid, "spec.nets[1]", "\"10.0.0/8\"",
                         "must be a CIDR"};
  EXPECT_EQ(error.message(), "spec.nets[1]: Invalid value: \"10.0.0/8\": must be a CIDR");
  const FieldError missing{FieldError::Type::required, "metadata.name", "", ""};
  EXPECT_EQ(missing.message(), "metadata.name: Required value");
  const Result<int> both = fail({error, missing});
  EXPECT_EQ(both.error().code, ErrorCode::invalid);
  EXPECT_EQ(both.error().message, "[" + error.message() + ", " + missing.message() + "]");
}

TEST(FailErrno, PicksTheCodeThatFits) {
  const Result<int> missing = fail_errno("open /x", ENOENT);
  EXPECT_EQ(missing.error().code, ErrorCode::not_found);
  EXPECT_EQ(missing.error().message, "open /x: No such file or directory");
}

}  // namespace
}  // namespace margay::base
