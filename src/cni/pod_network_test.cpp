#include "cni/pod_network.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "base/process.h"
#include "net/interface_address.h"
#include "net/link.h"
#include "net/route.h"
#include "net/testing/scratch_namespace.h"

namespace margay::cni {
namespace {

using base::ErrorCode;
using base::IPAddress;
using base::Prefix;
using net::NetlinkSocket;
using net::testing::ScratchNamespace;

class PodNetworkTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto why = net::testing::why_no_namespaces(); !why.empty()) GTEST_SKIP() << why;
    host_ = std::make_unique<ScratchNamespace>("mt-cni");
    container_ = std::make_unique<ScratchNamespace>("mt-cni");
  }
  PodNetwork pod() const {
    return {
        .host_interface = "cali1",
        .container_interface = "eth0",
        .container_namespace = container_->path(),
        .addresses = {IPAddress::parse("10.0.0.1").value(), IPAddress::parse("fd00::1").value()},
        .routes = {Prefix::all(base::IPFamily::v4), Prefix::all(base::IPFamily::v6)}};
  }
  base::Result<Connected> connect_pod(const PodNetwork& pod) {
    return host_->get().run([&] { return connect(pod); });
  }
  base::Result<Connected> verify_pod(const PodNetwork& pod) {
    return host_->get().run([&] { return verify(pod); });
  }

  std::unique_ptr<ScratchNamespace> host_, container_;
};

// As /proc/PID/ns/net when the process is gone, and another one on the host has its number.
TEST_F(PodNetworkTest, TheHostsOwnNamespaceIsLeftAlone) {
  NetlinkSocket host = host_->socket();
  ASSERT_TRUE(net::create_bridge(host, "eth0"));
  auto of_host = pod();
  of_host.container_namespace = host_->path();
  const auto connected = connect_pod(of_host);
  ASSERT_FALSE(connected);
  EXPECT_NE(connected.error().message.find("host's own"), std::string::npos);
  EXPECT_TRUE(host_->get().run([&] { return disconnect(host_->path(), "eth0"); }));
  EXPECT_TRUE(net::get_link(host, "eth0"));
}

// What a crash or somebody else may have left there, from nothing to nearly all.
TEST_F(PodNetworkTest, ConnectWorksFromWhateverIsThere) {
  NetlinkSocket host = host_->socket(), container = container_->socket();
  const ScratchNamespace other("mt-cni");
  const auto pair = [&](int far_namespace) {
    return net::create_veth(
        host, {.near = {.name = "cali1"}, .far = {.name = "eth0"}, .far_namespace = far_namespace});
  };
  const struct {
    const char* name;
    std::function<void()> leave;
  } cases[] = {
      {"nothing", [] {}},
      {"a bare pair", [&] { ASSERT_TRUE(pair(container_->get().fd())); }},
      {"a pair to another container", [&] { ASSERT_TRUE(pair(other.get().fd())); }},
      {"an eth0 of another kind", [&] { ASSERT_TRUE(net::create_bridge(container, "eth0")); }},
      {"another address",
       [&] {
         auto with = pod();
         with.addresses = {IPAddress::parse("10.0.0.2").value()};
         ASSERT_TRUE(connect_pod(with));
       }},
      {"all but the routes",
       [&] {
         ASSERT_TRUE(connect_pod(pod()));
         const int link = net::get_link(host, "cali1").value().index;
         ASSERT_TRUE(net::delete_route(host, {.destination = Prefix(pod().addresses[0]),
                                              .link = link,
                                              .scope = net::RouteScope::link}));
       }},
      {"a route to the address by another interface",
       [&] {
         ASSERT_TRUE(net::create_bridge(host, "br"));
         ASSERT_TRUE(net::change_link(host, "br", {.up = true}));
         ASSERT_TRUE(net::add_route(host, {.destination = Prefix(pod().addresses[0]),
                                           .link = net::get_link(host, "br").value().index,
                                           .scope = net::RouteScope::link}));
       }},
      {"everything", [&] { ASSERT_TRUE(connect_pod(pod())); }},
  };
  for (const auto& [name, leave] : cases) {
    leave();
    const auto connected = connect_pod(pod());
    ASSERT_TRUE(connected) << name << ": " << connected.error().message;
    EXPECT_EQ(connected->host_mac.to_string(), "ee:ee:ee:ee:ee:ee") << name;
    EXPECT_TRUE(verify_pod(pod())) << name;
    ASSERT_TRUE(disconnect(container_->path(), "eth0")) << name;
    EXPECT_FALSE(net::get_link(host, "cali1")) << name;
  }
}

// The pod before with this address was allowed what this one is not, whether an agent runs or not.
TEST_F(PodNetworkTest, FlowsOfThePodBeforeAreForgottenAndOnesOwnAreKept) {
  const auto run = [&](std::vector<std::string> argv) {
    auto done =
        base::run_checked({.argv = std::move(argv), .network_namespace = host_->get().fd()});
    EXPECT_TRUE(done) << done.error().message;
    return done.value_or("");
  };
  const auto flows = [&] {
    const auto listed =
        run({"conntrack", "-L", "-f", "ipv4"}) + run({"conntrack", "-L", "-f", "ipv6"});
    return std::ranges::count(listed, '\n');
  };
  const auto establish = [&](const std::string& from, const std::string& to) {
    run({"conntrack", "-I", "-p", "tcp", "-t", "600", "--state", "ESTABLISHED", "-u", "ASSURED",
         "-s", from, "-d", to, "--sport", "40000", "--dport", "443"});
  };
  establish("192.0.2.9", "10.0.0.1");
  establish("10.0.0.1", "192.0.2.9");
  establish("fd00::1", "2001:db8::9");
  establish("192.0.2.9", "10.0.0.2");
  ASSERT_EQ(flows(), 4);
  ASSERT_TRUE(connect_pod(pod()));
  EXPECT_EQ(flows(), 1) << "of the other address";
  establish("10.0.0.1", "192.0.2.9");
  ASSERT_TRUE(connect_pod(pod()));
  EXPECT_EQ(flows(), 2) << "a second ADD of the same container finds it connected";
}

TEST_F(PodNetworkTest, DisconnectNeedsNothingToBeThere) {
  EXPECT_TRUE(disconnect(container_->path(), "eth0"));
  EXPECT_TRUE(disconnect("/run/netns/no-such-namespace", "eth0"));
  EXPECT_TRUE(disconnect("", "eth0"));
}

TEST_F(PodNetworkTest, ConnectSaysThatTheNamespaceIsGone) {
  auto gone = pod();
  gone.container_namespace = "/run/netns/no-such-namespace";
  const auto connected = connect_pod(gone);
  ASSERT_FALSE(connected);
  EXPECT_EQ(connected.error().code, ErrorCode::not_found);
}

}  // namespace
}  // namespace margay::cni
