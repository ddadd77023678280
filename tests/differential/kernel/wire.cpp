#include "differential/kernel/wire.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

#include "base/process.h"
#include "differential/frame.h"
#include "net/interface_address.h"
#include "net/link.h"
#include "net/neighbour.h"
#include "net/netlink.h"
#include "net/route.h"
#include "net/sysctl.h"

namespace margay::differential {
namespace {

using base::Result;
using net::MacAddress;
using net::NetlinkSocket;
using net::NetworkNamespace;
using policy::IPAddress;

constexpr const char* k_sink = "sink";
constexpr MacAddress k_sink_mac{{0x02, 0xfe, 0, 0, 0, 3}};
constexpr std::chrono::seconds k_deadline{20};

IPAddress address(const char* text) { return *IPAddress::parse(text); }
std::string far_name(const std::string& near) { return "far-" + near; }

Result<NetworkNamespace> enter_new_namespace() {
  if (unshare(CLONE_NEWNET) != 0) return base::fail_errno("unshare network namespace", errno);
  MARGAY_TRY(auto socket, NetlinkSocket::open());
  MARGAY_CHECK(net::change_link(socket, "lo", {.up = true}));
  return NetworkNamespace::current();
}

// Every packet crosses the kernel's per-CPU queues in the order it was sent.
Result<> stay_on_one_cpu() {
  cpu_set_t all, one;
  CPU_ZERO(&all);
  if (sched_getaffinity(0, sizeof all, &all) != 0) return base::fail_errno("get affinity", errno);
  CPU_ZERO(&one);
  for (size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &all)) continue;
    CPU_SET(cpu, &one);
    break;
  }
  if (sched_setaffinity(0, sizeof one, &one) != 0) return base::fail_errno("set affinity", errno);
  return {};
}

// Of one link, or of all.
Result<base::UniqueFd> open_packet_socket(int link = 0) {
  base::UniqueFd socket(
      ::socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_ALL)));
  if (!socket) return base::fail_errno("packet socket", errno);
  const int size = 64 << 20;
  setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  sockaddr_ll of{};
  of.sll_family = AF_PACKET;
  of.sll_protocol = htons(ETH_P_ALL);
  of.sll_ifindex = link;
  if (link != 0 && bind(socket.get(), reinterpret_cast<const sockaddr*>(&of), sizeof of) != 0)
    return base::fail_errno("bind a packet socket", errno);
  return socket;
}

Result<> send_frame(const base::UniqueFd& socket, int link, std::span<const uint8_t> frame) {
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_ifindex = link;
  if (sendto(socket.get(), frame.data(), frame.size(), 0, reinterpret_cast<const sockaddr*>(&to),
             sizeof to) < 0)
    return base::fail_errno("send a frame", errno);
  return {};
}

// The node's own addresses are single ones: their neighbours are not on a link with them.
struct Gateway {
  const char *own, *peer;
  unsigned length;
};
struct HostLink {
  const char* name;
  MacAddress far_mac;
  Gateway v4, v6;
};
constexpr HostLink k_host_links[] = {
    {k_uplink, k_uplink_mac, {"198.18.255.1", "198.18.255.2", 24}, {"fd99::1", "fd99::2", 64}},
    {k_side, k_side_mac, {"198.18.254.1", "198.18.254.2", 24}, {"fd98::1", "fd98::2", 64}}};

}  // namespace

Result<Wire> Wire::create(size_t workloads) {
  MARGAY_CHECK(stay_on_one_cpu());
  MARGAY_TRY(auto far_side, enter_new_namespace());
  MARGAY_CHECK(net::write_sysctl("net/ipv6/conf/all/disable_ipv6", "1"));
  MARGAY_CHECK(net::write_sysctl("net/ipv6/conf/default/disable_ipv6", "1"));
  Wire wire(std::move(far_side));
  MARGAY_TRY(wire.socket_, open_packet_socket());
  MARGAY_TRY(const auto node, enter_new_namespace());
  MARGAY_CHECK(net::write_sysctl("net/ipv4/conf/all/rp_filter", "0"));
  MARGAY_CHECK(net::write_sysctl("net/ipv4/conf/default/rp_filter", "0"));
  MARGAY_CHECK(net::write_sysctl("net/ipv6/conf/default/accept_dad", "0"));
  for (size_t i = 0; i < workloads; ++i)
    MARGAY_CHECK(wire.add_pair(workload_interface(i), workload_mac(workload_interface(i))));
  for (const auto& link : k_host_links) MARGAY_CHECK(wire.add_pair(link.name, link.far_mac));
  MARGAY_CHECK(wire.add_pair(k_sink, k_sink_mac));
  MARGAY_CHECK(wire.set_up_node());
  MARGAY_CHECK(wire.learn_far_ends());
  MARGAY_TRY(wire.near_sink_, open_packet_socket(wire.near_sink_index_));
  MARGAY_TRY(wire.host_, HostSockets::open());
  return wire;
}

Result<> Wire::add_pair(const std::string& name, const MacAddress& far_mac) {
  MARGAY_TRY(auto near, NetlinkSocket::open());
  MARGAY_TRY(auto far, NetlinkSocket::open(far_side_));
  MARGAY_CHECK(net::create_veth(near, {.near = {name, k_near_mac},
                                       .far = {far_name(name), far_mac},
                                       .far_namespace = far_side_.fd()}));
  MARGAY_CHECK(net::change_link(near, name, {.up = true, .ipv6_link_local = false}));
  MARGAY_CHECK(net::change_link(far, far_name(name), {.up = true}));
  ends_[name] = {.near_mac = k_near_mac, .far_mac = far_mac};
  return {};
}

