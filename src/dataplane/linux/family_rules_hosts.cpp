// What host endpoints add to the tables of a family.

#include <fmt/format.h>

#include <algorithm>

#include "base/interface_name.h"
#include "dataplane/linux/family_rules.h"
#include "dataplane/linux/names.h"

namespace margay::dataplane::linux_host {
namespace {

using policy::Direction;
using policy::ProgramHostEndpoint;

void add_policies(const std::vector<policy::ProgramTier>& tiers, Direction direction,
                  std::set<std::string>& chains) {
  for (const auto& tier : tiers)
    for (const auto& key : direction == Direction::ingress ? tier.ingress : tier.egress)
      chains.insert(policy_chain(direction, key));
}

// The rules chains that raw has to have, and mangle.
std::set<std::string> raw_rules(const ProgramHostEndpoint& endpoint) {
  std::set<std::string> chains;
  for (const auto direction : {Direction::ingress, Direction::egress})
    add_policies(endpoint.untracked, direction, chains);
  return chains;
}

std::set<std::string> mangle_rules(const ProgramHostEndpoint& endpoint) {
  std::set<std::string> chains;
  add_policies(endpoint.pre_dnat, Direction::ingress, chains);
  add_policies(endpoint.normal, Direction::egress, chains);
  for (const auto& profile : endpoint.endpoint.profiles)
    chains.insert(profile_chain(Direction::egress, profile));
  return chains;
}

std::set<std::string> filter_rules(const ProgramHostEndpoint& endpoint) {
  std::set<std::string> chains;
  for (const auto direction : {Direction::ingress, Direction::egress}) {
    for (const auto* tiers : {&endpoint.forward, &endpoint.normal})
      add_policies(*tiers, direction, chains);
    for (const auto& profile : endpoint.endpoint.profiles)
      chains.insert(profile_chain(direction, profile));
  }
  return chains;
}

}  // namespace

void FamilyRules::on(const policy::HostEndpointUpdate& update) {
  host_endpoints_[update.endpoint.endpoint.key] = update.endpoint;
  hosts_changed_ = static_changed_ = true;
}

void FamilyRules::on(const policy::HostEndpointRemove& update) {
  if (host_endpoints_.erase(update.key) > 0) hosts_changed_ = static_changed_ = true;
}

HostEndpoints FamilyRules::host_endpoints() const {
  HostEndpoints endpoints;
  for (const auto& [key, endpoint] : host_endpoints_) endpoints.push_back(&endpoint);
  return endpoints;
}

HostPolicy FamilyRules::host_policy() const {
  const auto endpoints = host_endpoints();
  return {.any = !endpoints.empty(),
          .for_all = has_one_for_all(endpoints),
          .untracked = has_untracked(endpoints),
          .without_mangle = unwritten_.contains(Layer::mangle),
          .distrusts_marks = unwritten_.contains(Layer::raw) || unwritten_.contains(Layer::mangle)};
}

void FamilyRules::render_hosts() {
  const auto chains = host_chains({config_, family_, marks_}, host_endpoints(), unwritten_);
  early_rules_.clear();
  for (const auto& [key, endpoint] : host_endpoints_) {
    early_rules_[Layer::raw].merge(raw_rules(endpoint));
    early_rules_[Layer::mangle].merge(mangle_rules(endpoint));
  }
  const auto show = [this](Layer layer, const std::vector<PacketChain>& wanted) {
    std::set<std::string> fresh = early_rules_[layer];
    for (const auto& name : fresh) render_early(layer, name);
    for (const auto& chain : wanted) {
      tables_->set_chain(layer, chain);
      fresh.insert(chain.name);
    }
    for (const auto& name : host_chains_[layer])
      if (!fresh.contains(name)) tables_->remove_chain(layer, name);
    host_chains_[layer] = std::move(fresh);
  };
  show(Layer::raw, chains.raw);
  show(Layer::mangle, chains.mangle);
  show(Layer::filter, chains.filter);
}

// A rules chain in a layer that only drops. The sets that it names are held by filter's.
void FamilyRules::render_early(Layer layer, const std::string& name) {
  const auto known = rules_chains_.find(name);
  if (known == rules_chains_.end()) return;
  const auto& [subject, rules, direction] = known->second;
  auto options = render_options_;
  options.deny_target = Verdict::drop;
  const auto& list = direction == Direction::ingress ? rules->ingress : rules->egress;
  tables_->set_chain(layer, {name, render(list, options).rules, true});
}

bool FamilyRules::do_without_unwritten() {
  auto unwritten = tables_->unwritten();
  // Then nothing that is said to filter is heard, and the other layers may be as they were.
  if (unwritten.contains(Layer::filter) || unwritten_ == unwritten) return false;
  unwritten_ = std::move(unwritten);
  if (!host_endpoints_.empty()) hosts_changed_ = static_changed_ = true;
  return true;
}

std::map<policy::HostEndpointKey, std::string> FamilyRules::impaired_hosts() const {
  std::map<policy::HostEndpointKey, std::string> impaired;
  const auto look = [&](const policy::HostEndpointKey& key, Layer layer,
                        const std::set<std::string>& chains) {
    for (const auto& [name, refused] : tables_->refused(layer))
      if (chains.contains(name))
        impaired.emplace(key,
                         fmt::format("{}: {}{}", rules_chains_.at(name).subject,
                                     refused.rule.empty() ? "" : "rule \"" + refused.rule + "\": ",
                                     refused.reason));
  };
  for (const auto& [key, endpoint] : host_endpoints_) {
    if (!unwritten_.empty())
      impaired.emplace(key, fmt::format("table {} cannot be written",
                                        unwritten_.contains(Layer::mangle) ? "mangle"
                                        : unwritten_.contains(Layer::raw)  ? "raw"
                                                                           : "nat"));
    const auto odd = std::ranges::find_if_not(endpoint.interfaces, base::is_interface_name);
    if (odd != endpoint.interfaces.end())
      impaired.emplace(key, fmt::format("interface \"{}\" has a name that no rule can say", *odd));
    look(key, Layer::raw, raw_rules(endpoint));
    look(key, Layer::mangle, mangle_rules(endpoint));
    look(key, Layer::filter, filter_rules(endpoint));
  }
  return impaired;
}

}  // namespace margay::dataplane::linux_host
