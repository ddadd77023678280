// The plugins as a runtime sees them, in network namespaces of their own and on an embedded store.

#include "cni/plugin.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "base/file.h"
#include "cni/testing/plugin_fixture.h"
#include "ipam/ipam.h"
#include "net/sysctl.h"

namespace margay::cni {
namespace {

using base::IPAddress;
using net::testing::ScratchNamespace;
using testing::conf;
using testing::Container;
using testing::PluginTest;
using testing::reaches;

TEST_F(PluginTest, AddConnectsThePodInBothFamilies) {
  const auto result = add();
  ASSERT_EQ(result.addresses.size(), 2U);
  EXPECT_EQ(result.interfaces[0].name, host_interface_name({"shop", "web", ""}));
  EXPECT_EQ(result.interfaces[0].mac, "ee:ee:ee:ee:ee:ee");
  EXPECT_EQ(result.interfaces[1].name, "eth0");
  EXPECT_EQ(result.interfaces[1].sandbox, container_->path());
  for (const auto& address : result.addresses) EXPECT_TRUE(host_reaches(address));

  const std::string v4 = run_in(*container_, {"ip", "-4", "route"});
  EXPECT_NE(v4.find("default via 169.254.1.1 dev eth0"), std::string::npos) << v4;
  EXPECT_NE(v4.find("169.254.1.1 dev eth0 scope link"), std::string::npos) << v4;
  const std::string v6 = run_in(*container_, {"ip", "-6", "route"});
  EXPECT_NE(v6.find("default via fe80::ecee:eeff:feee:eeee dev eth0"), std::string::npos) << v6;
  const std::string link = run_in(*container_, {"ip", "link", "show", "eth0"});
  EXPECT_NE(link.find("mtu 1410"), std::string::npos) << link;

  EXPECT_EQ(annotation("podIP"), result.addresses[0].to_string() + "/32");
  EXPECT_EQ(annotation("podIPs"),
            result.addresses[0].to_string() + "/32," + result.addresses[1].to_string() + "/128");
  EXPECT_EQ(annotation("containerID"), "c1");
  EXPECT_EQ(problems(), std::vector<std::string>{});
}

TEST_F(PluginTest, HostSideForwardsAndChecksSources) {
  const auto result = add();
  const std::string name = result.interfaces[0].name;
  const std::map<std::string, std::string> wanted{
      {"ipv4/conf/" + name + "/proxy_arp", "1"},  {"ipv4/conf/" + name + "/rp_filter", "1"},
      {"ipv4/conf/" + name + "/forwarding", "1"}, {"ipv6/conf/" + name + "/proxy_ndp", "1"},
      {"ipv6/conf/" + name + "/forwarding", "1"}, {"ipv6/conf/" + name + "/accept_ra", "0"}};
  for (const auto& [path, value] : wanted) {
    const auto found = host_->get().run([&] { return net::read_sysctl("net/" + path); });
    EXPECT_EQ(found.value_or("missing"), value) << path;
  }
  const auto forwarding =
      container_->get().run([] { return net::read_sysctl("net/ipv4/ip_forward"); });
  EXPECT_EQ(forwarding.value(), "0");
}

TEST_F(PluginTest, ThePodReachesAnAddressBehindTheHost) {
  ASSERT_TRUE(host_->get().run([] { return net::write_sysctl("net/ipv4/ip_forward", "1"); }));
  add();
  EXPECT_TRUE(reaches(*container_, IPAddress::parse("192.0.2.1").value()));
  EXPECT_FALSE(reaches(*container_, IPAddress::parse("192.0.2.2").value())) << "nobody has it";
}

TEST_F(PluginTest, AddAgainGivesTheSameAndCutsNothing) {
  const auto first = add();
  auto socket = host_->socket();
  const int before = net::get_link(socket, first.interfaces[0].name).value().index;
  EXPECT_EQ(add(), first);
  EXPECT_EQ(net::get_link(socket, first.interfaces[0].name).value().index, before);
  EXPECT_EQ(assigned(), 2U);
}

// Who collects addresses that leaked reads the block before it looks for the pod (Ipam::keep).
TEST_F(PluginTest, AddAgainWritesTheBlocksOfWhatItGivesAgain) {
  const auto revisions_of_blocks = [&] {
    const auto blocks = store_.get().list({.resource = "ipamblocks.crd.projectcalico.org"}).value();
    std::vector<store::Revision> revisions;
    for (const auto& block : blocks.entries) revisions.push_back(block.revision);
    return revisions;
  };
  add();
  const auto before = revisions_of_blocks();
  ASSERT_EQ(before.size(), 2U);
  add();
  const auto after = revisions_of_blocks();
  EXPECT_GT(after[0], before[0]);
  EXPECT_GT(after[1], before[1]);
}

TEST_F(PluginTest, DelTakesAllBackAndMayBeRepeated) {
  add();
  for (int i = 0; i < 2; ++i) {
    const auto answer = call("DEL");
    EXPECT_EQ(answer.status, 0) << answer.output;
    EXPECT_EQ(answer.output, "");
    EXPECT_FALSE(host_has_interface());
    EXPECT_EQ(assigned(), 0U);
    EXPECT_EQ(annotation("podIP"), "");
    EXPECT_EQ(annotation("containerID"), "");
  }
  EXPECT_EQ(problems(), std::vector<std::string>{});
}

TEST_F(PluginTest, DelWorksWhenTheNamespaceAndThePodAreGone) {
  add();
  ASSERT_TRUE(net::NetworkNamespace::remove(container_->name()));
  store_.remove("pods", "shop", "web");
  EXPECT_EQ(call("DEL").status, 0);
  EXPECT_EQ(assigned(), 0U);
}

TEST_F(PluginTest, DelOfAnOlderContainerLeavesTheNewerAlone) {
  const ScratchNamespace old_sandbox("mt-cni");
  add({.id = "old", .sandbox = &old_sandbox});
  const auto result = add({.id = "new"});
  EXPECT_EQ(annotation("containerID"), "new");
  EXPECT_EQ(call("DEL", {.id = "old", .sandbox = &old_sandbox}).status, 0);
  EXPECT_EQ(annotation("containerID"), "new");
  EXPECT_EQ(assigned(), 2U);
  for (const auto& address : result.addresses) EXPECT_TRUE(host_reaches(address));
}

TEST_F(PluginTest, AddWaitsForTheClosedStartOfThisBoot) {
  const struct {
    const char* name;
    std::function<base::Result<>()> leave;
    int status;
  } cases[] = {
      {"no agent has run", [&] { return base::remove_file(node_state_.closed_start_file()); }, 1},
      {"one has, before the last boot",
       [&] { return base::write_file(node_state_.closed_start_file(), "another boot"); }, 1},
      {"one has", [&] { return base::mark_closed_start(node_state_); }, 0},
  };
  for (const auto& [name, leave, status] : cases) {
    ASSERT_TRUE(leave()) << name;
    const auto answer = call("ADD");
    EXPECT_EQ(answer.status, status) << name << answer.output;
    const bool told = answer.output.find(R"("code":11)") != std::string::npos;
    EXPECT_EQ(told, status != 0) << name << answer.output;
    EXPECT_EQ(assigned(), status == 0 ? 2U : 0U) << name;
    EXPECT_EQ(host_has_interface(), status == 0) << name;
  }
  ASSERT_TRUE(base::remove_file(node_state_.closed_start_file()));
  EXPECT_EQ(call("DEL").status, 0) << "DEL opens nothing, and waits for nobody";
}

TEST_F(PluginTest, TheMtuIsTheConfigurationsElseTheNodesElseTheKernels) {
  const std::string unset = R"({"cniVersion": "0.3.1", "name": "k8s-pod-network", "type": "calico",
      "nodename": "node1", "ipam": {"type": "calico-ipam"}, "policy": {"type": "k8s"}})";
  const auto mtu_with = [&](const std::string& input) {
    add({}, input);
    auto socket = container_->socket();
    const uint32_t mtu = net::get_link(socket, "eth0").value().mtu;
    EXPECT_EQ(call("DEL", {}, input).status, 0);
    return mtu;
  };
  EXPECT_EQ(mtu_with(unset), 1500U);
  ASSERT_TRUE(base::write_file(node_state_.mtu_file(), "many"));
  EXPECT_EQ(mtu_with(unset), 1500U) << "not a number: as if there were none";
  ASSERT_TRUE(base::write_workload_mtu(node_state_, 1310));
  EXPECT_EQ(mtu_with(unset), 1310U);
  EXPECT_EQ(mtu_with(conf()), 1410U);
}

