#include "base/address.h"

#include <gtest/gtest.h>

namespace margay::base {
namespace {

TEST(IPAddress, ReadsAndWritesCanonicalText) {
  const std::pair<const char*, const char*> cases[] = {
      {"10.0.0.1", "10.0.0.1"},
      {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
      {"::ffff:1.2.3.4", "::ffff:1.2.3.4"},
      {"::", "::"},
  };
  for (const auto& [in, out] : cases) EXPECT_EQ(IPAddress::parse(in)->to_string(), out) << in;
}

TEST(IPAddress, RefusesWhatIsNotAnAddress) {
  for (const char* text :
       {"", "10.0.0", "010.0.0.1", "10.0.0.1 ", "10.0.0.256", "1::2::3", "fe80::1%eth0"})
    EXPECT_FALSE(IPAddress::parse(text)) << text;
  EXPECT_FALSE(IPAddress::parse(std::string_view("10.0.0.1\0x", 10)));
}

TEST(IPAddress, CountsAcrossBytesAndWrapsAtTheEnd) {
  EXPECT_EQ(IPAddress::parse("10.0.0.255")->plus(1).to_string(), "10.0.1.0");
  EXPECT_EQ(IPAddress::parse("fd00::ffff:ffff")->plus(1).to_string(), "fd00::1:0:0");
  EXPECT_EQ(IPAddress::parse("255.255.255.255")->plus(1).to_string(), "0.0.0.0");
}

TEST(Prefix, MasksHostBits) {
  EXPECT_EQ(Prefix::parse("10.1.2.3/8")->to_string(), "10.0.0.0/8");
  EXPECT_EQ(Prefix::parse("10.1.2.3")->to_string(), "10.1.2.3/32");
  EXPECT_EQ(Prefix::parse("2001:db8::ff/121")->to_string(), "2001:db8::80/121");
  EXPECT_EQ(Prefix::parse("10.1.2.3/0")->to_string(), "0.0.0.0/0");
  EXPECT_FALSE(Prefix::parse_strict("10.1.2.3/8"));
  EXPECT_TRUE(Prefix::parse_strict("10.0.0.0/8"));
}

TEST(Prefix, RefusesWhatIsNotAPrefix) {
  for (const char* text :
       {"10.0.0/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/08", "::/129", "/8"})
    EXPECT_FALSE(Prefix::parse(text)) << text;
}

TEST(Prefix, ContainsItsOwnFamilyOnly) {
  const Prefix ten = *Prefix::parse("10.0.0.0/8");
  EXPECT_TRUE(ten.contains(*IPAddress::parse("10.255.0.1")));
  EXPECT_FALSE(ten.contains(*IPAddress::parse("11.0.0.0")));
  EXPECT_FALSE(ten.contains(*IPAddress::parse("a00::")));
  EXPECT_TRUE(ten.contains(*Prefix::parse("10.2.0.0/16")));
  EXPECT_FALSE(ten.contains(*Prefix::parse("0.0.0.0/0")));
  EXPECT_TRUE(ten.overlaps(*Prefix::parse("0.0.0.0/0")));
  EXPECT_EQ(ten.last().to_string(), "10.255.255.255");
  EXPECT_EQ(Prefix::parse("fd00::/121")->last().to_string(), "fd00::7f");
}

}  // namespace
}  // namespace margay::base
