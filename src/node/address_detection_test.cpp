#include "node/address_detection.h"

#include <gtest/gtest.h>

namespace margay::node {
namespace {

using base::IPFamily;

HostAddress address(const char* interface_name, const char* text, unsigned length, bool up = true) {
  return {interface_name, up, *base::IPAddress::parse(text), length};
}

const std::vector<HostAddress> k_host = {
    address("lo", "127.0.0.1", 8),           address("docker0", "172.17.0.1", 16),
    address("eth0", "192.0.2.9", 24, false), address("eth1", "169.254.9.9", 16),
    address("eth1", "192.0.2.1", 24),        address("bond0.10", "198.51.100.7", 25),
    address("eth1", "fe80::1", 64),          address("eth1", "2001:db8::1", 64),
};

struct Case {
  const char* method;
  IPFamily family;
  const char* expected;  // null: none
};

TEST(DetectAddress, FollowsTheMethod) {
  const Case cases[] = {
      {"first-found", IPFamily::v4, "192.0.2.1/24"},
      {"first-found", IPFamily::v6, "2001:db8::1/64"},
      {"interface=bond.*", IPFamily::v4, "198.51.100.7/25"},
      {"interface=docker0", IPFamily::v4, "172.17.0.1/16"},
      {"interface=nope,bond", IPFamily::v4, "198.51.100.7/25"},
      {"interface=eth0", IPFamily::v4, nullptr},
      {"skip-interface=eth.*", IPFamily::v4, "198.51.100.7/25"},
      {"skip-interface=eth.*,bond.*", IPFamily::v4, nullptr},
      {"cidr=203.0.113.0/24,198.51.100.0/24", IPFamily::v4, "198.51.100.7/25"},
      {"cidr=203.0.113.0/24", IPFamily::v4, nullptr},
      {"interface=eth9, bond", IPFamily::v4, "198.51.100.7/25"},
      {"interface= eth9 ,\tbond0 ,", IPFamily::v4, "198.51.100.7/25"},
      {"skip-interface=eth.* , docker", IPFamily::v4, "198.51.100.7/25"},
      {"cidr=10.0.0.0/8, 198.51.100.0/24", IPFamily::v4, "198.51.100.7/25"},
      {R"(interface=^bond\d+\.10$)", IPFamily::v4, "198.51.100.7/25"},
      {"interface=(?i)BOND", IPFamily::v4, "198.51.100.7/25"},
      {R"(interface=\bond)", IPFamily::v4, nullptr},
  };
  for (const auto& [method, family, expected] : cases) {
    const auto found = detect_address(k_host, family, method);
    EXPECT_EQ(found ? found->to_string() : "none", expected ? expected : "none") << method;
  }
}

TEST(DetectAddress, TakesInterfacesInTheKernelsOrder) {
  const std::vector<dataplane::Interface> interfaces{
      {.name = "aaa",
       .index = 7,
       .up = true,
       .addresses = {{*base::IPAddress::parse("192.0.2.7"), 24}}},
      {.name = "zzz",
       .index = 2,
       .up = true,
       .addresses = {{*base::IPAddress::parse("192.0.2.2"), 25}}}};
  const auto found = detect_address(addresses_of(interfaces), IPFamily::v4, "first-found");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->to_string(), "192.0.2.2/25");
}

TEST(DetectAddress, RefusesMethodsItDoesNotKnow) {
  for (const char* method : {"", "random", "interface=", "interface=(", "interface= , ",
                             "skip-interface=,", "interface=(?=e)", "cidr=x", "can-reach=x"}) {
    const auto found = detect_address(k_host, IPFamily::v4, method);
    ASSERT_FALSE(found) << method;
    EXPECT_EQ(found.error().code, base::ErrorCode::invalid) << method;
  }
}

TEST(DetectAddress, CanReachTakesTheKernelsSourceAddress) {
  const auto found =
      detect_address({address("eth0", "127.0.0.2", 8)}, IPFamily::v4, "can-reach=127.0.0.1");
  EXPECT_FALSE(found) << "the source would be 127.0.0.1, which is a loopback";
}

}  // namespace
}  // namespace margay::node
