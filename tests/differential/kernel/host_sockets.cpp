#include "differential/kernel/host_sockets.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/process.h"
#include "differential/network.h"

namespace margay::differential {
namespace {

using base::Result;
using policy::IPFamily;

constexpr uint32_t k_own_mark = 1;  // outside of the data planes' bits
// What packets of the generator have (policy/generate.h), and IPIP.
constexpr std::array<uint8_t, 8> k_protocols{
    policy::k_tcp, policy::k_udp, policy::k_sctp, policy::k_udplite, 103, 253, 4, policy::k_icmp};

Result<base::UniqueFd> raw_socket(int family, int protocol) {
  base::UniqueFd socket(::socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
  if (!socket) return base::fail_errno("raw socket", errno);
  const int size = 8 << 20;
  setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  return socket;
}

Result<base::UniqueFd> sending_socket(int family) {
  MARGAY_TRY(auto socket, raw_socket(family, IPPROTO_RAW));
  const uint32_t mark = k_own_mark;
  if (setsockopt(socket.get(), SOL_SOCKET, SO_MARK, &mark, sizeof mark) != 0)
    return base::fail_errno("mark a socket's packets", errno);
  return socket;
}

std::string rules_of(const char* table, IPFamily family) {
  std::string translations;
  for (const auto& frontend : frontends()) {
    if (frontend.address.family() != family) continue;
    const bool v6 = family == IPFamily::v6;
    for (const char* protocol : {"tcp", "udp", "sctp"})
      translations +=
          fmt::format("    {} daddr {} {} dport {} dnat to {}{}{}:{}\n", table,
                      frontend.address.to_string(), protocol, frontend.port, v6 ? "[" : "",
                      frontend.backend.to_string(), v6 ? "]" : "", frontend.backend_port);
  }
  // Before raw, and before anyone else translates.
  return fmt::format(
      "table {0} harness {{\n"
      "  chain unasked {{\n    type filter hook output priority -400\n"
      "    meta mark & {1} == 0 drop\n  }}\n"
      "  chain in {{\n    type nat hook prerouting priority -110\n{2}  }}\n"
      "  chain out {{\n    type nat hook output priority -110\n{2}  }}\n}}\n",
      table, k_own_mark, translations);
}

}  // namespace

Result<HostSockets> HostSockets::open() {
  MARGAY_CHECK(
      base::run_checked({.argv = {"nft", "-f", "-"},
                         .input = rules_of("ip", IPFamily::v4) + rules_of("ip6", IPFamily::v6)}));
  HostSockets sockets;
  MARGAY_TRY(sockets.sender_v4_, sending_socket(AF_INET));
  MARGAY_TRY(sockets.sender_v6_, sending_socket(AF_INET6));
  for (const int family : {AF_INET, AF_INET6})
    for (int protocol : k_protocols) {
      if (family == AF_INET6 && protocol == policy::k_icmp) protocol = policy::k_icmpv6;
      MARGAY_TRY(auto socket, raw_socket(family, protocol));
      sockets.receivers_.push_back(std::move(socket));
    }
  return sockets;
}

Result<> HostSockets::send(const policy::Packet& packet, PacketId id) {
  const auto bytes = make_datagram(packet, id);
  const auto& to = packet.destination.bytes();
  ssize_t sent = 0;
  if (packet.destination.is_v4()) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    std::memcpy(&address.sin_addr, to.data(), sizeof address.sin_addr);
    sent = sendto(sender_v4_.get(), bytes.data(), bytes.size(), 0,
                  reinterpret_cast<const sockaddr*>(&address), sizeof address);
  } else {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    std::memcpy(&address.sin6_addr, to.data(), sizeof address.sin6_addr);
    sent = sendto(sender_v6_.get(), bytes.data(), bytes.size(), 0,
                  reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
  if (sent < 0 && errno != EPERM)
    return base::fail_errno("send from the node: " + to_string(packet), errno);
  return {};
}

Result<> HostSockets::collect(const std::function<void(uint32_t)>& got) {
  std::array<uint8_t, 2048> buffer;
  for (const auto& socket : receivers_)
    while (true) {
      const ssize_t size = recv(socket.get(), buffer.data(), buffer.size(), 0);
      if (size < 0 && (errno == EAGAIN || errno == EINTR)) break;
      if (size < 0) return base::fail_errno("receive at the node", errno);
      if (const auto id = frame_id({buffer.data(), static_cast<size_t>(size)})) got(*id);
    }
  return {};
}

}  // namespace margay::differential
