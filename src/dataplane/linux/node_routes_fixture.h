#pragma once

// For tests of routes: a network namespace with a kernel of its own tables.

#include <gmock/gmock.h>

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/linux/node_routes.h"
#include "dataplane/testing/kernel_fixture.h"
#include "net/interface_address.h"

namespace margay::dataplane::linux_host {

using policy::IPAddress;
using policy::Prefix;
using policy::ProgramRoute;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

inline IPAddress ip(const char* text) { return *IPAddress::parse(text); }
inline Prefix net(const char* text) { return *Prefix::parse(text); }

inline policy::Delta workload(const std::string& interface, bool admin_up = true) {
  policy::ProgramWorkload workload;
  workload.endpoint = {.key = {"node", "k8s", "default/" + interface, "eth0"},
                       .interface_name = interface,
                       .mac = "02:00:00:00:00:01",
                       .admin_up = admin_up};
  return policy::WorkloadUpdate{workload};
}

inline policy::Delta local_route(const char* destination, const std::string& interface) {
  return policy::RouteUpdate{{.destination = net(destination),
                              .kind = ProgramRoute::Kind::local_workload,
                              .interface_name = interface}};
}

inline const std::set<policy::IPFamily> k_both = {policy::IPFamily::v4, policy::IPFamily::v6};

class NodeRoutesTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (IsSkipped()) return;
    routes_ = std::move(*NodeRoutes::create(config_));
  }
  void give(const std::vector<policy::Delta>& deltas) {
    for (const auto& delta : deltas) routes_->on_delta(delta);
    const auto applied = routes_->apply(k_both);
    ASSERT_TRUE(applied) << applied.error().message;
  }
  void add_uplink() {
    add_interface("uplink");
    ASSERT_TRUE(net::add_address(*socket_, {.link = net::get_link(*socket_, "uplink")->index,
                                            .address = ip("192.0.2.1"),
                                            .prefix_length = 24}));
  }
  static std::string v4() { return output({"ip", "-4", "route", "show", "proto", "80"}); }
  static std::string v6() { return output({"ip", "-6", "route", "show", "proto", "80"}); }

  const Config config_{.node = "node"};
  std::unique_ptr<NodeRoutes> routes_;
};

}  // namespace margay::dataplane::linux_host
