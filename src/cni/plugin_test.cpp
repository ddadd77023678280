// The plugins as a runtime sees them, in network namespaces of their own and on an embedded store.

#include "cni/plugin.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

#include "api/codec.h"
#include "base/process.h"
#include "base/unique_fd.h"
#include "cni/result.h"
#include "ipam/check.h"
#include "ipam/ipam.h"
#include "ipam/testing/faulty_store.h"
#include "ipam/testing/scratch_store.h"
#include "net/interface_address.h"
#include "net/link.h"
#include "net/route.h"
#include "net/sysctl.h"
#include "net/testing/scratch_namespace.h"

namespace margay::cni {
namespace {

using base::IPAddress;
using ipam::testing::Crash;
using ipam::testing::Fault;
using ipam::testing::FaultyStore;
using ipam::testing::NthWrite;
using net::testing::ScratchNamespace;

constexpr const char* k_conf = R"({{"cniVersion": "{}", "name": "k8s-pod-network", "type": "calico",
  "nodename": "node1", "mtu": 1410,
  "ipam": {{"type": "calico-ipam", "assign_ipv4": "true", "assign_ipv6": "true"}},
  "policy": {{"type": "k8s"}} {}}})";

std::string conf(const char* version = "0.3.1", const std::string& more = "") {
  return fmt::format(k_conf, version, more);
}

