// Namespaces, service accounts, pods and endpoints.

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <algorithm>

#include "base/text.h"
#include "k8s/convert.h"
#include "k8s/field.h"
#include "k8s/names.h"

namespace margay::k8s {
namespace {

using api::kubernetes::Pod;
using base::fail;
using base::Result;
using policy::FloatingIP;
using policy::IPAddress;
using policy::NamedPort;
using policy::WorkloadEndpoint;

constexpr std::string_view k_sidecar = "Always";  // restartPolicy of an init container

std::optional<std::string_view> annotation(const Pod& pod, std::string_view name) {
  const auto found = pod.metadata.annotations.find(name);
  if (found == pod.metadata.annotations.end()) return std::nullopt;
  return found->second;
}

// What a workload may say of itself, and what the system says of it instead of the rest: which
// namespace, orchestrator and service account it has is not its own to claim.
policy::Labels workload_labels(const api::Labels& own, const std::string& ns,
                               std::string_view orchestrator, const std::string& account) {
  policy::Labels labels = own;
  std::erase_if(labels, [](const auto& label) { return is_inherited_label(label.first); });
  labels.erase(std::string(k_service_account_label));
  labels[std::string(k_namespace_label)] = ns;
  labels[std::string(k_orchestrator_label)] = orchestrator;
  if (!account.empty()) labels[std::string(k_service_account_label)] = account;
  return labels;
}

policy::Labels prefixed(const api::Labels& labels, std::string_view prefix) {
  policy::Labels result;
  for (const auto& [key, value] : labels) result[std::string(prefix) + key] = value;
  return result;
}

std::string with_name_label(std::string_view prefix) {
  return std::string(prefix) + std::string(k_name_label);
}

// A finished pod's addresses may be someone else's already. A pod that is only being deleted keeps
// them until the CNI plugin says, by an empty annotation, that they are gone.
bool has_released_addresses(const Pod& pod) {
  if (is_finished(pod)) return true;
  return !pod.metadata.deletion_timestamp.empty() && annotation(pod, k_pod_ip_annotation) == "";
}

constexpr size_t k_most_addresses = 16;  // that an annotation may claim

// The kubelet's word comes later than the CNI plugin's, which is in the annotations.
std::vector<IPAddress> addresses_of(const Pod& pod, const Field& root) {
  if (has_released_addresses(pod)) return {};
  if (!pod.status.pod_ips.empty())
    return read_addresses(pod.status.pod_ips, root / "status.podIPs");
  if (!pod.status.pod_ip.empty()) return read_addresses({pod.status.pod_ip}, root / "status.podIP");
  const Field annotations = root / "metadata.annotations";
  if (const auto ips = annotation(pod, k_pod_ips_annotation); ips && !ips->empty()) {
    auto parts = base::split(*ips, ',');
    if (parts.size() > k_most_addresses) {
      (annotations / k_pod_ips_annotation).invalid("", "has more addresses than a pod can have");
      parts.resize(k_most_addresses);
    }
    return read_addresses({parts.begin(), parts.end()}, annotations / k_pod_ips_annotation);
  }
  if (const auto ip = annotation(pod, k_pod_ip_annotation); ip && !ip->empty())
    return read_addresses({std::string(*ip)}, annotations / k_pod_ip_annotation);
  return {};
}

const IPAddress* of_family(const std::vector<IPAddress>& addresses, policy::IPFamily family) {
  const auto found = std::ranges::find(addresses, family, &IPAddress::family);
  return found == addresses.end() ? nullptr : &*found;
}

// The annotation is a JSON list of addresses; each is mapped to the pod's own of its family.
std::vector<FloatingIP> floating_ips_of(const Pod& pod, const std::vector<IPAddress>& addresses,
                                        const Field& root) {
  const auto text = annotation(pod, k_floating_ips_annotation);
  if (!text || addresses.empty()) return {};
  const Field field = root / "metadata.annotations" / k_floating_ips_annotation;
  boost::system::error_code error;
  const auto list = boost::json::parse({text->data(), text->size()}, error);
  if (error || !list.is_array()) {
    field.invalid(*text, "must be a JSON list of IP addresses");
    return {};
  }
  std::vector<FloatingIP> floating;
  const size_t most = std::min(list.get_array().size(), k_most_addresses);
  if (most < list.get_array().size()) field.invalid("", "has more addresses than a pod can have");
  for (size_t i = 0; i < most; ++i) {
    const auto* entry = list.get_array()[i].if_string();
    const auto external = read_address(entry ? std::string_view(*entry) : "", field[i]);
    if (!external) continue;
    if (const auto* internal = of_family(addresses, external->family()))
      floating.push_back({.internal = *internal, .external = *external});
  }
  return floating;
}

void add_named_ports(const api::kubernetes::Container& container, const Field& field,
                     std::vector<NamedPort>& ports) {
  for (size_t i = 0; i < container.ports.size(); ++i) {
    const auto& declared = container.ports[i];
    if (declared.name.empty()) continue;
    const Field place = (field / "ports")[i];
    const std::string protocol = declared.protocol.empty() ? "TCP" : declared.protocol;
    const auto number = read_protocol(protocol, place / "protocol");
    const auto port = read_port_number(declared.container_port, place / "containerPort");
    if (number && port)
      ports.push_back({.name = declared.name, .protocol = *number, .port = *port});
  }
}

// Of what runs beside each other: containers, and init containers that stay (sidecars).
std::vector<NamedPort> named_ports_of(const Pod& pod, const Field& root) {
  std::vector<NamedPort> ports;
  const auto& containers = pod.spec.containers;
  const auto& init = pod.spec.init_containers;
  for (size_t i = 0; i < containers.size(); ++i)
    add_named_ports(containers[i], (root / "spec.containers")[i], ports);
  for (size_t i = 0; i < init.size(); ++i)
    if (init[i].restart_policy == k_sidecar)
      add_named_ports(init[i], (root / "spec.initContainers")[i], ports);
  return ports;
}

std::vector<NamedPort> read_named_ports(const std::vector<api::EndpointPort>& declared,
                                        const Field& field) {
  std::vector<NamedPort> ports;
  for (size_t i = 0; i < declared.size(); ++i) {
    const auto protocol = read_protocol(declared[i].protocol, field[i] / "protocol");
    const auto port = read_port_number(declared[i].port, field[i] / "port");
    if (protocol && port)
      ports.push_back({.name = declared[i].name, .protocol = *protocol, .port = *port});
  }
  return ports;
}

std::vector<FloatingIP> read_nats(const std::vector<api::IPNAT>& nats, const Field& field) {
  std::vector<FloatingIP> floating;
  for (size_t i = 0; i < nats.size(); ++i) {
    const auto internal = read_address(nats[i].internal_ip, field[i] / "internalIP");
    const auto external = read_address(nats[i].external_ip, field[i] / "externalIP");
    if (internal && external) floating.push_back({.internal = *internal, .external = *external});
  }
  return floating;
}

// By what Calico v3.19 tells the workloads of an orchestrator apart.
const std::string& workload_of(const api::WorkloadEndpointSpec& spec) {
  if (spec.orchestrator == k_kubernetes && !spec.pod.empty()) return spec.pod;
  if (spec.orchestrator == k_cni && !spec.container_id.empty()) return spec.container_id;
  return spec.workload.empty() ? spec.pod : spec.workload;
}

}  // namespace

policy::Profile profile_of(const api::kubernetes::Namespace& ns) {
  policy::Profile profile{.name = namespace_profile(ns.metadata.name),
                          .labels_to_apply = prefixed(ns.metadata.labels, k_namespace_prefix),
                          .ingress = {policy::Rule{}},
                          .egress = {policy::Rule{}}};
  profile.labels_to_apply[with_name_label(k_namespace_prefix)] = ns.metadata.name;
  return profile;
}

policy::Profile profile_of(const api::kubernetes::ServiceAccount& account) {
  const auto& metadata = account.metadata;
  policy::Profile profile{.name = service_account_profile(metadata.ns, metadata.name),
                          .labels_to_apply = prefixed(metadata.labels, k_service_account_prefix),
                          .ingress = {},
                          .egress = {}};
  profile.labels_to_apply[with_name_label(k_service_account_prefix)] = metadata.name;
  return profile;
}

bool is_finished(const Pod& pod) {
  return pod.status.phase == "Succeeded" || pod.status.phase == "Failed";
}

bool has_endpoint(const Pod& pod) { return !pod.spec.host_network; }

bool only_claims_addresses(const Pod& pod) {
  return pod.status.pod_ips.empty() && pod.status.pod_ip.empty();
}

WorkloadEndpoint endpoint_of(const Pod& pod, Warnings& warnings) {
  Problems problems;
  const Field root("", problems);
  const std::string& ns = pod.metadata.ns;
  const std::string& account = pod.spec.service_account_name;
  WorkloadEndpoint endpoint{
      .key = {.node = pod.spec.node_name,
              .orchestrator = std::string(k_kubernetes),
              .workload = ns + "/" + pod.metadata.name,
              .endpoint = std::string(k_pod_interface)},
      .ns = ns,
      .interface_name = interface_name(ns, pod.metadata.name),
      .mac = {},
      .addresses = addresses_of(pod, root),
      .labels = workload_labels(pod.metadata.labels, ns, k_kubernetes, account),
      .profiles = {namespace_profile(ns)},
      .ports = named_ports_of(pod, root),
      .floating_ips = {},
  };
  endpoint.floating_ips = floating_ips_of(pod, endpoint.addresses, root);
  if (!account.empty()) endpoint.profiles.push_back(service_account_profile(ns, account));
  for (const auto& problem : problems) warnings.push_back(problem.message() + " (left out)");
  return endpoint;
}

// Those of namespaces and service accounts are for what is in the namespace.
std::vector<std::string> profiles_of(std::vector<std::string> profiles, const std::string& ns) {
  std::erase_if(profiles, [&](const std::string& name) {
    return (name.starts_with(k_namespace_profile_prefix) && name != namespace_profile(ns)) ||
           (name.starts_with(k_service_account_profile_prefix) &&
            !name.starts_with(service_account_profile(ns, "")));
  });
  return profiles;
}

Result<WorkloadEndpoint> endpoint_of(const api::WorkloadEndpoint& object) {
  Problems problems;
  const Field field("spec", problems);
  const auto& spec = object.spec;
  const std::string& ns = object.metadata.ns;
  WorkloadEndpoint endpoint{
      .key = {.node = spec.node,
              .orchestrator = spec.orchestrator,
              .workload = ns + "/" + workload_of(spec),
              .endpoint = spec.endpoint},
      .ns = ns,
      .interface_name = spec.interface_name,
      .mac = spec.mac,
      .addresses = read_addresses(spec.ip_networks, field / "ipNetworks"),
      .labels =
          workload_labels(object.metadata.labels, ns, spec.orchestrator, spec.service_account_name),
      .profiles = profiles_of(spec.profiles, ns),
      .ports = read_named_ports(spec.ports, field / "ports"),
      .floating_ips = read_nats(spec.ip_nats, field / "ipNATs"),
  };
  if (!problems.empty()) return fail(std::move(problems));
  return endpoint;
}

policy::HostEndpoint endpoint_of(const api::HostEndpoint& object, Warnings& warnings) {
  Problems problems;
  const Field field("spec", problems);
  policy::HostEndpoint endpoint{
      .key = {.node = object.spec.node, .name = object.metadata.name},
      .interface_name = object.spec.interface_name,
      .expected_addresses = read_addresses(object.spec.expected_ips, field / "expectedIPs"),
      .labels = object.metadata.labels,
      .profiles = object.spec.profiles,
      .ports = read_named_ports(object.spec.ports, field / "ports"),
  };
  for (const auto& problem : problems) warnings.push_back(problem.message() + " (it is left out)");
  return endpoint;
}

}  // namespace margay::k8s