// Calico v3.19.0 writes podIP and podIPs, and not whose they are.
TEST_F(PluginTest, DelOfAPodThatCalicosPluginAddedClearsItsAnnotations) {
  const ScratchNamespace old_sandbox("mt-cni");
  const auto older = add({.id = "old", .sandbox = &old_sandbox});
  const auto newer = add({.id = "new"});
  const auto annotate_as_calico = [&](const Addressing& result) {
    put_pod(fmt::format(R"({{"cni.projectcalico.org/podIP":"{0}/32",
                            "cni.projectcalico.org/podIPs":"{0}/32,{1}/128","kept":"x"}})",
                        result.addresses[0].to_string(), result.addresses[1].to_string()));
  };
  annotate_as_calico(newer);
  EXPECT_EQ(call("DEL", {.id = "old", .sandbox = &old_sandbox}).status, 0);
  EXPECT_EQ(annotation("podIP"), newer.addresses[0].to_string() + "/32") << "not its own";
  EXPECT_EQ(call("DEL", {.id = "new"}).status, 0);
  EXPECT_EQ(annotation("podIP"), "");
  EXPECT_EQ(annotation("podIPs"), "");
  EXPECT_EQ(assigned(), 0U);
  EXPECT_FALSE(host_has_interface());
  EXPECT_EQ(problems(), std::vector<std::string>{});
}

