// Datagrams between a node's own processes and a workload on it: the paths on which the node itself
// is an end, and what a restart of the agent does to a flow.

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/unique_fd.h"
#include "dataplane/testing/kernel_fixture.h"
#include "dataplane/testing/kernel_planes.h"
#include "net/interface_address.h"
#include "net/network_namespace.h"
#include "net/route.h"

namespace margay::dataplane::linux_host {
namespace {

using policy::IPAddress;
using policy::Prefix;

constexpr const char* k_node_address = "198.18.0.1";
constexpr const char* k_pod_address = "10.65.0.2";
constexpr uint16_t k_port = 5000;
constexpr int k_arrives_ms = 5000;  // what is let through arrives well before
constexpr int k_silence_ms = 200;   // what is dropped has not arrived after

IPAddress ip(const char* text) { return *IPAddress::parse(text); }

sockaddr_in endpoint(const char* address) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(k_port);
  inet_pton(AF_INET, address, &out.sin_addr);
  return out;
}

base::Result<base::UniqueFd> bound_socket(const char* address) {
  base::UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto at = endpoint(address);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0)
    return base::fail_errno("bind", errno);
  return fd;
}

void send_to(const base::UniqueFd& from, const char* address) {
  const auto to = endpoint(address);
  sendto(from.get(), "x", 1, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
}

bool receives(const base::UniqueFd& socket, int within_ms) {
  pollfd waiting{socket.get(), POLLIN, 0};
  char byte = 0;
  return poll(&waiting, 1, within_ms) == 1 && recv(socket.get(), &byte, 1, 0) == 1;
}

class Connectivity : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (IsSkipped()) return;
    pod_name_ = "mt-dataplane-" + std::to_string(getpid());
    pod_.emplace(*net::NetworkNamespace::create(pod_name_));
    ASSERT_TRUE(net::create_veth(
        *socket_, {.near = {"cali1", {}}, .far = {"eth0", {}}, .far_namespace = pod_->fd()}));
    ASSERT_TRUE(net::change_link(*socket_, "cali1", {.up = true}));
    add_interface("uplink");
    ASSERT_TRUE(net::add_address(*socket_, {.link = net::get_link(*socket_, "uplink")->index,
                                            .address = ip(k_node_address),
                                            .prefix_length = 24}));
    // Proxy ARP answers for what the node has a route to elsewhere.
    ASSERT_TRUE(net::add_route(
        *socket_, {.destination = Prefix::all(base::IPFamily::v4), .via = ip("198.18.0.254")}));
    auto inside = *net::NetlinkSocket::open(*pod_);
    ASSERT_TRUE(net::change_link(inside, "eth0", {.up = true}));
    const int link = net::get_link(inside, "eth0")->index;
    ASSERT_TRUE(net::add_address(
        inside, {.link = link, .address = ip(k_pod_address), .prefix_length = 32}));
    // The gateway answers by proxy ARP, as the CNI plugin counts on.
    ASSERT_TRUE(net::add_route(inside, {.destination = *Prefix::parse("169.254.1.1/32"),
                                        .link = link,
                                        .scope = net::RouteScope::link}));
    ASSERT_TRUE(net::add_route(
        inside,
        {.destination = Prefix::all(base::IPFamily::v4), .link = link, .via = ip("169.254.1.1")}));
    pod_socket_ = std::move(*pod_->run([] { return bound_socket(k_pod_address); }));
    node_socket_ = std::move(*bound_socket(k_node_address));
  }
  void TearDown() override {
    if (pod_name_.empty()) return;
    ASSERT_TRUE(net::NetworkNamespace::remove(pod_name_));
  }

  // A fresh data plane, as after a restart of the agent, with one workload.
  void program(const Config& config, policy::Action egress) {
    program(config,
            {.ingress = {{.action = policy::Action::deny}}, .egress = {{.action = egress}}});
  }
  void program(Config config, const policy::ProgramRules& rules) {
    config.node = "node";
    auto plane = make_kernel_plane(plane_, std::move(config));
    ASSERT_TRUE(plane) << plane.error().message;
    policy::ProgramWorkload workload;
    workload.endpoint = {.key = {"node", "k8s", "default/pod", "eth0"},
                         .interface_name = "cali1",
                         .addresses = {ip(k_pod_address)},
                         .profiles = {"p"}};
    for (const policy::Delta& delta : std::initializer_list<policy::Delta>{
             policy::ProfileUpdate{"p", std::make_shared<const policy::ProgramRules>(rules)},
             policy::WorkloadUpdate{workload},
             policy::RouteUpdate{{.destination = Prefix(ip(k_pod_address)),
                                  .kind = policy::ProgramRoute::Kind::local_workload,
                                  .interface_name = "cali1"}},
             policy::InSync{}})
      (*plane)->on_delta(delta);
    const auto applied = (*plane)->apply().outcome;
    ASSERT_TRUE(applied) << applied.error().message;
  }

  bool node_reaches_pod() {
    send_to(node_socket_, k_pod_address);
    return receives(pod_socket_, k_arrives_ms);
  }
  bool pod_reaches_node(int within_ms) {
    send_to(pod_socket_, k_node_address);
    return receives(node_socket_, within_ms);
  }

  const char* plane_ = "";
  std::string pod_name_;
  std::optional<net::NetworkNamespace> pod_;
  base::UniqueFd pod_socket_, node_socket_;
};

