#include "policy/graph/ip_sets.h"

#include <algorithm>
#include <utility>

namespace margay::policy {
namespace {

// ipset's hash:net has no /0, so the whole of a family is written as its two halves.
void each_storable_net(const Prefix& net, const auto& visit) {
  if (net.length() > 0) return visit(net);
  const Prefix lower(net.address(), 1);
  visit(lower);
  visit(Prefix(lower.last().plus(1), 1));
}

void each_member(const SetSpec& spec, const IPSets::Contribution& contribution, const auto& visit) {
  if (spec.type == SetType::nets) {
    for (const Prefix& net : contribution.nets)
      each_storable_net(net, [&visit](const Prefix& part) { visit(SetMember{.net = part}); });
    return;
  }
  for (const NamedPort& port : contribution.ports)
    if (port.name == spec.port_name && port.protocol == spec.protocol)
      for (const Prefix& net : contribution.nets)
        visit(SetMember{.net = net, .protocol = port.protocol, .port = port.port});
}

}  // namespace

IPSets::IPSets()
    : index_(
          {.match_started = [this](auto selector, auto item) { on_match_started(selector, item); },
           .match_stopped = [this](auto selector,
                                   auto item) { on_match_stopped(selector, item); }}) {}

IPSets::~IPSets() = default;

bool IPSets::set_item(const std::string& id, Contribution contribution, const Labels& labels,
                      const std::vector<std::string>& profiles) {
  const auto known = item_ids_.find(id);
  const base::Symbol number = known ? *known : item_ids_.acquire(id);
  if (number == items_.size()) items_.emplace_back();
  Item& item = items_[number];
  if (item.contribution != contribution) {
    for (const base::Symbol selector : item.selectors)
      for (ActiveSet* set : selectors_[selector].sets) {
        add(*set, contribution);
        remove(*set, item.contribution);
      }
    item.contribution = std::move(contribution);
  }
  index_.set_item(number, labels, profiles);
  return !known;
}

bool IPSets::remove_item(const std::string& id) {
  const auto number = item_ids_.find(id);
  if (!number) return false;
  index_.remove_item(*number);
  items_[*number] = Item();
  item_ids_.release(*number);
  return true;
}

void IPSets::set_profile_labels(const std::string& profile, const Labels& labels) {
  index_.set_parent(profile, labels);
}

void IPSets::remove_profile_labels(const std::string& profile) { index_.remove_parent(profile); }

void IPSets::acquire(const SetSpec& spec) {
  const auto [entry, is_new] = sets_.try_emplace(spec.id);
  ++entry->second.users;
  if (!is_new) return;
  changed_.insert(spec.id);
  entry->second.spec = spec;
  start(entry->second);
}

void IPSets::start(ActiveSet& set) {
  const base::Symbol selector = selector_ids_.acquire(set.spec.selector.id());
  if (selector == selectors_.size()) selectors_.emplace_back();
  selectors_[selector].sets.push_back(&set);
  if (selectors_[selector].sets.size() == 1)
    index_.set_selector(selector, set.spec.selector);
  else
    for (const auto item : index_.matches(selector)) add(set, items_[item].contribution);
}

void IPSets::release(const std::string& id) {
  --sets_.at(id).users;
  changed_.insert(id);
}

IPSets::Difference IPSets::take_difference() {
  Difference difference;
  for (const std::string& id : std::exchange(changed_, {})) {
    ActiveSet& set = sets_.at(id);
    if (set.users == 0) {
      if (set.known) difference.removed.push_back(id);
      drop(set);
      continue;
    }
    if (!set.known) {
      difference.updates.emplace_back(
          SetUpdate{.id = id, .type = set.spec.type, .members = members_of(set)});
    } else if (!set.toggled.empty()) {
      SetDelta delta{.id = id};
      for (const SetMember& member : set.toggled)
        (set.members.contains(member) ? delta.added : delta.removed).push_back(member);
      difference.updates.emplace_back(std::move(delta));
    }
    set.known = true;
    set.toggled.clear();
  }
  return difference;
}

SetMembers IPSets::members_of(const ActiveSet& set) {
  std::vector<SetMember> members;
  members.reserve(set.members.size());
  for (const auto& [member, count] : set.members) members.push_back(member);
  std::ranges::sort(members);
  SetMembers ordered;
  ordered.adopt_sequence(boost::container::ordered_unique_range, std::move(members));
  return ordered;
}

void IPSets::on_match_started(base::Symbol selector_number, base::Symbol number) {
  const ActiveSelector& selector = selectors_[selector_number];
  Item& item = items_[number];
  item.selectors.insert(selector_number);
  for (ActiveSet* set : selector.sets) add(*set, item.contribution);
}

void IPSets::on_match_stopped(base::Symbol selector_number, base::Symbol number) {
  const ActiveSelector& selector = selectors_[selector_number];
  Item& item = items_[number];
  item.selectors.erase(selector_number);
  for (ActiveSet* set : selector.sets) remove(*set, item.contribution);
}

void IPSets::add(ActiveSet& set, const Contribution& contribution) {
  each_member(set.spec, contribution, [&](const SetMember& member) {
    if (++set.members[member] == 1) toggle(set, member);
  });
}

void IPSets::remove(ActiveSet& set, const Contribution& contribution) {
  each_member(set.spec, contribution, [&](const SetMember& member) {
    const auto found = set.members.find(member);
    if (--found->second > 0) return;
    set.members.erase(found);
    toggle(set, member);
  });
}

void IPSets::toggle(ActiveSet& set, const SetMember& member) {
  changed_.insert(set.spec.id);
  if (!set.known) return;  // it will be sent whole
  if (!set.toggled.insert(member).second) set.toggled.erase(member);
}

void IPSets::drop(ActiveSet& set) {
  const std::string id = set.spec.id;
  const base::Symbol selector = selector_ids_.find(set.spec.selector.id()).value();
  std::erase(selectors_[selector].sets, &set);
  if (selectors_[selector].sets.empty()) index_.remove_selector(selector);
  selector_ids_.release(selector);
  sets_.erase(id);
}

}  // namespace margay::policy
