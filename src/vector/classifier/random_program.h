#pragma once

// Random programs of one or two endpoints over few addresses and ports, so that every field of a
// rule is met with every other, and packets match often. Unlike policy::Generator's, the rules need
// not be what conversions can produce. For tests.

#include <fmt/core.h>

#include <string>
#include <vector>

#include "policy/program_state.h"
#include "policy/random.h"
#include "vector/classifier/reference_judge.h"

namespace margay::vector {

class RandomProgram {
 public:
  // `rules`: about how many in each policy.
  RandomProgram(uint64_t seed, size_t rules) : random_(seed), rules_(rules) {}

  static policy::WorkloadKey pod(size_t index) {
    return {"node", "k8s", fmt::format("ns/pod-{}", index), "eth0"};
  }
  static constexpr size_t k_pods = 2;

  // Deltas of a first state.
  std::vector<policy::Delta> first() {
    std::vector<policy::Delta> deltas;
    for (size_t i = 0; i < k_sets; ++i) {
      deltas.push_back(policy::SetUpdate{net_set(i), policy::SetType::nets, members(false)});
      deltas.push_back(policy::SetUpdate{port_set(i), policy::SetType::named_ports, members(true)});
    }
    for (size_t i = 0; i < k_policies; ++i) deltas.push_back(policy_update(i));
    for (size_t i = 0; i < 2; ++i) deltas.push_back(profile_update(i));
    for (size_t i = 0; i < k_pods; ++i) deltas.push_back(workload_update(i));
    return deltas;
  }

  // A change that the state allows.
  policy::Delta change(const policy::ProgramState& state) {
    switch (random_.below(8)) {
      case 0:
        return policy_update(random_.below(k_policies));
      case 1:
        return workload_update(random_.below(k_pods));
      case 2:
        return profile_update(random_.below(2));
      case 3: {
        const bool named = random_.chance(50);
        const size_t index = random_.below(k_sets);
        return policy::SetUpdate{named ? port_set(index) : net_set(index),
                                 named ? policy::SetType::named_ports : policy::SetType::nets,
                                 members(named)};
      }
      default:
        return set_delta(state);
    }
  }

  policy::Packet packet() {
    const bool v6 = random_.chance(25);
    policy::Packet packet{.source = address(v6),
                          .destination = address(v6),
                          .protocol = random_.pick({uint8_t{6}, uint8_t{6}, uint8_t{17}, uint8_t{1},
                                                    uint8_t{58}, uint8_t{103}})};
    if (packet.protocol == policy::k_tcp || packet.protocol == policy::k_udp) {
      packet.source_port = port();
      packet.destination_port = port();
    } else if (packet.protocol == policy::k_icmp || packet.protocol == policy::k_icmpv6) {
      packet.icmp_type = static_cast<uint8_t>(random_.below(3));
      packet.icmp_code = static_cast<uint8_t>(random_.below(2));
    }
    return packet;
  }

 private:
  static constexpr size_t k_sets = 4, k_policies = 5;

  static std::string net_set(size_t index) { return fmt::format("s:{}", index); }
  static std::string port_set(size_t index) { return fmt::format("n:{}", index); }

  policy::IPAddress address(bool v6) {
    const auto low = static_cast<uint8_t>(random_.below(16));
    if (!v6) return policy::IPAddress::v4(0x0a000000u | low);
    std::array<uint8_t, 16> bytes{0x20, 0x01};
    bytes[15] = low;
    return policy::IPAddress::v6(bytes);
  }
  policy::Prefix net() {
    const policy::IPAddress base = address(random_.chance(25));
    return {base, static_cast<unsigned>(base.bits() - random_.below(6))};
  }
  uint16_t port() { return static_cast<uint16_t>(random_.below(12)); }
  std::vector<policy::PortRange> ports() {
    std::vector<policy::PortRange> ranges;
    for (size_t left = 1 + random_.below(2); left > 0; --left) {
      const uint16_t first = port();
      ranges.push_back({first, static_cast<uint16_t>(first + random_.below(4))});
    }
    return ranges;
  }
  policy::SetMember member(bool named) {
    if (!named) return {.net = net()};
    return {.net = policy::Prefix(address(random_.chance(25))),
            .protocol = random_.pick({policy::k_tcp, policy::k_udp}),
            .port = port()};
  }
  policy::SetMembers members(bool named) {
    policy::SetMembers members;
    for (size_t left = random_.below(named ? 20 : 6); left > 0; --left)
      members.insert(member(named));
    return members;
  }
  std::vector<std::string> ids(std::string (*id)(size_t)) {
    std::vector<std::string> ids;
    for (size_t left = 1 + random_.below(2); left > 0; --left)
      ids.push_back(id(random_.below(k_sets)));
    return ids;
  }

