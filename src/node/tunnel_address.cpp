#include "node/tunnel_address.h"

#include <fmt/format.h>
#include <openssl/sha.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <vector>

#include "api/calico.h"
#include "api/codec.h"
#include "ipam/ipam.h"
#include "node/node_object.h"
#include "selector/selector.h"

namespace margay::node {
namespace {

namespace json = boost::json;
using base::IPAddress;
using base::IPFamily;
using base::Prefix;
using base::Result;

// What differs between the families.
struct Family {
  IPFamily family;
  const char* handle_prefix;
  const char* address_field;
  const char* mac_field;
};
constexpr Family k_families[] = {
    {IPFamily::v4, "vxlan-tunnel-addr-", "ipv4VXLANTunnelAddr", "vxlanTunnelMACAddr"},
    {IPFamily::v6, "vxlan-v6-tunnel-addr-", "ipv6VXLANTunnelAddr", "vxlanTunnelMACAddrV6"},
};

struct VxlanPools {
  std::vector<Prefix> cidrs;
  bool complete = true;  // all pools could be read
};

// The CIDR of a pool that is enabled, asks for VXLAN and selects a node with these labels.
Result<std::optional<Prefix>> vxlan_pool(const store::Entry& entry,
                                         const selector::Labels& labels) {
  MARGAY_TRY(const json::value value, api::parse_json(entry.value));
  MARGAY_TRY(const api::IPPool pool, api::decode<api::IPPool>(value));
  const bool vxlan = pool.spec.vxlan_mode == "Always" || pool.spec.vxlan_mode == "CrossSubnet";
  if (pool.spec.disabled || !vxlan) return std::nullopt;
  MARGAY_TRY(const Prefix cidr, Prefix::parse(pool.spec.cidr));
  MARGAY_TRY(const auto nodes, selector::Selector::parse(pool.spec.node_selector));
  return nodes.matches(labels) ? std::optional(cidr) : std::nullopt;
}

Result<VxlanPools> vxlan_pools(store::Store& store, const std::string& node, IPFamily family) {
  MARGAY_TRY(const store::List list, store.list({.resource = "ippools.projectcalico.org"}));
  MARGAY_TRY(const selector::Labels labels, ipam::node_labels(store, node));
  VxlanPools found;
  for (const auto& entry : list.entries) {
    const auto cidr = vxlan_pool(entry, labels);
    if (!cidr) {
      spdlog::warn("IPPool {} is not used: {}", entry.key.name, cidr.error().message);
      found.complete = false;
    } else if (*cidr && (*cidr)->family() == family) {
      found.cidrs.push_back(**cidr);
    }
  }
  return found;
}

// The address this node's tunnel has in one of the pools: the one it holds already, or a new one.
// None without pools. One that it holds may be of a pool that cannot be read: then it stays.
Result<std::optional<IPAddress>> hold_address(ipam::Ipam& ipam, const std::string& node,
                                              const Family& family, const VxlanPools& pools) {
  const std::string handle = family.handle_prefix + node;
  MARGAY_TRY(const std::vector<IPAddress> held, ipam.addresses_of(handle));
  const auto in_a_pool = [&](const IPAddress& address) {
    return std::ranges::any_of(pools.cidrs,
                               [&](const Prefix& pool) { return pool.contains(address); });
  };
  if (held.size() == 1 && (!pools.complete || in_a_pool(held.front()))) return held.front();
  MARGAY_CHECK(ipam.release_handle(handle));
  if (pools.cidrs.empty()) return std::nullopt;

  const bool v4 = family.family == IPFamily::v4;
  ipam::AssignRequest request{
      .owner = {.host = node,
                .handle_id = handle,
                .attributes = {{"node", node}, {"type", "vxlanTunnelAddress"}}},
      .v4 = v4 ? 1U : 0U,
      .v6 = v4 ? 0U : 1U,
      .use = ipam::Use::tunnel};
  (v4 ? request.v4_pools : request.v6_pools) = pools.cidrs;
  MARGAY_TRY(const std::vector<IPAddress> assigned, ipam.assign(request));
  return assigned.front();
}

}  // namespace

std::string tunnel_mac(const std::string& node, IPFamily family) {
  const std::string name = family == IPFamily::v4 ? node : node + "/v6";
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
  SHA1(reinterpret_cast<const unsigned char*>(name.data()), name.size(), digest.data());
  return fmt::format("66:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", digest[0], digest[1], digest[2],
                     digest[3], digest[4]);
}

Result<> ensure_tunnel_addresses(store::Store& store, const std::string& node) {
  ipam::Ipam ipam(store);
  for (const Family& family : k_families) {
    MARGAY_TRY(const auto pools, vxlan_pools(store, node, family.family));
    MARGAY_TRY(const auto address, hold_address(ipam, node, family, pools));
    MARGAY_CHECK(edit_node(store, node, [&](json::object& object) {
      json::object& spec = child(object, "spec");
      if (address) {
        spec[family.address_field] = address->to_string();
        spec[family.mac_field] = tunnel_mac(node, family.family);
      } else {
        spec.erase(family.address_field);
        spec.erase(family.mac_field);
      }
    }));
  }
  return {};
}

}  // namespace margay::node
