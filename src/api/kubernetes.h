#pragma once

// Kubernetes' own objects, as far as Margay reads them; the rest of an object stays in its JSON.

#include "api/meta.h"

namespace margay::api::kubernetes {

struct Namespace {
  ObjectMeta metadata;
  std::string phase;  // status.phase: Active, Terminating
};

struct ServiceAccount {
  ObjectMeta metadata;
};

// ---- pods -----------------------------------------------------------------------------------

struct ContainerPort {
  std::string name;
  int64_t container_port = 0;
  int64_t host_port = 0;
  std::string host_ip;
  std::string protocol;  // TCP (the default), UDP, SCTP
  bool operator==(const ContainerPort&) const = default;
};

struct Container {
  std::string name;
  std::string image;
  std::vector<std::string> command;
  std::vector<std::string> args;
  std::vector<ContainerPort> ports;
  std::string restart_policy;  // of an init container; Always: a sidecar
};

struct PodSpec {
  std::string node_name;
  std::string service_account_name;
  bool host_network = false;
  std::vector<Container> containers;
  std::vector<Container> init_containers;
  std::optional<int64_t> termination_grace_period_seconds;
};

struct PodStatus {
  std::string phase;  // Pending, Running, Succeeded, Failed, Unknown
  std::string pod_ip;
  std::vector<std::string> pod_ips;
  std::string host_ip;
};

struct Pod {
  ObjectMeta metadata;
  PodSpec spec;
  PodStatus status;
};

// ---- nodes ----------------------------------------------------------------------------------

struct NodeAddress {
  std::string type;  // InternalIP, ExternalIP, Hostname
  std::string address;
};

struct Node {
  ObjectMeta metadata;
  std::string pod_cidr;
  std::vector<std::string> pod_cidrs;
  std::vector<NodeAddress> addresses;
};

// ---- services -------------------------------------------------------------------------------

struct ServicePort {
  std::string name;
  std::string protocol;
  int64_t port = 0;
  std::optional<IntOrString> target_port;
  int64_t node_port = 0;
};

struct Service {
  ObjectMeta metadata;
  std::string type;  // ClusterIP, NodePort, LoadBalancer, ExternalName
  std::string cluster_ip;
  std::vector<std::string> cluster_ips;
  std::vector<std::string> external_ips;
  std::vector<std::string> load_balancer_ips;  // status.loadBalancer.ingress[].ip
  std::vector<std::string> load_balancer_source_ranges;
  std::vector<ServicePort> ports;
  Labels selector;
  std::string session_affinity;  // None, ClientIP
  std::optional<int64_t> session_affinity_timeout_seconds;
  std::string external_traffic_policy;  // Cluster, Local
  std::string internal_traffic_policy;
  std::string traffic_distribution;  // PreferSameZone, PreferClose, PreferSameNode
};

struct EndpointConditions {
  std::optional<bool> ready;
  std::optional<bool> serving;
  std::optional<bool> terminating;
};

struct ZoneHint {
  std::string name;
};

struct EndpointHints {
  std::vector<ZoneHint> for_zones;
};

struct SliceEndpoint {
  std::vector<std::string> addresses;
  EndpointConditions conditions;
  std::string node_name;
  std::optional<EndpointHints> hints;
};

struct SlicePort {
  std::string name;
  std::string protocol;
  std::optional<int64_t> port;
};

struct EndpointSlice {
  ObjectMeta metadata;
  std::string address_type;  // IPv4, IPv6, FQDN
  std::vector<SliceEndpoint> endpoints;
  std::vector<SlicePort> ports;
};

// ---- network policy (networking.k8s.io/v1) ----------------------------------------------------

struct LabelSelectorRequirement {
  std::string key;
  std::string op;  // In, NotIn, Exists, DoesNotExist
  std::vector<std::string> values;
};

struct LabelSelector {
  Labels match_labels;
  std::vector<LabelSelectorRequirement> match_expressions;
};

struct IPBlock {
  std::string cidr;
  std::vector<std::string> except;
};

struct NetworkPolicyPeer {
  std::optional<LabelSelector> pod_selector;
  std::optional<LabelSelector> namespace_selector;
  std::optional<IPBlock> ip_block;
};

struct NetworkPolicyPort {
  std::optional<std::string> protocol;
  std::optional<IntOrString> port;
  std::optional<int64_t> end_port;
};

// `from` of an ingress rule, `to` of an egress rule.
struct NetworkPolicyRule {
  std::vector<NetworkPolicyPort> ports;
  std::vector<NetworkPolicyPeer> peers;
};

struct NetworkPolicy {
  ObjectMeta metadata;
  LabelSelector pod_selector;
  std::vector<NetworkPolicyRule> ingress;
  std::optional<std::vector<NetworkPolicyRule>> egress;  // an empty list differs from none
  std::vector<std::string> policy_types;
};

struct ConfigMap {
  ObjectMeta metadata;
  std::map<std::string, std::string> items;  // "data"
};

struct Secret {
  ObjectMeta metadata;
  std::string type;
  std::map<std::string, std::string> items;  // "data", base64 as it travels
};

struct Event {
  ObjectMeta metadata;
  std::string reason;
  std::string message;
  std::string type;  // Normal, Warning
};

}  // namespace margay::api::kubernetes
