#include "node/address_detection.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <regex>

#include "base/unique_fd.h"
#include "net/interface_address.h"
#include "net/link.h"
#include "net/netlink.h"

namespace margay::node {
namespace {

using base::ErrorCode;
using base::fail;
using base::IPAddress;
using base::IPFamily;
using base::Result;

// What container runtimes and network plugins make on a host; never the node's own address.
const char* const k_excluded_interfaces =
    "docker.*|cbr.*|dummy.*|virbr.*|lxcbr.*|veth.*|lo|cali.*|tunl.*|flannel.*|kube-ipvs.*|cni.*|"
    "vxlan.*|wireguard.*|nodelocaldns.*|lxc.*|br-.*";

std::vector<std::string> split(std::string_view list) {
  std::vector<std::string> items;
  for (size_t at = 0; at <= list.size();) {
    const size_t comma = std::min(list.find(',', at), list.size());
    if (comma > at) items.emplace_back(list.substr(at, comma - at));
    at = comma + 1;
  }
  return items;
}

bool is_usable(const HostAddress& candidate, IPFamily family) {
  if (candidate.address.family() != family || !candidate.interface_up) return false;
  const auto never =
      family == IPFamily::v4
          ? std::vector{*base::Prefix::parse("127.0.0.0/8"), *base::Prefix::parse("169.254.0.0/16")}
          : std::vector{*base::Prefix::parse("::1"), *base::Prefix::parse("fe80::/10")};
  return std::ranges::none_of(
      never, [&](const base::Prefix& prefix) { return prefix.contains(candidate.address); });
}

Result<std::regex> any_of(const std::vector<std::string>& patterns) {
  std::string joined;
  for (const auto& pattern : patterns) joined += (joined.empty() ? "(?:" : "|(?:") + pattern + ")";
  try {
    return std::regex(joined, std::regex::ECMAScript);
  } catch (const std::regex_error& error) {
    return fail(ErrorCode::invalid, "\"" + joined + "\" is not a regular expression");
  }
}

// Asks the kernel by connecting a datagram socket: a route look-up, nothing is sent.
Result<IPAddress> source_towards(const IPAddress& target) {
  sockaddr_storage remote{}, local{};
  socklen_t size = 0;
  if (target.is_v4()) {
    auto& address = reinterpret_cast<sockaddr_in&>(remote);
    address.sin_family = AF_INET;
    address.sin_port = htons(53);
    std::memcpy(&address.sin_addr, target.bytes().data(), 4);
    size = sizeof address;
  } else {
    auto& address = reinterpret_cast<sockaddr_in6&>(remote);
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(53);
    std::memcpy(&address.sin6_addr, target.bytes().data(), 16);
    size = sizeof address;
  }
  const base::UniqueFd probe(socket(remote.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  socklen_t local_size = sizeof local;
  if (!probe || connect(probe.get(), reinterpret_cast<sockaddr*>(&remote), size) != 0 ||
      getsockname(probe.get(), reinterpret_cast<sockaddr*>(&local), &local_size) != 0) {
    return base::fail_errno("find the way to " + target.to_string(), errno);
  }
  const auto* bytes =
      target.is_v4()
          ? reinterpret_cast<const uint8_t*>(&reinterpret_cast<sockaddr_in&>(local).sin_addr)
          : reinterpret_cast<const uint8_t*>(&reinterpret_cast<sockaddr_in6&>(local).sin6_addr);
  return IPAddress::from_bytes({bytes, target.bytes().size()});
}

using Wanted = std::function<bool(const HostAddress&)>;

Result<Wanted> by_interface(std::string_view patterns, bool wanted) {
  MARGAY_TRY(const std::regex names, any_of(split(patterns)));
  return [names, wanted](const HostAddress& candidate) {
    return std::regex_search(candidate.interface_name, names) == wanted;
  };
}

Result<Wanted> by_prefix(std::string_view list) {
  std::vector<base::Prefix> prefixes;
  for (const auto& text : split(list)) {
    MARGAY_TRY(prefixes.emplace_back(), base::Prefix::parse(text));
  }
  return [prefixes](const HostAddress& candidate) {
    return std::ranges::any_of(prefixes,
                               [&](const auto& p) { return p.contains(candidate.address); });
  };
}

Result<Wanted> by_reachability(std::string_view target, IPFamily family) {
  MARGAY_TRY(const IPAddress address, IPAddress::parse(target));
  if (address.family() != family)
    return fail(ErrorCode::invalid,
                "can-reach: " + address.to_string() + " is of the other family");
  MARGAY_TRY(const IPAddress source, source_towards(address));
  return [source](const HostAddress& candidate) { return candidate.address == source; };
}

Result<Wanted> wanted_by(std::string_view method, IPFamily family) {
  const size_t equals = method.find('=');
  const std::string_view name = method.substr(0, equals);
  const std::string_view value = equals == method.npos ? "" : method.substr(equals + 1);
  if (name == "first-found" && value.empty()) return by_interface("a^", false);
  if (name == "interface" && !value.empty()) return by_interface(value, true);
  if (name == "skip-interface" && !value.empty()) return by_interface(value, false);
  if (name == "cidr" && !value.empty()) return by_prefix(value);
  if (name == "can-reach" && !value.empty()) return by_reachability(value, family);
  return fail(ErrorCode::invalid,
              "autodetection method \"" + std::string(method) +
                  "\" is not one of first-found, interface=, skip-interface=, cidr=, can-reach=");
}

}  // namespace

std::string HostAddress::to_string() const {
  return address.to_string() + "/" + std::to_string(prefix_length);
}

Result<std::vector<HostAddress>> host_addresses() {
  MARGAY_TRY(auto socket, net::NetlinkSocket::open());
  MARGAY_TRY(const auto links, net::list_links(socket));
  MARGAY_TRY(const auto addresses, net::list_addresses(socket));
  std::map<int, const net::Link*> by_index;
  for (const auto& link : links) by_index[link.index] = &link;

  std::vector<HostAddress> found;
  for (const auto& address : addresses) {
    const auto link = by_index.find(address.link);
    if (link == by_index.end()) continue;  // went away between the two reads
    found.push_back({.interface_name = link->second->name,
                     .interface_up = link->second->up,
                     .address = address.address,
                     .prefix_length = address.prefix_length});
  }
  return found;
}

Result<HostAddress> detect_address(const std::vector<HostAddress>& candidates, IPFamily family,
                                   std::string_view method) {
  MARGAY_TRY(const Wanted wanted, wanted_by(method, family));
  // Naming interfaces, prefixes or a target says enough; only the open methods need the exclusions.
  const bool open = method.starts_with("first-found") || method.starts_with("skip-interface");
  static const std::regex k_excluded(k_excluded_interfaces);
  for (const auto& candidate : candidates) {
    const bool excluded = open && std::regex_match(candidate.interface_name, k_excluded);
    if (is_usable(candidate, family) && !excluded && wanted(candidate)) return candidate;
  }
  return fail(ErrorCode::not_found, std::string("no ") +
                                        (family == IPFamily::v4 ? "IPv4" : "IPv6") +
                                        " address of this host fits the autodetection method \"" +
                                        std::string(method) + "\"");
}

}  // namespace margay::node
