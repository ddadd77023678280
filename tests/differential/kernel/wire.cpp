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
constexpr MacAddress k_sink_mac{{0x02, 0xfe, 0, 0, 0, 2}};
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

Result<base::UniqueFd> open_packet_socket() {
  base::UniqueFd socket(
      ::socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_ALL)));
  if (!socket) return base::fail_errno("packet socket", errno);
  const int size = 64 << 20;
  setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  return socket;
}

policy::Packet closing_packet() {
  return {.source = address("198.18.255.2"),
          .destination = address("198.18.0.2"),
          .protocol = policy::k_udp,
          .source_port = 7,
          .destination_port = 7};
}

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
  MARGAY_CHECK(wire.add_pair(k_uplink, k_uplink_mac));
  MARGAY_CHECK(wire.add_pair(k_sink, k_sink_mac));
  MARGAY_CHECK(wire.set_up_node());
  MARGAY_CHECK(wire.learn_far_ends());
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
  MARGAY_TRY(const auto uplink, net::get_link(socket, k_uplink));
  MARGAY_TRY(const auto sink, net::get_link(socket, k_sink));
  const auto attach = [&](int link, const char* own, unsigned length, const char* peer,
                          const MacAddress& mac) -> Result<> {
    MARGAY_CHECK(net::add_address(socket, {.link = link,
                                           .address = address(own),
                                           .prefix_length = length,
                                           .no_duplicate_detection = true}));
    return net::replace_neighbour(socket, {.link = link, .address = address(peer), .mac = mac});
  };
  MARGAY_CHECK(attach(uplink.index, "198.18.255.1", 24, "198.18.255.2", k_uplink_mac));
  MARGAY_CHECK(attach(uplink.index, "fd99::1", 64, "fd99::2", k_uplink_mac));
  MARGAY_CHECK(attach(sink.index, "198.18.0.1", 24, "198.18.0.2", k_sink_mac));
  MARGAY_CHECK(net::write_sysctl("net/ipv4/conf/all/send_redirects", "0"));
  MARGAY_CHECK(net::write_sysctl("net/ipv4/ip_forward", "1"));
  // Linux checks UDPLite with UDP's protocol number in the pseudo header (nf_conntrack_proto_udp.c)
  // and would call every correct packet invalid.
  MARGAY_CHECK(net::write_sysctl("net/netfilter/nf_conntrack_checksum", "0"));
  for (const auto& [everything, gateway] :
       {std::pair{base::Prefix::all(base::IPFamily::v4), "198.18.255.2"},
        std::pair{base::Prefix::all(base::IPFamily::v6), "fd99::2"}})
    MARGAY_CHECK(net::add_route(
        socket, {.destination = everything, .link = uplink.index, .via = address(gateway)}));
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

Result<Arrivals> Wire::exchange(std::span<const Injection> batch) {
  MARGAY_CHECK(base::run_checked({.argv = {"conntrack", "-F"}}));
  const uint32_t first = next_id_;
  Arrivals arrivals(batch.size());
  for (const auto& injection : batch)
    MARGAY_CHECK(send(ends_.at(injection.interface_name), injection.packet, next_id_++));
  const uint32_t last = next_id_++;
  MARGAY_CHECK(send(ends_.at(k_uplink), closing_packet(), last));
  const auto deadline = std::chrono::steady_clock::now() + k_deadline;
  while (std::chrono::steady_clock::now() < deadline) {
    MARGAY_TRY(const bool over, collect(first, last, arrivals));
    if (over) return arrivals;
    pollfd waiting{socket_.get(), POLLIN, 0};
    poll(&waiting, 1, 100);
  }
  return base::fail(base::ErrorCode::timeout, "the packet that closes a batch did not arrive");
}

Result<> Wire::send(const FarEnd& end, const policy::Packet& packet, uint32_t id) {
  const auto frame = make_frame(packet, end.far_mac, end.near_mac, id);
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_ifindex = end.index;
  if (sendto(socket_.get(), frame.data(), frame.size(), 0, reinterpret_cast<const sockaddr*>(&to),
             sizeof to) < 0)
    return base::fail_errno("send a frame", errno);
  return {};
}

Result<bool> Wire::collect(uint32_t first, uint32_t last, Arrivals& arrivals) {
  std::array<uint8_t, 2048> buffer;
  while (true) {
    sockaddr_ll from{};
    socklen_t size = sizeof from;
    const ssize_t got = recvfrom(socket_.get(), buffer.data(), buffer.size(), 0,
                                 reinterpret_cast<sockaddr*>(&from), &size);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (got < 0) return base::fail_errno("receive a frame", errno);
    if (from.sll_pkttype == PACKET_OUTGOING) continue;  // our own, on its way in
    const auto id = frame_id({buffer.data(), static_cast<size_t>(got)});
    if (!id || *id < first || *id > last) continue;
    const auto& name = by_index_.at(from.sll_ifindex);
    if (*id == last) return true;
    arrivals[*id - first].push_back(name);
  }
}

}  // namespace margay::differential
