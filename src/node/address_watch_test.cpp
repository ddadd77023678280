#include "node/address_watch.h"

#include <gtest/gtest.h>

namespace margay::node {
namespace {

using namespace std::chrono_literals;

NodeAddresses at(const char* v4) {
  return {.v4 = HostAddress{.address = *base::IPAddress::parse(v4), .prefix_length = 24}};
}

class AddressWatchTest : public testing::Test {
 protected:
  // Whether a change of this interface leads to news, where the addresses are by then `now`.
  bool hears(const char* interface, std::optional<NodeAddresses> now) {
    base::EventLoop loop;
    bool changed = false;
    AddressWatch watch(
        loop, {.settle = 1ms},
        [&] {
          loop.stop();
          return now;
        },
        at("192.0.2.1"), [&] { changed = true; });
    watch.on_interface({.name = interface});
    loop.context().run_for(200ms);
    return changed;
  }
};

TEST_F(AddressWatchTest, HearsOfAnotherAddressAndOfNothingElse) {
  EXPECT_TRUE(hears("eth0", at("192.0.2.77")));
  EXPECT_FALSE(hears("eth0", at("192.0.2.1")));
  EXPECT_FALSE(hears("eth0", std::nullopt)) << "between two leases";
  EXPECT_FALSE(hears("cali1", at("192.0.2.77"))) << "a workload's interface";
  NodeAddresses both = at("192.0.2.1");
  both.v6 = HostAddress{.address = *base::IPAddress::parse("2001:db8::1"), .prefix_length = 64};
  EXPECT_TRUE(hears("eth0", both));
}

}  // namespace
}  // namespace margay::node
