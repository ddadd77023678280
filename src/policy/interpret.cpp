#include "policy/interpret.h"

#include <algorithm>

namespace margay::policy {
namespace {

// One side of a packet.
struct Side {
  const IPAddress& address;
  uint8_t protocol;
  uint16_t port;
};

bool in_any_net(const std::vector<Prefix>& nets, const IPAddress& address) {
  return std::ranges::any_of(nets, [&](const Prefix& net) { return net.contains(address); });
}

bool in_any_range(const std::vector<PortRange>& ranges, uint16_t port) {
  return std::ranges::any_of(ranges, [&](PortRange range) { return range.contains(port); });
}

bool has_net(const ProgramSet& set, const IPAddress& address) {
  for (unsigned length = 0; length <= address.bits(); ++length)
    if (set.members.contains({.net = Prefix(address, length)})) return true;
  return false;
}

class Interpreter {
 public:
  Interpreter(const ProgramState& state, const Packet& packet) : state_(state), packet_(packet) {}

  bool matches(const ProgramRule& rule) const;
  // The action of the first rule but Log that matches.
  std::optional<Action> first_action(const std::vector<ProgramRule>& rules) const;
  // One tier after another; nothing when all pass.
  std::optional<Verdict> ask_tiers(const std::vector<ProgramTier>& tiers,
                                   Direction direction) const;
  Verdict ask_profiles(const std::vector<std::string>& profiles, Direction direction) const;

 private:
  // Pass when no policy applies or a rule says so; the tier's default at its end.
  Action ask_tier(const ProgramTier& tier, Direction direction) const;
  bool matches(const ProgramEntity& entity, const Side& side) const;
  bool matches(const ICMPMatch& icmp) const;
  bool in_net_set(const std::string& id, const Side& side) const {
    return has_net(state_.sets.at(id), side.address);
  }
  bool in_port_set(const std::string& id, const Side& side) const {
    return state_.sets.at(id).members.contains(
        {.net = Prefix(side.address), .protocol = side.protocol, .port = side.port});
  }

  const ProgramState& state_;
  const Packet& packet_;
};

bool Interpreter::matches(const ICMPMatch& icmp) const {
  return icmp.type == packet_.icmp_type && (!icmp.code || *icmp.code == packet_.icmp_code);
}

bool Interpreter::matches(const ProgramEntity& entity, const Side& side) const {
  const auto in_nets = [&](const std::string& id) { return in_net_set(id, side); };
  const auto in_ports = [&](const std::string& id) { return in_port_set(id, side); };
  const bool asks_ports = !entity.ports.empty() || !entity.port_sets.empty();
  return (entity.nets.empty() || in_any_net(entity.nets, side.address)) &&
         !in_any_net(entity.not_nets, side.address) && std::ranges::all_of(entity.sets, in_nets) &&
         std::ranges::none_of(entity.not_sets, in_nets) &&
         (!asks_ports || in_any_range(entity.ports, side.port) ||
          std::ranges::any_of(entity.port_sets, in_ports)) &&
         !in_any_range(entity.not_ports, side.port) &&
         std::ranges::none_of(entity.not_port_sets, in_ports);
}

bool Interpreter::matches(const ProgramRule& rule) const {
  return !rule.never_matches && (!rule.family || *rule.family == packet_.source.family()) &&
         (!rule.protocol || *rule.protocol == packet_.protocol) &&
         (!rule.not_protocol || *rule.not_protocol != packet_.protocol) &&
         (!rule.icmp || matches(*rule.icmp)) && (!rule.not_icmp || !matches(*rule.not_icmp)) &&
         matches(rule.source, {packet_.source, packet_.protocol, packet_.source_port}) &&
         matches(rule.destination,
                 {packet_.destination, packet_.protocol, packet_.destination_port});
}

std::optional<Action> Interpreter::first_action(const std::vector<ProgramRule>& rules) const {
  for (const ProgramRule& rule : rules)
    if (rule.action != Action::log && matches(rule)) return rule.action;
  return std::nullopt;
}

const std::vector<ProgramRule>& rules_of(const ProgramRules& rules, Direction direction) {
  return direction == Direction::ingress ? rules.ingress : rules.egress;
}

Action Interpreter::ask_tier(const ProgramTier& tier, Direction direction) const {
  const auto& policies = direction == Direction::ingress ? tier.ingress : tier.egress;
  if (policies.empty()) return Action::pass;
  for (const PolicyKey& key : policies)
    if (const auto action = first_action(rules_of(state_.policies.at(key), direction)))
      return *action;
  return tier.default_action;
}

Verdict verdict_of(Action action) {
  return action == Action::allow ? Verdict::allow : Verdict::deny;
}

std::optional<Verdict> Interpreter::ask_tiers(const std::vector<ProgramTier>& tiers,
                                              Direction direction) const {
  for (const ProgramTier& tier : tiers) {
    const Action action = ask_tier(tier, direction);
    if (action != Action::pass) return verdict_of(action);
  }
  return std::nullopt;
}

Verdict Interpreter::ask_profiles(const std::vector<std::string>& profiles,
                                  Direction direction) const {
  for (const std::string& profile : profiles)
    if (const auto action = first_action(rules_of(state_.profiles.at(profile), direction)))
      return verdict_of(*action);
  return Verdict::deny;
}

const std::vector<ProgramTier>& tiers_of(const ProgramHostEndpoint& program, Stage stage) {
  switch (stage) {
    case Stage::untracked:
      return program.untracked;
    case Stage::pre_dnat:
      return program.pre_dnat;
    case Stage::forward:
      return program.forward;
    case Stage::normal:
      break;
  }
  return program.normal;
}

}  // namespace

bool matches(const ProgramState& state, const ProgramRule& rule, const Packet& packet) {
  return Interpreter(state, packet).matches(rule);
}

Verdict interpret(const ProgramState& state, const WorkloadKey& workload, Direction direction,
                  const Packet& packet) {
  const ProgramWorkload& program = state.workloads.at(workload);
  if (!program.endpoint.admin_up) return Verdict::deny;
  const Interpreter interpreter(state, packet);
  if (const auto verdict = interpreter.ask_tiers(program.tiers, direction)) return *verdict;
  return interpreter.ask_profiles(program.endpoint.profiles, direction);
}

std::optional<Verdict> interpret(const ProgramState& state, const HostEndpointKey& endpoint,
                                 Stage stage, Direction direction, const Packet& packet) {
  const ProgramHostEndpoint& program = state.host_endpoints.at(endpoint);
  const Interpreter interpreter(state, packet);
  const auto verdict = interpreter.ask_tiers(tiers_of(program, stage), direction);
  if (verdict || stage != Stage::normal) return verdict;
  return interpreter.ask_profiles(program.endpoint.profiles, direction);
}

}  // namespace margay::policy
