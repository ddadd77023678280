#include "apiserver/tiers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>

#include "api/calico/tier.h"
#include "apiserver/object.h"
#include "apiserver/writes.h"

namespace margay::apiserver {
namespace {

constexpr std::string_view k_tiers = "tiers.projectcalico.org";
constexpr auto k_in_tiers = std::to_array<std::string_view>({
    "networkpolicies.projectcalico.org",
    "globalnetworkpolicies.projectcalico.org",
    "stagednetworkpolicies.projectcalico.org",
    "stagedglobalnetworkpolicies.projectcalico.org",
});

const api::Kind& tier_kind() { return *api::find_resource(k_tiers); }

// Of those that may be removed; else empty.
std::string_view tier_that_can_go(const boost::json::object& policy) {
  const auto tier = text_at(policy, {"spec", "tier"});
  return api::calico::find_built_in_tier(tier) == nullptr ? tier : std::string_view();
}

bool is_being_deleted(const store::Entry& entry) {
  const auto object = parse_stored(entry);
  return object && !text_at(*object, {"metadata", "deletionTimestamp"}).empty();
}

}  // namespace

bool is_tier(const api::Kind& kind) { return kind.resource() == k_tiers; }

bool is_in_tier(const api::Kind& kind) {
  return std::ranges::find(k_in_tiers, kind.resource()) != k_in_tiers.end();
}

Answer<> restore_tiers(store::Store& store, Writes& writes) {
  for (const auto& [name, order, default_action] : api::calico::built_in_tiers()) {
    if (store.get({std::string(k_tiers), {}, std::string(name)})) continue;
    const auto made =
        writes.create({.kind = &tier_kind(), .name = std::string(name)},
                      {{"spec", {{"order", order}, {"defaultAction", default_action}}}}, {});
    // Another server may be as quick.
    if (!made && made.error().reason != "AlreadyExists") return refuse(made.error());
  }
  return {};
}

Tiers::TurnToRemove Tiers::turn_to_remove() {
  const std::lock_guard gate(gate_);
  return TurnToRemove(turn_);
}

Tiers::TurnToCreate Tiers::turn_to_create(const boost::json::object& policy) {
  if (tier_that_can_go(policy).empty()) return {};
  const std::lock_guard gate(gate_);
  return TurnToCreate(turn_);
}

Answer<> Tiers::check_exists(const boost::json::object& policy) {
  const std::string tier(tier_that_can_go(policy));
  if (tier.empty()) return {};
  const auto entry = store_.get({std::string(k_tiers), {}, tier});
  if (!entry) return refuse(from_error(tier_kind(), tier, entry.error()));
  if (known_to_go_.get(*entry, room_, is_being_deleted))
    return refuse(forbidden(tier_kind(), tier, "it is being deleted, and takes no policy"));
  return {};
}

Answer<> Tiers::check_unused(std::string_view name) {
  if (api::calico::find_built_in_tier(name) != nullptr)
    return refuse(forbidden(tier_kind(), name, "this tier may not be deleted"));
  const auto prefix = fmt::format("{}.", name);
  for (const auto resource : k_in_tiers) {
    const auto found =
        store_.list({.resource = std::string(resource)}, {.name_prefix = prefix, .limit = 1});
    if (!found) return refuse(from_error(tier_kind(), name, found.error()));
    if (found->entries.empty()) continue;
    const auto& policy = found->entries.front().key;
    return refuse(
        forbidden(tier_kind(), name,
                  fmt::format("a tier with policies may not be deleted; {} {}{}{} is in it",
                              resource, policy.ns, policy.ns.empty() ? "" : "/", policy.name)));
  }
  return {};
}

}  // namespace margay::apiserver
