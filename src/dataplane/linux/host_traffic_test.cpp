// Datagrams along every way through a node whose interfaces host endpoints govern, under policies
// made at random and changed on the way, against what policy/passage.h says of each.

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <map>
#include <set>

#include "base/unique_fd.h"
#include "dataplane/testing/kernel_fixture.h"
#include "dataplane/testing/kernel_planes.h"
#include "net/interface_address.h"
#include "net/neighbour.h"
#include "net/route.h"
#include "net/sysctl.h"
#include "net/testing/scratch_namespace.h"
#include "policy/graph.h"
#include "policy/passage.h"
#include "policy/random.h"

namespace margay::dataplane::linux_host {
namespace {

using net::testing::ScratchNamespace;
using policy::Action;
using policy::HostEndpoint;
using policy::HostInterface;
using policy::HostTrafficSettings;
using policy::IPAddress;
using policy::Model;
using policy::Passage;
using policy::Policy;
using policy::Prefix;
using policy::Random;

constexpr const char* k_node = "node-a";
//   left -- eth0 [node] eth1 -- right
//                cali1 -- pod
struct Addresses {
  base::IPFamily family;
  const char *left, *eth0, *eth1, *right, *pod;
  const char* gateway;  // the pod's
  const char* service;  // for the node itself: right's port 8080
  uint8_t length;       // of the networks on the left and on the right
  const char *left_net, *pod_net, *right_net;
};
constexpr Addresses k_v4{base::IPFamily::v4, "192.0.2.2",    "192.0.2.1",
                         "198.51.100.1",     "198.51.100.2", "10.65.0.2",
                         "169.254.1.1",      "203.0.113.1",  24,
                         "192.0.2.0/24",     "10.65.0.0/16", "198.51.100.0/24"};
constexpr Addresses k_v6{base::IPFamily::v6, "2001:db8:1::2",  "2001:db8:1::1",
                         "2001:db8:2::1",    "2001:db8:2::2",  "fd00:65::2",
                         "fe80::1",          "2001:db8:ff::1", 64,
                         "2001:db8:1::/64",  "fd00:65::/64",   "2001:db8:2::/64"};
constexpr uint16_t k_service_port = 80;
constexpr uint16_t k_node_port = 30080;  // of eth0: the pod's port 8080
constexpr std::array<uint16_t, 3> k_ports{22, 53, 8080};

IPAddress ip(const char* text) { return *IPAddress::parse(text); }
Prefix net_of(const char* text) { return *Prefix::parse(text); }

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

SocketAddress at(const char* address, uint16_t port) {
  SocketAddress out;
  if (ip(address).is_v4()) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(out.storage);
    v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, address, &v4.sin_addr);
    out.size = sizeof v4;
  } else {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(out.storage);
    v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    inet_pton(AF_INET6, address, &v6.sin6_addr);
    out.size = sizeof v6;
  }
  return out;
}

