// Node, the Kubernetes one.

#include <algorithm>

#include "api/kubernetes/common.h"
#include "api/kubernetes/kinds.h"

namespace margay::api {

namespace {

using namespace kubernetes;

Described<std::vector<json::value>> taints() {
  return list(
      object("io.k8s.api.core.v1.Taint", "Keeps pods that do not tolerate it away.",
             {keep("key", string().check(formats::qualified_name), "Its key.").required(),
              keep("value", string().check(formats::label_value), "Its value."),
              keep("effect", string().one_of({"NoSchedule", "PreferNoSchedule", "NoExecute"}),
                   "What it does.")
                  .required(),
              keep("timeAdded", time(), "Since when.")}));
}

// podCIDR is the first of podCIDRs; either alone gives the other.
void complete_pod_cidrs(json::value& value) {
  auto& spec = value.get_object();
  const json::value* cidr = spec.if_contains("podCIDR");
  const json::value* cidrs = spec.if_contains("podCIDRs");
  if (cidr != nullptr && cidrs == nullptr) {
    const json::value first = *cidr;
    spec["podCIDRs"] = json::array{first};
  } else if (cidr == nullptr && cidrs != nullptr && !cidrs->get_array().empty()) {
    const json::value first = cidrs->get_array()[0];
    spec["podCIDR"] = first;
  }
}

Described<Node> node_spec() {
  return object<Node>("io.k8s.api.core.v1.NodeSpec", "What the node is for.",
                      {field("podCIDR", &Node::pod_cidr, string().check(formats::cidr),
                             "The prefix its pods' addresses are from."),
                       field("podCIDRs", &Node::pod_cidrs, list(string().check(formats::cidr)),
                             "The same, one of each IP version.")
                           .merges(),
                       keep("providerID", string(), "What the cloud calls it."),
                       keep("unschedulable", boolean(), "Whether new pods are kept away."),
                       keep("taints", taints(), "What keeps pods away."),
                       keep("configSource", any_object(), "Deprecated."),
                       keep("podPreemptionPolicy", any_object(), "Which pods may displace others."),
                       keep("externalID", string(), "Deprecated.")})
      .normalize(complete_pod_cidrs)
      .check([](const Node& node, const Report& report) {
        if (node.pod_cidr.empty() || node.pod_cidrs.empty()) return;
        if (node.pod_cidrs.front() != node.pod_cidr)
          report.field("podCIDRs").item(0).invalid(node.pod_cidrs.front(), "must match podCIDR");
      });
}

Described<NodeAddress> node_address() {
  return object<NodeAddress>(
      "io.k8s.api.core.v1.NodeAddress", "An address of the node.",
      {field("type", &NodeAddress::type, string(), "InternalIP, ExternalIP, Hostname, ...")
           .required(),
       field("address", &NodeAddress::address, string(), "The address or name.").required()});
}

Described<Node> node_status() {
  return object<Node>(
      "io.k8s.api.core.v1.NodeStatus", "Where the node stands.",
      {field("addresses", &Node::addresses, list(node_address()), "Its addresses.").merges("type"),
       keep("capacity", any_object(), "What it has."),
       keep("allocatable", any_object(), "What pods may have of it."),
       keep("phase", string(), "Deprecated."),
       keep("conditions", conditions(), "Aspects of its state.").merges("type"),
       keep("daemonEndpoints", any_object(), "Ports of its daemons."),
       keep("nodeInfo", any_object(), "Its versions and ids."),
       keep("images", any_list(), "Images it has."),
       keep("volumesInUse", list(string()), "Volumes it uses."),
       keep("volumesAttached", any_list(), "Volumes attached to it."),
       keep("config", any_object(), "Deprecated."),
       keep("runtimeHandlers", any_list(), "Its container runtimes."),
       keep("features", any_object(), "What it can do."),
       keep("declaredFeatures", list(string()), "What it says it can do.")});
}

Kind node_kind() {
  Kind kind = core_kind("Node", "nodes", {"no"}, false, "A machine that runs pods.",
                        {{"Status", "string", "", "Ready or not."},
                         {"Roles", "string", "", "Its roles, from its labels."}});
  kind.columns.push_back({"Version", "string", ".status.nodeInfo.kubeletVersion", "Its version."});
  kind.columns.push_back({"Internal-IP", "string", "", "Its address in the cluster.", 1});
  kind.columns.push_back({"Pod-CIDR", "string", ".spec.podCIDR", "Its pods' prefix.", 1});
  kind.has_status = true;
  return kind;
}

}  // namespace

template <>
const Resource<Node>& resource<Node>() {
  static const auto described = describe_kind<Node>(
      node_kind(), formats::dns_subdomain,
      {embed("spec", node_spec(), "What it is for.").default_to(json::object()),
       embed("status", node_status(), "Where it stands.").default_to(json::object())});
  return described;
}

namespace kubernetes {

std::vector<Kind> node_kinds() { return {resource<Node>().kind}; }

}  // namespace kubernetes

}  // namespace margay::api

MARGAY_INSTANTIATE_CODEC(margay::api::kubernetes::Node);
