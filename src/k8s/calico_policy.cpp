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

Selector own_selector(const auto& spec, const Field& field) {
  return read_selector(spec.selector, field / "selector").value_or(Selector());
}

Selector service_accounts(const auto& spec, const Field& field) {
  return read_service_account_selector(spec.service_account_selector,
                                       field / "serviceAccountSelector")
      .value_or(Selector());
}

// Of a global policy. Calico v3.19 joins the selectors one after the other, and from then on every
// all() in what is joined stands for being in a namespace, or having a service account. A selector
// that is left out adds nothing.
Selector joined_selector(const api::GlobalNetworkPolicySpec& spec, const Field& field) {
  Selector joined = own_selector(spec, field);
  bool is_written = !spec.selector.empty();
  const auto join = [&](const Selector& other, std::string_view label) {
    joined = is_written ? with_all_as(joined, label) && with_all_as(other, label)
                        : with_all_as(other, label);
    is_written = true;
  };
  if (!spec.namespace_selector.empty())
    join(read_namespace_selector(spec.namespace_selector, field / "namespaceSelector")
             .value_or(Selector()),
         k_namespace_label);
  if (!spec.service_account_selector.empty())
    join(service_accounts(spec, field), k_service_account_label);
  return joined;
}

// The parts that both kinds have, but the selector. Which endpoints a policy is for cannot be
// guessed: what makes it unreadable is reported to `problems`.
Policy read_policy(policy::PolicyKey key, const auto& spec, const Field& field,
                   Warnings& warnings) {
  const Directions directions = read_types(spec, field / "types");
  Policy policy;
  policy.order = spec.order;
  policy.applies_ingress = directions.ingress;
  policy.applies_egress = directions.egress;
  policy.ingress = read_rules(spec.ingress, key.ns, "spec.ingress", warnings);
  policy.egress = read_rules(spec.egress, key.ns, "spec.egress", warnings);
  policy.key = std::move(key);
  return policy;
}

// An object that says no tier, as those of Calico v3.19 do, is in `default`.
policy::PolicyKey key_of(const auto& object) {
  const std::string_view tier = object.spec.tier.empty() ? k_default_tier : object.spec.tier;
  return {.tier = std::string(tier),
          .ns = object.metadata.ns,
          .name = std::string(without_tier(object.metadata.name, tier))};
}

// A staged policy is read as the policy it would be.
Result<policy::StagedPolicy> staged(const auto& object, const auto& as_policy, Warnings& warnings) {
  if (object.spec.staged_action == "Delete") return policy::StagedPolicy{.key = key_of(object)};
  MARGAY_TRY(Policy policy, policy_of(as_policy, warnings));
  return policy::StagedPolicy{.key = policy.key, .policy = std::move(policy)};
}

// What is the system's to say: a set is no pod, and is where it is.
policy::Labels set_labels(policy::Labels labels) {
  for (const auto label : {k_namespace_label, k_orchestrator_label, k_service_account_label})
    labels.erase(std::string(label));
  return labels;
}

std::vector<policy::Prefix> readable_nets(const std::vector<std::string>& nets,
                                          Warnings& warnings) {
  Problems problems;
  auto read = read_nets(nets, Field("spec.nets", problems));
  for (const auto& problem : problems) warnings.push_back(problem.message() + " (it is left out)");
  return read;
}

}  // namespace

Result<Policy> policy_of(const api::NetworkPolicy& object, Warnings& warnings) {
  Problems problems;
  const Field spec("spec", problems);
  Policy policy = read_policy(key_of(object), object.spec, spec, warnings);
  policy.selector = Selector::equals(std::string(k_namespace_label), object.metadata.ns) &&
                    own_selector(object.spec, spec) && service_accounts(object.spec, spec);
  if (!problems.empty()) return fail(std::move(problems));
  return policy;
}

Result<Policy> policy_of(const api::GlobalNetworkPolicy& object, Warnings& warnings) {
  Problems problems;
  const Field spec("spec", problems);
  Policy policy = read_policy(key_of(object), object.spec, spec, warnings);
  policy.selector = joined_selector(object.spec, spec);
  policy.do_not_track = object.spec.do_not_track;
  policy.pre_dnat = object.spec.pre_dnat;
  policy.apply_on_forward = object.spec.apply_on_forward;
  if (!problems.empty()) return fail(std::move(problems));
  return policy;
}

Result<policy::StagedPolicy> staged_policy_of(const api::StagedNetworkPolicy& object,
                                              Warnings& warnings) {
  return staged(object, api::NetworkPolicy{object.metadata, object.spec}, warnings);
}

Result<policy::StagedPolicy> staged_policy_of(const api::StagedGlobalNetworkPolicy& object,
                                              Warnings& warnings) {
  return staged(object, api::GlobalNetworkPolicy{object.metadata, object.spec}, warnings);
}

Result<policy::StagedPolicy> staged_policy_of(const api::StagedKubernetesNetworkPolicy& object,
                                              Warnings& warnings) {
  if (object.spec.staged_action == "Delete")
    return policy::StagedPolicy{
        .key = {.ns = object.metadata.ns, .name = kubernetes_policy(object.metadata.name)}};
  api::kubernetes::NetworkPolicy as_policy = object.spec;
  as_policy.metadata = object.metadata;
  MARGAY_TRY(Policy policy, policy_of(as_policy, warnings));
  return policy::StagedPolicy{.key = policy.key, .policy = std::move(policy)};
}

// Whatever is not Pass denies.
policy::Tier tier_of(const api::Tier& tier) {
  return {.name = tier.metadata.name,
          .order = tier.spec.order,
          .default_action =
              tier.spec.default_action == "Pass" ? policy::Action::pass : policy::Action::deny};
}

Result<policy::Profile> profile_of(const api::Profile& profile, Warnings& warnings) {
  const std::string& name = profile.metadata.name;
  if (name == policy::k_default_allow_profile) {
    Problems problems;
    Field("metadata.name", problems).invalid(name, "is made by the system");
    return fail(std::move(problems));
  }
  return policy::Profile{
      .name = name,
      .labels_to_apply = profile.spec.labels_to_apply,
      .ingress = read_rules(profile.spec.ingress, {}, "spec.ingress", warnings),
      .egress = read_rules(profile.spec.egress, {}, "spec.egress", warnings),
  };
}

policy::NetworkSet network_set_of(const api::NetworkSet& object, Warnings& warnings) {
  const std::string& ns = object.metadata.ns;
  policy::NetworkSet set{
      .key = {.ns = ns, .name = object.metadata.name},
      .labels = set_labels(object.metadata.labels),
      .profiles = {namespace_profile(ns)},
      .nets = readable_nets(object.spec.nets, warnings),
  };
  set.labels[std::string(k_namespace_label)] = ns;
  return set;
}

policy::NetworkSet network_set_of(const api::GlobalNetworkSet& object, Warnings& warnings) {
  return {
      .key = {.ns = {}, .name = object.metadata.name},
      .labels = set_labels(object.metadata.labels),
      .profiles = {},
      .nets = readable_nets(object.spec.nets, warnings),
  };
}

}  // namespace margay::k8s
