#include "vector/classifier/rule_atoms.h"

#include <algorithm>

namespace margay::vector {
namespace {

using policy::PortRange;
using policy::ProgramEntity;
using policy::SetMember;
using policy::SetType;

void sort_unique(auto& values) {
  std::ranges::sort(values);
  values.erase(std::ranges::unique(values).begin(), values.end());
}

// As ranges of type << 8 | code.
std::vector<PortRange> ranges_of(const policy::ICMPMatch& icmp) {
  const auto type = static_cast<uint16_t>(icmp.type << 8);
  return {{static_cast<uint16_t>(type | icmp.code.value_or(0)),
           static_cast<uint16_t>(type | icmp.code.value_or(255))}};
}

}  // namespace

ResolvedRule::~ResolvedRule() {
  atoms.drop(*this);
  counters.unref(counter);
}

uint32_t RuleAtoms::Numbers::take() {
  if (free.empty()) return next++;
  const uint32_t number = free.back();
  free.pop_back();
  return number;
}

// ---- questions of rules ------------------------------------------------------------------------

uint32_t RuleAtoms::use_nets(std::vector<policy::Prefix> nets) {
  sort_unique(nets);
  const auto [found, is_new] = nets_.try_emplace(std::move(nets));
  if (is_new) {
    found->second.atom = address_numbers_.take();
    for (const auto& net : found->first) addresses_.add(found->second.atom, net);
  }
  ++found->second.users;
  return found->second.atom;
}

void RuleAtoms::drop_nets(const std::vector<policy::Prefix>& nets) {
  auto sorted = nets;
  sort_unique(sorted);
  const auto found = nets_.find(sorted);
  if (--found->second.users > 0) return;
  for (const auto& net : found->first) addresses_.remove(found->second.atom, net);
  address_numbers_.give_back(found->second.atom);
  nets_.erase(found);
}

RangeAtom RuleAtoms::use_ranges(std::vector<PortRange> ranges, RangeLists& lists,
                                PortClasses& classes, Numbers& numbers) {
  sort_unique(ranges);
  const auto [found, is_new] = lists.try_emplace(std::move(ranges));
  if (is_new) {
    found->second.atom = numbers.take();
    classes.add(found->second.atom, found->first);
  }
  ++found->second.users;
  return {found->second.atom, found->first.front().contains(0)};
}

void RuleAtoms::drop_ranges(const std::vector<PortRange>& ranges, RangeLists& lists,
                            PortClasses& classes, Numbers& numbers) {
  auto sorted = ranges;
  sort_unique(sorted);
  const auto found = lists.find(sorted);
  if (--found->second.users > 0) return;
  classes.remove(found->second.atom, found->first);
  numbers.give_back(found->second.atom);
  lists.erase(found);
}

void RuleAtoms::count_sets(const policy::ProgramRule& rule, int change) {
  for (const ProgramEntity* entity : {&rule.source, &rule.destination})
    for (const auto* ids :
         {&entity->sets, &entity->not_sets, &entity->port_sets, &entity->not_port_sets})
      for (const std::string& id : *ids) {
        const auto found = named_.try_emplace(id).first;
        found->second += static_cast<size_t>(change);
        if (found->second == 0) named_.erase(found);
      }
}

bool RuleAtoms::resolve_sets(const std::vector<std::string>& ids, SetType type,
                             std::vector<uint32_t>& atoms) const {
  for (const std::string& id : ids) {
    const auto found = sets_.find(id);
    if (found == sets_.end() || found->second.type != type) return false;
    atoms.push_back(found->second.atom);
  }
  return true;
}

bool RuleAtoms::resolve(const ProgramEntity& entity, ResolvedRule::Side& side) {
  return resolve_sets(entity.sets, SetType::nets, side.nets) &&
         resolve_sets(entity.not_sets, SetType::nets, side.not_nets) &&
         resolve_sets(entity.port_sets, SetType::named_ports, side.named) &&
         resolve_sets(entity.not_port_sets, SetType::named_ports, side.not_named);
}

void RuleAtoms::use_of(const ProgramEntity& entity, ResolvedRule::Side& side) {
  if (!entity.nets.empty()) side.nets.push_back(use_nets(entity.nets));
  if (!entity.not_nets.empty()) side.not_nets.push_back(use_nets(entity.not_nets));
  for (auto* atoms : {&side.nets, &side.not_nets, &side.named, &side.not_named})
    sort_unique(*atoms);
  if (!entity.ports.empty())
    side.ports = use_ranges(entity.ports, port_lists_, ports_, port_numbers_);
  if (!entity.not_ports.empty())
    side.not_ports = use_ranges(entity.not_ports, port_lists_, ports_, port_numbers_);
}

std::shared_ptr<const ResolvedRule> RuleAtoms::resolve(const policy::ProgramRule& rule,
                                                       RuleCounters& counters,
                                                       const std::string& place) {
  auto resolved = std::make_shared<ResolvedRule>(*this, counters);
  resolved->counter = counters.use(rule.id, place);
  resolved->rule = rule;
  count_sets(rule, 1);
  resolved->never = rule.never_matches || !resolve(rule.source, resolved->source) ||
                    !resolve(rule.destination, resolved->destination);
  if (resolved->never) return resolved;
  use_of(rule.source, resolved->source);
  use_of(rule.destination, resolved->destination);
  const auto use = [this](const policy::ICMPMatch& icmp) {
    return use_ranges(ranges_of(icmp), icmp_lists_, icmp_, icmp_numbers_);
  };
  if (rule.icmp) resolved->icmp = use(*rule.icmp);
  if (rule.not_icmp) resolved->not_icmp = use(*rule.not_icmp);
  return resolved;
}

void RuleAtoms::drop(const ProgramEntity& entity) {
  for (const auto* nets : {&entity.nets, &entity.not_nets})
    if (!nets->empty()) drop_nets(*nets);
  for (const auto* ranges : {&entity.ports, &entity.not_ports})
    if (!ranges->empty()) drop_ranges(*ranges, port_lists_, ports_, port_numbers_);
}

void RuleAtoms::drop(const ResolvedRule& rule) {
  count_sets(rule.rule, -1);
  if (rule.never) return;
  drop(rule.rule.source);
  drop(rule.rule.destination);
  for (const auto& icmp : {rule.rule.icmp, rule.rule.not_icmp})
    if (icmp) drop_ranges(ranges_of(*icmp), icmp_lists_, icmp_, icmp_numbers_);
}

// ---- sets --------------------------------------------------------------------------------------

void RuleAtoms::add_member(const Set& set, const SetMember& member) {
  if (set.type == SetType::nets)
    addresses_.add(set.atom, member.net);
  else
    named_ports_.add(set.atom, member);
}

void RuleAtoms::remove_member(const Set& set, const SetMember& member) {
  if (set.type == SetType::nets)
    addresses_.remove(set.atom, member.net);
  else
    named_ports_.remove(set.atom, member);
}

bool RuleAtoms::update(const policy::SetUpdate& update) {
  const auto old = sets_.find(update.id);
  const bool is_other = old == sets_.end() || old->second.type != update.type;
  if (is_other) {
    remove(update.id);
    sets_[update.id] = {update.type, numbers_of(update.type).take(), {}};
  }
  Set& set = sets_.at(update.id);
  std::erase_if(set.members, [&](const SetMember& member) {
    const bool goes = !update.members.contains(member);
    if (goes) remove_member(set, member);
    return goes;
  });
  for (const SetMember& member : update.members)
    if (set.members.insert(member).second) add_member(set, member);
  return is_other && is_named(update.id);
}

void RuleAtoms::apply(const policy::SetDelta& delta) {
  const auto found = sets_.find(delta.id);
  if (found == sets_.end()) return;
  Set& set = found->second;
  for (const SetMember& member : delta.removed)
    if (set.members.erase(member) > 0) remove_member(set, member);
  for (const SetMember& member : delta.added)
    if (set.members.insert(member).second) add_member(set, member);
}

bool RuleAtoms::remove(const std::string& id) {
  const auto found = sets_.find(id);
  if (found == sets_.end()) return false;
  for (const SetMember& member : found->second.members) remove_member(found->second, member);
  numbers_of(found->second.type).give_back(found->second.atom);
  sets_.erase(found);
  return is_named(id);
}

}  // namespace margay::vector
