// Pools, nodes and address blocks: what routes are made from.

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "k8s/convert.h"
#include "k8s/field.h"
#include "k8s/names.h"

namespace margay::k8s {
namespace {

using base::fail;
using base::Result;
using policy::Encapsulation;
using policy::Host;
using policy::IPAddress;
using policy::IPFamily;
using policy::Prefix;

constexpr std::string_view k_host_affinity = "host:";
// Attribute of an allocation: the node that asked for it.
constexpr std::string_view k_node_attribute = "node";
constexpr std::string_view k_namespace_attribute = "namespace";
constexpr std::string_view k_pod_attribute = "pod";

Encapsulation read_encapsulation(const std::string& mode, const Field& field) {
  if (mode == "Always") return Encapsulation::always;
  if (mode == "CrossSubnet") return Encapsulation::cross_subnet;
  if (!mode.empty() && mode != "Never") field.invalid(mode, "must be Never, Always or CrossSubnet");
  return Encapsulation::never;
}

// "192.0.2.1/24": an address on its link; the length may be missing.
void read_link_address(const std::string& text, IPFamily family, const Field& field,
                       std::optional<IPAddress>& address, std::optional<Prefix>& subnet) {
  if (text.empty()) return;
  const auto parsed = IPAddress::parse(text.substr(0, text.find('/')));
  const auto prefix = Prefix::parse(text);
  if (!parsed || !prefix || parsed->family() != family) {
    field.invalid(text, family == IPFamily::v4
                            ? "must be an IPv4 address with its subnet's length"
                            : "must be an IPv6 address with its subnet's length");
    return;
  }
  address = *parsed;
  subnet = *prefix;
}

std::optional<IPAddress> read_optional(const std::string& text, const Field& field) {
  if (text.empty()) return std::nullopt;
  return read_address(text, field);
}

// Without BGP addresses the first of each family in the list counts.
void read_addresses_of(const api::CalicoNodeSpec& spec, const Field& field, Host& host) {
  for (size_t i = 0; i < spec.addresses.size(); ++i) {
    const std::string& text = spec.addresses[i].address;
    const bool v6 = text.find(':') != text.npos;
    if (v6 ? host.v6.has_value() : host.v4.has_value()) continue;
    read_link_address(text, v6 ? IPFamily::v6 : IPFamily::v4, field[i] / "address",
                      v6 ? host.v6 : host.v4, v6 ? host.v6_subnet : host.v4_subnet);
  }
}

}  // namespace

Result<policy::IPPool> pool_of(const api::IPPool& object) {
  Problems problems;
  const Field spec("spec", problems);
  const auto cidr = read_net(object.spec.cidr, spec / "cidr");
  policy::IPPool pool{
      .name = object.metadata.name,
      .cidr = cidr.value_or(Prefix()),
      .nat_outgoing = object.spec.nat_outgoing,
      .disabled = object.spec.disabled,
      .vxlan = read_encapsulation(object.spec.vxlan_mode, spec / "vxlanMode"),
      .ipip = read_encapsulation(object.spec.ipip_mode, spec / "ipipMode"),
  };
  if (!problems.empty()) return fail(std::move(problems));
  return pool;
}

Result<Host> host_of(const api::CalicoNode& object) {
  Problems problems;
  const Field spec("spec", problems);
  const Field bgp = spec / "bgp";
  Host host{.name = object.metadata.name};
  if (object.spec.bgp) {
    read_link_address(object.spec.bgp->ipv4_address, IPFamily::v4, bgp / "ipv4Address", host.v4,
                      host.v4_subnet);
    read_link_address(object.spec.bgp->ipv6_address, IPFamily::v6, bgp / "ipv6Address", host.v6,
                      host.v6_subnet);
  }
  read_addresses_of(object.spec, spec / "addresses", host);
  host.vxlan_v4 = read_optional(object.spec.ipv4_vxlan_tunnel_addr, spec / "ipv4VXLANTunnelAddr");
  host.vxlan_v6 = read_optional(object.spec.ipv6_vxlan_tunnel_addr, spec / "ipv6VXLANTunnelAddr");
  host.vxlan_mac = object.spec.vxlan_tunnel_mac_addr;
  host.vxlan_mac_v6 = object.spec.vxlan_tunnel_mac_addr_v6;
  if (const auto zone = object.metadata.labels.find(k_zone_label);
      zone != object.metadata.labels.end())
    host.zone = zone->second;
  if (!problems.empty()) return fail(std::move(problems));
  return host;
}

Result<policy::Block> block_of(const api::IPAMBlock& object) {
  Problems problems;
  const Field spec("spec", problems);
  policy::Block block;
  if (const auto cidr = read_net(object.spec.cidr, spec / "cidr")) block.cidr = *cidr;
  // As large as a pool's blockSize allows, and no larger: routes go by it.
  const unsigned shortest = block.cidr.family() == IPFamily::v4 ? 20 : 116;
  if (problems.empty() && block.cidr.length() < shortest)
    (spec / "cidr").invalid(object.spec.cidr, fmt::format("a block is a /{} at most", shortest));
  const std::string affinity = object.spec.affinity.value_or("");
  if (affinity.starts_with(k_host_affinity)) block.node = affinity.substr(k_host_affinity.size());

  for (size_t ordinal = 0; ordinal < object.spec.allocations.size(); ++ordinal) {
    const auto& allocation = object.spec.allocations[ordinal];
    if (!allocation) continue;
    if (*allocation < 0 || *allocation >= static_cast<int64_t>(object.spec.attributes.size())) {
      (spec / "allocations")[ordinal].invalid(*allocation, "must be an index into attributes");
      continue;
    }
    const auto& attributes = object.spec.attributes[static_cast<size_t>(*allocation)].secondary;
    const auto user = attributes.find(k_node_attribute);
    if (user != attributes.end() && user->second != block.node)
      block.borrowed[block.cidr.address().plus(ordinal)] = user->second;
  }
  if (!problems.empty()) return fail(std::move(problems));
  return block;
}

std::vector<AddressGrant> grants_of(const api::IPAMBlock& object, const policy::Prefix& cidr) {
  std::vector<AddressGrant> grants;
  const auto& [allocations, attributes] = std::tie(object.spec.allocations, object.spec.attributes);
  for (size_t ordinal = 0; ordinal < allocations.size(); ++ordinal) {
    const auto& allocation = allocations[ordinal];
    if (!allocation || *allocation < 0 || std::cmp_greater_equal(*allocation, attributes.size()))
      continue;
    const auto& said = attributes[static_cast<size_t>(*allocation)].secondary;
    const auto ns = said.find(k_namespace_attribute), pod = said.find(k_pod_attribute);
    if (ns != said.end() && pod != said.end())
      grants.push_back({cidr.address().plus(ordinal), ns->second + "/" + pod->second});
  }
  return grants;
}

}  // namespace margay::k8s
