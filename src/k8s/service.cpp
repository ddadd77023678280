// Services and the slices of their backends.

#include <algorithm>
#include <chrono>

#include "k8s/convert.h"
#include "k8s/field.h"
#include "k8s/names.h"

namespace margay::k8s {
namespace {

using policy::BackendPort;
using policy::Service;
using policy::TrafficPolicy;

// Whether a service prefers backends of the client's zone: Kubernetes' trafficDistribution, and the
// annotations that came before it.
constexpr std::string_view k_topology_annotations[] = {
    "service.kubernetes.io/topology-mode", "service.kubernetes.io/topology-aware-hints"};
constexpr std::string_view k_zone_distributions[] = {"PreferClose", "PreferSameZone"};

constexpr int64_t k_default_affinity_seconds = 10'800;  // Kubernetes' default: three hours

bool prefers_zone(const api::kubernetes::Service& service) {
  if (std::ranges::count(k_zone_distributions, service.traffic_distribution) > 0) return true;
  return std::ranges::any_of(k_topology_annotations, [&](std::string_view name) {
    const auto found = service.metadata.annotations.find(name);
    return found != service.metadata.annotations.end() &&
           (found->second == "Auto" || found->second == "auto");
  });
}

TrafficPolicy traffic_policy(const std::string& policy, const Field& field) {
  if (policy == "Local") return TrafficPolicy::local;
  if (!policy.empty() && policy != "Cluster") field.invalid(policy, "must be Cluster or Local");
  return TrafficPolicy::cluster;
}

std::optional<uint8_t> read_transport(const std::string& protocol, const Field& field) {
  return read_protocol(protocol.empty() ? "TCP" : protocol, field);
}

std::vector<policy::ServicePort> read_service_ports(const api::kubernetes::Service& service,
                                                    const Field& field) {
  const bool has_node_ports = service.type == "NodePort" || service.type == "LoadBalancer";
  std::vector<policy::ServicePort> ports;
  for (size_t i = 0; i < service.ports.size(); ++i) {
    const auto& declared = service.ports[i];
    const auto protocol = read_transport(declared.protocol, field[i] / "protocol");
    const auto port = read_port_number(declared.port, field[i] / "port");
    const auto node_port = read_port_number(declared.node_port, field[i] / "nodePort");
    if (protocol && port && node_port)
      ports.push_back({.name = declared.name,
                       .protocol = *protocol,
                       .port = *port,
                       .node_port = has_node_ports ? *node_port : uint16_t{0}});
  }
  return ports;
}

std::vector<BackendPort> read_backend_ports(const std::vector<api::kubernetes::SlicePort>& declared,
                                            const Field& field) {
  std::vector<BackendPort> ports;
  for (size_t i = 0; i < declared.size(); ++i) {
    if (!declared[i].port) continue;  // every port: nothing that could be balanced to
    const auto protocol = read_transport(declared[i].protocol, field[i] / "protocol");
    const auto port = read_port_number(*declared[i].port, field[i] / "port");
    if (protocol && port)
      ports.push_back({.name = declared[i].name, .protocol = *protocol, .port = *port});
  }
  return ports;
}

// Of an endpoint's addresses the first is used, as kube-proxy does.
std::optional<policy::Backend> read_backend(const api::kubernetes::SliceEndpoint& endpoint,
                                            const Field& field) {
  if (endpoint.addresses.empty()) return std::nullopt;
  const auto address = read_address(endpoint.addresses.front(), (field / "addresses")[0]);
  if (!address) return std::nullopt;
  const auto& conditions = endpoint.conditions;
  policy::Backend backend{.address = *address, .node = endpoint.node_name, .for_zones = {}};
  backend.ready = conditions.ready.value_or(true);
  backend.serving = conditions.serving.value_or(backend.ready);
  backend.terminating = conditions.terminating.value_or(false);
  if (endpoint.hints)
    for (const auto& zone : endpoint.hints->for_zones) backend.for_zones.push_back(zone.name);
  return backend;
}

void append(Warnings& warnings, const Problems& problems) {
  for (const auto& problem : problems) warnings.push_back(problem.message() + " (left out)");
}

}  // namespace

bool has_frontends(const api::kubernetes::Service& service) {
  return service.type != "ExternalName" && service.cluster_ip != "None";
}

Service service_of(const api::kubernetes::Service& object, Warnings& warnings) {
  Problems problems;
  const Field spec("spec", problems);
  std::vector<std::string> cluster_ips = object.cluster_ips;
  if (cluster_ips.empty() && !object.cluster_ip.empty()) cluster_ips = {object.cluster_ip};
  const auto& ranges = object.load_balancer_source_ranges;
  Service service{
      .key = {.ns = object.metadata.ns, .name = object.metadata.name},
      .created = object.metadata.creation_timestamp,
      .cluster_ips = read_addresses(cluster_ips, spec / "clusterIPs"),
      .external_ips = read_addresses(object.external_ips, spec / "externalIPs"),
      .load_balancer_ips = {},
      .ports = read_service_ports(object, spec / "ports"),
      .client_affinity = {},
      .internal_policy =
          traffic_policy(object.internal_traffic_policy, spec / "internalTrafficPolicy"),
      .external_policy =
          traffic_policy(object.external_traffic_policy, spec / "externalTrafficPolicy"),
      .source_ranges = read_nets(ranges, spec / "loadBalancerSourceRanges"),
      .prefers_zone = prefers_zone(object),
  };
  // Without the ranges that cannot be read everyone would be let in.
  if (object.type == "LoadBalancer" && service.source_ranges.size() == ranges.size())
    service.load_balancer_ips =
        read_addresses(object.load_balancer_ips, Field("status.loadBalancer.ingress", problems));
  if (object.session_affinity == "ClientIP")
    service.client_affinity = std::chrono::seconds(
        object.session_affinity_timeout_seconds.value_or(k_default_affinity_seconds));
  append(warnings, problems);
  return service;
}

std::optional<policy::EndpointSlice> endpoint_slice_of(const api::kubernetes::EndpointSlice& object,
                                                       Warnings& warnings) {
  const auto service = object.metadata.labels.find(k_service_name_label);
  if (service == object.metadata.labels.end() || object.address_type == "FQDN") return std::nullopt;
  Problems problems;
  policy::EndpointSlice slice{
      .key = {.ns = object.metadata.ns, .name = object.metadata.name},
      .service = {.ns = object.metadata.ns, .name = service->second},
      .ports = read_backend_ports(object.ports, Field("ports", problems)),
      .backends = {},
  };
  const Field endpoints("endpoints", problems);
  for (size_t i = 0; i < object.endpoints.size(); ++i)
    if (auto backend = read_backend(object.endpoints[i], endpoints[i]))
      slice.backends.push_back(*std::move(backend));
  append(warnings, problems);
  return slice;
}

}  // namespace margay::k8s
