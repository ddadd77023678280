#include "policy/model.h"

namespace margay::policy {
namespace {

constexpr std::string_view k_default_tier = "default";

// Which map of a model a change is about.
std::map<std::string, Tier>& table(Model& m, const Change<std::string, Tier>&) { return m.tiers; }
std::map<PolicyKey, Policy>& table(Model& m, const Change<PolicyKey, Policy>&) {
  return m.policies;
}
std::map<std::string, Profile>& table(Model& m, const Change<std::string, Profile>&) {
  return m.profiles;
}
std::map<WorkloadKey, WorkloadEndpoint>& table(Model& m,
                                               const Change<WorkloadKey, WorkloadEndpoint>&) {
  return m.workloads;
}
std::map<HostEndpointKey, HostEndpoint>& table(Model& m,
                                               const Change<HostEndpointKey, HostEndpoint>&) {
  return m.host_endpoints;
}
std::map<NetworkSetKey, NetworkSet>& table(Model& m, const Change<NetworkSetKey, NetworkSet>&) {
  return m.network_sets;
}
std::map<std::string, IPPool>& table(Model& m, const Change<std::string, IPPool>&) {
  return m.pools;
}
std::map<std::string, Host>& table(Model& m, const Change<std::string, Host>&) { return m.hosts; }
std::map<Prefix, Block>& table(Model& m, const Change<Prefix, Block>&) { return m.blocks; }
std::map<std::string, HostInterface>& table(Model& m, const Change<std::string, HostInterface>&) {
  return m.interfaces;
}
std::map<ServiceKey, Service>& table(Model& m, const Change<ServiceKey, Service>&) {
  return m.services;
}
std::map<EndpointSliceKey, EndpointSlice>& table(Model& m,
                                                 const Change<EndpointSliceKey, EndpointSlice>&) {
  return m.endpoint_slices;
}

std::map<PolicyKey, StagedPolicy>& table(Model& m, const Change<PolicyKey, StagedPolicy>&) {
  return m.staged_policies;
}

template <typename K, typename V>
void append_changes(std::vector<ModelChange>& changes, const std::map<K, V>& from) {
  for (const auto& [key, value] : from) changes.push_back(Change<K, V>{key, value});
}

}  // namespace

std::string PolicyKey::id() const {
  const std::string known = tier == k_default_tier ? name : tier + "." + name;
  return ns.empty() ? known : ns + "/" + known;
}

std::string PolicyKey::stored_id() const {
  const bool has_tier =
      tier == k_default_tier && (name.starts_with("knp.") || name.starts_with("ossg."));
  const std::string stored = has_tier ? name : tier + "." + name;
  return ns.empty() ? stored : ns + "/" + stored;
}

void Model::apply(const ModelChange& change) {
  std::visit(
      [this](const auto& c) {
        auto& values = table(*this, c);
        if (c.value)
          values.insert_or_assign(c.key, *c.value);
        else
          values.erase(c.key);
      },
      change);
}

std::vector<ModelChange> Model::changes() const {
  std::vector<ModelChange> changes;
  append_changes(changes, tiers);
  append_changes(changes, policies);
  append_changes(changes, profiles);
  append_changes(changes, workloads);
  append_changes(changes, host_endpoints);
  append_changes(changes, network_sets);
  append_changes(changes, pools);
  append_changes(changes, hosts);
  append_changes(changes, blocks);
  append_changes(changes, interfaces);
  append_changes(changes, services);
  append_changes(changes, endpoint_slices);
  append_changes(changes, staged_policies);
  return changes;
}

Model with_staged(Model model) {
  for (const auto& [key, staged] : model.staged_policies) {
    if (staged.policy)
      model.policies.insert_or_assign(key, *staged.policy);
    else
      model.policies.erase(key);
  }
  model.staged_policies.clear();
  return model;
}

const Profile* built_in_profile(std::string_view name) {
  static const Profile default_allow{
      .name = std::string(k_default_allow_profile), .ingress = {Rule{}}, .egress = {Rule{}}};
  return name == k_default_allow_profile ? &default_allow : nullptr;
}

const Profile* find_profile(const Model& model, const std::string& name) {
  const auto found = model.profiles.find(name);
  return found != model.profiles.end() ? &found->second : built_in_profile(name);
}

}  // namespace margay::policy
