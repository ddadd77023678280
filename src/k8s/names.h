#pragma once

// What things made from Kubernetes objects are called. Calico v3.19's names, which users' policies,
// dashboards and scripts know.

#include <string>
#include <string_view>

namespace margay::k8s {

inline constexpr std::string_view k_namespace_label = "projectcalico.org/namespace";
inline constexpr std::string_view k_orchestrator_label = "projectcalico.org/orchestrator";
inline constexpr std::string_view k_service_account_label = "projectcalico.org/serviceaccount";
inline constexpr std::string_view k_name_label = "projectcalico.org/name";
// Before the keys of labels that endpoints inherit from their namespace and service account.
inline constexpr std::string_view k_namespace_prefix = "pcns.";
inline constexpr std::string_view k_service_account_prefix = "pcsa.";

// Orchestrators.
inline constexpr std::string_view k_kubernetes = "k8s";
inline constexpr std::string_view k_cni = "cni";  // CNI without Kubernetes
inline constexpr std::string_view k_pod_interface = "eth0";

// A label that says where an object stands, which the system gives and the object cannot claim:
// endpoints have those of their namespace and service account from profiles alone.
bool is_inherited_label(std::string_view key);  // begins with one of the two prefixes

// Of Kubernetes.
inline constexpr std::string_view k_namespace_name_label = "kubernetes.io/metadata.name";
inline constexpr std::string_view k_zone_label = "topology.kubernetes.io/zone";
inline constexpr std::string_view k_service_name_label = "kubernetes.io/service-name";

// Annotations of pods.
inline constexpr std::string_view k_pod_ip_annotation = "cni.projectcalico.org/podIP";
inline constexpr std::string_view k_pod_ips_annotation = "cni.projectcalico.org/podIPs";
inline constexpr std::string_view k_floating_ips_annotation = "cni.projectcalico.org/floatingIPs";

inline constexpr std::string_view k_namespace_profile_prefix = "kns.";
inline constexpr std::string_view k_service_account_profile_prefix = "ksa.";
std::string namespace_profile(std::string_view ns);                               // kns.<ns>
std::string service_account_profile(std::string_view ns, std::string_view name);  // ksa.<ns>.<name>

// A Kubernetes NetworkPolicy among Calico's: knp.default.<name>.
std::string kubernetes_policy(std::string_view name);
inline constexpr std::string_view k_default_tier = "default";
// Policies are named <tier>.<name>, but those of tier `default`, which Calico only stores so and
// users know as <name>. Without the tier, whether or not it was there.
std::string_view without_tier(std::string_view name, std::string_view tier = k_default_tier);

// The host's end of a pod's veth pair: the prefix and 11 hexadecimal digits of the SHA-1 of
// "<namespace>.<pod>".
std::string interface_name(std::string_view ns, std::string_view pod,
                           std::string_view prefix = "cali");

}  // namespace margay::k8s
