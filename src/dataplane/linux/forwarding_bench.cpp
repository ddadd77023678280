// Packets a second that a node forwards from one local workload to another, on one core, against
// the bare kernel in the same namespaces before any rule was laid.
//
// "policed" asks policy about each packet: the flow is never answered, so that it stays new.
// "established" is a flow that was answered. One core does all of it, from the sender's system call
// to the receiver's device.

#include <arpa/inet.h>
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <fstream>
#include <string>

#include "base/process.h"
#include "base/unique_fd.h"
#include "dataplane/testing/kernel_planes.h"
#include "net/interface_address.h"
#include "net/link.h"
#include "net/neighbour.h"
#include "net/network_namespace.h"
#include "net/route.h"
#include "net/sysctl.h"

namespace margay::dataplane::linux_host {
namespace {

using base::Result;
using net::NetworkNamespace;
using policy::IPAddress;
using policy::PolicyKey;
using policy::Prefix;
using Clock = std::chrono::steady_clock;

constexpr uint16_t k_port = 60'000;
constexpr int k_batch = 64;        // fewer than the kernel's backlog of a device
constexpr int k_packets = 20'000;  // of an iteration
constexpr int k_yardstick = 10 * k_packets;

IPAddress ip(const char* text) { return *IPAddress::parse(text); }

sockaddr_in at(const char* address, uint16_t port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(port);
  inet_pton(AF_INET, address, &out.sin_addr);
  return out;
}

// A workload's namespace, wired as the CNI plugin does it.
struct Pod {
  std::string name, interface;
  const char* address;
  std::optional<NetworkNamespace> space = {};
  base::UniqueFd socket = {};

  Result<> set_up(net::NetlinkSocket& node) {
    MARGAY_TRY(auto made, NetworkNamespace::create(name));
    space.emplace(std::move(made));
    MARGAY_CHECK(net::create_veth(
        node, {.near = {interface, {}}, .far = {"eth0", {}}, .far_namespace = space->fd()}));
    MARGAY_CHECK(net::change_link(node, interface, {.up = true}));
    MARGAY_TRY(const auto near, net::get_link(node, interface));
    MARGAY_CHECK(net::add_route(
        node,
        {.destination = Prefix(ip(address)), .link = near.index, .scope = net::RouteScope::link}));
    MARGAY_TRY(auto inside, net::NetlinkSocket::open(*space));
    MARGAY_CHECK(net::change_link(inside, "eth0", {.up = true}));
    MARGAY_TRY(const auto far, net::get_link(inside, "eth0"));
    MARGAY_CHECK(
        net::add_address(inside, {.link = far.index, .address = ip(address), .prefix_length = 32}));
    MARGAY_CHECK(net::add_route(inside, {.destination = *Prefix::parse("169.254.1.1/32"),
                                         .link = far.index,
                                         .scope = net::RouteScope::link}));
    MARGAY_CHECK(net::add_route(inside, {.destination = Prefix::all(base::IPFamily::v4),
                                         .link = far.index,
                                         .via = ip("169.254.1.1")}));
    // Neighbours are known, as the agent and proxy ARP make them.
    if (!near.mac || !far.mac) return base::fail(base::ErrorCode::internal, "a veth without a MAC");
    MARGAY_CHECK(net::replace_neighbour(node, {near.index, ip(address), *far.mac}));
    MARGAY_CHECK(net::replace_neighbour(inside, {far.index, ip("169.254.1.1"), *near.mac}));
    MARGAY_TRY(auto bound, space->run([&]() -> Result<base::UniqueFd> {
      base::UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
      const auto here = at(address, k_port);
      const timeval patience{.tv_sec = 5, .tv_usec = 0};
      setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
      if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&here), sizeof here) != 0)
        return base::fail_errno("bind", errno);
      return fd;
    }));
    socket = std::move(bound);
    return {};
  }
  ~Pod() {
    if (space) (void)NetworkNamespace::remove(name);
  }

  // Packets that its device has received.
  Result<int64_t> received() const {
    return space->run([]() -> Result<int64_t> {
      std::ifstream devices("/proc/thread-self/net/dev");
      for (std::string line; std::getline(devices, line);) {
        const auto colon = line.find("eth0:");
        if (colon == std::string::npos) continue;
        int64_t bytes = 0, packets = 0;
        if (std::sscanf(line.c_str() + colon + 5, "%ld %ld", &bytes, &packets) == 2) return packets;
      }
      return base::fail(base::ErrorCode::not_found, "no eth0 in /proc/net/dev");
    });
  }
};