// Whether packets go there and come back: a TCP connection is accepted, or refused by that host.
bool reaches(const ScratchNamespace& from, const IPAddress& to) {
  const auto connected = from.get().run([&]() -> base::Result<bool> {
    sockaddr_storage address{};
    const base::UniqueFd socket(
        ::socket(to.is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    constexpr uint16_t k_port = 9;
    if (to.is_v4()) {
      auto& v4 = reinterpret_cast<sockaddr_in&>(address);
      v4 = {.sin_family = AF_INET, .sin_port = htons(k_port)};
      std::ranges::copy(to.bytes(), reinterpret_cast<uint8_t*>(&v4.sin_addr));
    } else {
      auto& v6 = reinterpret_cast<sockaddr_in6&>(address);
      v6 = {.sin6_family = AF_INET6, .sin6_port = htons(k_port)};
      std::ranges::copy(to.bytes(), reinterpret_cast<uint8_t*>(&v6.sin6_addr));
    }
    if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
      return true;
    }
    if (errno != EINPROGRESS) return errno == ECONNREFUSED;
    pollfd polled{socket.get(), POLLOUT, 0};
    if (poll(&polled, 1, 3000) != 1) return false;
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    return error == 0 || error == ECONNREFUSED;
  });
  return connected.value_or(false);
}

struct Container {
  std::string id = "c1";
  const ScratchNamespace* sandbox = nullptr;  // null: the test's own
  std::string uid = "u-1";
  std::string folders = "/nowhere";
};

class PluginTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto why = net::testing::why_no_namespaces(); !why.empty()) GTEST_SKIP() << why;
    host_ = std::make_unique<ScratchNamespace>("mt-cni");
    container_ = std::make_unique<ScratchNamespace>("mt-cni");
    give_host_addresses();
    store_.add_pool({.name = "four", .cidr = "10.244.0.0/16"});
    store_.add_pool({.name = "six", .cidr = "fd00:244::/48"});
    put_namespace("{}");
    put_pod("{}");
  }
  // A host has addresses of its own to send from.
  void give_host_addresses() {
    auto socket = host_->socket();
    const int loopback = net::get_link(socket, "lo").value().index;
    for (const char* text : {"192.0.2.1", "2001:db8::1"}) {
      const auto address = IPAddress::parse(text).value();
      ASSERT_TRUE(net::add_address(
          socket, {.link = loopback, .address = address, .prefix_length = address.bits()}));
    }
  }
  void put_namespace(const std::string& annotations) {
    store_.put("namespaces", "", "shop",
               fmt::format(R"({{"apiVersion":"v1","kind":"Namespace",
                   "metadata":{{"name":"shop","annotations":{}}}}})",
                           annotations));
  }
  void put_pod(const std::string& annotations) {
    store_.put("pods", "shop", "web",
               fmt::format(R"({{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"web",
                   "namespace":"shop","uid":"u-1","annotations":{}}},
                   "spec":{{"nodeName":"node1"}}}})",
                           annotations));
  }
  std::string annotation(const std::string& name) {
    const auto entry = store_.get().get({"pods", "shop", "web"}).value();
    const auto pod = api::parse_json(entry.value).value();
    const auto* annotations = pod.at("metadata").as_object().if_contains("annotations");
    if (annotations == nullptr) return "";
    const auto* value = annotations->as_object().if_contains("cni.projectcalico.org/" + name);
    return value == nullptr ? "(none)" : std::string(value->as_string());
  }

  // On the host's side: the calling thread is never in another namespace than its own.
  Answer call(const char* command, const Container& container, const std::string& input,
              store::Store& store, Answer (*plugin)(const Call&) = answer_plugin) {
    const auto& sandbox = container.sandbox == nullptr ? *container_ : *container.sandbox;
    const std::map<std::string, std::string> variables{
        {"CNI_COMMAND", command},
        {"CNI_CONTAINERID", container.id},
        {"CNI_NETNS", sandbox.path()},
        {"CNI_IFNAME", "eth0"},
        {"CNI_PATH", container.folders},
        {"CNI_ARGS",
         "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web;K8S_POD_UID=" + container.uid}};
    const Call what{
        .environment = [&](const char* name) -> const char* {
          const auto found = variables.find(name);
          return found == variables.end() ? nullptr : found->second.c_str();
        },
        .input = input,
        .open_store = [&](const NetworkConfig&) -> base::Result<std::unique_ptr<store::Store>> {
          return std::make_unique<FaultyStore>(store, [] { return Fault::none; });
        }};
    return host_->get().run([&] { return base::Result<Answer>(plugin(what)); }).value();
  }
  Answer call(const char* command, const Container& container = {},
              const std::string& input = conf()) {
    return call(command, container, input, store_.get());
  }
  Addressing add(const Container& container = {}, const std::string& input = conf()) {
    const auto answer = call("ADD", container, input);
    EXPECT_EQ(answer.status, 0) << answer.output;
    return Addressing::parse(api::parse_json(answer.output).value()).value_or(Addressing{});
  }
  std::string run_in(const ScratchNamespace& where, std::vector<std::string> argv) {
    const auto output = base::run({.argv = std::move(argv), .network_namespace = where.get().fd()});
    return output ? output->out + output->err : output.error().message;
  }
  bool host_reaches(const IPAddress& address) const { return reaches(*host_, address); }
  std::vector<std::string> problems() {
    std::vector<std::string> texts;
    for (const auto& finding : ipam::check(store_.get()).value().findings) {
      texts.push_back(finding.subject + " " + finding.detail);
    }
    return texts;
  }
  size_t assigned() { return ipam::check(store_.get()).value().assigned; }
  bool host_has_interface() {
    auto socket = host_->socket();
    return net::get_link(socket, host_interface_name({"shop", "web", ""})).has_value();
  }

  ipam::testing::ScratchStore store_;
  std::unique_ptr<ScratchNamespace> host_, container_;
};

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

// A stand-in for host-local: says what it was given, and answers as told.
class ForeignIpam {
 public:
  explicit ForeignIpam(const std::string& body) {
    std::ofstream(folder_.file("host-local"))
        << "#!/bin/sh\ncat > " << folder_.file("$CNI_COMMAND") << "\n"
        << body << "\n";
    std::filesystem::permissions(folder_.file("host-local"), std::filesystem::perms::owner_all);
  }
  std::string folder() const { return folder_.file(""); }
  std::string input_of(const std::string& command) const {
    std::ifstream file(folder_.file(command));
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  store::testing::TemporaryFolder folder_;
};

std::string foreign_conf() {
  return R"({"cniVersion":"0.3.1","name":"n","type":"calico","nodename":"node1",
             "policy":{"type":"k8s"},
             "ipam":{"type":"host-local","subnet":"usePodCidr","routes":[{"dst":"10.0.0.0/8"}]}})";
}

