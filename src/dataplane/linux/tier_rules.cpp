#include "dataplane/linux/tier_rules.h"

#include "dataplane/linux/names.h"

namespace margay::dataplane::linux_host {
namespace {

void add_tier(const ChainContext& context, const policy::ProgramTier& tier, Direction direction,
              const Target& deny, PacketChain& chain) {
  const auto& policies = direction == Direction::ingress ? tier.ingress : tier.egress;
  if (policies.empty()) return;
  const auto& marks = context.marks;
  chain.rules.push_back({{}, clear_mark(marks.pass), "Start of tier " + tier.name});
  for (const auto& key : policies) {
    chain.rules.push_back(
        {{lacks_mark(marks.pass)}, jump(policy_chain(direction, key)), "Policy " + key.id()});
    chain.rules.push_back({{has_mark(marks.accept)}, Verdict::return_to_caller});
  }
  if (tier.default_action == policy::Action::deny)
    chain.rules.push_back({{lacks_mark(marks.pass)}, deny, "End of tier " + tier.name});
}

}  // namespace

void add_clear(const ChainContext& context, PacketChain& chain) {
  chain.rules.push_back({{}, clear_mark(context.marks.accept | context.marks.pass)});
}

void add_conntrack(const ChainContext& context, PacketChain& chain) {
  chain.rules.push_back({{FlowMatch::established}, Verdict::accept});
  if (context.config.drop_invalid) chain.rules.push_back({{FlowMatch::invalid}, Verdict::drop});
}

void add_tiers(const ChainContext& context, const std::vector<policy::ProgramTier>& tiers,
               Direction direction, const Target& deny, PacketChain& chain) {
  for (const auto& tier : tiers) add_tier(context, tier, direction, deny, chain);
}

void add_profiles(const ChainContext& context, const std::vector<std::string>& profiles,
                  Direction direction, const Target& deny, PacketChain& chain) {
  for (const auto& profile : profiles) {
    chain.rules.push_back({{}, jump(profile_chain(direction, profile)), "Profile " + profile});
    chain.rules.push_back({{has_mark(context.marks.accept)}, Verdict::return_to_caller});
  }
  chain.rules.push_back({{}, deny, "No profile matched"});
}

}  // namespace margay::dataplane::linux_host
