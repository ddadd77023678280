// What others change in the kernel is named by a data plane that is told the same, and that has
// written nothing; then by the same words it is not, once the first has repaired it.

#include <gmock/gmock.h>

#include <sstream>

#include "dataplane/testing/kernel_fixture.h"
#include "dataplane/testing/kernel_planes.h"
#include "net/route.h"
#include "policy/graph.h"

namespace margay::dataplane::linux_host {
namespace {

using policy::IPAddress;
using policy::Model;
using policy::Prefix;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr const char* k_node = "node-a";
const policy::WorkloadKey k_workload{k_node, "k8s", "shop/pod", "eth0"};

Model some_model() {
  Model model;
  model.profiles["open"] = {.name = "open", .ingress = {{}}, .egress = {{}}};
  model.workloads[k_workload] = {.key = k_workload,
                                 .interface_name = "cali1",
                                 .addresses = {*IPAddress::parse("10.65.0.2")},
                                 .labels = {{"app", "pod"}},
                                 .profiles = {"open"}};
  model.pools["pool"] = {
      .name = "pool", .cidr = *Prefix::parse("10.65.0.0/16"), .nat_outgoing = true};
  model.blocks[*Prefix::parse("10.65.0.0/26")] = {.cidr = *Prefix::parse("10.65.0.0/26"),
                                                  .node = k_node};
  policy::Policy policy{.key = {"default", "shop", "web"}, .selector = {}};
  policy.ingress = {{.source = {.selector = *selector::Selector::parse("app == 'pod'")}}};
  model.policies[policy.key] = policy;
  model.host_endpoints[{k_node, "edge"}] = {.key = {k_node, "edge"}, .interface_name = "uplink"};
  return model;
}

struct Meddling {
  const char* name;
  // By the data plane's name.
  std::map<std::string_view, std::string> command;
  StateKind kind;
  std::map<std::string_view, std::string> item;
  const char* problem;
};
void PrintTo(const Meddling& meddling, std::ostream* out) { *out << meddling.name; }

std::string in_nft(const std::string& what) { return "nft " + what; }

const std::vector<Meddling> k_meddlings{
    {"a rule of another's in a chain of ours",
     {{"iptables", "iptables -w -I cali-FORWARD 1 -j ACCEPT"},
      {"nftables", in_nft("insert rule ip calico filter-cali-FORWARD accept")}},
     StateKind::rules,
     {{"iptables", "IPv4 filter chain cali-FORWARD"},
      {"nftables", "IPv4 chain filter-cali-FORWARD"}},
     "rule 1 is not the wanted"},
    {"a rule of another's behind ours",
     {{"iptables", "iptables -w -A cali-fw-cali1 -j ACCEPT"},
      {"nftables", in_nft("add rule ip calico filter-cali-fw-cali1 accept")}},
     StateKind::rules,
     {{"iptables", "IPv4 filter chain cali-fw-cali1"},
      {"nftables", "IPv4 chain filter-cali-fw-cali1"}},
     "is not wanted"},
    {"a chain of another's under our name",
     {{"iptables", "iptables -w -N cali-stray"},
      {"nftables", in_nft("add chain ip calico filter-stray")}},
     StateKind::rules,
     {{"iptables", "IPv4 filter chain cali-stray"}, {"nftables", "IPv4 chain filter-stray"}},
     "not wanted"},
    {"a chain emptied",
     {{"iptables", "ip6tables -w -F cali-tw-cali1"},
      {"nftables", in_nft("flush chain ip6 calico filter-cali-tw-cali1")}},
     StateKind::rules,
     {{"iptables", "IPv6 filter chain cali-tw-cali1"},
      {"nftables", "IPv6 chain filter-cali-tw-cali1"}},
     "rule 1 is not the wanted"},
    {"a member taken from a set",
     {{"iptables", "ipset del cali40all-ipam-pools 10.65.0.0/16"},
      {"nftables", in_nft("delete element ip calico cali40all-ipam-pools { 10.65.0.0/16 }")}},
     StateKind::sets,
     {{"iptables", "IPv4 set cali40all-ipam-pools"}, {"nftables", "IPv4 set cali40all-ipam-pools"}},
     "lacks 10.65.0.0/16"},
    {"a member added to a set",
     {{"iptables", "ipset add cali40all-ipam-pools 192.0.2.0/24"},
      {"nftables", in_nft("add element ip calico cali40all-ipam-pools { 192.0.2.0/24 }")}},
     StateKind::sets,
     {{"iptables", "IPv4 set cali40all-ipam-pools"}, {"nftables", "IPv4 set cali40all-ipam-pools"}},
     "has 192.0.2.0/24, which is not wanted"},
    {"a route taken away",
     {{"iptables", "ip route del 10.65.0.2/32"}, {"nftables", "ip route del 10.65.0.2/32"}},
     StateKind::routes,
     {{"iptables", "route 10.65.0.2"}, {"nftables", "route 10.65.0.2"}},
     "missing"},
    {"a route that leads elsewhere",
     {{"iptables", "ip route replace 10.65.0.2/32 dev uplink proto 80"},
      {"nftables", "ip route replace 10.65.0.2/32 dev uplink proto 80"}},
     StateKind::routes,
     {{"iptables", "route 10.65.0.2"}, {"nftables", "route 10.65.0.2"}},
     "another is there"},
    {"a route of nobody's",
     {{"iptables", "ip route add 10.65.9.9/32 dev uplink proto 80"},
      {"nftables", "ip route add 10.65.9.9/32 dev uplink proto 80"}},
     StateKind::routes,
     {{"iptables", "route 10.65.9.9"}, {"nftables", "route 10.65.9.9"}},
     "not wanted"}};

class DifferencesTest : public KernelTest,
                        public ::testing::WithParamInterface<std::tuple<const char*, Meddling>> {
 protected:
  static std::unique_ptr<DataPlane> told_of_the_model() {
    auto plane = make_kernel_plane(std::get<0>(GetParam()), {.node = k_node}).value();
    policy::Graph graph(k_node);
    for (const auto& change : some_model().changes()) graph.on_change(change);
    graph.on_in_sync();
    for (const auto& delta : graph.flush()) plane->on_delta(delta);
    return plane;
  }
};

TEST_P(DifferencesTest, AreNamed) {
  const auto& [name, meddling] = GetParam();
  add_interface("cali1");
  add_interface("uplink");
  const auto agent = told_of_the_model();
  EXPECT_FALSE(told_of_the_model()->differences().value().empty()) << "nothing is there yet";
  ASSERT_TRUE(agent->apply().outcome);
  const auto reader = told_of_the_model();
  EXPECT_THAT(reader->differences().value(), IsEmpty());
  EXPECT_THAT(agent->differences().value(), IsEmpty());

  std::istringstream words(meddling.command.at(name));
  output({std::istream_iterator<std::string>(words), {}});
  for (const auto* plane : {&reader, &agent}) {
    const auto found = (*plane)->differences().value();
    ASSERT_THAT(found, SizeIs(1));
    EXPECT_EQ(found[0].kind, meddling.kind);
    EXPECT_THAT(found[0].item, HasSubstr(meddling.item.at(name)));
    EXPECT_THAT(found[0].problem, HasSubstr(meddling.problem));
  }

  for (const auto kind : k_state_kinds) agent->resync(kind);
  ASSERT_TRUE(agent->apply().outcome);
  EXPECT_THAT(reader->differences().value(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Planes, DifferencesTest,
                         ::testing::Combine(::testing::ValuesIn(k_kernel_planes),
                                            ::testing::ValuesIn(k_meddlings)),
                         [](const auto& given) {
                           std::string name = std::get<0>(given.param);
                           for (const char c : std::string(std::get<1>(given.param).name))
                             name += std::isalnum(c) ? c : '_';
                           return name;
                         });

}  // namespace
}  // namespace margay::dataplane::linux_host
