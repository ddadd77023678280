#include "ctl/derived.h"

#include <fmt/format.h>

#include <array>
#include <vector>

#include "api/codec.h"
#include "api/json_path.h"
#include "api/kubernetes.h"
#include "k8s/convert.h"
#include "k8s/names.h"
#include "policy/protocol.h"

namespace margay::ctl {
namespace {

using api::object_at;
using api::text_at;
using base::Result;

constexpr std::string_view k_api_version = "projectcalico.org/v3";
constexpr std::string_view k_separator = "-k8s-";

// What the derived object has of the one it stands for.
json::object metadata_of(const json::object& from, std::string name) {
  json::object metadata{{"name", std::move(name)}};
  for (const auto* member : {"uid", "resourceVersion", "creationTimestamp"})
    if (const auto* value = api::find_at(from, {"metadata", member})) metadata[member] = *value;
  return metadata;
}

json::object object_of(std::string_view kind, json::object metadata, json::object spec) {
  return {{"apiVersion", k_api_version},
          {"kind", kind},
          {"metadata", std::move(metadata)},
          {"spec", std::move(spec)}};
}

json::object to_json(const policy::Labels& labels) {
  json::object made;
  for (const auto& [key, value] : labels) made[key] = value;
  return made;
}

// ---- nodes --------------------------------------------------------------------------------------

struct AnnotatedField {
  std::string_view annotation;
  std::string_view field;
};

constexpr auto k_bgp_fields = std::to_array<AnnotatedField>({
    {"projectcalico.org/IPv4Address", "ipv4Address"},
    {"projectcalico.org/IPv6Address", "ipv6Address"},
    {"projectcalico.org/IPv4IPIPTunnelAddr", "ipv4IPIPTunnelAddr"},
    {"projectcalico.org/RouteReflectorClusterID", "routeReflectorClusterID"},
});
constexpr auto k_spec_fields = std::to_array<AnnotatedField>({
    {"projectcalico.org/IPv4VXLANTunnelAddr", "ipv4VXLANTunnelAddr"},
    {"projectcalico.org/VXLANTunnelMACAddr", "vxlanTunnelMACAddr"},
});

template <size_t Size>
void read_annotations(const json::object& annotations, const std::array<AnnotatedField, Size>& from,
                      json::object& to) {
  for (const auto& [annotation, field] : from)
    if (const auto value = text_at(annotations, {annotation}); !value.empty()) to[field] = value;
}

json::object bgp_of(const json::object& annotations) {
  json::object bgp;
  read_annotations(annotations, k_bgp_fields, bgp);
  const std::string number(text_at(annotations, {"projectcalico.org/ASNumber"}));
  if (const auto value = api::parse_json(number); value && value->is_int64())
    bgp["asNumber"] = *value;
  else if (!number.empty())
    bgp["asNumber"] = number;
  return bgp;
}

json::array addresses_of(const json::object& node, const json::object& bgp) {
  json::array addresses;
  for (const auto* member : {"ipv4Address", "ipv6Address"})
    if (const auto address = text_at(bgp, {member}); !address.empty())
      addresses.push_back(json::object{{"address", address}, {"type", "CalicoNodeIP"}});
  for (const auto& one : api::list_at(node, {"status", "addresses"})) {
    if (!one.is_object()) continue;
    const auto type = text_at(one.get_object(), {"type"});
    if (type == "InternalIP" || type == "ExternalIP")
      addresses.push_back(
          json::object{{"address", text_at(one.get_object(), {"address"})}, {"type", type}});
  }
  return addresses;
}

// Labels that Calico's users gave the node, and over them Kubernetes' own.
json::object labels_of(const json::object& node, const json::object& annotations) {
  json::object labels;
  const auto own = api::parse_json(text_at(annotations, {"projectcalico.org/labels"}));
  if (own && own->is_object()) labels = own->get_object();
  for (const auto& [key, value] : object_at(node, {"metadata", "labels"})) labels[key] = value;
  return labels;
}

// ---- endpoints ----------------------------------------------------------------------------------

std::string with_dashes_doubled(std::string_view part) {
  std::string made;
  for (const char c : part) made.append(c == '-' ? 2 : 1, c);
  return made;
}

json::array ports_of(const policy::WorkloadEndpoint& endpoint) {
  json::array ports;
  for (const auto& port : endpoint.ports) {
    const auto* protocol = port.protocol == policy::k_udp    ? "UDP"
                           : port.protocol == policy::k_sctp ? "SCTP"
                                                             : "TCP";
    ports.push_back(
        json::object{{"name", port.name}, {"protocol", protocol}, {"port", int64_t{port.port}}});
  }
  return ports;
}

json::object spec_of(const policy::WorkloadEndpoint& endpoint, const api::kubernetes::Pod& pod) {
  json::object spec{{"orchestrator", k8s::k_kubernetes},
                    {"node", pod.spec.node_name},
                    {"pod", pod.metadata.name},
                    {"endpoint", k8s::k_pod_interface},
                    {"interfaceName", k8s::interface_name(pod.metadata.ns, pod.metadata.name)}};
  json::array networks, nats, profiles;
  for (const auto& address : endpoint.addresses)
    networks.push_back(json::value(address.to_string() + (address.is_v6() ? "/128" : "/32")));
  for (const auto& nat : endpoint.floating_ips)
    nats.push_back(json::object{{"internalIP", nat.internal.to_string()},
                                {"externalIP", nat.external.to_string()}});
  for (const auto& profile : endpoint.profiles) profiles.push_back(json::value(profile));
  if (!networks.empty()) spec["ipNetworks"] = std::move(networks);
  if (!nats.empty()) spec["ipNATs"] = std::move(nats);
  spec["profiles"] = std::move(profiles);
  if (auto ports = ports_of(endpoint); !ports.empty()) spec["ports"] = std::move(ports);
  return spec;
}

}  // namespace

json::object derived_node(const json::object& node) {
  const std::string name(text_at(node, {"metadata", "name"}));
  const auto& annotations = object_at(node, {"metadata", "annotations"});
  auto metadata = metadata_of(node, name);
  auto labels = labels_of(node, annotations);
  // So that v3.19's client tells whose labels they are when it writes the node.
  const auto* own = api::find_at(node, {"metadata", "labels"});
  metadata["annotations"] =
      json::object{{k_kube_labels, own != nullptr ? api::to_json(*own) : "null"}};
  if (!labels.empty()) metadata["labels"] = std::move(labels);
  json::object spec;
  if (auto bgp = bgp_of(annotations); !bgp.empty()) spec["bgp"] = std::move(bgp);
  spec["orchRefs"] = json::array{json::object{{"nodeName", name}, {"orchestrator", "k8s"}}};
  read_annotations(annotations, k_spec_fields, spec);
  const auto wireguard = text_at(annotations, {"projectcalico.org/IPv4WireguardInterfaceAddr"});
  if (!wireguard.empty()) spec["wireguard"] = json::object{{"interfaceIPv4Address", wireguard}};
  if (auto addresses = addresses_of(node, object_at(spec, {"bgp"})); !addresses.empty())
    spec["addresses"] = std::move(addresses);
  json::object status;
  const auto key = text_at(annotations, {"projectcalico.org/WireguardPublicKey"});
  if (!key.empty()) status["wireguardPublicKey"] = key;
  if (const auto& cidrs = api::list_at(node, {"spec", "podCIDRs"}); !cidrs.empty())
    status["podCIDRs"] = cidrs;
  auto made = object_of("Node", std::move(metadata), std::move(spec));
  made["status"] = std::move(status);
  return made;
}

Result<std::optional<json::object>> derived_endpoint(const json::object& object) {
  MARGAY_TRY(const auto pod, api::decode<api::kubernetes::Pod>(object));
  if (!k8s::has_endpoint(pod) || pod.spec.node_name.empty()) return std::nullopt;
  k8s::Warnings warnings;  // of what the endpoint is without
  const auto endpoint = k8s::endpoint_of(pod, warnings);
  auto metadata = metadata_of(object, endpoint_name(pod.spec.node_name, pod.metadata.name));
  metadata["namespace"] = pod.metadata.ns;
  if (!pod.metadata.generate_name.empty()) metadata["generateName"] = pod.metadata.generate_name;
  metadata["labels"] = to_json(endpoint.labels);
  return object_of("WorkloadEndpoint", std::move(metadata), spec_of(endpoint, pod));
}

Result<json::object> namespace_profile(const json::object& object) {
  MARGAY_TRY(const auto ns, api::decode<api::kubernetes::Namespace>(object));
  const auto profile = k8s::profile_of(ns);
  const json::array allow{json::object{{"action", "Allow"}}};
  auto metadata = metadata_of(object, profile.name);
  metadata["resourceVersion"] = fmt::format("{}/", text_at(metadata, {"resourceVersion"}));
  return object_of(
      "Profile", std::move(metadata),
      {{"ingress", allow}, {"egress", allow}, {"labelsToApply", to_json(profile.labels_to_apply)}});
}

Result<json::object> service_account_profile(const json::object& object) {
  MARGAY_TRY(const auto account, api::decode<api::kubernetes::ServiceAccount>(object));
  const auto profile = k8s::profile_of(account);
  auto metadata = metadata_of(object, profile.name);
  metadata["resourceVersion"] = fmt::format("/{}", text_at(metadata, {"resourceVersion"}));
  return object_of("Profile", std::move(metadata),
                   {{"labelsToApply", to_json(profile.labels_to_apply)}});
}

json::object default_allow_profile() {
  const json::array allow{json::object{{"action", "Allow"}}};
  return object_of("Profile", {{"name", k_default_allow}, {"resourceVersion", "0"}},
                   {{"ingress", allow}, {"egress", allow}});
}

std::string endpoint_name(std::string_view node, std::string_view pod) {
  return fmt::format("{}{}{}-{}", with_dashes_doubled(node), k_separator, with_dashes_doubled(pod),
                     k8s::k_pod_interface);
}

std::optional<EndpointName> parse_endpoint_name(std::string_view name) {
  std::vector<std::string> parts(1);
  for (size_t i = 0; i < name.size(); ++i) {
    if (name[i] != '-') {
      parts.back() += name[i];
    } else if (i + 1 < name.size() && name[i + 1] == '-') {
      parts.back() += '-';
      ++i;
    } else {
      parts.emplace_back();
    }
  }
  const bool is_pods = parts.size() == 4 && parts[1] == k8s::k_kubernetes && !parts[0].empty() &&
                       !parts[2].empty() && parts[3] == k8s::k_pod_interface;
  if (!is_pods) return std::nullopt;
  return EndpointName{parts[0], parts[2]};
}

}  // namespace margay::ctl