TEST_F(PluginTest, OtherIpamIsRunAsAProgramWithTheNodesPodCidr) {
  store_.put("nodes", "", "node1",
             R"({"apiVersion":"v1","kind":"Node","metadata":{"name":"node1"},
                 "spec":{"podCIDR":"10.50.0.0/24","podCIDRs":["10.50.0.0/24"]}})");
  const ForeignIpam foreign(
      R"([ $CNI_COMMAND = DEL ] || echo '{"cniVersion":"0.3.1","ips":[{"version":"4","address":"10.50.0.2/24"}]}')");
  const Container container{.folders = foreign.folder()};
  const auto result = add(container, foreign_conf());
  EXPECT_EQ(result.addresses, std::vector{IPAddress::parse("10.50.0.2").value()});
  EXPECT_NE(foreign.input_of("ADD").find(R"("subnet":"10.50.0.0/24")"), std::string::npos)
      << foreign.input_of("ADD");
  const std::string routes = run_in(*container_, {"ip", "-4", "route"});
  EXPECT_NE(routes.find("10.0.0.0/8 via 169.254.1.1"), std::string::npos) << routes;
  EXPECT_EQ(routes.find("default"), std::string::npos) << "only the routes asked for: " << routes;
  EXPECT_EQ(call("DEL", container, foreign_conf()).status, 0);
  EXPECT_NE(foreign.input_of("DEL"), "");
  EXPECT_EQ(assigned(), 0U);
}

TEST_F(PluginTest, ErrorsOfOtherIpamArePassedOn) {
  store_.put("nodes", "", "node1",
             R"({"apiVersion":"v1","kind":"Node","metadata":{"name":"node1"},
                 "spec":{"podCIDR":"10.50.0.0/24"}})");
  const ForeignIpam full(R"(echo '{"code":11,"msg":"no room"}'; exit 1)");
  auto answer = call("ADD", {.folders = full.folder()}, foreign_conf());
  EXPECT_NE(answer.output.find(R"("code":11,)"), std::string::npos) << answer.output;
  EXPECT_NE(answer.output.find("no room"), std::string::npos) << answer.output;
  answer = call("ADD", {.folders = "/nowhere"}, foreign_conf());
  EXPECT_NE(answer.output.find("IPAM plugin host-local is not in CNI_PATH"), std::string::npos);
}

TEST_F(PluginTest, AStoreThatCannotBeReachedIsCodeEleven) {
  FaultyStore broken(store_.get(), [] { return Fault::unavailable; });
  const auto answer = call("ADD", {}, conf(), broken);
  EXPECT_EQ(answer.status, 1);
  EXPECT_NE(answer.output.find(R"("code":11,)"), std::string::npos) << answer.output;
  EXPECT_FALSE(host_has_interface());
}

// The plugin dies at its nth write, in ADD or in DEL. What the runtime does next works, and when
// the pod is gone nothing is left of it.
TEST_F(PluginTest, ACrashAtAnyWriteIsRepairedByTheNextCall) {
  for (const Fault fault : {Fault::crash_before, Fault::crash_after}) {
    for (const std::string command : {"ADD", "DEL"}) {
      int nth = 1;
      for (bool crashed = true; crashed && !HasFailure(); ++nth) {
        if (command == "DEL") add();
        FaultyStore deadly(store_.get(), NthWrite(nth, fault));
        crashed = false;
        try {
          EXPECT_EQ(call(command.c_str(), {}, conf(), deadly).status, 0);
        } catch (const Crash&) {
          crashed = true;
        }
        const std::string where = fmt::format("{} died at write {}", command, nth);
        if (nth % 2 == 0) {  // a runtime that tries the same container again ...
          for (const auto& address : add().addresses) EXPECT_TRUE(host_reaches(address)) << where;
        }
        EXPECT_EQ(call("DEL").status, 0) << where;  // ... and one that gives it up
        EXPECT_EQ(assigned(), 0U) << where;
        EXPECT_FALSE(host_has_interface()) << where;
        EXPECT_EQ(ipam::check(store_.get()).value().handles, 0U) << where;
        EXPECT_TRUE(ipam::check(store_.get()).value().sound()) << where;
      }
      EXPECT_GT(nth, 3) << command << " writes more than that";
    }
  }
}

}  // namespace
}  // namespace margay::cni
