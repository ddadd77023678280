// IPPool and Node.

#include <fmt/format.h>

#include "api/calico/common.h"
#include "api/calico/kinds.h"
#include "base/address.h"

namespace margay::api {

namespace {

// ---- pools --------------------------------------------------------------------------------------

constexpr int64_t k_default_block_size_v4 = 26;
constexpr int64_t k_default_block_size_v6 = 122;

const std::vector<std::string> k_tunnel_modes{"Never", "Always", "CrossSubnet"};

// The network that a pool's cidr means: host bits masked off, in canonical text.
void canonical_cidr(json::value& cidr) {
  const std::string_view text = cidr.get_string();
  if (text.find('/') == std::string_view::npos) return;
  if (const auto prefix = base::Prefix::parse(text)) cidr = prefix->to_string();
}

void default_pool(json::value& value) {
  auto& spec = value.get_object();
  for (const char* mode : {"ipipMode", "vxlanMode"})
    if (!spec.contains(mode)) spec[mode] = "Never";
  const auto prefix = base::Prefix::parse(std::string_view(spec.at("cidr").get_string()));
  const auto* size = spec.if_contains("blockSize");
  if (prefix && (size == nullptr || *size == 0))
    spec["blockSize"] =
        prefix->family() == base::IPFamily::v4 ? k_default_block_size_v4 : k_default_block_size_v6;
}

void check_block_size(const IPPoolSpec& spec, const base::Prefix& cidr, const Report& report) {
  const bool v4 = cidr.family() == base::IPFamily::v4;
  const int64_t low = v4 ? 20 : 116;
  const int64_t high = v4 ? 32 : 128;
  if (spec.block_size < low || spec.block_size > high)
    report.field("blockSize")
        .invalid(spec.block_size, fmt::format("must be between {} and {} for an {} pool", low, high,
                                              v4 ? "IPv4" : "IPv6"));
  else if (!spec.disabled && cidr.length() > spec.block_size)
    report.field("cidr").invalid(
        spec.cidr, fmt::format("must be at least as large as a block (/{})", spec.block_size));
}

void check_pool(const IPPoolSpec& spec, const Report& report) {
  const auto cidr = base::Prefix::parse(spec.cidr);
  if (!cidr || spec.cidr.find('/') == std::string::npos) return;
  check_block_size(spec, *cidr, report);
  if (spec.ipip_mode != "Never" && spec.vxlan_mode != "Never")
    report.field("ipipMode").invalid(spec.ipip_mode, "ipipMode and vxlanMode cannot both be on");
  if (spec.ipip_mode != "Never" && cidr->family() == base::IPFamily::v6)
    report.field("ipipMode").invalid(spec.ipip_mode, "IPIP is for IPv4 pools only");
  for (const char* local : {"169.254.0.0/16", "fe80::/10"})
    if (cidr->overlaps(*base::Prefix::parse(local)))
      report.field("cidr").invalid(spec.cidr, fmt::format("overlaps link-local {}", local));
}

// Fields of Calico 2 that v3.19 knows in order to refuse them by name.
void use_nat_outgoing(const bool& old, const Report& report) {
  if (old) report.forbidden("use natOutgoing");
}

void use_ipip_mode(const json::value&, const Report& report) { report.forbidden("use ipipMode"); }

Described<IPPoolSpec> pool_spec() {
  using Spec = IPPoolSpec;
  return object<Spec>(
             "projectcalico.org.v3.IPPoolSpec", "The addresses, and how their traffic travels.",
             {field("cidr", &Spec::cidr, string().normalize(canonical_cidr).check(formats::cidr),
                    "The addresses of the pool. Host bits are masked off.")
                  .required()
                  .immutable(),
              field("vxlanMode", &Spec::vxlan_mode, string().one_of(k_tunnel_modes),
                    "When traffic to another node travels in VXLAN."),
              field("ipipMode", &Spec::ipip_mode, string().one_of(k_tunnel_modes),
                    "When traffic to another node travels in IPIP."),
              field("natOutgoing", &Spec::nat_outgoing, boolean(),
                    "Traffic from the pool to outside of all pools takes the node's address."),
              field("disabled", &Spec::disabled, boolean(),
                    "No addresses are taken from the pool; those in use stay."),
              field("blockSize", &Spec::block_size, integer(),
                    "The prefix length of the blocks that nodes claim: 20 to 32 (26) for IPv4, 116 "
                    "to 128 (122) for IPv6.")
                  .immutable(),
              field("nodeSelector", &Spec::node_selector, calico::selector(),
                    "The nodes that may claim blocks of the pool.")
                  .default_to("all()"),
              field("allowedUses", &Spec::allowed_uses,
                    list(string().one_of({"Workload", "Tunnel"})),
                    "What addresses of the pool are for. Empty means everything.")
                  .beyond_v3_19(),
              keep("nat-outgoing", boolean().check(use_nat_outgoing), "Refused: use natOutgoing."),
              keep("ipip", any_object().check_json(use_ipip_mode), "Refused: use ipipMode.")})
      .normalize(default_pool)
      .check(check_pool);
}

// ---- nodes --------------------------------------------------------------------------------------

Described<std::string> address_of_family(base::IPFamily family) {
  return string().check([family](const std::string& text, const Report& report) {
    const auto prefix = base::Prefix::parse(text);
    if (!prefix || prefix->family() != family)
      report.invalid(text, fmt::format("must be an IPv{} address, with or without the length of "
                                       "its subnet",
                                       static_cast<int>(family)));
  });
}

Described<NodeBGPSpec> node_bgp() {
  using Spec = NodeBGPSpec;
  return object<Spec>(
             "projectcalico.org.v3.NodeBGPSpec", "The node as a router.",
             {field("asNumber", &Spec::as_number, calico::as_number(),
                    "The node's AS number; unset: the cluster's."),
              field("ipv4Address", &Spec::ipv4_address, address_of_family(base::IPFamily::v4),
                    "The node's address, with its subnet's length: 192.0.2.1/24."),
              field("ipv6Address", &Spec::ipv6_address, address_of_family(base::IPFamily::v6),
                    "The node's IPv6 address, with its subnet's length."),
              field("ipv4IPIPTunnelAddr", &Spec::ipv4_ipip_tunnel_addr,
                    string().check(formats::ipv4_address), "The address of the IPIP tunnel."),
              field("routeReflectorClusterID", &Spec::route_reflector_cluster_id,
                    string().check(formats::ipv4_address),
                    "Set: the node is a route reflector of this cluster id.")})
      .check([](const Spec& spec, const Report& report) {
        if (spec == Spec{}) report.required("must not be empty");
      });
}

Described<OrchRef> orch_ref() {
  return object<OrchRef>(
      "projectcalico.org.v3.OrchRef", "What an orchestrator calls the node.",
      {field("nodeName", &OrchRef::node_name, string(), "Its name there."),
       field("orchestrator", &OrchRef::orchestrator, string(), "The orchestrator: k8s.")});
}

Described<NodeAddress> node_address() {
  return object<NodeAddress>(
      "projectcalico.org.v3.NodeAddress", "An address of the node.",
      {field("address", &NodeAddress::address, calico::net(),
             "An address, with or without its subnet's length.")
           .required(),
       keep("type", string().one_of({"InternalIP", "ExternalIP", "CalicoNodeIP"}),
            "What the address is for.")});
}

Described<json::value> node_wireguard() {
  return object("projectcalico.org.v3.NodeWireguardSpec", "The node's WireGuard interface.",
                {keep("interfaceIPv4Address", string().check(formats::ipv4_address),
                      "The interface's address.")});
}

Described<CalicoNodeSpec> node_spec() {
  using Spec = CalicoNodeSpec;
  return object<Spec>(
      "projectcalico.org.v3.NodeSpec", "How the node is reached.",
      {field("bgp", &Spec::bgp, node_bgp(), "The node as a router."),
       field("orchRefs", &Spec::orch_refs, list(orch_ref()), "What orchestrators call the node."),
       field("ipv4VXLANTunnelAddr", &Spec::ipv4_vxlan_tunnel_addr,
             string().check(formats::ipv4_address), "The address of the VXLAN tunnel."),
       field("ipv6VXLANTunnelAddr", &Spec::ipv6_vxlan_tunnel_addr,
             string().check(formats::ipv6_address), "The address of the IPv6 VXLAN tunnel.")
           .beyond_v3_19(),
       field("vxlanTunnelMACAddr", &Spec::vxlan_tunnel_mac_addr,
             string().check(formats::mac_address), "The MAC address of the VXLAN tunnel."),
       field("vxlanTunnelMACAddrV6", &Spec::vxlan_tunnel_mac_addr_v6,
             string().check(formats::mac_address), "The MAC address of the IPv6 VXLAN tunnel.")
           .beyond_v3_19(),
       keep("wireguard", node_wireguard(), "The node's WireGuard interface."),
       field("addresses", &Spec::addresses, list(node_address()),
             "Every address the node is known by.")});
}

Described<json::value> node_status() {
  return object("projectcalico.org.v3.NodeStatus", "What the node's agent reports.",
                {keep("wireguardPublicKey", string().check(formats::wireguard_key),
                      "The node's WireGuard public key."),
                 keep("podCIDRs", list(string().check(formats::cidr)),
                      "The prefixes that host-local IPAM takes pod addresses from.")});
}

}  // namespace

template <>
const Resource<IPPool>& resource<IPPool>() {
  static const auto described = describe_kind<IPPool>(
      calico::kind(
          "IPPool", "ippools", {"ipp", "ipps"}, false,
          "Addresses that workloads and tunnels get theirs from.",
          {{"CIDR", "string", ".spec.cidr", "The addresses."},
           {"Selector", "string", ".spec.nodeSelector", "The nodes that use it."},
           {"NAT", "boolean", ".spec.natOutgoing", "Whether outgoing traffic is NATed.", 1},
           {"IPIPMode", "string", ".spec.ipipMode", "When traffic is in IPIP.", 1},
           {"VXLANMode", "string", ".spec.vxlanMode", "When traffic is in VXLAN.", 1},
           {"Disabled", "boolean", ".spec.disabled", "Whether it is closed.", 1}}),
      formats::dns_subdomain, {field("spec", &IPPool::spec, pool_spec(), "The pool.").required()});
  return described;
}

template <>
const Resource<CalicoNode>& resource<CalicoNode>() {
  static const auto described = describe_kind<CalicoNode>(
      calico::kind("Node", "nodes", {}, false, "A machine that Margay networks.",
                   {{"ASN", "string", ".spec.bgp.asNumber", "Its AS number.", 1},
                    {"IPv4", "string", ".spec.bgp.ipv4Address", "Its IPv4 address."},
                    {"IPv6", "string", ".spec.bgp.ipv6Address", "Its IPv6 address."}}),
      formats::dns_subdomain,
      {field("spec", &CalicoNode::spec, node_spec(), "How the node is reached.")
           .default_to(json::object()),
       keep("status", node_status(), "What the node's agent reports.")});
  return described;
}

namespace calico {

std::vector<Kind> networking_kinds() {
  return {resource<IPPool>().kind, resource<CalicoNode>().kind};
}

}  // namespace calico

}  // namespace margay::api

MARGAY_INSTANTIATE_CODEC(margay::api::IPPool);
MARGAY_INSTANTIATE_CODEC(margay::api::CalicoNode);