  policy::ProgramEntity entity() {
    policy::ProgramEntity entity;
    for (size_t left = 1 + random_.below(2); random_.chance(35) && left > 0; --left)
      entity.nets.push_back(net());
    if (random_.chance(15)) entity.not_nets = {net()};
    if (random_.chance(25)) entity.sets = ids(net_set);
    if (random_.chance(10)) entity.not_sets = ids(net_set);
    if (random_.chance(25)) entity.ports = ports();
    if (random_.chance(10)) entity.not_ports = ports();
    if (random_.chance(15)) entity.port_sets = ids(port_set);
    if (random_.chance(8)) entity.not_port_sets = ids(port_set);
    return entity;
  }
  policy::ICMPMatch icmp() {
    policy::ICMPMatch match{.type = static_cast<uint8_t>(random_.below(3))};
    if (random_.chance(50)) match.code = static_cast<uint8_t>(random_.below(2));
    return match;
  }
  policy::ProgramRule rule() {
    using policy::Action;
    policy::ProgramRule rule{
        .action = random_.pick({Action::allow, Action::allow, Action::allow, Action::deny,
                                Action::deny, Action::pass, Action::log})};
    if (random_.chance(15)) rule.family = random_.pick({base::IPFamily::v4, base::IPFamily::v6});
    if (random_.chance(40))
      rule.protocol = random_.pick({policy::k_tcp, policy::k_udp, policy::k_icmp});
    if (random_.chance(10)) rule.not_protocol = random_.pick({policy::k_tcp, policy::k_udp});
    if (random_.chance(8)) rule.icmp = icmp();
    if (random_.chance(5)) rule.not_icmp = icmp();
    rule.never_matches = random_.chance(3);
    rule.source = entity();
    rule.destination = entity();
    rule.id = fmt::format("rule-{}", ++last_rule_);
    return rule;
  }
  std::shared_ptr<const policy::ProgramRules> some_rules() {
    auto rules = std::make_shared<policy::ProgramRules>();
    for (auto* list : {&rules->ingress, &rules->egress})
      for (size_t left = random_.below(2 * rules_); left > 0; --left) list->push_back(rule());
    return rules;
  }

  static policy::PolicyKey policy_key(size_t index) {
    return {.tier = index < 2 ? "first" : "default", .ns = {}, .name = fmt::format("p-{}", index)};
  }
  // All rules anew, or one changed, one more, one less.
  policy::Delta policy_update(size_t index) {
    auto& known = policies_[index];
    if (known == nullptr || random_.chance(30)) {
      known = some_rules();
    } else {
      auto changed = std::make_shared<policy::ProgramRules>(*known);
      auto& list = random_.chance(50) ? changed->ingress : changed->egress;
      const auto place = static_cast<ptrdiff_t>(random_.below(list.size() + 1));
      if (random_.chance(50) && place < static_cast<ptrdiff_t>(list.size()))
        list.erase(list.begin() + place);
      if (random_.chance(70))
        list.insert(list.begin() + std::min<ptrdiff_t>(place, std::ssize(list)), rule());
      known = changed;
    }
    return policy::PolicyUpdate{policy_key(index), known};
  }
  // As a program has them: in a profile nothing passes.
  static std::shared_ptr<const policy::ProgramRules> without_pass(policy::ProgramRules rules) {
    for (auto* list : {&rules.ingress, &rules.egress})
      for (policy::ProgramRule& rule : *list)
        if (rule.action == policy::Action::pass) rule.action = policy::Action::deny;
    return std::make_shared<const policy::ProgramRules>(std::move(rules));
  }
  policy::Delta profile_update(size_t index) {
    return policy::ProfileUpdate{fmt::format("profile-{}", index), without_pass(*some_rules())};
  }
  policy::Delta workload_update(size_t index) {
    policy::ProgramWorkload workload;
    workload.endpoint.key = pod(index);
    workload.endpoint.admin_up = !random_.chance(10);
    for (const char* name : {"first", "default"}) {
      policy::ProgramTier tier{.name = name};
      if (random_.chance(30)) tier.default_action = policy::Action::pass;
      for (size_t i = 0; i < k_policies; ++i) {
        const policy::PolicyKey key = policy_key(i);
        if (key.tier != name) continue;
        if (random_.chance(60)) tier.ingress.push_back(key);
        if (random_.chance(60)) tier.egress.push_back(key);
      }
      if (!tier.ingress.empty() || !tier.egress.empty()) workload.tiers.push_back(tier);
    }
    for (const char* name : {"profile-0", "profile-1"})
      if (random_.chance(60)) workload.endpoint.profiles.push_back(name);
    return policy::WorkloadUpdate{workload};
  }
  policy::Delta set_delta(const policy::ProgramState& state) {
    const bool named = random_.chance(40);
    const size_t index = random_.below(k_sets);
    policy::SetDelta delta{.id = named ? port_set(index) : net_set(index)};
    const auto& now = state.sets.at(delta.id).members;
    for (const auto& each : now)
      if (random_.chance(20)) delta.removed.push_back(each);
    for (const auto& each : members(named))
      if (!now.contains(each)) delta.added.push_back(each);
    return delta;
  }

  policy::Random random_;
  size_t rules_;
  size_t last_rule_ = 0;
  std::map<size_t, std::shared_ptr<const policy::ProgramRules>> policies_;
};

}  // namespace margay::vector
