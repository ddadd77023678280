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
    const auto exchange_in = [&](base::Symbol selector) {
      for (ActiveSet* set : selectors_[selector].sets) {
        add(*set, contribution);
        remove(*set, item.contribution);
      }
    };
    std::ranges::for_each(item.selectors, exchange_in);
    if (passing_on_ > 0) std::ranges::for_each(index_.passing_on(number), exchange_in);
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
  ActiveSet& set = find_or_start(spec);
  ++set.users;
  if (set.is_stored) return;
  set.is_stored = true;
  ++stored_;
  set.is_filled = false;
  unfilled_.insert(selector_of(set));
  changed_.insert(spec.id);
}

void IPSets::release(const std::string& id) {
  --sets_.at(id).users;
  changed_.insert(id);
}

void IPSets::follow(const SetSpec& spec) {
  ActiveSet& set = find_or_start(spec);
  if (++set.followers == 1) resize(set, set.size);
}

RulesCost IPSets::cost_of_following(const SetSpec& spec) {
  // To visit an item and to count what it brings takes the time of some tests.
  constexpr size_t k_tests_of_an_item = 4;
  const auto [tests, items] = index_.effort(spec.selector);
  return {.sets = 1,
          .selectors = spec.selector.text().size(),
          .tests = items * (tests + k_tests_of_an_item)};
}

void IPSets::unfollow(const std::string& id) {
  --sets_.at(id).followers;
  changed_.insert(id);
}

std::vector<std::string> IPSets::take_resized() {
  fill();
  auto resized = std::exchange(resized_, {});
  std::erase_if(resized, [this](const std::string& id) {
    const auto found = sets_.find(id);
    return found == sets_.end() || !std::exchange(found->second.is_resized, false);
  });
  return resized;
}

void IPSets::resize(ActiveSet& set, size_t size) {
  set.size = size;
  if (set.followers > 0 && !std::exchange(set.is_resized, true)) resized_.push_back(set.spec.id);
}

base::Symbol IPSets::selector_of(const ActiveSet& set) const {
  return selector_ids_.find(set.spec.selector.id()).value();
}

IPSets::ActiveSet& IPSets::find_or_start(const SetSpec& spec) {
  const auto [entry, is_new] = sets_.try_emplace(spec.id);
  ActiveSet& set = entry->second;
  if (!is_new) return set;
  set.spec = spec;
  const base::Symbol number = selector_ids_.acquire(spec.selector.id());
  if (number == selectors_.size()) selectors_.emplace_back();
  selectors_[number].sets.push_back(&set);
  unfilled_.insert(number);
  return set;
}

void IPSets::fill() {
  for (const base::Symbol number : std::exchange(unfilled_, {})) {
    const ActiveSelector& selector = selectors_[number];
    if (selector.sets.empty()) continue;
    if (selector.matches == Matches::kept)
      fill_from_matches(number);
    else
      ask(number);
  }
}

void IPSets::fill_from_matches(base::Symbol number) {
  std::vector<ActiveSet*> unfilled;
  for (ActiveSet* set : selectors_[number].sets)
    if (!std::exchange(set->is_filled, true)) unfilled.push_back(set);
  for (ActiveSet* set : unfilled) resize(*set, 0);
  for (const auto item : index_.matches(number))
    for (ActiveSet* set : unfilled) add(*set, items_[item].contribution);
}

// Begins anew with a selector whose sets have no members yet, or none any more.
void IPSets::ask(base::Symbol number) {
  stop_asking(number);
  ActiveSelector& selector = selectors_[number];
  for (ActiveSet* set : selector.sets) {
    set->is_filled = true;
    resize(*set, 0);
  }
  const bool keeps = std::ranges::any_of(selector.sets, &ActiveSet::is_stored);
  selector.matches = keeps ? Matches::kept : Matches::passed_on;
  passing_on_ += !keeps;
  index_.set_selector(number, selector.sets.front()->spec.selector, *selector.matches);
}

void IPSets::stop_asking(base::Symbol number) {
  passing_on_ -= selectors_[number].matches == Matches::passed_on;
  selectors_[number].matches.reset();
  index_.remove_selector(number);
}

IPSets::Difference IPSets::take_difference() {
  fill();
  Difference difference;
  for (const std::string& id : std::exchange(changed_, {})) {
    ActiveSet& set = sets_.at(id);
    if (set.users == 0) {
      if (std::exchange(set.known, false)) difference.removed.push_back(id);
      release_unused(set);
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
  if (selector.matches == Matches::kept) item.selectors.insert(selector_number);
  for (ActiveSet* set : selector.sets) add(*set, item.contribution);
}

void IPSets::on_match_stopped(base::Symbol selector_number, base::Symbol number) {
  const ActiveSelector& selector = selectors_[selector_number];
  Item& item = items_[number];
  item.selectors.erase(selector_number);
  for (ActiveSet* set : selector.sets) remove(*set, item.contribution);
}

void IPSets::add(ActiveSet& set, const Contribution& contribution) {
  if (!set.is_filled) return;
  size_t size = set.size;
  each_member(set.spec, contribution, [&](const SetMember& member) {
    ++size;
    if (set.is_stored && ++set.members[member] == 1) toggle(set, member);
  });
  if (size != set.size) resize(set, size);
}

void IPSets::remove(ActiveSet& set, const Contribution& contribution) {
  if (!set.is_filled) return;
  size_t size = set.size;
  each_member(set.spec, contribution, [&](const SetMember& member) {
    --size;
    if (!set.is_stored) return;
    const auto found = set.members.find(member);
    if (--found->second > 0) return;
    set.members.erase(found);
    toggle(set, member);
  });
  if (size != set.size) resize(set, size);
}

void IPSets::toggle(ActiveSet& set, const SetMember& member) {
  changed_.insert(set.spec.id);
  if (!set.known) return;  // it will be sent whole
  if (!set.toggled.insert(member).second) set.toggled.erase(member);
}

void IPSets::release_unused(ActiveSet& set) {
  const base::Symbol number = selector_of(set);
  ActiveSelector& selector = selectors_[number];
  stored_ -= std::exchange(set.is_stored, false);
  set.members = {};
  set.toggled.clear();
  if (set.followers == 0) {
    std::erase(selector.sets, &set);
    selector_ids_.release(number);
    sets_.erase(std::string(set.spec.id));
  }
  if (selector.sets.empty())
    stop_asking(number);
  else if (selector.matches == Matches::kept &&
           std::ranges::none_of(selector.sets, &ActiveSet::is_stored))
    ask(number);
}

}  // namespace margay::policy
