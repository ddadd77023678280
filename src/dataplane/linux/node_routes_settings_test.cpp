// What an operator's settings make of routes.

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "dataplane/linux/node_routes_fixture.h"

namespace margay::dataplane::linux_host {
namespace {

class RoutesAsSet : public NodeRoutesTest {
 protected:
  void set(Config config) {
    set_ = std::move(config);
    set_.node = "node";
    routes_ = std::move(*NodeRoutes::create(set_));
  }
  void resync() {
    routes_->resync();
    give({});
  }
  void add_foreign(const std::vector<std::string>& route) {
    std::vector<std::string> command{"ip", "route", "add"};
    command.insert(command.end(), route.begin(), route.end());
    output(command);
  }
  static std::string all() { return output({"ip", "route"}); }

 private:
  Config set_;
};

TEST_F(RoutesAsSet, CarryTheSourceThatPacketsOfTheNodeAreToHave) {
  add_uplink();
  add_interface("cali1");
  set({.route_source = ip("192.0.2.1")});
  const auto remote = policy::RouteUpdate{{.destination = net("10.66.0.0/26"),
                                           .kind = ProgramRoute::Kind::remote_workload,
                                           .node = "other",
                                           .next_hop = ip("192.0.2.2"),
                                           .same_subnet = true}};
  const auto block = policy::RouteUpdate{
      {.destination = net("10.65.0.0/26"), .kind = ProgramRoute::Kind::local_block}};
  give({workload("cali1"), local_route("10.65.0.2", "cali1"), local_route("fd00::2", "cali1"),
        remote, block});
  EXPECT_THAT(v4(), HasSubstr("10.65.0.2 dev cali1 scope link src 192.0.2.1"));
  EXPECT_THAT(v4(), HasSubstr("10.66.0.0/26 via 192.0.2.2 dev uplink src 192.0.2.1"));
  EXPECT_THAT(v4(), HasSubstr("blackhole 10.65.0.0/26"));
  EXPECT_THAT(v6(), HasSubstr("fd00::2 dev cali1")) << "the source is of IPv4";
}

TEST_F(RoutesAsSet, TakeAnotherSourceWhenItIsSetOtherwise) {
  add_uplink();
  add_interface("cali1");
  give({workload("cali1"), local_route("10.65.0.2", "cali1")});
  EXPECT_THAT(v4(), Not(HasSubstr("src")));
  set({.route_source = ip("192.0.2.1")});
  give({workload("cali1"), local_route("10.65.0.2", "cali1")});
  EXPECT_THAT(v4(), HasSubstr("src 192.0.2.1"));
  set({});
  give({workload("cali1"), local_route("10.65.0.2", "cali1")});
  EXPECT_THAT(v4(), Not(HasSubstr("src")));
}

TEST_F(RoutesAsSet, OfOthersDoNotLeadToAWorkload) {
  add_uplink();
  add_interface("cali1");
  give({workload("cali1"), local_route("10.65.0.2", "cali1")});
  add_foreign({"10.99.0.1", "dev", "cali1"});
  add_foreign({"10.99.1.0/24", "dev", "cali1", "proto", "bird"});
  add_foreign({"10.98.0.0/24", "dev", "uplink"});
  output({"ip", "address", "add", "169.254.9.1/24", "dev", "cali1"});
  resync();
  EXPECT_THAT(all(), Not(HasSubstr("10.99."))) << "the workload's are known";
  EXPECT_THAT(all(), HasSubstr("10.65.0.2 dev cali1"));
  EXPECT_THAT(all(), HasSubstr("10.98.0.0/24 dev uplink")) << "no interface of ours";
  EXPECT_THAT(all(), HasSubstr("169.254.9.0/24 dev cali1 proto kernel"));
  EXPECT_THAT(output({"ip", "-6", "route"}), HasSubstr("fe80::/64 dev cali1"));
}

TEST_F(RoutesAsSet, OfOthersStayUntilItIsKnownWhoseTheInterfaceIs) {
  add_interface("cali1");
  add_foreign({"10.65.0.9", "dev", "cali1"});
  give({});
  EXPECT_THAT(all(), HasSubstr("10.65.0.9 dev cali1")) << "the CNI plugin has just laid it";
}

TEST_F(RoutesAsSet, OfOthersStayWhereTheOperatorWantsIt) {
  add_interface("cali1");
  set({.remove_external_routes = false});
  add_foreign({"10.99.0.1", "dev", "cali1"});
  add_foreign({"10.99.0.2", "dev", "cali1", "proto", "80"});
  give({workload("cali1"), local_route("10.65.0.2", "cali1")});
  EXPECT_THAT(all(), HasSubstr("10.99.0.1 dev cali1"));
  EXPECT_THAT(all(), Not(HasSubstr("10.99.0.2"))) << "of our own protocol";
}

}  // namespace
}  // namespace margay::dataplane::linux_host