// What the CNI specification allows, and object names do not.
TEST_F(PluginTest, ContainersOfEveryIdAreAddedAndDeleted) {
  for (const char* id : {"pod_12ab", "ends-with-", "ends-with.", "0", "UPPER", "upper", "a..b"}) {
    add({.id = id});
    EXPECT_EQ(annotation("containerID"), id);
    EXPECT_EQ(assigned(), 2U) << id;
    EXPECT_EQ(call("DEL", {.id = id}).status, 0) << id;
    EXPECT_EQ(assigned(), 0U) << id;
    EXPECT_EQ(problems(), std::vector<std::string>{}) << id;
  }
}

TEST_F(PluginTest, CheckSeesWhetherAllIsAsAdded) {
  const auto result = add({}, conf("0.4.0"));
  const std::string input = conf("0.4.0", R"(, "prevResult": )" + result.to_json("0.4.0"));
  EXPECT_EQ(call("CHECK", {}, input).status, 0) << call("CHECK", {}, input).output;

  const std::string first = result.addresses[0].to_string();
  const struct {
    const char* name;
    std::function<void()> damage;
  } cases[] = {
      {"an address is gone",
       [&] { run_in(*container_, {"ip", "addr", "del", first + "/32", "dev", "eth0"}); }},
      {"a route is gone", [&] { run_in(*host_, {"ip", "route", "del", first}); }},
      {"it is down",
       [&] { run_in(*host_, {"ip", "link", "set", result.interfaces[0].name, "down"}); }},
      {"it is gone", [&] { run_in(*container_, {"ip", "link", "del", "eth0"}); }},
      {"the address is another's",
       [&] { ASSERT_TRUE(ipam::Ipam(store_.get()).release_handle("k8s-pod-network.c1")); }},
  };
  for (const auto& [name, damage] : cases) {
    damage();
    const auto answer = call("CHECK", {}, input);
    EXPECT_EQ(answer.status, 1) << name;
    EXPECT_NE(answer.output.find(R"("code":105)"), std::string::npos) << name << answer.output;
    if (std::string_view(name) == "the address is another's") break;
    EXPECT_EQ(add({}, conf("0.4.0")).addresses, result.addresses) << name << ": ADD repairs it";
    EXPECT_EQ(call("CHECK", {}, input).status, 0) << name;
  }
}

