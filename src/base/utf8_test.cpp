#include "base/utf8.h"

#include <gtest/gtest.h>

namespace margay::base {
namespace {

TEST(Utf8, WhatIsMalformedIsFoundAndReplacedByteByByte) {
  struct {
    std::string_view text;
    size_t malformed;
    std::string_view repaired;
  } const cases[] = {
      {"", std::string_view::npos, ""},
      {"plain", std::string_view::npos, "plain"},
      {"\xc2\x80 \xe2\x82\xac \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf", std::string_view::npos,
       "\xc2\x80 \xe2\x82\xac \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf"},
      {"a\xff\xfe z", 1, "a\xef\xbf\xbd\xef\xbf\xbd z"},
      {"\xc0\x80", 0, "\xef\xbf\xbd\xef\xbf\xbd"},                  // overlong
      {"\xed\xa0\x80", 0, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},  // a surrogate
      {"x\xe2\x82", 1, "x\xef\xbf\xbd\xef\xbf\xbd"},                // cut off
      {"\xf4\x90\x80\x80", 0, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
  };
  for (const auto& test : cases) {
    EXPECT_EQ(find_malformed_utf8(test.text), test.malformed) << test.text;
    EXPECT_EQ(is_utf8(test.text), test.malformed == std::string_view::npos) << test.text;
    EXPECT_EQ(to_utf8(test.text), test.repaired) << test.text;
  }
}

}  // namespace
}  // namespace margay::base
