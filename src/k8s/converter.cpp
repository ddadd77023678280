#include "k8s/converter.h"

#include <type_traits>
#include <utility>

#include "k8s/names.h"
#include "k8s/resources.h"

namespace margay::k8s {
namespace {

using policy::ModelChange;

// ---- the objects that keys of the model are named for -------------------------------------------

store::Key object_named(std::string_view resource, std::string ns, std::string name) {
  return {.resource = std::string(resource), .ns = std::move(ns), .name = std::move(name)};
}

std::optional<std::string> after(std::string_view prefix, std::string_view name) {
  if (!name.starts_with(prefix)) return std::nullopt;
  return std::string(name.substr(prefix.size()));
}

using Namesake = std::optional<store::Key>;

Namesake namesake(const policy::Policy*, const policy::PolicyKey& key) {
  if (key.ns.empty()) return object_named(k_global_policies, {}, key.name);
  if (auto name = after(kubernetes_policy(""), key.name))
    return object_named(k_kubernetes_policies, key.ns, *std::move(name));
  return object_named(k_policies, key.ns, key.name);
}
Namesake namesake(const policy::Profile*, const std::string& profile) {
  if (auto ns = after(namespace_profile(""), profile))
    return object_named(k_namespaces, {}, *std::move(ns));
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
  return object_named(k_pods, key.workload.substr(0, slash), key.workload.substr(slash + 1));
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
// Blocks have their CIDR for a key, whatever their name; tiers and interfaces are no objects.
Namesake namesake(const void*, const auto&) { return std::nullopt; }

template <size_t I>
using ValueAt = std::remove_cvref_t<
    decltype(*std::declval<std::variant_alternative_t<I, ModelChange>&>().value)>;

}  // namespace

Converter::ModelKey Converter::key_of(const ModelChange& change) {
  return [&]<size_t... I>(std::index_sequence<I...>) {
    std::optional<ModelKey> key;
    ((change.index() == I
          ? static_cast<void>(key.emplace(std::in_place_index<I>, std::get<I>(change).key))
          : void()),
     ...);
    return *std::move(key);
  }(std::make_index_sequence<std::variant_size_v<ModelChange>>());
}

ModelChange Converter::removal_of(const ModelKey& key) {
  return [&]<size_t... I>(std::index_sequence<I...>) {
    std::optional<ModelChange> change;
    ((key.index() == I
          ? static_cast<void>(change.emplace(
                std::variant_alternative_t<I, ModelChange>{std::get<I>(key), std::nullopt}))
          : void()),
     ...);
    return *std::move(change);
  }(std::make_index_sequence<std::variant_size_v<ModelKey>>());
}

std::optional<store::Key> Converter::namesake(const ModelKey& key) {
  return [&]<size_t... I>(std::index_sequence<I...>) {
    std::optional<store::Key> object;
    ((key.index() == I
          ? static_cast<void>(
                object = k8s::namesake(static_cast<const ValueAt<I>*>(nullptr), std::get<I>(key)))
          : void()),
     ...);
    return object;
  }(std::make_index_sequence<std::variant_size_v<ModelKey>>());
}

const store::Key* Converter::owner_of(const ModelKey& key) const {
  if (const auto first = namesake(key)) {
    const auto placed = placed_.find(*first);
    if (placed != placed_.end() && placed->second == key) return &placed->first;
  }
  const auto claims = claims_.find(key);
  return claims == claims_.end() ? nullptr : &claims->second.begin()->first;
}

Converter::Changes Converter::set(const store::Key& key, Reading reading) {
  if (!reading.change) return remove(key);
  ModelKey place = key_of(*reading.change);
  Changes changes;
  if (const auto before = placed_.find(key); before != placed_.end() && before->second != place)
    changes = remove(key);
  placed_.insert_or_assign(key, place);
  bool has_key = namesake(place) == key;
  if (!has_key) {
    claims_[place].insert_or_assign(key, *reading.change);
    has_key = *owner_of(place) == key;
  }
  if (has_key) changes.push_back(*std::move(reading.change));
  return changes;
}

Converter::Changes Converter::remove(const store::Key& key) {
  const auto placed = placed_.find(key);
  if (placed == placed_.end()) return {};
  const ModelKey place = placed->second;
  const bool was_owner = *owner_of(place) == key;
  placed_.erase(placed);
  if (const auto claims = claims_.find(place); claims != claims_.end()) {
    claims->second.erase(key);
    if (claims->second.empty()) claims_.erase(claims);
  }
  if (!was_owner) return {};
  const store::Key* next = owner_of(place);
  return {next ? claims_.at(place).at(*next) : removal_of(place)};
}

const store::Key* Converter::shadowed_by(const store::Key& key) const {
  const auto placed = placed_.find(key);
  if (placed == placed_.end()) return nullptr;
  const store::Key* owner = owner_of(placed->second);
  return *owner == key ? nullptr : owner;
}

}  // namespace margay::k8s