base::Result<base::UniqueFd> udp_socket(const char* address, uint16_t port) {
  const auto where = at(address, port);
  base::UniqueFd fd(::socket(where.get()->sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (bind(fd.get(), where.get(), where.size) != 0) return base::fail_errno("bind", errno);
  return fd;
}

enum class Place : uint8_t { node, left, right, pod };

struct Probe {
  std::string name;
  Place from, to;
  const char* source;
  const char* sent_to;
  uint16_t sent_port;
  Passage passage;
  uint16_t source_port = 0;  // one of its own
};

class HostTrafficTest : public KernelTest,
                        public ::testing::WithParamInterface<std::tuple<const char*, Addresses>> {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (IsSkipped()) return;
    ASSERT_TRUE(net::write_sysctl("net/ipv4/ip_forward", "1"));
    ASSERT_TRUE(net::write_sysctl("net/ipv6/conf/all/forwarding", "1"));
    connect("eth0", us_.eth0, *left_, us_.left);
    connect("eth1", us_.eth1, *right_, us_.right);
    // Proxy ARP answers the pod for what the node has a route to elsewhere.
    add_route(*socket_, us_.left, "eth0");
    connect("cali1", nullptr, *pod_, us_.pod);
    translate("PREROUTING", us_.eth0, k_node_port, us_.pod);
    translate("OUTPUT", us_.service, k_service_port, us_.right);
    for (const auto place : {Place::node, Place::left, Place::right, Place::pod})
      for (const uint16_t port : k_ports)
        receivers_.emplace_back(place, socket_at(place, is_v4() ? "0.0.0.0" : "::", port));
  }

  bool is_v4() const { return us_.family == base::IPFamily::v4; }

  // Neighbours are known: what host endpoints deny must not be their discovery.
  void connect(const char* name, const char* near, const ScratchNamespace& peer, const char* far) {
    ASSERT_TRUE(net::create_veth(
        *socket_, {.near = {name, {}}, .far = {"eth0", {}}, .far_namespace = peer.get().fd()}));
    auto inside = peer.socket();
    ASSERT_TRUE(net::change_link(*socket_, name, {.up = true}));
    ASSERT_TRUE(net::change_link(inside, "eth0", {.up = true}));
    const auto near_link = net::get_link(*socket_, name).value();
    const auto far_link = net::get_link(inside, "eth0").value();
    const auto bits = static_cast<uint8_t>(ip(far).bits());
    const auto add = [&](net::NetlinkSocket& socket, int link, const char* own, uint8_t length) {
      ASSERT_TRUE(net::add_address(socket, {.link = link,
                                            .address = ip(own),
                                            .prefix_length = length,
                                            .no_duplicate_detection = !is_v4()}));
    };
    if (near != nullptr) add(*socket_, near_link.index, near, us_.length);
    add(inside, far_link.index, far, near != nullptr ? us_.length : bits);
    const char* gateway = near != nullptr ? near : us_.gateway;
    if (near == nullptr) {
      ASSERT_TRUE(net::add_route(inside, {.destination = Prefix(ip(gateway)),
                                          .link = far_link.index,
                                          .scope = net::RouteScope::link}));
    }
    ASSERT_TRUE(net::replace_neighbour(*socket_, {near_link.index, ip(far), far_link.mac.value()}));
    ASSERT_TRUE(
        net::replace_neighbour(inside, {far_link.index, ip(gateway), near_link.mac.value()}));
    add_route(inside, gateway, "eth0");
  }

  void add_route(net::NetlinkSocket& socket, const char* via, const char* link) {
    ASSERT_TRUE(net::add_route(socket, {.destination = Prefix::all(us_.family),
                                        .link = net::get_link(socket, link)->index,
                                        .via = ip(via)}));
  }

  void translate(const char* chain, const char* address, uint16_t port, const char* to) {
    output({is_v4() ? "iptables" : "ip6tables", "-t", "nat", "-A", chain, "-p", "udp", "-d",
            address, "--dport", std::to_string(port), "-j", "DNAT", "--to-destination",
            fmt::format("{}{}{}:8080", is_v4() ? "" : "[", to, is_v4() ? "" : "]")});
  }

  base::UniqueFd socket_at(Place place, const char* address, uint16_t port) {
    if (place == Place::node) return udp_socket(address, port).value();
    return namespaces_.at(place)->get().run([&] { return udp_socket(address, port); }).value();
  }

  // A fresh data plane, as after a restart of the agent.
  void start(const HostTrafficSettings& settings) {
    using From = HostTrafficSettings::FromWorkload;
    const auto to_host = settings.from_workload == From::accept ? EndpointToHostAction::accept
                         : settings.from_workload == From::drop ? EndpointToHostAction::drop
                                                                : EndpointToHostAction::pass_on;
    auto plane = make_kernel_plane(
        std::get<0>(GetParam()),
        {.node = k_node, .endpoint_to_host = to_host, .failsafes = settings.failsafes});
    ASSERT_TRUE(plane) << plane.error().message;
    plane_ = std::move(*plane);
    graph_ = std::make_unique<policy::Graph>(k_node);
    graph_->on_in_sync();
    model_ = {};
  }

  void program(const Model& model) {
    for (const auto& change : changes_between(model_, model)) graph_->on_change(change);
    model_ = model;
    for (const auto& delta : graph_->flush()) plane_->on_delta(delta);
    const auto report = plane_->apply();
    ASSERT_TRUE(report.outcome) << report.outcome.error().message;
    for (const auto& endpoint : report.endpoints)
      if (endpoint.status) {
        EXPECT_EQ(endpoint.status->state, EndpointState::up)
            << to_string(endpoint.key) << ": " << endpoint.status->reason;
      }
  }

  static std::vector<policy::ModelChange> changes_between(const Model& before, const Model& after) {
    std::vector<policy::ModelChange> changes = after.changes();
    const auto is_in_both = [&](const auto& old) {
      return std::ranges::any_of(after.changes(), [&](const policy::ModelChange& change) {
        const auto* same = std::get_if<std::remove_cvref_t<decltype(old)>>(&change);
        return same != nullptr && same->key == old.key;
      });
    };
    for (const auto& change : before.changes())
      std::visit(
          [&](auto old) {
            if (is_in_both(old)) return;
            old.value.reset();
            changes.emplace_back(std::move(old));
          },
          change);
    return changes;
  }

  // Where each probe arrived. What is expected to is waited for; the others have a moment more.
  std::map<uint32_t, std::set<Place>> send(const std::vector<Probe>& probes,
                                           const std::set<uint32_t>& expected) {
    for (uint32_t id = 0; id < probes.size(); ++id) {
      const auto& probe = probes[id];
      // A port, and so a flow, of its own; else that of a receiver.
      senders_.push_back(probe.source_port == 0 ? socket_at(probe.from, probe.source, 0)
                                                : base::UniqueFd());
      const int from = probe.source_port == 0 ? senders_.back().get()
                                              : receiver_at(probe.from, probe.source_port);
      const auto to = at(probe.sent_to, probe.sent_port);
      sendto(from, &id, sizeof id, 0, to.get(), to.size);
    }
    std::map<uint32_t, std::set<Place>> arrived;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    const auto is_complete = [&] {
      return std::ranges::all_of(expected, [&](uint32_t id) { return arrived.contains(id); });
    };
    while (!is_complete() && std::chrono::steady_clock::now() < deadline) receive(arrived, 100);
    while (receive(arrived, 20)) {
    }
    senders_.clear();
    return arrived;
  }

  int receiver_at(Place place, uint16_t port) const {
    const size_t number = static_cast<size_t>(place) * k_ports.size() +
                          static_cast<size_t>(std::ranges::find(k_ports, port) - k_ports.begin());
    return receivers_.at(number).second.get();
  }

  bool receive(std::map<uint32_t, std::set<Place>>& arrived, int within_ms) {
    std::vector<pollfd> waiting;
    for (const auto& [place, socket] : receivers_) waiting.push_back({socket.get(), POLLIN, 0});
    if (poll(waiting.data(), waiting.size(), within_ms) <= 0) return false;
    for (const auto& [place, socket] : receivers_)
      for (uint32_t id = 0; recv(socket.get(), &id, sizeof id, 0) == sizeof id;)
        arrived[id].insert(place);
    return true;
  }

  const Addresses us_ = std::get<1>(GetParam());
  std::unique_ptr<ScratchNamespace> left_ = std::make_unique<ScratchNamespace>("mt-host");
  std::unique_ptr<ScratchNamespace> right_ = std::make_unique<ScratchNamespace>("mt-host");
  std::unique_ptr<ScratchNamespace> pod_ = std::make_unique<ScratchNamespace>("mt-host");
  std::map<Place, ScratchNamespace*> namespaces_{
      {Place::left, left_.get()}, {Place::right, right_.get()}, {Place::pod, pod_.get()}};
  std::unique_ptr<DataPlane> plane_;
  std::unique_ptr<policy::Graph> graph_;
  Model model_;  // as programmed
  std::vector<std::pair<Place, base::UniqueFd>> receivers_;
  std::vector<base::UniqueFd> senders_;
};

// ---- what is asked ------------------------------------------------------------------------------

const policy::WorkloadKey k_workload{k_node, "k8s", "shop/pod", "eth0"};

std::vector<Probe> probes_of(const Addresses& us, const Model& model) {
  const HostInterface eth0{"eth0", {ip(us.eth0)}}, eth1{"eth1", {ip(us.eth1)}};
  const auto* pod = &model.workloads.at(k_workload);
  std::vector<Probe> probes;
  const auto add = [&](std::string name, Place from, Place to, const char* source,
                       const char* destination, uint16_t port, Passage passage) {
    passage.node = k_node;
    passage.packet = {.source = ip(source),
                      .destination = ip(destination),
                      .protocol = policy::k_udp,
                      .destination_port = port};
    probes.push_back({std::move(name), from, to, source, destination, port, std::move(passage)});
  };
  for (const uint16_t port : k_ports) {
    add("in to the host", Place::left, Place::node, us.left, us.eth0, port, {.in = eth0});
    add("in and out", Place::left, Place::right, us.left, us.right, port,
        {.in = eth0, .out = eth1});
    add("back", Place::right, Place::left, us.right, us.left, port, {.in = eth1, .out = eth0});
    add("in to a pod", Place::left, Place::pod, us.left, us.pod, port, {.in = eth0, .to = pod});
    add("the host's", Place::node, Place::left, us.eth0, us.left, port, {.out = eth0});
    add("the host's by eth1", Place::node, Place::right, us.eth1, us.right, port, {.out = eth1});
    add("a pod's", Place::pod, Place::right, us.pod, us.right, port, {.from = pod, .out = eth1});
    add("a pod's to its host", Place::pod, Place::node, us.pod, us.eth0, port, {.from = pod});
    add("the host's to a pod", Place::node, Place::pod, us.eth0, us.pod, port, {.to = pod});
  }
  add("an answer to the host", Place::left, Place::node, us.left, us.eth0, 8080, {.in = eth0});
  probes.back().passage.packet.source_port = probes.back().source_port = 53;
  add("the host's answer", Place::node, Place::left, us.eth0, us.left, 8080, {.out = eth0});
  probes.back().passage.packet.source_port = probes.back().source_port = 22;
  add("a node port", Place::left, Place::pod, us.left, us.pod, 8080, {.in = eth0, .to = pod});
  probes.back().sent_to = us.eth0;
  probes.back().sent_port = k_node_port;
  probes.back().passage.original = {
      .destination = ip(us.eth0), .port = k_node_port, .is_the_hosts = true};
  add("the host's to a service", Place::node, Place::right, us.eth0, us.right, 8080, {.out = eth1});
  probes.back().sent_to = us.service;
  probes.back().sent_port = k_service_port;
  probes.back().passage.original = {.destination = ip(us.service), .port = k_service_port};
  return probes;
}

policy::Rule any_rule(const Addresses& us, Random& random) {
  policy::Rule rule{.action = random.pick({Action::allow, Action::allow, Action::deny, Action::deny,
                                           Action::pass, Action::log})};
  if (random.chance(60)) {
    rule.protocol = policy::k_udp;
    rule.destination.ports = {random.pick({policy::PortRange{22, 22}, policy::PortRange{8080, 8080},
                                           policy::PortRange{30000, 32767}})};
  }
  if (random.chance(30))
    rule.source.nets = {random.pick({net_of(us.left_net), net_of(us.pod_net)})};
  if (random.chance(20)) rule.destination.not_nets = {net_of(us.right_net)};
  return rule;
}

Policy any_policy(const Addresses& us, Random& random, const std::string& name, int kind) {
  constexpr std::array k_selectors{"has(host)", "host == 'a'", "host == 'b'", "all()"};
  Policy policy{
      .key = {"default", "", name},
      .order = static_cast<double>(random.below(3)),
      .selector = *selector::Selector::parse(k_selectors[random.below(k_selectors.size())])};
  policy.do_not_track = kind == 0;
  policy.pre_dnat = kind == 1;
  policy.apply_on_forward = kind <= 2;
  policy.applies_ingress = policy.pre_dnat || random.chance(70);
  policy.applies_egress = !policy.pre_dnat && random.chance(70);
  for (size_t rules = random.below(3); rules > 0; --rules)
    policy.ingress.push_back(any_rule(us, random));
  for (size_t rules = random.below(3); rules > 0; --rules)
    policy.egress.push_back(any_rule(us, random));
  return policy;
}

Model any_model(const Addresses& us, Random& random) {
  Model model;
  model.profiles["open"] = {.name = "open", .ingress = {{}}, .egress = {{}}};
  model.workloads[k_workload] = {.key = k_workload,
                                 .interface_name = "cali1",
                                 .addresses = {ip(us.pod)},
                                 .labels = {{"app", "pod"}},
                                 .profiles = {"open"}};
  model.interfaces["eth0"] = {"eth0", {ip(us.eth0)}};
  model.interfaces["eth1"] = {"eth1", {ip(us.eth1)}};
  const auto govern = [&](const char* name, const char* interface,
                          std::vector<IPAddress> expected) {
    HostEndpoint endpoint{.key = {k_node, name},
                          .interface_name = interface,
                          .expected_addresses = std::move(expected),
                          .labels = {{"host", random.pick({"a", "b"})}}};
    if (random.chance(60)) endpoint.profiles = {"open"};
    model.host_endpoints[endpoint.key] = endpoint;
  };
  if (random.chance(70)) govern("first", "eth0", {});
  if (random.chance(50)) govern("second", "", {ip(us.eth1)});
  if (random.chance(40)) govern("rest", "*", {});
  for (size_t i = random.below(7); i > 0; --i) {
    const auto policy =
        any_policy(us, random, fmt::format("p{}", i), static_cast<int>(random.below(5)));
    model.policies[policy.key] = policy;
  }
  return model;
}

HostTrafficSettings any_settings(Random& random) {
  using From = HostTrafficSettings::FromWorkload;
  HostTrafficSettings settings{.from_workload = random.pick({From::drop, From::return_to_host,
                                                             From::return_to_host, From::accept})};
  settings.failsafes.inbound =
      policy::parse_failsafes(
          random.pick({"none", "udp:22", "udp:192.0.2.0/24:22,udp:[2001:db8:1::/64]:22,tcp:8080",
                       "udp:[2001:db8::/32]:22,udp:10.0.0.0/8:53"}))
          .value();
  settings.failsafes.outbound =
      policy::parse_failsafes(random.pick({"none", "udp:53", "udp:198.51.100.0/24:53"})).value();
  return settings;
}

bool has_untracked(const Model& model) {
  return std::ranges::any_of(model.policies, [](const auto& p) { return p.second.do_not_track; });
}

TEST_P(HostTrafficTest, IsWhatPolicySaysAlongEveryWay) {
  std::map<bool, size_t> verdicts;
  HostTrafficSettings settings;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    Random random(seed);
    if (seed % 3 == 0) {
      settings = any_settings(random);
      ASSERT_NO_FATAL_FAILURE(start(settings));
    }
    const Model model = any_model(us_, random);
    ASSERT_NO_FATAL_FAILURE(program(model));
    auto probes = probes_of(us_, model);
    // What doNotTrack allows is not tracked, and so no address of a service is translated.
    if (has_untracked(model)) probes.resize(probes.size() - 2);
    const policy::Evaluator evaluator(model);
    std::set<uint32_t> expected;
    for (uint32_t id = 0; id < probes.size(); ++id)
      if (judge(evaluator, model, settings, probes[id].passage).verdict == policy::Verdict::allow)
        expected.insert(id);
    output({"conntrack", "-F"});
    const auto arrived = send(probes, expected);
    for (uint32_t id = 0; id < probes.size(); ++id) {
      const auto found = arrived.find(id);
      const bool came = found != arrived.end();
      ++verdicts[came];
      EXPECT_EQ(came, expected.contains(id))
          << "seed " << seed << ": " << probes[id].name << " to port " << probes[id].sent_port;
      if (came) {
        EXPECT_EQ(found->second, std::set{probes[id].to}) << probes[id].name;
      }
    }
  }
  EXPECT_GT(verdicts[true], 300u);
  EXPECT_GT(verdicts[false], 300u);
}

INSTANTIATE_TEST_SUITE_P(Planes, HostTrafficTest,
                         ::testing::Combine(::testing::ValuesIn(k_kernel_planes),
                                            ::testing::Values(k_v4, k_v6)),
                         [](const auto& given) {
                           const bool v4 = std::get<1>(given.param).family == base::IPFamily::v4;
                           return std::string(std::get<0>(given.param)) + (v4 ? "IPv4" : "IPv6");
                         });

}  // namespace
}  // namespace margay::dataplane::linux_host