class ConnectivityTest : public Connectivity, public testing::WithParamInterface<const char*> {
 protected:
  ConnectivityTest() { plane_ = GetParam(); }
};

INSTANTIATE_TEST_SUITE_P(Planes, ConnectivityTest, testing::ValuesIn(k_kernel_planes),
                         [](const auto& given) { return std::string(given.param); });

TEST_P(ConnectivityTest, TheNodeReachesItsWorkloadsWhateverTheirPolicyAndHearsTheReplies) {
  program({}, policy::Action::deny);
  EXPECT_TRUE(node_reaches_pod());
  EXPECT_TRUE(pod_reaches_node(k_arrives_ms));
}

struct HostCase {
  const char* name;
  EndpointToHostAction action;
  policy::Action egress;
  bool reaches;
};

class WorkloadToNode : public Connectivity,
                       public testing::WithParamInterface<std::tuple<const char*, HostCase>> {
 protected:
  WorkloadToNode() { plane_ = std::get<0>(GetParam()); }
};

TEST_P(WorkloadToNode, PassesEgressPolicyThenTheDefaultAction) {
  const auto& [name, action, egress, reaches] = std::get<1>(GetParam());
  program({.endpoint_to_host = action}, egress);
  EXPECT_EQ(pod_reaches_node(reaches ? k_arrives_ms : k_silence_ms), reaches);
}

INSTANTIATE_TEST_SUITE_P(
    Actions, WorkloadToNode,
    testing::Combine(
        testing::ValuesIn(k_kernel_planes),
        testing::Values(HostCase{"DropDropsWhatPolicyAllows", EndpointToHostAction::drop,
                                 policy::Action::allow, false},
                        HostCase{"AcceptNeedsPolicyToo", EndpointToHostAction::accept,
                                 policy::Action::deny, false},
                        HostCase{"AcceptAccepts", EndpointToHostAction::accept,
                                 policy::Action::allow, true},
                        HostCase{"ReturnLeavesItToTheHostsRules", EndpointToHostAction::pass_on,
                                 policy::Action::allow, true})),
    [](const auto& given) {
      return std::string(std::get<0>(given.param)) + "_" + std::get<1>(given.param).name;
    });

// Of its ingress rules one cannot be programmed: nothing passes, either way, not even a flow that
// was there before.
TEST_P(ConnectivityTest, AnEndpointWithARuleThatTheKernelRefusesPassesNothing) {
  const Config config{.endpoint_to_host = EndpointToHostAction::accept};
  policy::ProgramRules rules{.ingress = {{}}, .egress = {{}}};
  program(config, rules);
  ASSERT_TRUE(pod_reaches_node(k_arrives_ms));
  rules.ingress.push_back({.source = {.sets = {"s:that-is-not-there"}}});
  program(config, rules);
  EXPECT_FALSE(pod_reaches_node(k_silence_ms));
  rules.ingress.pop_back();
  program(config, rules);
  EXPECT_TRUE(pod_reaches_node(k_arrives_ms));
}

TEST_P(ConnectivityTest, ARestartKeepsEstablishedFlowsEvenWhenPolicyNowDenies) {
  program({.endpoint_to_host = EndpointToHostAction::accept}, policy::Action::allow);
  ASSERT_TRUE(pod_reaches_node(k_arrives_ms));
  ASSERT_TRUE(node_reaches_pod());
  program({.endpoint_to_host = EndpointToHostAction::accept}, policy::Action::deny);
  EXPECT_TRUE(pod_reaches_node(k_arrives_ms));
}

}  // namespace
}  // namespace margay::dataplane::linux_host
