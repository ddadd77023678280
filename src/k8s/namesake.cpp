#include "k8s/namesake.h"

#include <type_traits>
#include <utility>

#include "k8s/names.h"
#include "k8s/resources.h"

namespace margay::k8s {
namespace {

using policy::ModelChange;

// Several keys are of one type, so a key's place among the alternatives is found by the value's
// type.
template <typename Value, size_t I = 0>
constexpr size_t index_of() {
  using Change = std::variant_alternative_t<I, ModelChange>;
  if constexpr (std::is_same_v<typename decltype(Change::value)::value_type, Value>)
    return I;
  else
    return index_of<Value, I + 1>();
}

template <typename Value>
ModelKey key_for(auto key) {
  return ModelKey(std::in_place_index<index_of<Value>()>, std::move(key));
}

std::optional<std::string_view> after(std::string_view prefix, std::string_view name) {
  if (!name.starts_with(prefix)) return std::nullopt;
  return name.substr(prefix.size());
}

// ---- from objects to keys -----------------------------------------------------------------------

// Profiles of these names belong to namespaces and service accounts.
bool is_derived_profile(std::string_view name) {
  return after(k_namespace_profile_prefix, name) || after(k_service_account_profile_prefix, name);
}

std::optional<ModelKey> profile_key(const store::Key& object) {
  if (object.resource == k_namespaces)
    return key_for<policy::Profile>(namespace_profile(object.name));
  if (object.resource == k_service_accounts)
    return key_for<policy::Profile>(service_account_profile(object.ns, object.name));
  if (object.resource != k_profiles || is_derived_profile(object.name)) return std::nullopt;
  return key_for<policy::Profile>(object.name);
}

// Of policies and of staged ones (`Value`), in whose resources they are.
struct PolicyResources {
  std::string_view kubernetes, namespaced, global;
};
constexpr PolicyResources k_enforced{k_kubernetes_policies, k_policies, k_global_policies};
constexpr PolicyResources k_staged{k_staged_kubernetes_policies, k_staged_policies,
                                   k_staged_global_policies};

template <typename Value>
std::optional<ModelKey> policy_key(const PolicyResources& resources, const store::Key& object,
                                   std::string_view tier) {
  const auto key = [&](std::string_view name) {
    return key_for<Value>(policy::PolicyKey{std::string(tier), object.ns, std::string(name)});
  };
  if (object.resource == resources.kubernetes && tier == k_default_tier)
    return key(kubernetes_policy(object.name));
  if (object.resource != resources.namespaced && object.resource != resources.global)
    return std::nullopt;
  if (tier != k_default_tier) {
    const auto name = without_tier(object.name, tier);
    return name.size() < object.name.size() ? std::optional(key(name)) : std::nullopt;
  }
  if (object.resource == resources.namespaced && after(kubernetes_policy(""), object.name))
    return std::nullopt;
  return key(object.name);
}

// ---- from keys to objects -----------------------------------------------------------------------

using Namesake = std::optional<store::Key>;

Namesake object_named(std::string_view resource, std::string_view ns, std::string_view name) {
  return store::Key{std::string(resource), std::string(ns), std::string(name)};
}

Namesake policy_named(const PolicyResources& resources, const policy::PolicyKey& key) {
  const auto resource = key.ns.empty() ? resources.global : resources.namespaced;
  if (key.tier != k_default_tier) return object_named(resource, key.ns, key.tier + "." + key.name);
  if (!key.ns.empty())
    if (const auto name = after(kubernetes_policy(""), key.name))
      return object_named(resources.kubernetes, key.ns, *name);
  return object_named(resource, key.ns, key.name);
}
Namesake namesake(const policy::Policy*, const policy::PolicyKey& key) {
  return policy_named(k_enforced, key);
}
Namesake namesake(const policy::StagedPolicy*, const policy::PolicyKey& key) {
  return policy_named(k_staged, key);
}
Namesake namesake(const policy::Tier*, const std::string& name) {
  return object_named(k_tiers, {}, name);
}
Namesake namesake(const policy::Profile*, const std::string& profile) {
  if (const auto ns = after(k_namespace_profile_prefix, profile))
    return object_named(k_namespaces, {}, *ns);
  if (const auto account = after(k_service_account_profile_prefix, profile)) {
    const size_t dot = account->find('.');  // namespaces have none
    if (dot == account->npos) return std::nullopt;
    return object_named(k_service_accounts, account->substr(0, dot), account->substr(dot + 1));
  }
  return object_named(k_profiles, {}, profile);
}
Namesake namesake(const policy::WorkloadEndpoint*, const policy::WorkloadKey& key) {
  const size_t slash = key.workload.find('/');
  if (key.orchestrator != k_kubernetes || key.endpoint != k_pod_interface ||
      slash == key.workload.npos)
    return std::nullopt;
  const std::string_view workload = key.workload;
  return object_named(k_pods, workload.substr(0, slash), workload.substr(slash + 1));
}
Namesake namesake(const policy::HostEndpoint*, const policy::HostEndpointKey& key) {
  return object_named(k_host_endpoints, {}, key.name);
}
Namesake namesake(const policy::NetworkSet*, const policy::NetworkSetKey& key) {
  return object_named(key.ns.empty() ? k_global_network_sets : k_network_sets, key.ns, key.name);
}
Namesake namesake(const policy::IPPool*, const std::string& name) {
  return object_named(k_pools, {}, name);
}
Namesake namesake(const policy::Host*, const std::string& name) {
  return object_named(k_nodes, {}, name);
}
Namesake namesake(const policy::Service*, const policy::ServiceKey& key) {
  return object_named(k_services, key.ns, key.name);
}
Namesake namesake(const policy::EndpointSlice*, const policy::EndpointSliceKey& key) {
  return object_named(k_endpoint_slices, key.ns, key.name);
}
// Blocks have their CIDR for a key, whatever their name; interfaces are no objects.
Namesake namesake(const void*, const auto&) { return std::nullopt; }

template <size_t I>
using ValueAt = decltype(std::variant_alternative_t<I, ModelChange>::value)::value_type;

// visit(std::integral_constant<size_t, index>) for the alternative that a variant of this many has.
template <size_t Count>
void visit_index(size_t index, const auto& visit) {
  [&]<size_t... I>(std::index_sequence<I...>) {
    ((I == index ? static_cast<void>(visit(std::integral_constant<size_t, I>())) : void()), ...);
  }(std::make_index_sequence<Count>());
}
constexpr size_t k_kinds = std::variant_size_v<ModelChange>;

}  // namespace

ModelKey key_of(const ModelChange& change) {
  std::optional<ModelKey> key;
  visit_index<k_kinds>(change.index(), [&](auto i) {
    key.emplace(std::in_place_index<i()>, std::get<i()>(change).key);
  });
  return *std::move(key);
}

ModelChange removal_of(const ModelKey& key) {
  std::optional<ModelChange> change;
  visit_index<k_kinds>(key.index(), [&](auto i) {
    change.emplace(std::variant_alternative_t<i(), ModelChange>{std::get<i()>(key), std::nullopt});
  });
  return *std::move(change);
}

// The alternatives of policies and staged policies have keys of one type.
std::string_view qualifier_of(const ModelKey& key) {
  if (const auto* workload = std::get_if<policy::WorkloadKey>(&key)) return workload->node;
  if (const auto* endpoint = std::get_if<policy::HostEndpointKey>(&key)) return endpoint->node;
  if (const auto* policy = std::get_if<index_of<policy::Policy>()>(&key)) return policy->tier;
  if (const auto* staged = std::get_if<index_of<policy::StagedPolicy>()>(&key)) return staged->tier;
  return {};
}

std::optional<ModelKey> key_named_for(const store::Key& object, std::string_view qualifier) {
  const auto& [resource, ns, name] = object;
  if (resource == k_pods)
    return key_for<policy::WorkloadEndpoint>(
        policy::WorkloadKey{std::string(qualifier), std::string(k_kubernetes), ns + "/" + name,
                            std::string(k_pod_interface)});
  if (resource == k_endpoint_slices)
    return key_for<policy::EndpointSlice>(policy::EndpointSliceKey{ns, name});
  if (resource == k_services) return key_for<policy::Service>(policy::ServiceKey{ns, name});
  if (resource == k_network_sets || resource == k_global_network_sets)
    return key_for<policy::NetworkSet>(policy::NetworkSetKey{ns, name});
  if (resource == k_host_endpoints)
    return key_for<policy::HostEndpoint>(policy::HostEndpointKey{std::string(qualifier), name});
  if (resource == k_nodes) return key_for<policy::Host>(name);
  if (resource == k_pools) return key_for<policy::IPPool>(name);
  if (resource == k_tiers) return key_for<policy::Tier>(name);
  if (auto profile = profile_key(object)) return profile;
  if (auto staged = policy_key<policy::StagedPolicy>(k_staged, object, qualifier)) return staged;
  return policy_key<policy::Policy>(k_enforced, object, qualifier);
}

std::optional<store::Key> namesake_of(const ModelKey& key) {
  std::optional<store::Key> object;
  visit_index<k_kinds>(key.index(), [&](auto i) {
    object = namesake(static_cast<const ValueAt<i()>*>(nullptr), std::get<i()>(key));
  });
  return object;
}

}  // namespace margay::k8s
