#pragma once

// Objects of Kubernetes and projectcalico.org as the policy model sees them (docs/policy.md): pure
// functions, an object in, a model value out.
//
// An object that cannot be read is refused with an `invalid` error that names its fields. Where
// leaving something out is safe, it is left out with a warning instead: a rule that cannot be read
// never opens anything, and never keeps its policy from isolating.

#include <optional>
#include <string>
#include <vector>

#include "api/calico.h"
#include "api/kubernetes.h"
#include "base/result.h"
#include "policy/model.h"

namespace margay::k8s {

using Warnings = std::vector<std::string>;

// ---- Kubernetes -------------------------------------------------------------------------------

policy::Profile profile_of(const api::kubernetes::Namespace& ns);
policy::Profile profile_of(const api::kubernetes::ServiceAccount& account);

// Whether the pod has run to its end.
bool is_finished(const api::kubernetes::Pod& pod);
// Whether the pod has an interface of its own.
bool has_endpoint(const api::kubernetes::Pod& pod);
// Whether nobody but the pod's annotations says its addresses.
bool only_claims_addresses(const api::kubernetes::Pod& pod);
policy::WorkloadEndpoint endpoint_of(const api::kubernetes::Pod& pod, Warnings& warnings);

// One rule of a Kubernetes policy becomes several in the model, by protocol and peer. These are the
// indexes in the object's list that the model's rules come from.
struct RuleOrigins {
  std::vector<size_t> ingress, egress;
};
base::Result<policy::Policy> policy_of(const api::kubernetes::NetworkPolicy& policy,
                                       Warnings& warnings, RuleOrigins* origins = nullptr);

// Whether a service is reached by addresses of its own (not headless, not an alias).
bool has_frontends(const api::kubernetes::Service& service);
// What cannot be read is left out with a warning; who may use a load balancer's address is never
// widened by that.
policy::Service service_of(const api::kubernetes::Service& service, Warnings& warnings);
// Nothing when it belongs to no service, or its backends have names for addresses.
std::optional<policy::EndpointSlice> endpoint_slice_of(const api::kubernetes::EndpointSlice& slice,
                                                       Warnings& warnings);

// ---- projectcalico.org --------------------------------------------------------------------------

policy::Tier tier_of(const api::Tier& tier);
base::Result<policy::Policy> policy_of(const api::NetworkPolicy& policy, Warnings& warnings);
base::Result<policy::Policy> policy_of(const api::GlobalNetworkPolicy& policy, Warnings& warnings);
base::Result<policy::StagedPolicy> staged_policy_of(const api::StagedNetworkPolicy& policy,
                                                    Warnings& warnings);
base::Result<policy::StagedPolicy> staged_policy_of(const api::StagedGlobalNetworkPolicy& policy,
                                                    Warnings& warnings);
base::Result<policy::StagedPolicy> staged_policy_of(
    const api::StagedKubernetesNetworkPolicy& policy, Warnings& warnings);
base::Result<policy::Profile> profile_of(const api::Profile& profile, Warnings& warnings);
// A net that cannot be read is left out with a warning: a list that denies keeps the others.
policy::NetworkSet network_set_of(const api::NetworkSet& set, Warnings& warnings);
policy::NetworkSet network_set_of(const api::GlobalNetworkSet& set, Warnings& warnings);
base::Result<policy::WorkloadEndpoint> endpoint_of(const api::WorkloadEndpoint& endpoint);
// What of it cannot be read is left out with a warning: what can be still closes the interface.
policy::HostEndpoint endpoint_of(const api::HostEndpoint& endpoint, Warnings& warnings);
base::Result<policy::IPPool> pool_of(const api::IPPool& pool);
base::Result<policy::Host> host_of(const api::CalicoNode& node);
base::Result<policy::Block> block_of(const api::IPAMBlock& block);

// An address that IPAM gave to a pod.
struct AddressGrant {
  policy::IPAddress address;
  std::string workload;  // "<namespace>/<pod>"
};
std::vector<AddressGrant> grants_of(const api::IPAMBlock& block, const policy::Prefix& cidr);

}  // namespace margay::k8s
