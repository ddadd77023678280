// NetworkPolicy of networking.k8s.io/v1.

#include <algorithm>

#include "api/calico/staged.h"
#include "api/kubernetes/common.h"
#include "api/kubernetes/kinds.h"
#include "base/address.h"

namespace margay::api {

namespace {

using namespace kubernetes;

void check_port(const IntOrString& port, const Report& report) {
  if (const auto* name = std::get_if<std::string>(&port))
    formats::port_name(*name, report);
  else if (std::get<int64_t>(port) < 1 || std::get<int64_t>(port) > 65535)
    report.invalid(std::get<int64_t>(port), "must be between 1 and 65535, inclusive");
}

void check_end_port(const NetworkPolicyPort& port, const Report& report) {
  if (!port.end_port) return;
  const auto at = report.field("endPort");
  const auto* first = port.port ? std::get_if<int64_t>(&*port.port) : nullptr;
  if (!port.port)
    at.invalid(*port.end_port, "may not be specified when port is not");
  else if (first == nullptr)
    at.invalid(*port.end_port, "may not be specified when port is a name");
  else if (*port.end_port < *first)
    at.invalid(*port.end_port, "must be greater than or equal to port");
}

Described<NetworkPolicyPort> policy_port() {
  using Port = NetworkPolicyPort;
  return object<Port>("io.k8s.api.networking.v1.NetworkPolicyPort",
                      "A port; an empty one is every TCP port.",
                      {field("protocol", &Port::protocol, transport_protocol().keeps_empty(),
                             "TCP, UDP or SCTP.")
                           .default_to("TCP"),
                       field("port", &Port::port, int_or_string().check(check_port),
                             "The port or its name; unset: every port."),
                       field("endPort", &Port::end_port, integer().between(1, 65535),
                             "The last port of a range that begins at port.")})
      .check(check_end_port);
}

Described<IPBlock> ip_block() {
  return object<IPBlock>(
             "io.k8s.api.networking.v1.IPBlock", "Addresses, with exceptions.",
             {field("cidr", &IPBlock::cidr, string().check(formats::cidr), "The addresses.")
                  .required(),
              field("except", &IPBlock::except, list(string().check(formats::cidr)),
                    "Addresses within cidr that are not meant.")})
      .check([](const IPBlock& block, const Report& report) {
        const auto outer = base::Prefix::parse(block.cidr);
        for (size_t i = 0; outer && i < block.except.size(); ++i) {
          const auto inner = base::Prefix::parse(block.except[i]);
          const bool within = inner && outer->contains(*inner) && inner->length() > outer->length();
          if (inner && !within)
            report.field("except").item(i).invalid(block.except[i],
                                                   "must be a strict subset of cidr");
        }
      });
}

Described<NetworkPolicyPeer> peer() {
  using Peer = NetworkPolicyPeer;
  return object<Peer>(
             "io.k8s.api.networking.v1.NetworkPolicyPeer",
             "Who the pods may talk with: pods, or an IP block.",
             {field("podSelector", &Peer::pod_selector, label_selector(),
                    "Pods, of this namespace or those of namespaceSelector."),
              field("namespaceSelector", &Peer::namespace_selector, label_selector(),
                    "Namespaces; an empty one: all."),
              field("ipBlock", &Peer::ip_block, ip_block(), "Addresses. Excludes the selectors.")})
      .check([](const Peer& peer, const Report& report) {
        const bool selects = peer.pod_selector || peer.namespace_selector;
        if (!selects && !peer.ip_block)
          report.required("must specify a peer: podSelector, namespaceSelector or ipBlock");
        if (selects && peer.ip_block)
          report.field("ipBlock").forbidden("may not be specified with another peer");
      });
}

Described<NetworkPolicyRule> rule(std::string name, std::string peers_field) {
  using Rule = NetworkPolicyRule;
  return object<Rule>(
      std::move(name), "What is allowed; an empty rule allows everything.",
      {field("ports", &Rule::ports, list(policy_port()), "Empty: every port."),
       field(std::move(peers_field), &Rule::peers, list(peer()), "Empty: everyone.")});
}

void default_policy_types(json::value& value) {
  auto& spec = value.get_object();
  const json::value* types = spec.if_contains("policyTypes");
  if (types != nullptr && !types->get_array().empty()) return;
  json::array defaults{"Ingress"};
  const json::value* egress = spec.if_contains("egress");
  if (egress != nullptr && !egress->get_array().empty()) defaults.emplace_back("Egress");
  spec["policyTypes"] = std::move(defaults);
}

}  // namespace

namespace kubernetes {

Described<NetworkPolicy> network_policy_spec() {
  using Policy = NetworkPolicy;
  return object<Policy>(
             "io.k8s.api.networking.v1.NetworkPolicySpec",
             "Which pods are isolated, and what is allowed all the same.",
             {field("podSelector", &Policy::pod_selector, label_selector(),
                    "The pods it applies to; an empty one: all of the namespace.")
                  .required()
                  .default_to(json::object()),
              field("ingress", &Policy::ingress,
                    list(rule("io.k8s.api.networking.v1.NetworkPolicyIngressRule", "from")),
                    "What may reach the pods."),
              field("egress", &Policy::egress,
                    list(rule("io.k8s.api.networking.v1.NetworkPolicyEgressRule", "to")),
                    "What the pods may reach."),
              field("policyTypes", &Policy::policy_types,
                    list(string().one_of({"Ingress", "Egress"}))
                        .check([](const std::vector<std::string>& types, const Report& report) {
                          if (types.size() > 2)
                            report.invalid(types.size(), "may not have more than two");
                        }),
                    "The directions it isolates; by default Ingress, and Egress if it has egress "
                    "rules.")})
      .normalize(default_policy_types);
}

}  // namespace kubernetes

template <>
const Resource<kubernetes::NetworkPolicy>& resource<kubernetes::NetworkPolicy>() {
  static const auto described = describe_kind<kubernetes::NetworkPolicy>(
      group_kind("networking.k8s.io", "v1",
                 core_kind("NetworkPolicy", "networkpolicies", {"netpol"}, true,
                           "What may reach pods and what pods may reach.",
                           {{"Pod-Selector", "string", "", "The pods it applies to."}})),
      formats::dns_subdomain,
      {embed("spec", network_policy_spec(), "What is isolated and allowed.").required()});
  return described;
}

namespace kubernetes {

std::vector<Kind> network_policy_kinds() { return {resource<NetworkPolicy>().kind}; }

}  // namespace kubernetes

}  // namespace margay::api

MARGAY_INSTANTIATE_CODEC(margay::api::kubernetes::NetworkPolicy);
