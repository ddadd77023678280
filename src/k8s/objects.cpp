#include "k8s/objects.h"

#include <algorithm>
#include <span>
#include <utility>

#include "api/codec.h"

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
Placement place(const api::Profile& profile, Reading& reading) {
  return placed(profile_of(profile, reading.warnings));
}
Placement place(const api::NetworkSet& set, Reading&) { return placed(network_set_of(set)); }
Placement place(const api::GlobalNetworkSet& set, Reading&) { return placed(network_set_of(set)); }
Placement place(const api::WorkloadEndpoint& endpoint, Reading&) {
  return placed(endpoint_of(endpoint));
}
Placement place(const api::HostEndpoint& endpoint, Reading&) {
  return placed(endpoint_of(endpoint));
}
Placement place(const api::IPPool& pool, Reading&) { return placed(pool_of(pool)); }
Placement place(const api::CalicoNode& node, Reading&) { return placed(host_of(node)); }
Placement place(const api::IPAMBlock& block, Reading&) {
  if (block.spec.deleted) return std::nullopt;
  return placed(block_of(block));
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
    {"namespaces", place_json<kubernetes::Namespace>},
    {"serviceaccounts", place_json<kubernetes::ServiceAccount>},
    {"pods", place_json<kubernetes::Pod>},
    {"networkpolicies.networking.k8s.io", place_json<kubernetes::NetworkPolicy>},
    {"networkpolicies.projectcalico.org", place_json<api::NetworkPolicy>},
    {"globalnetworkpolicies.projectcalico.org", place_json<api::GlobalNetworkPolicy>},
    {"profiles.projectcalico.org", place_json<api::Profile>},
    {"networksets.projectcalico.org", place_json<api::NetworkSet>},
    {"globalnetworksets.projectcalico.org", place_json<api::GlobalNetworkSet>},
    {"workloadendpoints.projectcalico.org", place_json<api::WorkloadEndpoint>},
    {"hostendpoints.projectcalico.org", place_json<api::HostEndpoint>},
    {"ippools.projectcalico.org", place_json<api::IPPool>},
    {"nodes.projectcalico.org", place_json<api::CalicoNode>},
    {"ipamblocks.crd.projectcalico.org", place_json<api::IPAMBlock>},
};

}  // namespace

std::vector<std::string> resources() {
  std::vector<std::string> names;
  for (const Resource& resource : k_resources) names.emplace_back(resource.name);
  return names;
}

Result<Reading> read_object(const store::Key& key, const api::json::value& object) {
  Reading reading;
  const auto* resource = std::ranges::find(k_resources, key.resource, &Resource::name);
  if (resource == std::ranges::end(k_resources)) return reading;
  MARGAY_TRY(reading.change, resource->place(object, reading));
  return reading;
}

Result<Reading> read_object(const store::Key& key, std::string_view text) {
  MARGAY_TRY(const api::json::value object, api::parse_json(text));
  return read_object(key, object);
}

std::vector<ModelChange> built_in() {
  return {change_to(*policy::built_in_profile(policy::k_default_allow_profile))};
}

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

Converter::Changes Converter::settle(const store::Key& key, std::optional<ModelChange> change) {
  Changes changes;
  const std::optional<ModelKey> place = change ? std::optional(key_of(*change)) : std::nullopt;
  const auto before = placed_.find(key);
  if (before != placed_.end() && place != before->second) {
    changes.push_back(removal_of(before->second));
    placed_.erase(before);
  }
  if (!change) return changes;
  placed_.insert_or_assign(key, *place);
  changes.push_back(*std::move(change));
  return changes;
}

Converter::Changes Converter::set(const store::Key& key, Reading reading) {
  return settle(key, std::move(reading.change));
}

Converter::Changes Converter::remove(const store::Key& key) { return settle(key, std::nullopt); }

}  // namespace margay::k8s
