#include "node/tunnel_address.h"

#include <fmt/format.h>
#include <openssl/sha.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include "api/calico.h"
#include "api/codec.h"
#include "api/json_path.h"
#include "base/result_steps.h"
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

// The CIDR of a pool that is enabled, asks for VXLAN, may be used for tunnels and selects a node
// with these labels.
Result<std::optional<Prefix>> vxlan_pool(const store::Entry& entry,
                                         const selector::Labels& labels) {
  MARGAY_TRY(const json::value value, api::parse_json(entry.value));
  MARGAY_TRY(const api::IPPool pool, api::decode<api::IPPool>(value));
  const bool vxlan = pool.spec.vxlan_mode == "Always" || pool.spec.vxlan_mode == "CrossSubnet";
  const auto& uses = pool.spec.allowed_uses;
  const bool allows = uses.empty() || std::ranges::count(uses, "Tunnel") > 0;
  if (pool.spec.disabled || !vxlan || !allows) return std::nullopt;
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

struct Held {
  std::optional<IPAddress> address;   // that the tunnel is to have
  std::vector<IPAddress> superseded;  // held, too
};

// The address this node's tunnel has in one of the pools: the one it holds already, or a new one.
// None without pools. One that it holds may be of a pool that cannot be read: then it stays.
// Those of a node without a Node are collected once it is gone (ipam/collection.h): unless the Node
// names one, what is held may be about to be.
Result<Held> hold_address(ipam::Ipam& ipam, const std::string& node, const Family& family,
                          const VxlanPools& pools, bool is_named,
                          const std::optional<IPAddress>& given) {
  const std::string handle = family.handle_prefix + node;
  MARGAY_TRY(std::vector<IPAddress> held, is_named ? ipam.addresses_of(handle) : ipam.keep(handle));
  if (given && !pools.cidrs.empty()) {
    std::erase(held, *given);
    return Held{given, std::move(held)};
  }
  const auto in_a_pool = [&](const IPAddress& address) {
    return std::ranges::any_of(pools.cidrs,
                               [&](const Prefix& pool) { return pool.contains(address); });
  };
  auto kept = std::ranges::find_if(held, in_a_pool);
  if (kept == held.end() && !pools.complete) kept = held.begin();
  if (kept != held.end()) {
    const IPAddress address = *kept;
    held.erase(kept);
    return Held{address, std::move(held)};
  }
  if (pools.cidrs.empty()) return Held{std::nullopt, std::move(held)};

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
  return Held{assigned.front(), std::move(held)};
}

// Whether the Node says which address its tunnel has.
Result<bool> names_address(store::Store& store, const std::string& node, const Family& family) {
  const auto entry = store.get({"nodes.projectcalico.org", "", node});
  if (!entry && entry.error().code == base::ErrorCode::not_found) return false;
  if (!entry) return base::fail(entry.error());
  MARGAY_TRY(const auto value, api::parse_json(entry->value));
  const auto* object = value.if_object();
  return object != nullptr && !api::text_at(*object, {"spec", family.address_field}).empty();
}

// What the Node has ceased to name.
Result<> release_superseded(ipam::Ipam& ipam, const std::vector<IPAddress>& superseded,
                            const IsInUse& is_in_use) {
  for (const auto& address : superseded) {
    if (is_in_use(address))
      return base::fail(base::ErrorCode::unavailable,
                        fmt::format("{} is still on the tunnel device", address.to_string()));
    MARGAY_CHECK(ipam.release(std::span(&address, 1)));
  }
  return {};
}

}  // namespace

std::string tunnel_mac(const std::string& node, IPFamily family) {
  const std::string name = family == IPFamily::v4 ? node : node + "/v6";
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
  SHA1(reinterpret_cast<const unsigned char*>(name.data()), name.size(), digest.data());
  return fmt::format("66:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", digest[0], digest[1], digest[2],
                     digest[3], digest[4]);
}

Result<> ensure_tunnel_addresses(store::Store& store, const std::string& node,
                                 const IsInUse& is_in_use, const GivenTunnel& given) {
  ipam::Ipam ipam(store);
  Result<> released;
  for (const Family& family : k_families) {
    const GivenTunnel of_family = family.family == IPFamily::v4 ? given : GivenTunnel{};
    MARGAY_TRY(const auto pools, vxlan_pools(store, node, family.family));
    MARGAY_TRY(const bool is_named, names_address(store, node, family));
    MARGAY_TRY(const auto held,
               hold_address(ipam, node, family, pools, is_named, of_family.address));
    const auto& address = held.address;
    MARGAY_CHECK(edit_node(store, node, [&](json::object& object) {
      json::object& spec = child(object, "spec");
      if (address) {
        spec[family.address_field] = address->to_string();
        spec[family.mac_field] =
            of_family.mac ? of_family.mac->to_string() : tunnel_mac(node, family.family);
      } else {
        spec.erase(family.address_field);
        spec.erase(family.mac_field);
      }
    }));
    base::keep_first(released, release_superseded(ipam, held.superseded, is_in_use));
  }
  return released;
}

}  // namespace margay::node
