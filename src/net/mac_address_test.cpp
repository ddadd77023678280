#include "net/mac_address.h"

#include <gtest/gtest.h>

namespace margay::net {
namespace {

TEST(MacAddress, IsReadAndWrittenAsSixHexPairs) {
  const auto mac = MacAddress::parse("0A:58:c0:a8:00:ff");
  ASSERT_TRUE(mac);
  EXPECT_EQ(mac->bytes, (std::array<uint8_t, 6>{0x0a, 0x58, 0xc0, 0xa8, 0x00, 0xff}));
  EXPECT_EQ(mac->to_string(), "0a:58:c0:a8:00:ff");
}

TEST(MacAddress, RefusesEverythingElse) {
  for (const char* text : {"", "0a:58:c0:a8:00", "0a:58:c0:a8:00:ff:01", "0a-58-c0-a8-00-ff",
                           "0g:58:c0:a8:00:ff", "a:58:c0:a8:00:0ff", "0a:58:c0:a8:00:+f"}) {
    const auto mac = MacAddress::parse(text);
    ASSERT_FALSE(mac) << text;
    EXPECT_EQ(mac.error().message, "\"" + std::string(text) + "\" is not a MAC address");
  }
}

}  // namespace
}  // namespace margay::net
