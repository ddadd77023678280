#include "node/interface_exclusion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "node/agent.h"
#include "node/host_interfaces.h"
#include "node/parameters.h"

namespace margay::node {
namespace {

using dataplane::Interface;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Key;
using testing::UnorderedElementsAre;

Interface link(const char* name) {
  return {.name = name, .up = true, .addresses = {{*base::IPAddress::parse("192.0.2.1"), 24}}};
}

struct Known final : dataplane::InterfaceSource::Listener {
  std::map<std::string, Interface> interfaces;
  void on_interfaces(const std::vector<Interface>& all) override {
    interfaces.clear();
    for (const auto& interface : all) on_interface(interface);
  }
  void on_interface(const Interface& interface) override { interfaces[interface.name] = interface; }
  void on_interface_removed(const std::string& name) override { interfaces.erase(name); }
};

TEST(InterfaceExclusion, LeavesOutTheNamesThatItsPatternsFind) {
  const auto parameters =
      resolve({{{"InterfaceExclude", "kube-ipvs0,/^nodelocaldns/,dummy.x"}}}).value();
  EXPECT_EQ(parameters.parameters.interface_exclude, Parameters{}.interface_exclude)
      << "one that is no name and no expression makes it the default";
  const auto patterns =
      resolve({{{"InterfaceExclude", "kube-ipvs0, /^dummy[0-9]/"}}})->parameters.interface_exclude;
  Known known;
  InterfaceExclusion exclusion(patterns, InterfaceExclusion::Of::interfaces, known);
  exclusion.on_interfaces({link("eth0"), link("kube-ipvs0"), link("dummy1")});
  exclusion.on_interface(link("dummy2"));
  exclusion.on_interface(link("kube-ipvs00"));
  exclusion.on_interface(link("xdummy2"));
  EXPECT_THAT(known.interfaces,
              UnorderedElementsAre(Key("eth0"), Key("kube-ipvs00"), Key("xdummy2")));
  exclusion.on_interface_removed("dummy2");
  exclusion.on_interface_removed("kube-ipvs00");
  EXPECT_THAT(known.interfaces, UnorderedElementsAre(Key("eth0"), Key("xdummy2")));
}

TEST(InterfaceExclusion, MayLeaveOutAddressesOnly) {
  Known known;
  InterfaceExclusion exclusion({"^eth0$"}, InterfaceExclusion::Of::addresses, known);
  exclusion.on_interfaces({link("eth0"), link("eth1")});
  EXPECT_THAT(known.interfaces, ElementsAre(Key("eth0"), Key("eth1")));
  EXPECT_TRUE(known.interfaces["eth0"].up) << "whether it is up is told";
  EXPECT_THAT(known.interfaces["eth0"].addresses, IsEmpty());
  EXPECT_THAT(known.interfaces["eth1"].addresses, testing::SizeIs(1));
  exclusion.on_interface_removed("eth0");
  EXPECT_THAT(known.interfaces, ElementsAre(Key("eth1")));
}

TEST(InterfaceExclusion, WithoutPatternsIsNone) {
  Known known;
  InterfaceExclusion exclusion(
      resolve({{{"InterfaceExclude", "none"}}})->parameters.interface_exclude,
      InterfaceExclusion::Of::interfaces, known);
  exclusion.on_interfaces({link("kube-ipvs0")});
  EXPECT_THAT(known.interfaces, ElementsAre(Key("kube-ipvs0")));
}

// The agent's, and those of whoever checks what it has programmed.
TEST(AgentInterfaces, TheEnforcerHearsOfEachAndTheAgentOfThoseThatAreNotExcluded) {
  Known enforcer, agent;
  AgentInterfaces heard({"^docker0$"}, enforcer, agent);
  HostInterfaces host;
  host.on_interfaces({link("eth0"), link("docker0")});
  heard.listen_to(host);
  EXPECT_THAT(enforcer.interfaces, UnorderedElementsAre(Key("eth0"), Key("docker0")));
  EXPECT_THAT(enforcer.interfaces["docker0"].addresses, IsEmpty());
  EXPECT_THAT(agent.interfaces, ElementsAre(Key("eth0")));
}

TEST(AgentOptions, AreThoseOfTheParameters) {
  const auto resolved =
      resolve({{{"InterfacePrefix", "eni,azv"}, {"RouteSource", "WorkloadIPs"}}}).value();
  const auto options = Agent::Options::of("node", resolved.parameters, {{{"a", "b"}}});
  EXPECT_EQ(options.node, "node");
  EXPECT_EQ(options.route_source, RouteSource::workload_ips);
  EXPECT_TRUE(options.workload_interfaces.contains("azv1"));
  EXPECT_EQ(options.stored_settings, (std::vector<Settings>{{{"a", "b"}}}));
}

}  // namespace
}  // namespace margay::node
