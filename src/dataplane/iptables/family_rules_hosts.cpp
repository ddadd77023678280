// What host endpoints add to the tables of a family.

#include <fmt/format.h>

#include <algorithm>

#include "base/interface_name.h"
#include "dataplane/iptables/family_rules.h"
#include "dataplane/iptables/linux_names.h"

namespace margay::dataplane::iptables {
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
          .untracked = has_untracked(endpoints)};
}

void FamilyRules::render_hosts() {
  const auto chains = host_chains({config_, family_, marks_}, host_endpoints());
  early_rules_.clear();
  for (const auto& [key, endpoint] : host_endpoints_) {
    early_rules_[&raw_].merge(raw_rules(endpoint));
    early_rules_[&mangle_].merge(mangle_rules(endpoint));
  }
  const auto show = [this](Table& table, const std::vector<Chain>& wanted) {
    std::set<std::string> fresh = early_rules_[&table];
    for (const auto& name : fresh) render_early(table, name);
    for (const auto& chain : wanted) {
      table.set_chain(chain);
      fresh.insert(chain.name);
    }
    for (const auto& name : host_chains_[&table])
      if (!fresh.contains(name)) table.remove_chain(name);
    host_chains_[&table] = std::move(fresh);
  };
  show(raw_, chains.raw);
  show(mangle_, chains.mangle);
  show(filter_, chains.filter);
}

// A rules chain in a table that only drops. The sets that it names are held by filter's.
void FamilyRules::render_early(Table& table, const std::string& name) {
  const auto known = rules_chains_.find(name);
  if (known == rules_chains_.end()) return;
  const auto& [subject, rules, direction] = known->second;
  auto options = render_options_;
  options.deny_target = "-j DROP";
  const auto& list = direction == Direction::ingress ? rules->ingress : rules->egress;
  table.set_chain({name, render(list, options).rules, true});
}

std::map<policy::HostEndpointKey, std::string> FamilyRules::impaired_hosts() const {
  std::map<policy::HostEndpointKey, std::string> impaired;
  const auto look = [&](const policy::HostEndpointKey& key, const Table& table,
                        const std::set<std::string>& chains) {
    for (const auto& [name, refused] : table.refused())
      if (chains.contains(name))
        impaired.emplace(key,
                         fmt::format("{}: {}{}", rules_chains_.at(name).subject,
                                     refused.rule.empty() ? "" : "rule \"" + refused.rule + "\": ",
                                     refused.reason));
  };
  for (const auto& [key, endpoint] : host_endpoints_) {
    const auto odd = std::ranges::find_if_not(endpoint.interfaces, base::is_interface_name);
    if (odd != endpoint.interfaces.end())
      impaired.emplace(key, fmt::format("interface \"{}\" has a name that no rule can say", *odd));
    look(key, raw_, raw_rules(endpoint));
    look(key, mangle_, mangle_rules(endpoint));
    look(key, filter_, filter_rules(endpoint));
  }
  return impaired;
}

}  // namespace margay::dataplane::iptables
