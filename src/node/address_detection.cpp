#include "node/address_detection.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>

#include <re2/re2.h>

#include "base/text.h"
#include "base/unique_fd.h"

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

// Of a list with commas, and white space around them. Empty ones are left out; a list of nothing
// else would mean every interface, and is refused.
Result<std::vector<std::string_view>> names_in(std::string_view list) {
  auto items = base::split_trimmed(list, ',');
  if (items.empty())
    return fail(ErrorCode::invalid, "autodetection: \"" + std::string(list) + "\" names nothing");
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

using Patterns = std::vector<std::shared_ptr<const RE2>>;

Result<Patterns> compile(const std::vector<std::string_view>& texts) {
  Patterns patterns;
  for (const auto& text : texts) {
    patterns.push_back(std::make_shared<const RE2>(text, RE2::Quiet));
    if (!patterns.back()->ok())
      return fail(ErrorCode::invalid,
                  "autodetection: \"" + std::string(text) +
                      "\" is not a regular expression: " + patterns.back()->error());
  }
  return patterns;
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
  MARGAY_TRY(const auto texts, names_in(patterns));
  MARGAY_TRY(const Patterns names, compile(texts));
  return [names, wanted](const HostAddress& candidate) {
    return wanted == std::ranges::any_of(names, [&](const auto& name) {
             return RE2::PartialMatch(candidate.interface_name, *name);
           });
  };
}

Result<Wanted> by_prefix(std::string_view list) {
  std::vector<base::Prefix> prefixes;
  MARGAY_TRY(const auto texts, names_in(list));
  for (const auto& text : texts) {
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
  if (name == "first-found" && value.empty()) return [](const HostAddress&) { return true; };
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

std::vector<HostAddress> addresses_of(std::vector<dataplane::Interface> interfaces) {
  std::ranges::sort(interfaces, {}, &dataplane::Interface::index);
  std::vector<HostAddress> found;
  for (const auto& interface : interfaces)
    for (const auto& [address, length] : interface.addresses)
      found.push_back({.interface_name = interface.name,
                       .interface_up = interface.up,
                       .address = address,
                       .prefix_length = length});
  return found;
}

Result<HostAddress> detect_address(const std::vector<HostAddress>& candidates, IPFamily family,
                                   std::string_view method) {
  MARGAY_TRY(const Wanted wanted, wanted_by(method, family));
  // Naming interfaces, prefixes or a target says enough; only the open methods need the exclusions.
  const bool open = method.starts_with("first-found") || method.starts_with("skip-interface");
  static const RE2 k_excluded(k_excluded_interfaces);
  for (const auto& candidate : candidates) {
    const bool excluded = open && RE2::FullMatch(candidate.interface_name, k_excluded);
    if (is_usable(candidate, family) && !excluded && wanted(candidate)) return candidate;
  }
  return fail(ErrorCode::not_found, std::string("no ") +
                                        (family == IPFamily::v4 ? "IPv4" : "IPv6") +
                                        " address of this host fits the autodetection method \"" +
                                        std::string(method) + "\"");
}

}  // namespace margay::node