TEST_F(PluginTest, AnnotationsChooseAddressesPoolsAndMac) {
  store_.add_pool({.name = "special", .cidr = "10.9.0.0/24"});
  put_namespace(R"({"cni.projectcalico.org/ipv4pools":"[\"special\"]"})");
  EXPECT_TRUE(add().addresses[0].to_string().starts_with("10.9.0."));
  ASSERT_EQ(call("DEL").status, 0);

  put_pod(R"({"cni.projectcalico.org/ipv4pools":"[\"10.244.0.0/16\"]",
              "cni.projectcalico.org/hwAddr":"02:11:22:33:44:55"})");
  const auto result = add();
  EXPECT_TRUE(result.addresses[0].to_string().starts_with("10.244."))
      << "the pod's own is stronger";
  EXPECT_EQ(result.interfaces[1].mac, "02:11:22:33:44:55");
  ASSERT_EQ(call("DEL").status, 0);

  put_pod(R"({"cni.projectcalico.org/ipAddrs":"[\"10.244.7.7\"]"})");
  EXPECT_EQ(add().addresses, std::vector{IPAddress::parse("10.244.7.7").value()});
  const ScratchNamespace newer("mt-cni");
  EXPECT_EQ(add({.id = "c2", .sandbox = &newer}).addresses,
            std::vector{IPAddress::parse("10.244.7.7").value()})
      << "it moves to the newer container";
  ASSERT_EQ(call("DEL", {.id = "c1"}).status, 0);
  EXPECT_EQ(assigned(), 1U);
  ASSERT_EQ(call("DEL", {.id = "c2", .sandbox = &newer}).status, 0);

  put_pod(R"({"cni.projectcalico.org/ipAddrsNoIpam":"[\"192.0.2.7\"]"})");
  EXPECT_EQ(add({}, conf("0.3.1", R"(, "feature_control": {"ip_addrs_no_ipam": true})")).addresses,
            std::vector{IPAddress::parse("192.0.2.7").value()});
  EXPECT_EQ(assigned(), 0U);
}

// Whoever may make pods writes their annotations.
TEST_F(PluginTest, NoPodTakesTheAddressOfAnotherByNamingItsContainer) {
  store_.put("pods", "default", "victim", R"({"apiVersion":"v1","kind":"Pod",
      "metadata":{"name":"victim","namespace":"default"},"spec":{"nodeName":"node1"}})");
  ipam::Ipam ipam(store_.get());
  const auto address = IPAddress::parse("10.244.7.7").value();
  ASSERT_TRUE(ipam.assign_address(
      {"node1", "k8s-pod-network.theirs", {{"namespace", "default"}, {"pod", "victim"}}}, address));
  put_pod(R"({"cni.projectcalico.org/ipAddrs":"[\"10.244.7.7\"]",
              "cni.projectcalico.org/containerID":"theirs"})");
  EXPECT_NE(call("ADD").status, 0);
  EXPECT_EQ(ipam.addresses_of("k8s-pod-network.theirs").value(), std::vector{address});
}

TEST_F(PluginTest, RefusalsAreErrorObjectsAndLeaveNothing) {
  const struct {
    const char* name;
    const char* annotations;
    Container container;
    int code;
    const char* message;
  } cases[] = {
      {"no such pool",
       R"({"cni.projectcalico.org/ipv4pools":"[\"x\"]"})",
       {},
       101,
       R"(there is no IP pool \"x\")"},
      {"not a list",
       R"({"cni.projectcalico.org/ipv4pools":"x"})",
       {},
       100,
       R"(annotation cni.projectcalico.org/ipv4pools: \"x\" is not a JSON list of strings)"},
      {"outside the pools",
       R"({"cni.projectcalico.org/ipAddrs":"[\"192.0.2.1\"]"})",
       {},
       101,
       "address 192.0.2.1 is in no enabled IP pool"},
      {"both lists",
       R"({"cni.projectcalico.org/ipAddrs":"[\"10.244.0.1\"]",
           "cni.projectcalico.org/ipAddrsNoIpam":"[\"10.244.0.1\"]"})",
       {},
       100,
       "exclude each other"},
      {"two of a family",
       R"({"cni.projectcalico.org/ipAddrs":"[\"10.244.0.1\",\"10.244.0.2\"]"})",
       {},
       100,
       "a second address of its family"},
      {"no-ipam without leave",
       R"({"cni.projectcalico.org/ipAddrsNoIpam":"[\"192.0.2.1\"]"})",
       {},
       100,
       "feature_control.ip_addrs_no_ipam is off"},
      {"floating without leave",
       R"({"cni.projectcalico.org/floatingIPs":"[\"192.0.2.1\"]"})",
       {},
       100,
       "feature_control.floating_ips is off"},
      {"not a MAC", R"({"cni.projectcalico.org/hwAddr":"x"})", {}, 100, "is not a MAC address"},
      {"another pod of that name", "{}", {.uid = "u-2"}, 104, "is another by now"},
  };
  for (const auto& [name, annotations, container, code, message] : cases) {
    put_pod(annotations);
    const auto answer = call("ADD", container);
    EXPECT_EQ(answer.status, 1) << name;
    EXPECT_NE(answer.output.find(fmt::format(R"("code":{},)", code)), std::string::npos)
        << name << answer.output;
    EXPECT_NE(answer.output.find(message), std::string::npos) << name << answer.output;
    EXPECT_FALSE(host_has_interface()) << name;
    EXPECT_EQ(assigned(), 0U) << name;
  }
}

