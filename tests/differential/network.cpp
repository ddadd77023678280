#include "differential/network.h"

#include <fmt/format.h>

#include <algorithm>

namespace margay::differential {
namespace {

policy::IPAddress ip(const char* text) { return *policy::IPAddress::parse(text); }

}  // namespace

std::string workload_interface(size_t number) { return fmt::format("cali{:04}", number); }

net::MacAddress workload_mac(const std::string& interface_name) {
  const auto number = static_cast<unsigned>(std::stoul("0" + interface_name.substr(4)));
  return {{0x02, 0xca, 0x11, 0, static_cast<uint8_t>(number >> 8), static_cast<uint8_t>(number)}};
}

const std::vector<HostAddress>& host_addresses() {
  static const std::vector<HostAddress> addresses = {
      {ip("192.0.2.140"), k_uplink},   {ip("192.0.2.141"), k_uplink},
      {ip("192.0.2.142"), k_side},     {ip("2001:db8:1::1"), k_uplink},
      {ip("2001:db8:1::2"), k_uplink}, {ip("2001:db8:1::3"), k_side}};
  return addresses;
}

bool is_of_the_host(const policy::IPAddress& address) {
  return std::ranges::any_of(host_addresses(),
                             [&](const auto& own) { return own.address == address; });
}

const std::vector<policy::Prefix>& side_nets() {
  static const std::vector<policy::Prefix> nets = {*policy::Prefix::parse("198.51.100.0/24"),
                                                   *policy::Prefix::parse("2001:db8:2::/64")};
  return nets;
}

bool is_behind_the_side(const policy::IPAddress& address) {
  return std::ranges::any_of(side_nets(), [&](const auto& net) { return net.contains(address); });
}

// To the first workload, to the node's own process, and to what is behind either interface.
const std::vector<Frontend>& frontends() {
  static const std::vector<Frontend> frontends = {
      {ip("10.96.0.10"), 80, ip("10.65.0.8"), 8080},
      {ip("192.0.2.140"), 30080, ip("10.65.0.8"), 8080},
      {ip("10.96.0.1"), 443, ip("192.0.2.140"), 8080},
      {ip("10.96.0.11"), 53, ip("198.51.100.7"), 9090},
      {ip("192.0.2.142"), 30081, ip("203.0.113.77"), 443},
      {ip("fd96::a"), 80, ip("fd00:65::8"), 8080},
      {ip("2001:db8:1::1"), 30080, ip("fd00:65::8"), 8080},
      {ip("fd96::1"), 443, ip("2001:db8:1::1"), 8080},
      {ip("fd96::b"), 53, ip("2001:db8:2::7"), 9090},
      {ip("2001:db8:1::3"), 30081, ip("2001:db8:ffff::77"), 443}};
  return frontends;
}

}  // namespace margay::differential