Result<> Wire::set_up_node() {
  MARGAY_TRY(auto socket, NetlinkSocket::open());
  const auto add_address = [&](const char* link, const IPAddress& own,
                               unsigned length) -> Result<> {
    MARGAY_TRY(const auto found, net::get_link(socket, link));
    return net::add_address(socket, {.link = found.index,
                                     .address = own,
                                     .prefix_length = length,
                                     .no_duplicate_detection = true});
  };
  const auto add_route = [&](const base::Prefix& to, const char* link,
                             const char* via) -> Result<> {
    MARGAY_TRY(const auto found, net::get_link(socket, link));
    return net::add_route(socket, {.destination = to, .link = found.index, .via = address(via)});
  };
  for (const auto& [name, far_mac, v4, v6] : k_host_links) {
    MARGAY_TRY(const auto link, net::get_link(socket, name));
    for (const auto& [own, peer, length] : {v4, v6}) {
      MARGAY_CHECK(add_address(name, address(own), length));
      MARGAY_CHECK(net::replace_neighbour(
          socket, {.link = link.index, .address = address(peer), .mac = far_mac}));
    }
  }
  MARGAY_TRY(const auto sink, net::get_link(socket, k_sink));
  near_sink_index_ = sink.index;
  for (const auto& own : host_addresses())
    MARGAY_CHECK(add_address(own.interface, own.address, own.address.bits()));
  MARGAY_CHECK(net::write_sysctl("net/ipv4/conf/all/send_redirects", "0"));
  MARGAY_CHECK(net::write_sysctl("net/ipv4/ip_forward", "1"));
  // Linux checks UDPLite with UDP's protocol number in the pseudo header (nf_conntrack_proto_udp.c)
  // and would call every correct packet invalid.
  MARGAY_CHECK(net::write_sysctl("net/netfilter/nf_conntrack_checksum", "0"));
  const auto& [uplink, side] = k_host_links;
  for (const auto family : {base::IPFamily::v4, base::IPFamily::v6})
    MARGAY_CHECK(add_route(base::Prefix::all(family), uplink.name,
                           family == base::IPFamily::v4 ? uplink.v4.peer : uplink.v6.peer));
  for (const auto& net : side_nets())
    MARGAY_CHECK(add_route(net, side.name,
                           net.family() == base::IPFamily::v4 ? side.v4.peer : side.v6.peer));
  return {};
}

Result<> Wire::learn_far_ends() {
  MARGAY_TRY(auto far, NetlinkSocket::open(far_side_));
  for (auto& [name, end] : ends_) {
    MARGAY_TRY(const auto link, net::get_link(far, far_name(name)));
    end.index = link.index;
    by_index_[link.index] = name;
  }
  return {};
}

Result<Arrivals> Wire::exchange(std::span<const Injection> batch, Flows flows) {
  if (flows == Flows::forgotten) MARGAY_CHECK(base::run_checked({.argv = {"conntrack", "-F"}}));
  const uint32_t before = std::exchange(first_id_, next_id_);
  for (const auto& injection : batch) {
    PacketId id{next_id_++};
    if (injection.answers) id.flow = before + static_cast<uint32_t>(*injection.answers);
    MARGAY_CHECK(send(injection, id));
  }
  const uint32_t last = next_id_++;
  Arrivals arrivals(batch.size());
  MARGAY_CHECK(send_frame(socket_, ends_.at(k_sink).index, make_marker(last)));
  MARGAY_CHECK(await(near_sink_, last, nullptr));
  MARGAY_CHECK(send_frame(near_sink_, near_sink_index_, make_marker(last)));
  MARGAY_CHECK(await(socket_, last, &arrivals));
  MARGAY_CHECK(host_->collect([&](uint32_t id) {
    if (id >= first_id_ && id < last) arrivals[id - first_id_].emplace_back(k_host);
  }));
  return arrivals;
}

Result<> Wire::send(const Injection& injection, PacketId id) {
  if (injection.interface_name == k_host) return host_->send(injection.packet, id);
  const auto& end = ends_.at(injection.interface_name);
  return send_frame(socket_, end.index,
                    make_frame(injection.packet, end.far_mac, end.near_mac, id));
}

Result<> Wire::await(const base::UniqueFd& socket, uint32_t last, Arrivals* arrivals) {
  const auto deadline = std::chrono::steady_clock::now() + k_deadline;
  while (std::chrono::steady_clock::now() < deadline) {
    MARGAY_TRY(const bool over, collect(socket, last, arrivals));
    if (over) return {};
    pollfd waiting{socket.get(), POLLIN, 0};
    poll(&waiting, 1, 100);
  }
  return base::fail(base::ErrorCode::timeout, "the frame that closes a batch did not arrive");
}

Result<bool> Wire::collect(const base::UniqueFd& socket, uint32_t last, Arrivals* arrivals) {
  std::array<uint8_t, 2048> buffer;
  while (true) {
    sockaddr_ll from{};
    socklen_t size = sizeof from;
    const ssize_t got = recvfrom(socket.get(), buffer.data(), buffer.size(), 0,
                                 reinterpret_cast<sockaddr*>(&from), &size);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (got < 0) return base::fail_errno("receive a frame", errno);
    if (from.sll_pkttype == PACKET_OUTGOING) continue;  // our own, on its way in
    const auto id = frame_id({buffer.data(), static_cast<size_t>(got)});
    if (!id || *id < first_id_ || *id > last) continue;
    if (*id == last) return true;
    if (arrivals) (*arrivals)[*id - first_id_].push_back(by_index_.at(from.sll_ifindex));
  }
}

}  // namespace margay::differential
