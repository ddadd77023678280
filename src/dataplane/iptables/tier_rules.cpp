#include "dataplane/iptables/tier_rules.h"

#include <fmt/format.h>

#include "dataplane/iptables/linux_names.h"

namespace margay::dataplane::iptables {
namespace {

void add_tier(const ChainContext& context, const policy::ProgramTier& tier, Direction direction,
              const std::string& deny, Chain& chain) {
  const auto& policies = direction == Direction::ingress ? tier.ingress : tier.egress;
  if (policies.empty()) return;
  const auto& marks = context.marks;
  chain.rules.push_back({"", clear_mark(marks.pass), "Start of tier " + tier.name});
  for (const auto& key : policies) {
    chain.rules.push_back({lacks_mark(marks.pass),
                           fmt::format("-j {}", policy_chain(direction, key)),
                           "Policy " + key.id()});
    chain.rules.push_back({has_mark(marks.accept), "-j RETURN"});
  }
  if (tier.default_action == policy::Action::deny)
    chain.rules.push_back({lacks_mark(marks.pass), deny, "End of tier " + tier.name});
}

}  // namespace

std::string jump(std::string_view chain) { return fmt::format("-j {}", chain); }

void add_clear(const ChainContext& context, Chain& chain) {
  chain.rules.push_back({"", clear_mark(context.marks.accept | context.marks.pass)});
}

void add_conntrack(const ChainContext& context, Chain& chain) {
  chain.rules.push_back({"-m conntrack --ctstate RELATED,ESTABLISHED", "-j ACCEPT"});
  if (context.config.drop_invalid)
    chain.rules.push_back({"-m conntrack --ctstate INVALID", "-j DROP"});
}

void add_tiers(const ChainContext& context, const std::vector<policy::ProgramTier>& tiers,
               Direction direction, const std::string& deny, Chain& chain) {
  for (const auto& tier : tiers) add_tier(context, tier, direction, deny, chain);
}

void add_profiles(const ChainContext& context, const std::vector<std::string>& profiles,
                  Direction direction, const std::string& deny, Chain& chain) {
  for (const auto& profile : profiles) {
    chain.rules.push_back(
        {"", fmt::format("-j {}", profile_chain(direction, profile)), "Profile " + profile});
    chain.rules.push_back({has_mark(context.marks.accept), "-j RETURN"});
  }
  chain.rules.push_back({"", deny, "No profile matched"});
}

}  // namespace margay::dataplane::iptables
