#include "net/conntrack.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>

#include "base/process.h"
#include "base/unique_fd.h"
#include "net/testing/scratch_namespace.h"

namespace margay::net {
namespace {

using base::IPAddress;
using base::Result;
using testing::ScratchNamespace;

// A datagram over loopback, which is enough for a tracked flow.
Result<> send_datagram(uint16_t port, const IPAddress& to) {
  const base::UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in destination{.sin_family = AF_INET, .sin_port = htons(port)};
  destination.sin_addr.s_addr = htonl(to.to_v4());
  if (sendto(socket.get(), "x", 1, 0, reinterpret_cast<const sockaddr*>(&destination),
             sizeof destination) != 1) {
    return base::fail_errno("send", errno);
  }
  return {};
}

class ConntrackTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto why = testing::why_no_namespaces(); !why.empty()) GTEST_SKIP() << why;
    scratch_ = std::make_unique<ScratchNamespace>();
    // Tracking starts in a namespace with the first rule that needs it.
    ASSERT_TRUE(
        run({"iptables", "-A", "INPUT", "-m", "conntrack", "--ctstate", "NEW", "-j", "ACCEPT"}));
  }
  Result<std::string> run(std::vector<std::string> argv) {
    return base::run_checked({.argv = std::move(argv), .network_namespace = scratch_->get().fd()});
  }
  size_t flows() {
    const auto listed = run({"conntrack", "-L", "-o", "id"}).value();
    return static_cast<size_t>(std::ranges::count(listed, '\n'));
  }

  std::unique_ptr<ScratchNamespace> scratch_;
};

TEST_F(ConntrackTest, ForgetsTheFlowsOfOneAddressOnly) {
  const auto loopback = IPAddress::v4(0x7f000001), other = IPAddress::v4(0x7f000002);
  ASSERT_TRUE(scratch_->get().run([&]() -> Result<> {
    for (uint16_t port = 1000; port < 1003; ++port) MARGAY_CHECK(send_datagram(port, other));
    return send_datagram(1000, loopback);
  }));
  const size_t before = flows();
  ASSERT_GE(before, 4U);

  NetlinkSocket socket = scratch_->socket(NETLINK_NETFILTER);
  EXPECT_EQ(delete_conntrack_flows(socket, other).value(), 3U);
  EXPECT_EQ(flows(), before - 3);
  EXPECT_EQ(delete_conntrack_flows(socket, other).value(), 0U);
  EXPECT_GE(delete_conntrack_flows(socket, loopback).value(), 1U);
}

TEST_F(ConntrackTest, FindsNothingInTheOtherFamily) {
  NetlinkSocket socket = scratch_->socket(NETLINK_NETFILTER);
  EXPECT_EQ(delete_conntrack_flows(socket, IPAddress::parse("fd00::1").value()).value(), 0U);
}

}  // namespace
}  // namespace margay::net
