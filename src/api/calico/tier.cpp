// Tier.

#include "api/calico/tier.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "api/calico/common.h"

namespace margay::api {

namespace {

constexpr auto k_built_in =
    std::to_array<calico::BuiltInTier>({{"kube-admin", 1'000, "Pass"},
                                        {"default", 1'000'000, "Deny"},
                                        {"kube-baseline", 10'000'000, "Pass"}});
constexpr const char* k_default = "default";
constexpr int64_t k_default_order = 1'000'000;

Described<TierSpec> tier_spec() {
  using Spec = TierSpec;
  return object<Spec>(
      "projectcalico.org.v3.TierSpec", "When the tier is asked, and what it does at its end.",
      {field("order", &Spec::order, number(),
             "Tiers are asked in ascending order. Equal orders: by name.")
           .default_to(k_default_order),
       field("defaultAction", &Spec::default_action, string().one_of({"Pass", "Deny"}),
             "What happens to traffic to which policies of the tier apply and that no rule of them "
             "matched: Pass leaves it to the next tier.")
           .default_to("Deny")});
}

// The tier that a policy's spec says.
std::string tier_of(const json::value& spec) {
  const auto* object = spec.if_object();
  const auto* tier = object != nullptr ? object->if_contains("tier") : nullptr;
  return tier != nullptr && tier->is_string() ? std::string(tier->get_string()) : k_default;
}

// Policies that are named so are Kubernetes' and OpenStack's: their tier is behind that.
constexpr auto k_no_tiers = std::to_array<std::string_view>({"knp", "ossg"});

void tier_rule(const std::string& name, const Report& report) {
  formats::dns_label(name, report);  // policies are named for their tier, with a dot after it
  if (std::ranges::find(k_no_tiers, name) != k_no_tiers.end())
    report.invalid(name, "is what names of policies of others begin with");
}

// "<tier>.<name>", of whatever tier.
bool is_name_in_tier(std::string_view name) {
  constexpr size_t k_limit = 253;
  const size_t dot = name.find('.');
  if (dot == name.npos || name.size() > k_limit) return false;
  const auto rest = name.substr(dot + 1);
  return formats::is_dns_label(name.substr(0, dot)) && rest.find('.') == rest.npos &&
         formats::is_dns_subdomain(rest);
}

void check_built_in(const Tier& tier, const Report& report) {
  const auto* known = calico::find_built_in_tier(tier.metadata.name);
  if (known == nullptr) return;
  const auto spec = report.field("spec");
  if (tier.spec.order != static_cast<double>(known->order))
    spec.field("order").invalid(number().write(tier.spec.order.value_or(0)),
                                fmt::format("of tier {} must be {}", known->name, known->order));
  if (tier.spec.default_action != known->default_action)
    spec.field("defaultAction")
        .invalid(tier.spec.default_action,
                 fmt::format("of tier {} must be {}", known->name, known->default_action));
}

}  // namespace

template <>
const Resource<Tier>& resource<Tier>() {
  static const auto described = [] {
    auto tier = describe_kind<Tier>(
        calico::kind(
            "Tier", "tiers", {}, false,
            "An ordered group of policies. `kube-admin` (order 1000, Pass), `default` "
            "(1000000, Deny) and `kube-baseline` (10000000, Pass) always exist as they are.",
            {{"Order", "number", ".spec.order", "Lower is asked first."},
             {"DefaultAction", "string", ".spec.defaultAction",
              "What happens to traffic that no rule of it matched."}}),
        tier_rule,
        {field("spec", &Tier::spec, tier_spec(), "The tier.").default_to(json::object())});
    tier.type = std::move(tier.type).check(check_built_in);
    return tier;
  }();
  return described;
}

namespace calico {

std::span<const BuiltInTier> built_in_tiers() { return k_built_in; }

const BuiltInTier* find_built_in_tier(std::string_view name) {
  const auto found = std::ranges::find(k_built_in, name, &BuiltInTier::name);
  return found == k_built_in.end() ? nullptr : &*found;
}

Described<std::string> tier_name() { return string().check(tier_rule); }

std::string_view tier_of_name(std::string_view policy) {
  const size_t dot = policy.find('.');
  if (dot == 0 || dot == policy.npos) return k_default;
  const auto tier = policy.substr(0, dot);
  return std::ranges::find(k_no_tiers, tier) == k_no_tiers.end() ? tier : k_default;
}

void keeps_tier(const json::value& before, const json::value& after, const Report& report) {
  const std::string tier = tier_of(before);
  if (tier_of(after) != tier)
    report.field("tier").invalid(tier_of(after), "cannot be changed; it is " + tier);
}

NameRule in_any_tier(NameRule plain) {
  return [plain = std::move(plain)](const std::string& name, const Report& report) {
    if (!is_name_in_tier(name)) plain(name, report);
  };
}

void label_tier(json::value& policy) {
  auto& object = policy.get_object();
  const auto* spec = object.if_contains("spec");
  json::string tier(spec != nullptr ? tier_of(*spec) : k_default);
  auto& labels = object["metadata"].get_object()["labels"];
  if (!labels.is_object()) labels.emplace_object();
  labels.get_object()[k_tier_label] = std::move(tier);
}

void check_name_in_tier(const json::value& policy, const NameRule& plain, const Report& report) {
  const auto& object = policy.get_object();
  const auto* spec = object.if_contains("spec");
  const std::string tier = spec != nullptr ? tier_of(*spec) : k_default;
  const auto& metadata = object.at("metadata").get_object();
  const bool is_named = metadata.contains("name");
  const auto* value = metadata.if_contains(is_named ? "name" : "generateName");
  if (value == nullptr) return;  // there must be one, but that is for others to say
  const std::string name(value->get_string());
  const auto at = report.field("metadata").field(is_named ? "name" : "generateName");
  if (tier != k_default) {
    if (!name.starts_with(tier + "."))
      at.invalid(name, fmt::format("must begin with \"{0}.\" in tier {0}", tier));
    return;
  }
  // The server appends to a prefix; "x" stands for that.
  const std::string whole = is_named ? name : name + "x";
  if (!is_name_in_tier(whole)) return;
  const std::string other = whole.substr(0, whole.find('.'));
  if (other == k_default) return plain(whole, at);
  at.invalid(name, fmt::format("must not begin with \"{0}.\" unless spec.tier is {0}", other));
}

}  // namespace calico

}  // namespace margay::api

MARGAY_INSTANTIATE_CODEC(margay::api::Tier);
