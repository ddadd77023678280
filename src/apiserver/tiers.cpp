#include "apiserver/tiers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>

#include "api/calico/tier.h"
#include "apiserver/object.h"
#include "apiserver/reads.h"

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

bool is_in(const store::Entry& policy, std::string_view tier, ParsingRoom& room) {
  const auto place = room.wait(policy.value);
  const auto object = parse_stored(policy);
  if (!object) return policy.key.name.starts_with(std::string(tier) + ".");
  return text_at(*object, {"spec", "tier"}) == tier;
}

}  // namespace

bool is_tier(const api::Kind& kind) { return kind.resource() == k_tiers; }

bool is_in_tier(const api::Kind& kind) {
  return std::ranges::find(k_in_tiers, kind.resource()) != k_in_tiers.end();
}

base::Result<> restore_tiers(Writes& writes) {
  for (const auto& [name, order, default_action] : api::calico::built_in_tiers()) {
    const auto made =
        writes.create({.kind = &tier_kind(), .name = std::string(name)},
                      {{"spec", {{"order", order}, {"defaultAction", default_action}}}}, {});
    // Another server may be as quick.
    if (!made && made.error().reason != "AlreadyExists")
      return base::fail(base::ErrorCode::internal,
                        fmt::format("tier {}: {}", name, made.error().message));
  }
  return {};
}

Answer<> check_tier_exists(store::Store& store, const boost::json::object& object) {
  const std::string tier(text_at(object, {"spec", "tier"}));
  if (tier.empty() || api::calico::find_built_in_tier(tier) != nullptr) return {};
  const auto entry = store.get({std::string(k_tiers), {}, tier});
  if (!entry) return refuse(from_error(tier_kind(), tier, entry.error()));
  const auto found = parse_stored(*entry);  // small, as all of a tier is
  if (found && !text_at(*found, {"metadata", "deletionTimestamp"}).empty())
    return refuse(forbidden(tier_kind(), tier, "it is being deleted, and takes no policy"));
  return {};
}

Answer<> check_tier_unused(store::Store& store, ParsingRoom& room, std::string_view name) {
  if (api::calico::find_built_in_tier(name) != nullptr)
    return refuse(forbidden(tier_kind(), name, "this tier may not be deleted"));
  for (const auto resource : k_in_tiers) {
    const auto check = [&](const store::Entry& policy) -> base::Result<> {
      if (!is_in(policy, name, room)) return {};
      return base::fail(
          base::ErrorCode::forbidden,
          fmt::format("a tier with policies may not be deleted; {} {}{}{} is in it", resource,
                      policy.key.ns, policy.key.ns.empty() ? "" : "/", policy.key.name));
    };
    const auto unused = each_entry(store, {.resource = std::string(resource)}, check);
    if (!unused) return refuse(from_error(tier_kind(), name, unused.error()));
  }
  return {};
}

}  // namespace margay::apiserver
