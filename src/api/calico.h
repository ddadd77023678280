#pragma once

// projectcalico.org/v3 resources (Calico v3.19's API reference), and the storage-only IPAM
// resources of crd.projectcalico.org/v1. Text fields hold what the user wrote after defaulting;
// validation has already refused what does not parse.

#include "api/kubernetes.h"
#include "api/meta.h"

namespace margay::api {

// ---- policy ---------------------------------------------------------------------------------

struct ServiceAccountMatch {
  std::vector<std::string> names;
  std::string selector;
  bool operator==(const ServiceAccountMatch&) const = default;
};

struct EntityRule {
  std::vector<std::string> nets;
  std::vector<std::string> not_nets;
  std::string selector;
  std::string not_selector;
  std::string namespace_selector;
  std::vector<IntOrString> ports;  // 80, "8080:8090", "http"
  std::vector<IntOrString> not_ports;
  std::optional<ServiceAccountMatch> service_accounts;
  bool operator==(const EntityRule&) const = default;
};

struct ICMPFields {
  std::optional<int64_t> type;
  std::optional<int64_t> code;
  bool operator==(const ICMPFields&) const = default;
};

struct HTTPPath {
  std::string exact;
  std::string prefix;
  bool operator==(const HTTPPath&) const = default;
};

struct HTTPMatch {
  std::vector<std::string> methods;
  std::vector<HTTPPath> paths;
  bool operator==(const HTTPMatch&) const = default;
};

struct RuleMetadata {
  Labels annotations;
  bool operator==(const RuleMetadata&) const = default;
};

struct Rule {
  std::string action;  // Allow, Deny, Log, Pass
  std::optional<int64_t> ip_version;
  std::optional<IntOrString> protocol;
  std::optional<IntOrString> not_protocol;
  std::optional<ICMPFields> icmp;
  std::optional<ICMPFields> not_icmp;
  EntityRule source;
  EntityRule destination;
  std::optional<HTTPMatch> http;
  std::optional<RuleMetadata> metadata;
  bool operator==(const Rule&) const = default;
};

// Beyond v3.19: as Calico's from v3.29 on.
struct TierSpec {
  std::optional<double> order;
  std::string default_action;  // Pass, Deny
  bool operator==(const TierSpec&) const = default;
};

struct Tier {
  ObjectMeta metadata;
  TierSpec spec;
};

struct NetworkPolicySpec {
  std::string tier;  // beyond v3.19
  std::optional<double> order;
  std::vector<Rule> ingress;
  std::vector<Rule> egress;
  std::string selector;
  std::vector<std::string> types;  // Ingress, Egress
  std::string service_account_selector;
  bool operator==(const NetworkPolicySpec&) const = default;
};

struct NetworkPolicy {
  ObjectMeta metadata;
  NetworkPolicySpec spec;
};

struct GlobalNetworkPolicySpec {
  std::string tier;
  std::optional<double> order;
  std::vector<Rule> ingress;
  std::vector<Rule> egress;
  std::string selector;
  std::vector<std::string> types;
  bool do_not_track = false;
  bool pre_dnat = false;
  bool apply_on_forward = false;
  std::string service_account_selector;
  std::string namespace_selector;
  bool operator==(const GlobalNetworkPolicySpec&) const = default;
};

struct GlobalNetworkPolicy {
  ObjectMeta metadata;
  GlobalNetworkPolicySpec spec;
};

// What a policy would be, or that it would be gone: shown, never enforced. Beyond v3.19.
struct StagedNetworkPolicySpec : NetworkPolicySpec {
  std::string staged_action;  // Set, Delete
};

struct StagedNetworkPolicy {
  ObjectMeta metadata;
  StagedNetworkPolicySpec spec;
};

struct StagedGlobalNetworkPolicySpec : GlobalNetworkPolicySpec {
  std::string staged_action;
};

struct StagedGlobalNetworkPolicy {
  ObjectMeta metadata;
  StagedGlobalNetworkPolicySpec spec;
};

struct StagedKubernetesNetworkPolicySpec : kubernetes::NetworkPolicy {
  std::string staged_action;
};

struct StagedKubernetesNetworkPolicy {
  ObjectMeta metadata;
  StagedKubernetesNetworkPolicySpec spec;  // without metadata
};

struct NetworkSetSpec {
  std::vector<std::string> nets;
  bool operator==(const NetworkSetSpec&) const = default;
};

struct NetworkSet {
  ObjectMeta metadata;
  NetworkSetSpec spec;
};

struct GlobalNetworkSet {
  ObjectMeta metadata;
  NetworkSetSpec spec;
};

struct ProfileSpec {
  std::vector<Rule> ingress;
  std::vector<Rule> egress;
  Labels labels_to_apply;
  bool operator==(const ProfileSpec&) const = default;
};

struct Profile {
  ObjectMeta metadata;
  ProfileSpec spec;
};

// ---- endpoints ------------------------------------------------------------------------------

struct EndpointPort {
  std::string name;
  IntOrString protocol;
  int64_t port = 0;
  bool operator==(const EndpointPort&) const = default;
};

struct HostEndpointSpec {
  std::string node;
  std::string interface_name;  // a name, or "*"
  std::vector<std::string> expected_ips;
  std::vector<std::string> profiles;
  std::vector<EndpointPort> ports;
  bool operator==(const HostEndpointSpec&) const = default;
};

struct HostEndpoint {
  ObjectMeta metadata;
  HostEndpointSpec spec;
};

struct IPNAT {
  std::string internal_ip;
  std::string external_ip;
  bool operator==(const IPNAT&) const = default;
};

struct WorkloadEndpointSpec {
  std::string orchestrator;
  std::string workload;
  std::string node;
  std::string container_id;
  std::string pod;
  std::string endpoint;
  std::string service_account_name;
  std::vector<std::string> ip_networks;
  std::vector<IPNAT> ip_nats;
  std::string ipv4_gateway;
  std::string ipv6_gateway;
  std::vector<std::string> profiles;
  std::string interface_name;
  std::string mac;
  std::vector<EndpointPort> ports;
  bool operator==(const WorkloadEndpointSpec&) const = default;
};

struct WorkloadEndpoint {
  ObjectMeta metadata;
  WorkloadEndpointSpec spec;
};

// ---- networking -----------------------------------------------------------------------------

struct IPPoolSpec {
  std::string cidr;
  std::string vxlan_mode;  // Never, Always, CrossSubnet
  std::string ipip_mode;   // Never, Always, CrossSubnet
  bool nat_outgoing = false;
  bool disabled = false;
  int64_t block_size = 0;
  std::string node_selector;
  std::vector<std::string> allowed_uses;
  bool operator==(const IPPoolSpec&) const = default;
};

struct IPPool {
  ObjectMeta metadata;
  IPPoolSpec spec;
};

struct NodeAddress {
  std::string address;
  bool operator==(const NodeAddress&) const = default;
};

struct NodeBGPSpec {
  std::optional<IntOrString> as_number;
  std::string ipv4_address;  // with the subnet's length: "192.0.2.1/24"
  std::string ipv6_address;
  std::string ipv4_ipip_tunnel_addr;
  std::string route_reflector_cluster_id;
  bool operator==(const NodeBGPSpec&) const = default;
};

struct OrchRef {
  std::string node_name;
  std::string orchestrator;
  bool operator==(const OrchRef&) const = default;
};

struct CalicoNodeSpec {
  std::optional<NodeBGPSpec> bgp;
  std::vector<OrchRef> orch_refs;
  std::string ipv4_vxlan_tunnel_addr;
  std::string ipv6_vxlan_tunnel_addr;  // beyond v3.19
  std::string vxlan_tunnel_mac_addr;
  std::string vxlan_tunnel_mac_addr_v6;  // beyond v3.19
  std::vector<NodeAddress> addresses;
  bool operator==(const CalicoNodeSpec&) const = default;
};

// projectcalico.org/v3 Node.
struct CalicoNode {
  ObjectMeta metadata;
  CalicoNodeSpec spec;
};

// ---- IPAM (storage only, crd.projectcalico.org/v1) --------------------------------------------

struct BlockAffinitySpec {
  std::string state;  // pending, confirmed, pendingDeletion
  std::string node;
  std::string cidr;
  std::string deleted;  // "true" or "false", as Calico stores it
};

struct BlockAffinity {
  ObjectMeta metadata;
  BlockAffinitySpec spec;
};

struct AllocationAttribute {
  std::optional<std::string> handle_id;
  Labels secondary;
  bool operator==(const AllocationAttribute&) const = default;
};

struct IPAMBlockSpec {
  std::string cidr;
  std::optional<std::string> affinity;  // "host:<node>"
  bool strict_affinity = false;
  std::vector<std::optional<int64_t>> allocations;  // by ordinal; index into attributes
  std::vector<int64_t> unallocated;                 // ordinals, next to be used first
  std::vector<AllocationAttribute> attributes;
  bool deleted = false;
};

struct IPAMBlock {
  ObjectMeta metadata;
  IPAMBlockSpec spec;
};

struct IPAMHandleSpec {
  std::string handle_id;
  std::map<std::string, int64_t> block;  // block CIDR -> addresses held
  bool deleted = false;
};

struct IPAMHandle {
  ObjectMeta metadata;
  IPAMHandleSpec spec;
};

struct IPAMConfigSpec {
  bool strict_affinity = false;
  bool auto_allocate_blocks = true;
  int64_t max_blocks_per_host = 0;  // 0: the default of 20
};

struct IPAMConfig {
  ObjectMeta metadata;
  IPAMConfigSpec spec;
};

// ---- configuration --------------------------------------------------------------------------

// FelixConfiguration has more than a hundred plain settings, read by name: node/config.h turns
// `settings` (field name -> value as text) into typed parameters.
struct FelixConfiguration {
  ObjectMeta metadata;
  std::map<std::string, std::string> settings;
};

struct ClusterInformationSpec {
  std::string cluster_guid;
  std::string cluster_type;
  std::string calico_version;
  std::optional<bool> datastore_ready;
  std::string variant;
};

struct ClusterInformation {
  ObjectMeta metadata;
  ClusterInformationSpec spec;
};

// ---- routing with BGP -----------------------------------------------------------------------

struct Community {
  std::string name;
  std::string value;  // "64512:100" or "64512:100:1"
  bool operator==(const Community&) const = default;
};

struct PrefixAdvertisement {
  std::string cidr;
  std::vector<std::string> communities;  // values, or names of BGPConfigurationSpec::communities
  bool operator==(const PrefixAdvertisement&) const = default;
};

struct ServiceBlock {
  std::string cidr;
  bool operator==(const ServiceBlock&) const = default;
};

struct BGPConfigurationSpec {
  std::string log_severity_screen;
  std::optional<bool> node_to_node_mesh_enabled;
  std::optional<IntOrString> as_number;
  std::vector<ServiceBlock> service_load_balancer_ips;
  std::vector<ServiceBlock> service_external_ips;
  std::vector<ServiceBlock> service_cluster_ips;
  std::vector<Community> communities;
  std::vector<PrefixAdvertisement> prefix_advertisements;
  int64_t listen_port = 0;  // 0: the default of 179
  bool operator==(const BGPConfigurationSpec&) const = default;
};

struct BGPConfiguration {
  ObjectMeta metadata;
  BGPConfigurationSpec spec;
};

struct SecretKeyRef {
  std::string name;
  std::string key;
  std::optional<bool> optional;
  bool operator==(const SecretKeyRef&) const = default;
};

struct BGPPassword {
  std::optional<SecretKeyRef> secret_key_ref;
  bool operator==(const BGPPassword&) const = default;
};

struct BGPPeerSpec {
  std::string node;
  std::string node_selector;
  std::string peer_ip;  // "192.0.2.1", "192.0.2.1:179", "2001:db8::1", "[2001:db8::1]:179"
  std::optional<IntOrString> as_number;
  std::string peer_selector;
  bool keep_original_next_hop = false;
  std::optional<BGPPassword> password;
  std::string source_address;  // UseNodeIP, None
  bool operator==(const BGPPeerSpec&) const = default;
};

struct BGPPeer {
  ObjectMeta metadata;
  BGPPeerSpec spec;
};

// ---- Calico's controllers ---------------------------------------------------------------------

// A controller that is there runs; durations are text, as in "5m0s".
struct ControllerConfig {
  std::string reconciler_period;
  bool operator==(const ControllerConfig&) const = default;
};

struct AutoHostEndpointConfig {
  std::string auto_create;  // Enabled, Disabled
  bool operator==(const AutoHostEndpointConfig&) const = default;
};

struct NodeControllerConfig {
  std::string reconciler_period;
  std::string sync_labels;  // Enabled, Disabled
  std::optional<AutoHostEndpointConfig> host_endpoint;
  bool operator==(const NodeControllerConfig&) const = default;
};

struct ControllersConfig {
  std::optional<NodeControllerConfig> node;
  std::optional<ControllerConfig> policy;
  std::optional<ControllerConfig> workload_endpoint;
  std::optional<ControllerConfig> service_account;
  std::optional<ControllerConfig> namespaces;
  bool operator==(const ControllersConfig&) const = default;
};

struct KubeControllersConfigurationSpec {
  std::string log_severity_screen;
  std::string health_checks;  // Enabled, Disabled
  std::string etcdv3_compaction_period;
  std::optional<int64_t> prometheus_metrics_port;
  ControllersConfig controllers;
  bool operator==(const KubeControllersConfigurationSpec&) const = default;
};

struct KubeControllersConfigurationStatus {
  std::optional<KubeControllersConfigurationSpec> running_config;
  Labels environment_vars;
  bool operator==(const KubeControllersConfigurationStatus&) const = default;
};

struct KubeControllersConfiguration {
  ObjectMeta metadata;
  KubeControllersConfigurationSpec spec;
  std::optional<KubeControllersConfigurationStatus> status;
};

}  // namespace margay::api
