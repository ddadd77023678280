// NetworkPolicy and GlobalNetworkPolicy, the staged kinds, NetworkSet, GlobalNetworkSet and
// Profile.

#include <algorithm>
#include <set>

#include "api/calico/common.h"
#include "api/calico/kinds.h"
#include "api/calico/staged.h"
#include "api/calico/tier.h"

namespace margay::api {

namespace {

using calico::rules;
using calico::selector;

Described<std::vector<std::string>> policy_types() {
  return list(string().one_of({"Ingress", "Egress"}))
      .check([](const std::vector<std::string>& types, const Report& report) {
        std::set<std::string> seen;
        for (size_t i = 0; i < types.size(); ++i)
          if (!seen.insert(types[i]).second) report.item(i).duplicate(types[i]);
      });
}

// Unset types follow from the rules: egress alone when there are only egress rules, both when there
// are both, ingress otherwise.
void default_types(json::value& spec) {
  auto& object = spec.get_object();
  const auto count = [&](std::string_view name) {
    const json::value* value = object.if_contains(name);
    return value == nullptr ? 0 : value->get_array().size();
  };
  if (count("types") > 0) return;
  json::array types;
  if (count("ingress") > 0 || count("egress") == 0) types.emplace_back("Ingress");
  if (count("egress") > 0) types.emplace_back("Egress");
  object["types"] = std::move(types);
}

void no_http(const std::vector<Rule>& egress, const Report& report) {
  for (size_t i = 0; i < egress.size(); ++i)
    if (egress[i].http) report.item(i).field("http").forbidden("egress rules cannot match HTTP");
}

constexpr const char* k_tier_doc =
    "The tier it is in. A policy of another tier than default is named `<tier>.<name>`. Cannot be "
    "changed.";
constexpr const char* k_order_doc =
    "Policies of a tier apply in ascending order; one without order comes last. Equal orders: by "
    "name.";
constexpr const char* k_types_doc =
    "The directions the policy is for. By default what its rules are for; Ingress if it has none.";
constexpr const char* k_service_account_doc =
    "Only to endpoints that run as a service account whose labels satisfy this.";

Described<NetworkPolicySpec> network_policy_spec() {
  using Spec = NetworkPolicySpec;
  return object<Spec>(
             "projectcalico.org.v3.NetworkPolicySpec",
             "Which endpoints of the namespace the policy applies to, and its rules.",
             {field("tier", &Spec::tier, calico::tier_name(), k_tier_doc)
                  .default_to("default")
                  .beyond_v3_19(),
              field("order", &Spec::order, number(), k_order_doc),
              field("ingress", &Spec::ingress, rules(), "Rules for traffic to the endpoints."),
              field("egress", &Spec::egress, rules(), "Rules for traffic from the endpoints."),
              field("selector", &Spec::selector, selector(),
                    "Applies to the endpoints whose labels satisfy this. Empty means all.")
                  .default_to("all()"),
              field("types", &Spec::types, policy_types(), k_types_doc),
              field("serviceAccountSelector", &Spec::service_account_selector, selector(),
                    k_service_account_doc)})
      .normalize(default_types)
      .check_update(calico::keeps_tier)
      .check([](const Spec& spec, const Report& report) {
        no_http(spec.egress, report.field("egress"));
      });
}

// Untracked and pre-DNAT policies exist for host endpoints only, and see packets, not flows.
void check_host_stages(const GlobalNetworkPolicySpec& spec, const Report& report) {
  if (spec.do_not_track && spec.pre_dnat)
    report.field("preDNAT").forbidden("preDNAT and doNotTrack cannot both be true");
  if ((spec.do_not_track || spec.pre_dnat) && !spec.apply_on_forward)
    report.field("applyOnForward")
        .invalid(json::value(false), "must be true when preDNAT or doNotTrack is");
  if (!spec.pre_dnat) return;
  if (!spec.egress.empty())
    report.field("egress").forbidden("a preDNAT policy cannot have egress rules");
  if (std::ranges::find(spec.types, "Egress") != spec.types.end() && spec.egress.empty())
    report.field("types").forbidden("a preDNAT policy cannot have type Egress");
}

Described<GlobalNetworkPolicySpec> global_network_policy_spec() {
  using Spec = GlobalNetworkPolicySpec;
  return object<Spec>(
             "projectcalico.org.v3.GlobalNetworkPolicySpec",
             "Which endpoints the policy applies to, host endpoints included, and its rules.",
             {field("tier", &Spec::tier, calico::tier_name(), k_tier_doc)
                  .default_to("default")
                  .beyond_v3_19(),
              field("order", &Spec::order, number(), k_order_doc),
              field("ingress", &Spec::ingress, rules(), "Rules for traffic to the endpoints."),
              field("egress", &Spec::egress, rules(), "Rules for traffic from the endpoints."),
              field("selector", &Spec::selector, selector(),
                    "Applies to the endpoints whose labels satisfy this. Empty means all.")
                  .default_to("all()"),
              field("types", &Spec::types, policy_types(), k_types_doc),
              field("doNotTrack", &Spec::do_not_track, boolean(),
                    "Enforced on host endpoints before connection tracking, which what it allows "
                    "then skips."),
              field("preDNAT", &Spec::pre_dnat, boolean(),
                    "Enforced on host endpoints before a service's address is translated."),
              field("applyOnForward", &Spec::apply_on_forward, boolean(),
                    "Enforced on host endpoints for forwarded traffic too."),
              field("serviceAccountSelector", &Spec::service_account_selector, selector(),
                    k_service_account_doc),
              field("namespaceSelector", &Spec::namespace_selector, selector(),
                    "Only to endpoints in a namespace whose labels satisfy this.")})
      .normalize(default_types)
      .check_update(calico::keeps_tier)
      .check([](const Spec& spec, const Report& report) {
        no_http(spec.egress, report.field("egress"));
        check_host_stages(spec, report);
      });
}

Described<NetworkSetSpec> network_set_spec(std::string name) {
  return object<NetworkSetSpec>(std::move(name), "The members of the set.",
                                {field("nets", &NetworkSetSpec::nets, list(calico::net()),
                                       "Addresses and CIDRs, of both IP versions.")});
}

Described<ProfileSpec> profile_spec() {
  return object<ProfileSpec>(
      "projectcalico.org.v3.ProfileSpec", "What the profile gives to the endpoints that name it.",
      {field("ingress", &ProfileSpec::ingress, rules(),
             "Tried when no policy decided about traffic to the endpoint."),
       field("egress", &ProfileSpec::egress, rules(),
             "Tried when no policy decided about traffic from the endpoint."),
       field("labelsToApply", &ProfileSpec::labels_to_apply, string_map().check(formats::labels),
             "Labels that the endpoints have unless their own say otherwise.")});
}

// ---- names and labels -------------------------------------------------------------------------

constexpr size_t k_name_limit = 253;

bool is_plain_policy_name(const std::string& name) {
  return name.size() <= k_name_limit && name.find('.') == std::string::npos &&
         formats::is_dns_subdomain(name);
}

constexpr const char* k_plain_name_rule =
    "must be lower case letters, digits or '-', starting and ending with a letter or digit";

// knp.default.* are Kubernetes' policies, ossg.default.* OpenStack's security groups.
void network_policy_name(const std::string& name, const Report& report) {
  const bool converted = name.starts_with("knp.default.") || name.starts_with("ossg.default.");
  if (!is_plain_policy_name(name) && !(converted && formats::is_dns_subdomain(name)))
    report.invalid(name, std::string(k_plain_name_rule) +
                             "; only after knp.default. or ossg.default. also '.'");
}

void global_policy_name(const std::string& name, const Report& report) {
  if (!is_plain_policy_name(name)) report.invalid(name, k_plain_name_rule);
}

void profile_name(const std::string& name, const Report& report) {
  formats::dns_subdomain(name, report);
  if (name == "projectcalico-default-allow")
    report.invalid(name, "is the profile that allows everything, which always exists");
}

// The label says which namespace an endpoint is in; a set of addresses must not claim one.
void no_namespace_label(const json::value& set, const Report& report) {
  static constexpr const char* k_label = "projectcalico.org/namespace";
  const auto* labels = set.at("metadata").get_object().if_contains("labels");
  if (labels != nullptr && labels->get_object().contains(k_label))
    report.field("metadata").field("labels").key(k_label).forbidden("only the system sets it");
}

template <typename Set>
Resource<Set> describe_set(Kind kind, const std::string& spec_name) {
  auto described =
      describe_kind<Set>(std::move(kind), formats::dns_subdomain,
                         {field("spec", &Set::spec, network_set_spec(spec_name), "The set.")
                              .default_to(json::object())});
  described.type = std::move(described.type).check_json(no_namespace_label);
  return described;
}

std::vector<Column> policy_columns() {
  return {{"Tier", "string", ".spec.tier", "The tier it is in."},
          {"Order", "number", ".spec.order", "Lower applies first."},
          {"Selector", "string", ".spec.selector", "The endpoints it applies to."}};
}
std::vector<Column> staged_policy_columns() {
  auto columns = policy_columns();
  columns.push_back({"Action", "string", ".spec.stagedAction", "What is staged: Set or Delete."});
  return columns;
}

template <typename T, typename Spec>
Resource<T> policy_kind(Kind kind, const NameRule& name, const Described<Spec>& spec,
                        std::string doc) {
  return calico::in_tier(
      describe_kind<T>(std::move(kind), calico::in_any_tier(name),
                       {field("spec", &T::spec, spec, std::move(doc)).default_to(json::object())}),
      name);
}

}  // namespace

template <>
const Resource<NetworkPolicy>& resource<NetworkPolicy>() {
  static const auto described = policy_kind<NetworkPolicy>(
      calico::kind("NetworkPolicy", "networkpolicies", {"cnp", "caliconetworkpolicy"}, true,
                   "Ordered rules for the traffic of the endpoints of one namespace.",
                   policy_columns()),
      network_policy_name, network_policy_spec(), "What is enforced.");
  return described;
}

template <>
const Resource<GlobalNetworkPolicy>& resource<GlobalNetworkPolicy>() {
  static const auto described = policy_kind<GlobalNetworkPolicy>(
      calico::kind("GlobalNetworkPolicy", "globalnetworkpolicies",
                   {"gnp", "cgnp", "calicoglobalnetworkpolicy"}, false,
                   "Ordered rules for the traffic of endpoints anywhere, host endpoints included.",
                   policy_columns()),
      global_policy_name, global_network_policy_spec(), "What is enforced.");
  return described;
}

template <>
const Resource<StagedNetworkPolicy>& resource<StagedNetworkPolicy>() {
  static const auto described = policy_kind<StagedNetworkPolicy>(
      calico::kind("StagedNetworkPolicy", "stagednetworkpolicies", {"scnp", "snp"}, true,
                   "What a NetworkPolicy of its name would be, or that it would be gone: shown by "
                   "`margay ctl`, never enforced.",
                   staged_policy_columns()),
      network_policy_name,
      calico::staged<StagedNetworkPolicySpec>(network_policy_spec(),
                                              "projectcalico.org.v3.StagedNetworkPolicySpec"),
      "What would be enforced.");
  return described;
}

template <>
const Resource<StagedGlobalNetworkPolicy>& resource<StagedGlobalNetworkPolicy>() {
  static const auto described = policy_kind<StagedGlobalNetworkPolicy>(
      calico::kind("StagedGlobalNetworkPolicy", "stagedglobalnetworkpolicies", {"sgnp"}, false,
                   "What a GlobalNetworkPolicy of its name would be, or that it would be gone: "
                   "shown by `margay ctl`, never enforced.",
                   staged_policy_columns()),
      global_policy_name,
      calico::staged<StagedGlobalNetworkPolicySpec>(
          global_network_policy_spec(), "projectcalico.org.v3.StagedGlobalNetworkPolicySpec"),
      "What would be enforced.");
  return described;
}

template <>
const Resource<StagedKubernetesNetworkPolicy>& resource<StagedKubernetesNetworkPolicy>() {
  static const auto described = describe_kind<StagedKubernetesNetworkPolicy>(
      calico::kind(
          "StagedKubernetesNetworkPolicy", "stagedkubernetesnetworkpolicies", {"sknp"}, true,
          "What a Kubernetes NetworkPolicy of its name would be, or that it would be gone: "
          "shown by `margay ctl`, never enforced.",
          {{"Action", "string", ".spec.stagedAction", "What is staged: Set or Delete."}}),
      formats::dns_subdomain,
      {field("spec", &StagedKubernetesNetworkPolicy::spec,
             calico::staged<StagedKubernetesNetworkPolicySpec>(
                 kubernetes::network_policy_spec(),
                 "projectcalico.org.v3.StagedKubernetesNetworkPolicySpec"),
             "What would be enforced.")
           .default_to(json::object())});
  return described;
}

template <>
const Resource<NetworkSet>& resource<NetworkSet>() {
  static const auto described = describe_set<NetworkSet>(
      calico::kind("NetworkSet", "networksets", {"netset", "netsets"}, true,
                   "Named CIDRs with labels, for the rules of one namespace to select.",
                   {{"Nets", "string", ".spec.nets", "The members."}}),
      "projectcalico.org.v3.NetworkSetSpec");
  return described;
}

template <>
const Resource<GlobalNetworkSet>& resource<GlobalNetworkSet>() {
  static const auto described = describe_set<GlobalNetworkSet>(
      calico::kind("GlobalNetworkSet", "globalnetworksets", {"gnetset", "gnetsets"}, false,
                   "Named CIDRs with labels, for rules anywhere to select.",
                   {{"Nets", "string", ".spec.nets", "The members."}}),
      "projectcalico.org.v3.GlobalNetworkSetSpec");
  return described;
}

template <>
const Resource<Profile>& resource<Profile>() {
  static const auto described = describe_kind<Profile>(
      calico::kind("Profile", "profiles", {"pro"}, false,
                   "Rules and labels for the endpoints that name it, tried after all policies.",
                   {{"Labels", "string", ".spec.labelsToApply", "What it gives endpoints."}}),
      profile_name,
      {field("spec", &Profile::spec, profile_spec(), "The profile.").default_to(json::object())});
  return described;
}

namespace calico {

std::vector<Kind> policy_kinds() {
  return {resource<NetworkPolicy>().kind,
          resource<GlobalNetworkPolicy>().kind,
          resource<NetworkSet>().kind,
          resource<GlobalNetworkSet>().kind,
          resource<Profile>().kind,
          resource<Tier>().kind,
          resource<StagedNetworkPolicy>().kind,
          resource<StagedGlobalNetworkPolicy>().kind,
          resource<StagedKubernetesNetworkPolicy>().kind};
}

}  // namespace calico

}  // namespace margay::api

MARGAY_INSTANTIATE_CODEC(margay::api::NetworkPolicy);
MARGAY_INSTANTIATE_CODEC(margay::api::GlobalNetworkPolicy);
MARGAY_INSTANTIATE_CODEC(margay::api::StagedNetworkPolicy);
MARGAY_INSTANTIATE_CODEC(margay::api::StagedGlobalNetworkPolicy);
MARGAY_INSTANTIATE_CODEC(margay::api::StagedKubernetesNetworkPolicy);
MARGAY_INSTANTIATE_CODEC(margay::api::NetworkSet);
MARGAY_INSTANTIATE_CODEC(margay::api::GlobalNetworkSet);
MARGAY_INSTANTIATE_CODEC(margay::api::Profile);
