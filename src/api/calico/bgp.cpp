// BGPConfiguration and BGPPeer.

#include <re2/re2.h>

#include <algorithm>

#include "api/calico/common.h"
#include "api/calico/kinds.h"
#include "base/address.h"

namespace margay::api {

namespace {

// ---- communities ------------------------------------------------------------------------------

constexpr const char* k_community_rule =
    "must be a community of two numbers up to 65535, such as 64512:100 (RFC 1997), or of three up "
    "to 4294967295 (RFC 8092)";

// Looks like a community, whatever its numbers are; else it is a name.
bool has_form_of_community(const std::string& text) {
  static const RE2 k_form("[0-9]+:[0-9]+(:[0-9]+)?");
  return RE2::FullMatch(text, k_form);
}

void check_community(const std::string& text, const Report& report) {
  static const RE2 k_standard("0*([0-9]{1,5}):0*([0-9]{1,5})");
  static const RE2 k_large("0*([0-9]{1,10}):0*([0-9]{1,10}):0*([0-9]{1,10})");
  uint64_t parts[3] = {0, 0, 0};
  const bool standard = RE2::FullMatch(text, k_standard, &parts[0], &parts[1]);
  const bool large = !standard && RE2::FullMatch(text, k_large, &parts[0], &parts[1], &parts[2]);
  const uint64_t limit = standard ? UINT16_MAX : UINT32_MAX;
  const bool fits = std::ranges::all_of(parts, [&](uint64_t part) { return part <= limit; });
  if ((!standard && !large) || !fits) report.invalid(text, k_community_rule);
}

void check_advertised_communities(const BGPConfigurationSpec& spec, const Report& report) {
  for (size_t i = 0; i < spec.prefix_advertisements.size(); ++i) {
    const auto& communities = spec.prefix_advertisements[i].communities;
    for (size_t j = 0; j < communities.size(); ++j) {
      const auto at = report.field("prefixAdvertisements").item(i).field("communities").item(j);
      if (has_form_of_community(communities[j]))
        check_community(communities[j], at);
      else if (std::ranges::find(spec.communities, communities[j], &Community::name) ==
               spec.communities.end())
        at.invalid(communities[j], "must be a community or the name of one in spec.communities");
    }
  }
}

Described<Community> community() {
  return object<Community>(
      "projectcalico.org.v3.Community", "A community that prefixAdvertisements can name.",
      {field("name", &Community::name, string().check(formats::dns_subdomain), "Its name.")
           .required(),
       field("value", &Community::value, string().check(check_community),
             "The community: `aa:nn`, or `aa:nn:mm` for a large one.")
           .required()});
}

// An address, or a prefix without host bits.
Described<std::string> address_or_network() {
  return string().check([](const std::string& text, const Report& report) {
    if (text.find('/') == std::string::npos)
      formats::net(text, report);
    else
      formats::network(text, report);
  });
}

Described<PrefixAdvertisement> prefix_advertisement() {
  return object<PrefixAdvertisement>(
      "projectcalico.org.v3.PrefixAdvertisement", "How routes of a prefix are advertised.",
      {field("cidr", &PrefixAdvertisement::cidr, address_or_network(),
             "The prefix, or one address.")
           .required(),
       field("communities", &PrefixAdvertisement::communities, list(string()),
             "What its routes are tagged with: communities, or names from `communities`.")
           .required()});
}

// Stored as a number, as Calico's client does.
Described<IntOrString> as_number() {
  return calico::as_number().normalize([](json::value& value) {
    if (!value.is_string()) return;
    if (const auto number = calico::to_as_number(std::string(value.get_string())))
      value = int64_t{*number};
  });
}

// ---- the configuration ------------------------------------------------------------------------

Described<std::vector<ServiceBlock>> service_blocks(const std::string& name) {
  return list(object<ServiceBlock>(
      "projectcalico.org.v3." + name, "A prefix of services' addresses.",
      {field("cidr", &ServiceBlock::cidr, address_or_network(), "The prefix, or one address.")}));
}

Described<BGPConfigurationSpec> bgp_configuration_spec() {
  using Spec = BGPConfigurationSpec;
  return object<Spec>(
             "projectcalico.org.v3.BGPConfigurationSpec", "How nodes speak BGP.",
             {field("logSeverityScreen", &Spec::log_severity_screen, calico::log_severity(),
                    "The least severe lines on standard output."),
              field("nodeToNodeMeshEnabled", &Spec::node_to_node_mesh_enabled, boolean(),
                    "Every node peers with every other; true when unset. Under the name default "
                    "only."),
              field("asNumber", &Spec::as_number, as_number(),
                    "The AS number of nodes that have none of their own; 64512 when unset. Under "
                    "the name default only."),
              field("serviceLoadBalancerIPs", &Spec::service_load_balancer_ips,
                    service_blocks("ServiceLoadBalancerIPBlock"),
                    "Services' load balancer addresses in these are advertised. Under the name "
                    "default only."),
              field("serviceExternalIPs", &Spec::service_external_ips,
                    service_blocks("ServiceExternalIPBlock"),
                    "Services' external addresses in these are advertised. Under the name default "
                    "only."),
              field("serviceClusterIPs", &Spec::service_cluster_ips,
                    service_blocks("ServiceClusterIPBlock"),
                    "These, which cluster addresses come from, are advertised. Under the name "
                    "default only."),
              field("communities", &Spec::communities, list(community()),
                    "Communities that prefixAdvertisements can name."),
              field("prefixAdvertisements", &Spec::prefix_advertisements,
                    list(prefix_advertisement()), "How routes of some prefixes are advertised."),
              field("listenPort", &Spec::listen_port, integer().between(1, 65535),
                    "The TCP port of BGP; 179 when unset.")})
      .check([](const Spec& spec, const Report& report) {
        if (!spec.communities.empty() && spec.prefix_advertisements.empty())
          report.field("communities").forbidden("no prefixAdvertisements uses them");
        check_advertised_communities(spec, report);
      });
}

void check_cluster_wide_settings(const BGPConfiguration& configuration, const Report& report) {
  if (configuration.metadata.name == "default") return;
  const auto& spec = configuration.spec;
  const auto refuse = [&](bool set, const char* name) {
    if (set)
      report.field("spec").field(name).forbidden(
          "can only be set in the BGPConfiguration named default");
  };
  refuse(spec.node_to_node_mesh_enabled.has_value(), "nodeToNodeMeshEnabled");
  refuse(spec.as_number.has_value(), "asNumber");
  refuse(!spec.service_load_balancer_ips.empty(), "serviceLoadBalancerIPs");
  refuse(!spec.service_external_ips.empty(), "serviceExternalIPs");
  refuse(!spec.service_cluster_ips.empty(), "serviceClusterIPs");
}

// ---- peers ------------------------------------------------------------------------------------

bool is_tcp_port(std::string_view text) {
  static const RE2 k_port("0*([0-9]{1,5})");
  uint32_t port = 0;
  return RE2::FullMatch({text.data(), text.size()}, k_port, &port) && port >= 1 && port <= 65535;
}

// An address; with a port an IPv6 address stands in brackets.
void check_peer_address(const std::string& text, const Report& report) {
  std::string_view address = text;
  bool valid = true;
  if (const size_t end = address.find("]:");
      address.starts_with('[') && end != std::string_view::npos) {
    valid = is_tcp_port(address.substr(end + 2));
    address = address.substr(1, end - 1);
  } else if (std::ranges::count(text, ':') == 1) {
    const size_t colon = address.find(':');
    valid = is_tcp_port(address.substr(colon + 1));
    address = address.substr(0, colon);
  }
  if (!valid || !base::IPAddress::parse(address))
    report.invalid(text,
                   "must be an address such as 192.0.2.1 or 2001:db8::1, or one with a port: "
                   "192.0.2.1:179, [2001:db8::1]:179");
}

Described<BGPPassword> bgp_password() {
  return object<BGPPassword>(
      "projectcalico.org.v3.BGPPassword", "Where the password of the sessions is.",
      {field("secretKeyRef", &BGPPassword::secret_key_ref,
             object<SecretKeyRef>(
                 "projectcalico.org.v3.SecretKeySelector",
                 "A key of a Secret in the namespace of the agent that speaks BGP.",
                 {field("name", &SecretKeyRef::name, string(), "The Secret."),
                  field("key", &SecretKeyRef::key, string(), "The key in it.").required(),
                  field("optional", &SecretKeyRef::optional, boolean(),
                        "The Secret, or its key, need not be there.")}),
             "The key of a Secret that has it.")});
}

void check_peer(const BGPPeerSpec& spec, const Report& report) {
  if (!spec.node.empty() && !spec.node_selector.empty())
    report.field("node").forbidden("node and nodeSelector cannot both be set");
  if (spec.peer_selector.empty()) return;
  if (!spec.peer_ip.empty())
    report.field("peerIP").forbidden("peerIP and peerSelector cannot both be set");
  if (spec.as_number && calico::to_as_number(*spec.as_number).value_or(0) != 0)
    report.field("asNumber").forbidden("asNumber and peerSelector cannot both be set");
}

Described<BGPPeerSpec> bgp_peer_spec() {
  using Spec = BGPPeerSpec;
  return object<Spec>(
             "projectcalico.org.v3.BGPPeerSpec", "Which nodes peer, and with whom.",
             {field("node", &Spec::node, string().check(formats::dns_subdomain),
                    "The node that peers. Without it and nodeSelector: all nodes."),
              field("nodeSelector", &Spec::node_selector, calico::selector(),
                    "The nodes that peer. Not together with node."),
              field("peerIP", &Spec::peer_ip, string().check(check_peer_address),
                    "The peer's address, with or without a port: `192.0.2.1:179`, "
                    "`[2001:db8::1]:179`."),
              field("asNumber", &Spec::as_number, as_number(), "The peer's AS number."),
              field("peerSelector", &Spec::peer_selector, calico::selector(),
                    "The nodes that are peered with. Not together with peerIP and asNumber."),
              field("keepOriginalNextHop", &Spec::keep_original_next_hop, boolean(),
                    "Routes are passed on with the next hop they came with."),
              field("password", &Spec::password, bgp_password(),
                    "The password of the sessions (RFC 2385)."),
              field("sourceAddress", &Spec::source_address, string().one_of({"UseNodeIP", "None"}),
                    "The address sessions come from: the node's (UseNodeIP; also when unset), or "
                    "whichever the routes give.")})
      .check(check_peer);
}

}  // namespace

template <>
const Resource<BGPConfiguration>& resource<BGPConfiguration>() {
  static const auto described = [] {
    auto made = describe_kind<BGPConfiguration>(
        calico::kind("BGPConfiguration", "bgpconfigurations", {"bgpconfig", "bgpconfigs"}, false,
                     "Settings of BGP: of all nodes under the name default, of one node under "
                     "node.<name>. For programs that speak BGP, which Margay's agent does not.",
                     {{"LogSeverity", "string", ".spec.logSeverityScreen", "What is logged."},
                      {"Mesh", "boolean", ".spec.nodeToNodeMeshEnabled", "Whether nodes peer."},
                      {"ASNumber", "string", ".spec.asNumber", "The nodes' AS number."}}),
        formats::dns_subdomain,
        {field("spec", &BGPConfiguration::spec, bgp_configuration_spec(), "The settings.")
             .default_to(json::object())});
    made.type = std::move(made.type).check(check_cluster_wide_settings);
    return made;
  }();
  return described;
}

template <>
const Resource<BGPPeer>& resource<BGPPeer>() {
  static const auto described = describe_kind<BGPPeer>(
      calico::kind("BGPPeer", "bgppeers", {"bgpp", "bgpps"}, false,
                   "Whom nodes exchange routes with. For programs that speak BGP, which Margay's "
                   "agent does not.",
                   {{"PeerIP", "string", ".spec.peerIP", "The peer's address."},
                    {"Node", "string", ".spec.node", "The node that peers."},
                    {"ASN", "string", ".spec.asNumber", "The peer's AS number."},
                    {"Selector", "string", ".spec.nodeSelector", "The nodes that peer.", 1},
                    {"Peers", "string", ".spec.peerSelector", "The nodes peered with.", 1}}),
      formats::dns_subdomain,
      {field("spec", &BGPPeer::spec, bgp_peer_spec(), "The peering.").default_to(json::object())});
  return described;
}

namespace calico {

std::vector<Kind> bgp_kinds() {
  return {resource<BGPConfiguration>().kind, resource<BGPPeer>().kind};
}

}  // namespace calico

}  // namespace margay::api

MARGAY_INSTANTIATE_CODEC(margay::api::BGPConfiguration);
MARGAY_INSTANTIATE_CODEC(margay::api::BGPPeer);