TEST_F(PluginTest, AMissingNamespaceIsCodeThreeAndAMissingPodCode104) {
  ASSERT_TRUE(net::NetworkNamespace::remove(container_->name()));
  auto answer = call("ADD");
  EXPECT_NE(answer.output.find(R"("code":3,)"), std::string::npos) << answer.output;
  EXPECT_EQ(assigned(), 0U) << "what was assigned is given back";
  store_.remove("pods", "shop", "web");
  answer = call("ADD");
  EXPECT_NE(answer.output.find(R"("code":104,"msg":"there is no pod shop/web")"), std::string::npos)
      << answer.output;
}

TEST_F(PluginTest, CheckBefore04AndUnknownVersionsAreRefused) {
  EXPECT_NE(call("CHECK").output.find(R"("code":1,)"), std::string::npos);
  const auto answer = call("ADD", {}, conf("0.1.0"));
  EXPECT_EQ(answer.status, 1);
  EXPECT_NE(answer.output.find(R"("code":1,)"), std::string::npos) << answer.output;
}

TEST_F(PluginTest, IpamAloneAssignsAndReleases) {
  auto answer = call("ADD", {}, conf(), store_.get(), answer_ipam_plugin);
  ASSERT_EQ(answer.status, 0) << answer.output;
  const auto result = Addressing::parse(api::parse_json(answer.output).value()).value();
  EXPECT_EQ(result.addresses.size(), 2U);
  EXPECT_TRUE(result.interfaces.empty());
  EXPECT_EQ(answer.output.find("interface\""), std::string::npos) << answer.output;
  const std::string previous = conf("0.4.0", R"(, "prevResult": )" + answer.output);
  EXPECT_EQ(call("CHECK", {}, previous, store_.get(), answer_ipam_plugin).status, 0);
  for (int i = 0; i < 2; ++i) {
    answer = call("DEL", {}, conf(), store_.get(), answer_ipam_plugin);
    EXPECT_EQ(answer.status, 0) << answer.output;
  }
  EXPECT_EQ(assigned(), 0U);
  EXPECT_EQ(call("CHECK", {}, previous, store_.get(), answer_ipam_plugin).status, 1);
}

// The kubelet knows it by its own UID, the API server by that of the pod that mirrors it.
TEST_F(PluginTest, AStaticPodIsKnownByItsMirror) {
  const auto put = [&](const std::string& mirror_of) {
    store_.put("pods", "shop", "web",
               R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"web","namespace":"shop",
                   "uid":"5c582d4d","annotations":{"kubernetes.io/config.mirror":")" +
                   mirror_of + R"("}},"spec":{"nodeName":"node1"}})");
  };
  const Container container{.uid = "1fa419d8"};
  put("other");
  EXPECT_NE(call("ADD", container).status, 0) << "the mirror of another";
  put("1fa419d8");
  const auto added = call("ADD", container);
  EXPECT_EQ(added.status, 0) << added.output;
  EXPECT_NE(store_.get().get({"pods", "shop", "web"})->value.find("cni.projectcalico.org/podIP"),
            std::string::npos);
  const auto removed = call("DEL", container);
  EXPECT_EQ(removed.status, 0) << removed.output;
}

}  // namespace
}  // namespace margay::cni
