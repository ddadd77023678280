#include "policy/failsafe.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "policy/protocol.h"

namespace margay::policy {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

std::optional<uint16_t> parse_port(std::string_view text) {
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return port;
}

std::optional<uint8_t> parse_protocol(std::string_view text) {
  const auto protocol = protocol_by_name(text);
  return protocol && takes_port_rules(*protocol) ? protocol : std::nullopt;
}

// With or without the brackets that keep an IPv6 net's colons apart.
std::optional<Prefix> parse_net(std::string_view text) {
  if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
  const auto net = Prefix::parse(text);
  return net ? std::optional(*net) : std::nullopt;
}

// <port>, <protocol>:<port> or <protocol>:<net>:<port>.
Result<Failsafe> parse_failsafe(std::string_view text) {
  const auto bad = [&](std::string_view rule) {
    return fail(ErrorCode::invalid, fmt::format("\"{}\": {}", text, rule));
  };
  Failsafe failsafe;
  const auto last = text.rfind(':');
  const auto port = parse_port(last == text.npos ? text : text.substr(last + 1));
  if (!port) return bad("must end with a port, from 0 to 65535");
  failsafe.port = *port;
  if (last == text.npos) return failsafe;
  const auto first = text.find(':');
  const auto protocol = parse_protocol(text.substr(0, first));
  if (!protocol) return bad("the protocol must be tcp, udp or sctp");
  failsafe.protocol = *protocol;
  if (first == last) return failsafe;
  failsafe.net = parse_net(text.substr(first + 1, last - first - 1));
  if (!failsafe.net) return bad("between protocol and port stands a CIDR");
  return failsafe;
}

bool has(const std::vector<Failsafe>& failsafes, uint8_t protocol, const IPAddress& remote,
         uint16_t port) {
  return std::ranges::any_of(failsafes, [&](const Failsafe& failsafe) {
    return failsafe.protocol == protocol && failsafe.port == port &&
           (!failsafe.net || failsafe.net->contains(remote));
  });
}

// Solicitations and advertisements of routers and neighbours.
bool is_neighbour_discovery(const Packet& packet) {
  return packet.protocol == k_icmpv6 && packet.icmp_type >= 133 && packet.icmp_type <= 136;
}

}  // namespace

const Failsafes& default_failsafes() {
  constexpr std::string_view k_inbound =
      "tcp:22,udp:68,tcp:179,tcp:2379,tcp:2380,tcp:5473,tcp:6443,tcp:6666,tcp:6667";
  constexpr std::string_view k_outbound =
      "udp:53,udp:67,tcp:179,tcp:2379,tcp:2380,tcp:5473,tcp:6443,tcp:6666,tcp:6667";
  static const Failsafes failsafes{.inbound = parse_failsafes(k_inbound).value(),
                                   .outbound = parse_failsafes(k_outbound).value()};
  return failsafes;
}

Result<std::vector<Failsafe>> parse_failsafes(std::string_view text) {
  std::vector<Failsafe> failsafes;
  if (base::trim(text) == "none") return failsafes;
  for (const auto part : base::split_trimmed(text, ',')) {
    MARGAY_TRY(failsafes.emplace_back(), parse_failsafe(part));
  }
  return failsafes;
}

bool is_failsafe(const Failsafes& failsafes, Direction direction, const Packet& packet) {
  if (is_neighbour_discovery(packet)) return true;
  const bool comes_in = direction == Direction::ingress;
  return has(comes_in ? failsafes.inbound : failsafes.outbound, packet.protocol,
             comes_in ? packet.source : packet.destination, packet.destination_port);
}

bool answers_failsafe(const Failsafes& failsafes, Direction direction, const Packet& packet) {
  const bool comes_in = direction == Direction::ingress;
  return has(comes_in ? failsafes.outbound : failsafes.inbound, packet.protocol,
             comes_in ? packet.source : packet.destination, packet.source_port);
}

}  // namespace margay::policy
