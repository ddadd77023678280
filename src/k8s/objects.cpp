#include "k8s/objects.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

#include "api/calico/tier.h"
#include "api/codec.h"
#include "k8s/names.h"
#include "k8s/resources.h"
#include "selector/selector.h"

namespace margay::k8s {
namespace {

namespace kubernetes = api::kubernetes;
using base::Result;
using policy::Change;
using policy::ModelChange;

// What an object is in the model; nothing when it has no place there (a pod on the host's network).
using Placement = Result<std::optional<ModelChange>>;

template <typename Value>
ModelChange change_to(Value value) {
  if constexpr (requires { value.key; }) {
    return Change<decltype(value.key), Value>{value.key, std::move(value)};
  } else if constexpr (requires { value.name; }) {
    return Change<std::string, Value>{value.name, std::move(value)};
  } else {
    return Change<policy::Prefix, Value>{value.cidr, std::move(value)};
  }
}

template <typename Value>
Placement placed(Result<Value> value) {
  if (!value) return std::unexpected(std::move(value).error());
  return change_to(std::move(*value));
}

Placement place(const kubernetes::Namespace& ns, Reading&) { return change_to(profile_of(ns)); }
Placement place(const kubernetes::ServiceAccount& account, Reading&) {
  return change_to(profile_of(account));
}
Placement place(const kubernetes::Pod& pod, Reading& reading) {
  if (!has_endpoint(pod)) return std::nullopt;
  reading.addresses_only_claimed = only_claims_addresses(pod);
  return change_to(endpoint_of(pod, reading.warnings));
}
Placement place(const kubernetes::NetworkPolicy& policy, Reading& reading) {
  return placed(policy_of(policy, reading.warnings, &reading.origins.emplace()));
}
Placement place(const api::NetworkPolicy& policy, Reading& reading) {
  return placed(policy_of(policy, reading.warnings));
}
Placement place(const api::GlobalNetworkPolicy& policy, Reading& reading) {
  return placed(policy_of(policy, reading.warnings));
}
Placement place(const api::StagedNetworkPolicy& policy, Reading& reading) {
  return placed(staged_policy_of(policy, reading.warnings));
}
Placement place(const api::StagedGlobalNetworkPolicy& policy, Reading& reading) {
  return placed(staged_policy_of(policy, reading.warnings));
}
Placement place(const api::StagedKubernetesNetworkPolicy& policy, Reading& reading) {
  return placed(staged_policy_of(policy, reading.warnings));
}
// The tiers that always exist are in every model, as they are.
Placement place(const api::Tier& tier, Reading&) {
  if (api::calico::find_built_in_tier(tier.metadata.name) != nullptr) return std::nullopt;
  return change_to(tier_of(tier));
}
Placement place(const api::Profile& profile, Reading& reading) {
  return placed(profile_of(profile, reading.warnings));
}
Placement place(const kubernetes::Service& service, Reading& reading) {
  if (!has_frontends(service)) return std::nullopt;
  return change_to(service_of(service, reading.warnings));
}
Placement place(const kubernetes::EndpointSlice& slice, Reading& reading) {
  auto read = endpoint_slice_of(slice, reading.warnings);
  if (!read) return std::nullopt;
  return change_to(*std::move(read));
}
Placement place(const api::NetworkSet& set, Reading& reading) {
  return change_to(network_set_of(set, reading.warnings));
}
Placement place(const api::GlobalNetworkSet& set, Reading& reading) {
  return change_to(network_set_of(set, reading.warnings));
}
Placement place(const api::WorkloadEndpoint& endpoint, Reading&) {
  return placed(endpoint_of(endpoint));
}
Placement place(const api::HostEndpoint& endpoint, Reading& reading) {
  return change_to(endpoint_of(endpoint, reading.warnings));
}
Placement place(const api::IPPool& pool, Reading&) { return placed(pool_of(pool)); }
Placement place(const api::CalicoNode& node, Reading&) { return placed(host_of(node)); }
Placement place(const api::IPAMBlock& block, Reading& reading) {
  if (block.spec.deleted) return std::nullopt;
  auto read = block_of(block);
  if (read) reading.grants = grants_of(block, read->cidr);
  return placed(std::move(read));
}

template <typename Object>
Placement place_json(const api::json::value& value, Reading& reading) {
  MARGAY_TRY(const Object object, api::decode<Object>(value));
  return place(object, reading);
}

struct Resource {
  std::string_view name;
  Placement (*place)(const api::json::value&, Reading&);
};

constexpr Resource k_resources[] = {
    {k_namespaces, place_json<kubernetes::Namespace>},
    {k_service_accounts, place_json<kubernetes::ServiceAccount>},
    {k_pods, place_json<kubernetes::Pod>},
    {k_kubernetes_policies, place_json<kubernetes::NetworkPolicy>},
    {k_policies, place_json<api::NetworkPolicy>},
    {k_global_policies, place_json<api::GlobalNetworkPolicy>},
    {k_profiles, place_json<api::Profile>},
    {k_network_sets, place_json<api::NetworkSet>},
    {k_global_network_sets, place_json<api::GlobalNetworkSet>},
    {k_workload_endpoints, place_json<api::WorkloadEndpoint>},
    {k_host_endpoints, place_json<api::HostEndpoint>},
    {k_pools, place_json<api::IPPool>},
    {k_nodes, place_json<api::CalicoNode>},
    {k_blocks, place_json<api::IPAMBlock>},
};

constexpr Resource k_later_resources[] = {
    {k_tiers, place_json<api::Tier>},
};

constexpr Resource k_staged_resources[] = {
    {k_staged_policies, place_json<api::StagedNetworkPolicy>},
    {k_staged_global_policies, place_json<api::StagedGlobalNetworkPolicy>},
    {k_staged_kubernetes_policies, place_json<api::StagedKubernetesNetworkPolicy>},
};

constexpr Resource k_service_resources[] = {
    {k_services, place_json<kubernetes::Service>},
    {k_endpoint_slices, place_json<kubernetes::EndpointSlice>},
};

// Whoever may write an object should not write the log of every node.
void bound(Warnings& warnings) {
  constexpr size_t k_most = 10;
  if (warnings.size() <= k_most) return;
  warnings.back() = fmt::format("and {} warnings more", warnings.size() - k_most);
  warnings.erase(warnings.begin() + k_most, warnings.end() - 1);
}

std::vector<std::string> names_of(std::span<const Resource> resources) {
  std::vector<std::string> names;
  for (const Resource& resource : resources) names.emplace_back(resource.name);
  return names;
}

const Resource* find_resource(std::string_view name) {
  for (const std::span<const Resource> resources :
       {std::span<const Resource>(k_resources), std::span<const Resource>(k_later_resources),
        std::span<const Resource>(k_staged_resources),
        std::span<const Resource>(k_service_resources)})
    if (const auto found = std::ranges::find(resources, name, &Resource::name);
        found != resources.end())
      return &*found;
  return nullptr;
}

}  // namespace

std::vector<std::string> resources() { return names_of(k_resources); }
std::vector<std::string> later_resources() { return names_of(k_later_resources); }
std::vector<std::string> staged_resources() { return names_of(k_staged_resources); }
std::vector<std::string> service_resources() { return names_of(k_service_resources); }

Result<Reading> read_object(const store::Key& key, const api::json::value& object) {
  Reading reading;
  const Resource* resource = find_resource(key.resource);
  if (resource == nullptr) return reading;
  MARGAY_TRY(reading.change, resource->place(object, reading));
  bound(reading.warnings);
  return reading;
}

Result<Reading> read_object(const store::Key& key, std::string_view text) {
  MARGAY_TRY(const api::json::value object, api::parse_json(text));
  return read_object(key, object);
}

std::vector<ModelChange> built_in() {
  std::vector<ModelChange> changes{
      change_to(*policy::built_in_profile(policy::k_default_allow_profile))};
  for (const auto& [name, order, default_action] : api::calico::built_in_tiers())
    changes.push_back(change_to(policy::Tier{
        .name = std::string(name),
        .order = static_cast<double>(order),
        .default_action = default_action == "Pass" ? policy::Action::pass : policy::Action::deny}));
  return changes;
}

bool is_policy(const store::Key& key) {
  return key.resource == k_global_policies || key.resource == k_policies ||
         key.resource == k_kubernetes_policies;
}

std::optional<Reading> isolating(const store::Key& key) {
  if (!is_policy(key)) return std::nullopt;
  policy::Policy policy;
  policy.applies_ingress = policy.applies_egress = true;
  if (key.resource == k_kubernetes_policies) {
    policy.key = {.ns = key.ns, .name = kubernetes_policy(key.name)};
  } else {
    const auto tier = api::calico::tier_of_name(key.name);
    policy.key = {
        .tier = std::string(tier), .ns = key.ns, .name = std::string(without_tier(key.name, tier))};
    if (tier != k_default_tier)
      policy.ingress = policy.egress = {policy::Rule{.action = policy::Action::deny}};
  }
  if (!key.ns.empty())
    policy.selector = selector::Selector::equals(std::string(k_namespace_label), key.ns);
  return Reading{.change = change_to(std::move(policy))};
}

}  // namespace margay::k8s
