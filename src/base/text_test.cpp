#include "base/text.h"

#include <gtest/gtest.h>

namespace margay::base {
namespace {

using Parts = std::vector<std::string_view>;

TEST(Text, IsSplit) {
  const struct {
    std::string_view text;
    Parts parts, trimmed;
  } k_cases[] = {
      {"", {""}, {}},
      {"a", {"a"}, {"a"}},
      {"a,b", {"a", "b"}, {"a", "b"}},
      {" a ,\tb\r\n", {" a ", "\tb\r\n"}, {"a", "b"}},
      {",a,,b,", {"", "a", "", "b", ""}, {"a", "b"}},
      {" , ", {" ", " "}, {}},
  };
  for (const auto& [text, parts, trimmed] : k_cases) {
    EXPECT_EQ(split(text, ','), parts) << text;
    EXPECT_EQ(split_trimmed(text, ','), trimmed) << text;
  }
  EXPECT_EQ(split("a;b,c", ';'), (Parts{"a", "b,c"}));
  EXPECT_EQ(trim(" \t"), "");
}

TEST(Hex, IsTwoDigitsAByteInLowerCase) {
  const std::vector<unsigned char> bytes = {0x00, 0x0f, 0xa0, 0xff};
  EXPECT_EQ(hex(bytes), "000fa0ff");
  EXPECT_EQ(hex({}), "");
}

}  // namespace
}  // namespace margay::base