struct Node {
  Result<> set_up() {
    if (geteuid() != 0 || unshare(CLONE_NEWNET) != 0)
      return base::fail(base::ErrorCode::unsupported, "needs root to make a network namespace");
    MARGAY_TRY(auto opened, net::NetlinkSocket::open());
    netlink.emplace(std::move(opened));
    MARGAY_CHECK(net::change_link(*netlink, "lo", {.up = true}));
    MARGAY_CHECK(net::write_sysctl("net/ipv4/ip_forward", "1"));
    MARGAY_CHECK(client.set_up(*netlink));
    return server.set_up(*netlink);
  }

  // Sends one datagram back, and reads it: what the client sends from then on is established.
  Result<> answer() {
    const auto to = at(client.address, k_port);
    std::array<char, 64> buffer{};
    MARGAY_CHECK(send(1));
    if (sendto(server.socket.get(), "x", 1, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to) !=
            1 ||
        recv(client.socket.get(), buffer.data(), buffer.size(), 0) != 1)
      return base::fail_errno("answer", errno);
    return {};
  }

  Result<> send(int count) {
    auto to = at(server.address, k_port);
    std::array<char, 18> payload{};
    iovec data{payload.data(), payload.size()};
    std::array<mmsghdr, k_batch> batch{};
    for (auto& message : batch) {
      message.msg_hdr.msg_name = &to;
      message.msg_hdr.msg_namelen = sizeof to;
      message.msg_hdr.msg_iov = &data;
      message.msg_hdr.msg_iovlen = 1;
    }
    while (count > 0) {
      const int sent = sendmmsg(client.socket.get(), batch.data(),
                                static_cast<unsigned>(std::min(count, k_batch)), 0);
      if (sent <= 0) return base::fail_errno("sendmmsg", errno);
      count -= sent;
    }
    return {};
  }

  // Seconds for each packet that arrived; an error when many did not.
  Result<double> cost(int count) {
    MARGAY_TRY(const int64_t before, server.received());
    const auto start = Clock::now();
    MARGAY_CHECK(send(count));
    const double took = std::chrono::duration<double>(Clock::now() - start).count();
    MARGAY_TRY(const int64_t after, server.received());
    if (after - before < count * 99L / 100)
      return base::fail(base::ErrorCode::internal,
                        fmt::format("{} of {} packets arrived", after - before, count));
    return took / static_cast<double>(after - before);
  }

  std::optional<net::NetlinkSocket> netlink;
  Pod client{fmt::format("mb-client-{}", getpid()), "cali1", "10.65.0.1"};
  Pod server{fmt::format("mb-server-{}", getpid()), "cali2", "10.65.0.2"};
};

struct Case {
  int64_t rules = 1;    // of the receiver's policy; the last allows, the others are for other ports
  int64_t members = 0;  // of the set of sources that the last rule asks for; 0: it asks for none
  int64_t workloads = 2;  // of the node
};

