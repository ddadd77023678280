#pragma once

// The resources that have a place in the model, as api::Kind::resource() names them.

#include <string_view>

namespace margay::k8s {

inline constexpr std::string_view k_namespaces = "namespaces";
inline constexpr std::string_view k_service_accounts = "serviceaccounts";
inline constexpr std::string_view k_pods = "pods";
inline constexpr std::string_view k_services = "services";
inline constexpr std::string_view k_endpoint_slices = "endpointslices.discovery.k8s.io";
inline constexpr std::string_view k_kubernetes_policies = "networkpolicies.networking.k8s.io";
inline constexpr std::string_view k_policies = "networkpolicies.projectcalico.org";
inline constexpr std::string_view k_global_policies = "globalnetworkpolicies.projectcalico.org";
inline constexpr std::string_view k_staged_kubernetes_policies =
    "stagedkubernetesnetworkpolicies.projectcalico.org";
inline constexpr std::string_view k_staged_policies = "stagednetworkpolicies.projectcalico.org";
inline constexpr std::string_view k_staged_global_policies =
    "stagedglobalnetworkpolicies.projectcalico.org";
inline constexpr std::string_view k_tiers = "tiers.projectcalico.org";
inline constexpr std::string_view k_profiles = "profiles.projectcalico.org";
inline constexpr std::string_view k_network_sets = "networksets.projectcalico.org";
inline constexpr std::string_view k_global_network_sets = "globalnetworksets.projectcalico.org";
inline constexpr std::string_view k_workload_endpoints = "workloadendpoints.projectcalico.org";
inline constexpr std::string_view k_host_endpoints = "hostendpoints.projectcalico.org";
inline constexpr std::string_view k_pools = "ippools.projectcalico.org";
inline constexpr std::string_view k_nodes = "nodes.projectcalico.org";
inline constexpr std::string_view k_blocks = "ipamblocks.crd.projectcalico.org";

}  // namespace margay::k8s
