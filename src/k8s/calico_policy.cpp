#include <algorithm>

#include "k8s/convert.h"
#include "k8s/names.h"
#include "k8s/rule.h"

namespace margay::k8s {
namespace {

using base::fail;
using base::Result;
using policy::Policy;
using selector::Selector;

struct Directions {
  bool ingress = false;
  bool egress = false;
};

// Without types the rules tell: egress alone when there are only egress rules.
Directions read_types(const auto& spec, const Field& field) {
  if (spec.types.empty())
    return {.ingress = !spec.ingress.empty() || spec.egress.empty(),
            .egress = !spec.egress.empty()};
  Directions directions;
  for (size_t i = 0; i < spec.types.size(); ++i) {
    if (spec.types[i] == "Ingress") {
      directions.ingress = true;
    } else if (spec.types[i] == "Egress") {
      directions.egress = true;
    } else {
      field[i].invalid(spec.types[i], "must be Ingress or Egress");
    }
  }
  return directions;
}

Selector service_accounts(const std::string& selector, const Field& field) {
  return read_service_account_selector(selector, field).value_or(Selector());
}

// The parts that both kinds have. Which endpoints a policy is for cannot be guessed: what makes it
// unreadable is reported to `problems`.
Policy read_policy(policy::PolicyKey key, const auto& spec, const Field& field,
                   Warnings& warnings) {
  const Directions directions = read_types(spec, field / "types");
  Policy policy;
  policy.order = spec.order;
  policy.selector =
      read_selector(spec.selector, field / "selector").value_or(Selector()) &&
      service_accounts(spec.service_account_selector, field / "serviceAccountSelector");
  policy.applies_ingress = directions.ingress;
  policy.applies_egress = directions.egress;
  policy.ingress = read_rules(spec.ingress, key.ns, "spec.ingress", warnings);
  policy.egress = read_rules(spec.egress, key.ns, "spec.egress", warnings);
  policy.key = std::move(key);
  return policy;
}

}  // namespace

Result<Policy> policy_of(const api::NetworkPolicy& object, Warnings& warnings) {
  Problems problems;
  policy::PolicyKey key{.ns = object.metadata.ns,
                        .name = std::string(without_tier(object.metadata.name))};
  Policy policy = read_policy(std::move(key), object.spec, Field("spec", problems), warnings);
  policy.selector =
      Selector::equals(std::string(k_namespace_label), object.metadata.ns) && policy.selector;
  if (!problems.empty()) return fail(std::move(problems));
  return policy;
}

Result<Policy> policy_of(const api::GlobalNetworkPolicy& object, Warnings& warnings) {
  Problems problems;
  const Field spec("spec", problems);
  Policy policy = read_policy({.name = std::string(without_tier(object.metadata.name))},
                              object.spec, spec, warnings);
  if (!object.spec.namespace_selector.empty()) {
    const auto namespaces =
        read_namespace_selector(object.spec.namespace_selector, spec / "namespaceSelector");
    policy.selector = namespaces.value_or(Selector()) && policy.selector;
  }
  policy.do_not_track = object.spec.do_not_track;
  policy.pre_dnat = object.spec.pre_dnat;
  policy.apply_on_forward = object.spec.apply_on_forward;
  if (!problems.empty()) return fail(std::move(problems));
  return policy;
}

Result<policy::Profile> profile_of(const api::Profile& profile, Warnings& warnings) {
  const std::string& name = profile.metadata.name;
  if (is_kubernetes_profile(name) || name == policy::k_default_allow_profile) {
    Problems problems;
    Field("metadata.name", problems)
        .invalid(name, "kns.*, ksa.* and projectcalico-default-allow are made by the system");
    return fail(std::move(problems));
  }
  return policy::Profile{
      .name = name,
      .labels_to_apply = profile.spec.labels_to_apply,
      .ingress = read_rules(profile.spec.ingress, {}, "spec.ingress", warnings),
      .egress = read_rules(profile.spec.egress, {}, "spec.egress", warnings),
  };
}

Result<policy::NetworkSet> network_set_of(const api::NetworkSet& object) {
  Problems problems;
  const std::string& ns = object.metadata.ns;
  policy::NetworkSet set{
      .key = {.ns = ns, .name = object.metadata.name},
      .labels = object.metadata.labels,
      .profiles = {namespace_profile(ns)},
      .nets = read_nets(object.spec.nets, Field("spec.nets", problems)),
  };
  set.labels[std::string(k_namespace_label)] = ns;
  if (!problems.empty()) return fail(std::move(problems));
  return set;
}

Result<policy::NetworkSet> network_set_of(const api::GlobalNetworkSet& object) {
  Problems problems;
  policy::NetworkSet set{
      .key = {.ns = {}, .name = object.metadata.name},
      .labels = object.metadata.labels,
      .profiles = {},
      .nets = read_nets(object.spec.nets, Field("spec.nets", problems)),
  };
  if (!problems.empty()) return fail(std::move(problems));
  return set;
}

}  // namespace margay::k8s