std::vector<policy::Delta> program(const Node& node, const Case& wanted) {
  std::vector<policy::Delta> deltas;
  const PolicyKey key{"default", "", "policy"};
  policy::ProgramRules rules;
  for (int64_t i = 1; i < wanted.rules; ++i) {
    const auto port = static_cast<uint16_t>(1'000 + i);
    rules.ingress.push_back({.action = policy::Action::deny,
                             .protocol = policy::k_udp,
                             .destination = {.ports = {{port, port}}}});
  }
  policy::ProgramRule last{.protocol = policy::k_udp};
  if (wanted.members > 0) {
    policy::SetMembers members;
    members.insert({.net = Prefix(ip(node.client.address))});
    for (int64_t i = 1; i < wanted.members; ++i)
      members.insert({.net = Prefix(IPAddress::v4(0x0b000000U + static_cast<uint32_t>(i)))});
    deltas.emplace_back(policy::SetUpdate{"s:clients", policy::SetType::nets, members});
    last.source.sets = {"s:clients"};
  }
  rules.ingress.push_back(last);
  deltas.emplace_back(
      policy::PolicyUpdate{key, std::make_shared<const policy::ProgramRules>(rules)});
  deltas.emplace_back(policy::ProfileUpdate{
      "open", std::make_shared<const policy::ProgramRules>(policy::ProgramRules{{{}}, {{}}})});
  const auto add = [&](const std::string& name, const std::string& interface, IPAddress address,
                       bool policed) {
    policy::ProgramWorkload workload;
    workload.endpoint = {.key = {"node", "k8s", "default/" + name, "eth0"},
                         .interface_name = interface,
                         .addresses = {address},
                         .profiles = {"open"}};
    if (policed) workload.tiers = {{"default", {key}, {}}};
    deltas.emplace_back(policy::WorkloadUpdate{workload});
  };
  add("client", node.client.interface, ip(node.client.address), false);
  add("server", node.server.interface, ip(node.server.address), true);
  for (int64_t i = 2; i < wanted.workloads; ++i)
    add(fmt::format("other-{}", i), fmt::format("cali{:011x}", i * 0x9e3779b1LL),
        IPAddress::v4(0x0a420000U + static_cast<uint32_t>(i)), true);
  for (const auto* pod : {&node.client, &node.server})
    deltas.emplace_back(policy::RouteUpdate{{.destination = Prefix(ip(pod->address)),
                                             .kind = policy::ProgramRoute::Kind::local_workload,
                                             .interface_name = pod->interface}});
  deltas.emplace_back(policy::InSync{});
  return deltas;
}

Result<> forward(benchmark::State& state, const std::string& plane_name, const Case& wanted,
                 bool established) {
  Node node;
  MARGAY_CHECK(node.set_up());
  MARGAY_CHECK(node.cost(k_packets));  // neighbours are found
  MARGAY_TRY(const double bare, node.cost(k_yardstick));

  MARGAY_TRY(const auto plane, make_kernel_plane(plane_name, {.node = "node"}));
  for (const auto& delta : program(node, wanted)) plane->on_delta(delta);
  MARGAY_CHECK(plane->apply().outcome);
  if (established) MARGAY_CHECK(node.answer());

  double spent = 0;
  for (auto _ : state) {
    MARGAY_TRY(const double cost, node.cost(k_packets));
    state.SetIterationTime(cost * k_packets);
    spent += cost;
  }
  const double cost = spent / static_cast<double>(state.iterations());
  state.counters["packets_per_second"] = 1 / cost;
  state.counters["bare_packets_per_second"] = 1 / bare;
  state.counters["of_bare"] = bare / cost;
  return {};
}

void run(benchmark::State& state, const std::string& plane, const Case& wanted, bool established) {
  if (const auto done = forward(state, plane, wanted, established); !done)
    state.SkipWithError(done.error().message.c_str());
}

void add_all() {
  const auto add = [](const std::string& plane, const std::string& name, const Case& wanted,
                      bool established) {
    benchmark::RegisterBenchmark(
        fmt::format("forwarding/{}/{}", plane, name).c_str(),
        [=](benchmark::State& state) { run(state, plane, wanted, established); })
        ->Iterations(3)
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
  };
  for (const std::string plane : k_kernel_planes) {
    add(plane, "established/rules:1000", {.rules = 1'000}, true);
    for (const int64_t rules : {1, 100, 1'000, 10'000})
      add(plane, fmt::format("policed/rules:{}", rules), {.rules = rules}, false);
    for (const int64_t members : {100, 100'000})
      add(plane, fmt::format("policed/members:{}", members), {.members = members}, false);
    for (const int64_t workloads : {100, 1'000})
      add(plane, fmt::format("policed/workloads:{}", workloads), {.workloads = workloads}, false);
  }
}
const bool k_added = (add_all(), true);

}  // namespace
}  // namespace margay::dataplane::linux_host
