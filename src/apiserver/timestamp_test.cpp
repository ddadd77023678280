#include "apiserver/timestamp.h"

#include <gtest/gtest.h>

namespace margay::apiserver {
namespace {

TEST(TimestampTest, ReadsAndWrites) {
  struct {
    const char* text;
    const char* micro;  // what it is to the microsecond; empty: no time
  } const cases[] = {
      {"2021-04-30T12:00:00Z", "2021-04-30T12:00:00.000000Z"},
      {"2021-04-30T14:00:00+02:00", "2021-04-30T12:00:00.000000Z"},
      {"2021-04-30t07:30:00.5-04:30", "2021-04-30T12:00:00.500000Z"},
      {"1969-12-31T23:59:59.999999999z", "1969-12-31T23:59:59.999999Z"},
      {"0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"},
      {"9999-12-31T23:59:59Z", "9999-12-31T23:59:59.000000Z"},
      {"2020-02-29T00:00:00Z", "2020-02-29T00:00:00.000000Z"},
      {"2021-02-29T00:00:00Z", ""},
      {"2021-13-01T00:00:00Z", ""},
      {"2021-04-30T24:00:00Z", ""},
      {"2021-04-30T12:00:00", ""},
      {"2021-04-30T12:00:00.Z", ""},
      {"2021-04-30T12:00:00Zx", ""},
      {"2021-4-30T12:00:00Z", ""},
      {"", ""},
  };
  for (const auto& test : cases) {
    const auto time = parse_timestamp(test.text);
    EXPECT_EQ(time ? to_micro_time(*time) : "", test.micro) << test.text;
  }
  EXPECT_EQ(to_time(*parse_timestamp("2021-04-30T12:00:00.9Z")), "2021-04-30T12:00:00Z");
}

TEST(TimestampTest, OnlyFourDigitYearsCanBeWritten) {
  EXPECT_TRUE(is_writable(*parse_timestamp("0001-01-01T00:00:00Z")));
  EXPECT_FALSE(is_writable(*parse_timestamp("0001-01-01T00:00:00+01:00")));
  EXPECT_FALSE(is_writable(*parse_timestamp("9999-12-31T23:59:59-01:00")));
}

}  // namespace
}  // namespace margay::apiserver
