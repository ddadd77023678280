#include "dataplane/iptables/family_rules.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>
#include <thread>

#include "base/interface_name.h"
#include "base/result_steps.h"
#include "dataplane/iptables/dispatch_chains.h"
#include "dataplane/iptables/linux_names.h"

namespace margay::dataplane::iptables {
namespace {

using base::Result;
using policy::Direction;
using policy::IPFamily;
using policy::Prefix;
using policy::SetMember;
using policy::SetType;

constexpr std::array k_filter_hooks{"INPUT", "FORWARD", "OUTPUT"};

policy::SetMembers as_members(const auto& nets) {
  policy::SetMembers members;
  for (const auto& net : nets) members.insert({.net = Prefix(net)});
  return members;
}

const std::vector<policy::ProgramRule>& rules_of(const policy::ProgramRules& rules,
                                                 Direction direction) {
  return direction == Direction::ingress ? rules.ingress : rules.egress;
}

// Of the policies and profiles that an endpoint is subject to.
std::vector<std::string> rules_chains(const policy::ProgramWorkload& workload) {
  std::vector<std::string> names;
  for (const auto& tier : workload.tiers) {
    for (const auto& key : tier.ingress) names.push_back(policy_chain(Direction::ingress, key));
    for (const auto& key : tier.egress) names.push_back(policy_chain(Direction::egress, key));
  }
  for (const auto& profile : workload.endpoint.profiles)
    for (const auto direction : {Direction::ingress, Direction::egress})
      names.push_back(profile_chain(direction, profile));
  return names;
}

}  // namespace

FamilyRules::FamilyRules(const Config& config, IPFamily family, Marks marks, Commands& commands)
    : config_(config),
      family_(family),
      marks_(marks),
      render_options_{.family = family,
                      .marks = marks,
                      .log_prefix = config.log_prefix,
                      .deny_target = deny_target(config)},
      commands_(commands),
      tables_(family, {&raw_, &mangle_, &filter_, &nat_}, commands),
      sets_(family, commands) {}

void FamilyRules::on_delta(const policy::Delta& delta) {
  std::visit([this](const auto& update) { on(update); }, delta);
}

void FamilyRules::on(const policy::SetUpdate& update) {
  sets_.set(update.id, update.type, update.members);
}
void FamilyRules::on(const policy::SetDelta& update) {
  sets_.change(update.id, update.added, update.removed);
}
void FamilyRules::on(const policy::SetRemove& update) { sets_.remove(update.id); }

void FamilyRules::on(const policy::PolicyUpdate& update) {
  const std::string subject = "policy " + update.key.id();
  for (const auto direction : {Direction::ingress, Direction::egress})
    set_rules_chain(policy_chain(direction, update.key), subject, update.rules, direction);
}
void FamilyRules::on(const policy::PolicyRemove& update) {
  remove_rules_chain(policy_chain(Direction::ingress, update.key));
  remove_rules_chain(policy_chain(Direction::egress, update.key));
}
void FamilyRules::on(const policy::ProfileUpdate& update) {
  const std::string subject = "profile " + update.name;
  for (const auto direction : {Direction::ingress, Direction::egress})
    set_rules_chain(profile_chain(direction, update.name), subject, update.rules, direction);
}
void FamilyRules::on(const policy::ProfileRemove& update) {
  remove_rules_chain(profile_chain(Direction::ingress, update.name));
  remove_rules_chain(profile_chain(Direction::egress, update.name));
}

void FamilyRules::set_rules_chain(const std::string& name, const std::string& subject,
                                  std::shared_ptr<const policy::ProgramRules> rules,
                                  Direction direction) {
  auto rendered = render(rules_of(*rules, direction), render_options_);
  hold(rendered.net_sets);
  auto& held = held_sets_[name];
  release(held);
  held.clear();
  for (const auto& [id, nets] : rendered.net_sets) held.push_back(id);
  filter_.set_chain({name, std::move(rendered.rules), true});
  rules_chains_[name] = {subject, std::move(rules), direction};
  for (auto* table : {&raw_, &mangle_})
    if (early_rules_[table].contains(name)) render_early(*table, name);
}

void FamilyRules::remove_rules_chain(const std::string& name) {
  if (const auto held = held_sets_.find(name); held != held_sets_.end()) {
    release(held->second);
    held_sets_.erase(held);
  }
  filter_.remove_chain(name);
  rules_chains_.erase(name);
}

void FamilyRules::hold(const NetSets& sets) {
  for (const auto& [id, nets] : sets)
    if (set_holders_[id]++ == 0) sets_.set(id, SetType::nets, as_members(nets));
}

void FamilyRules::release(const std::vector<std::string>& ids) {
  for (const auto& id : ids) {
    if (--set_holders_[id] > 0) continue;
    set_holders_.erase(id);
    sets_.remove(id);
  }
}

void FamilyRules::on(const policy::WorkloadUpdate& update) {
  const auto& endpoint = update.workload.endpoint;
  forget_workload(endpoint.key);
  workloads_[endpoint.key] = update.workload;
  if (!base::is_interface_name(endpoint.interface_name)) return;  // nothing reaches it
  interfaces_[endpoint.interface_name] = endpoint.key;
  changed_interfaces_.insert(endpoint.interface_name);
  nat_changed_ |= !endpoint.floating_ips.empty();
}
void FamilyRules::on(const policy::WorkloadRemove& update) { forget_workload(update.key); }

void FamilyRules::forget_workload(const policy::WorkloadKey& key) {
  const auto found = workloads_.find(key);
  if (found == workloads_.end()) return;
  const auto& endpoint = found->second.endpoint;
  nat_changed_ |= !endpoint.floating_ips.empty();
  if (const auto owned = interfaces_.find(endpoint.interface_name); owned != interfaces_.end()) {
    changed_interfaces_.insert(endpoint.interface_name);
    if (owned->second == key) interfaces_.erase(owned);
  }
  workloads_.erase(found);
}

void FamilyRules::on(const policy::PoolUpdate& update) {
  if (update.pool.cidr.family() != family_) return on(policy::PoolRemove{update.pool.name});
  pools_[update.pool.name] = update.pool;
  static_changed_ = nat_changed_ = address_sets_changed_ = true;
}
void FamilyRules::on(const policy::PoolRemove& update) {
  if (pools_.erase(update.name) > 0) static_changed_ = nat_changed_ = address_sets_changed_ = true;
}
void FamilyRules::on(const policy::HostUpdate& update) {
  const auto& address = family_ == IPFamily::v4 ? update.host.v4 : update.host.v6;
  if (!address) return on(policy::HostRemove{update.host.name});
  hosts_[update.host.name] = *address;
  address_sets_changed_ = nat_changed_ = true;
}
void FamilyRules::on(const policy::HostRemove& update) {
  if (hosts_.erase(update.name) > 0) address_sets_changed_ = nat_changed_ = true;
}
void FamilyRules::on(const policy::TunnelUpdate& update) {
  if (update.tunnel.tunnel_address.family() != family_) return;
  tunnel_ends_[update.tunnel.node] = update.tunnel.node_address;
  address_sets_changed_ = true;
}
void FamilyRules::on(const policy::TunnelRemove& update) {
  if (update.family == family_ && tunnel_ends_.erase(update.node) > 0) address_sets_changed_ = true;
}

Encapsulations FamilyRules::encapsulations() const {
  Encapsulations used;
  for (const auto& [name, pool] : pools_) {
    used.vxlan |= pool.vxlan != policy::Encapsulation::never;
    used.ipip |= pool.ipip != policy::Encapsulation::never;
  }
  return used;
}

void FamilyRules::render_pending() {
  if (hosts_changed_) render_hosts();
  if (static_changed_) render_static();
  render_endpoints();
  if (dispatch_changed_) render_dispatch();
  if (nat_changed_) render_nat();
  if (address_sets_changed_) render_address_sets();
  hosts_changed_ = static_changed_ = dispatch_changed_ = nat_changed_ = address_sets_changed_ =
      false;
}

void FamilyRules::render_static() {
  const ChainContext context{config_, family_, marks_};
  const HostPolicy hosts = host_policy();
  for (const auto& chain : filter_chains(context, encapsulations(), hosts))
    filter_.set_chain(chain);
  for (const auto& chain : raw_chains(context, hosts)) raw_.set_chain(chain);
  for (const char* hook : k_filter_hooks) filter_.set_insertions(insertion(hook));
  raw_.set_insertions(insertion("PREROUTING"));
  raw_.set_insertions(hosts.untracked ? insertion("OUTPUT") : Chain{"OUTPUT", {}});
  for (const char* hook : {"PREROUTING", "POSTROUTING"})
    mangle_.set_insertions(hosts.any ? insertion(hook) : Chain{hook, {}});
  for (const char* hook : {"PREROUTING", "POSTROUTING", "OUTPUT"})
    nat_.set_insertions(insertion(hook));
}

void FamilyRules::render_endpoints() {
  const ChainContext context{config_, family_, marks_};
  for (const auto& name : changed_interfaces_) {
    const auto owner = interfaces_.find(name);
    if (owner == interfaces_.end()) {
      filter_.remove_chain(to_workload_chain(name));
      filter_.remove_chain(from_workload_chain(name));
      dispatch_changed_ |= dispatched_.erase(name) > 0;
      continue;
    }
    const auto& workload = workloads_.at(owner->second);
    for (const auto& chain : closed_.contains(workload.endpoint.key)
                                 ? closed_endpoint_chains(workload)
                                 : endpoint_chains(context, workload))
      filter_.set_chain(chain);
    dispatch_changed_ |= dispatched_.insert(name).second;
  }
  changed_interfaces_.clear();
}

void FamilyRules::render_dispatch() {
  for (const Dispatch& dispatch :
       {Dispatch{std::string(k_from_workload_dispatch), "-i", from_workload_chain},
        Dispatch{std::string(k_to_workload_dispatch), "-o", to_workload_chain}}) {
    std::set<std::string> fresh;
    for (const auto& chain : dispatch_chains(dispatch, dispatched_, config_.interface_prefixes)) {
      filter_.set_chain(chain);
      fresh.insert(chain.name);
    }
    auto& before = dispatch_names_[dispatch.chain];
    for (const auto& name : before)
      if (!fresh.contains(name)) filter_.remove_chain(name);
    before = std::move(fresh);
  }
}

bool FamilyRules::may_have_floating_ips(const policy::WorkloadKey& key) const {
  return config_.floating_ips_of_pods || key.orchestrator != "k8s";
}

void FamilyRules::render_nat() {
  std::set<policy::IPAddress> of_nodes;
  for (const auto& [node, address] : hosts_) of_nodes.insert(address);
  FloatingIPs floating_ips;
  for (const auto& [key, workload] : workloads_) {
    if (!may_have_floating_ips(key)) continue;
    // Whoever mapped a node's address would have all that is for the node.
    std::ranges::copy_if(workload.endpoint.floating_ips,
                         std::inserter(floating_ips, floating_ips.end()),
                         [&](const auto& ip) { return !of_nodes.contains(ip.external); });
  }
  for (const auto& chain : nat_chains({config_, family_, marks_}, floating_ips, encapsulations()))
    nat_.set_chain(chain);
}

void FamilyRules::render_address_sets() {
  policy::SetMembers all, masquerade;
  for (const auto& [name, pool] : pools_) {
    all.insert({.net = pool.cidr});
    if (pool.nat_outgoing) masquerade.insert({.net = pool.cidr});
  }
  const auto addresses = [](const std::map<std::string, policy::IPAddress>& by_node) {
    std::vector<policy::IPAddress> out;
    out.reserve(by_node.size());
    for (const auto& [node, address] : by_node) out.push_back(address);
    return as_members(out);
  };
  sets_.set(k_all_pools, SetType::nets, all);
  sets_.set(k_masquerade_pools, SetType::nets, masquerade);
  sets_.set(k_ipip_hosts, SetType::nets, addresses(hosts_));
  sets_.set(k_vxlan_hosts, SetType::nets, addresses(tunnel_ends_));
}

Result<> FamilyRules::apply() {
  render_pending();
  unfinished_ = apply_sets();
  if (!unfinished_ && sets_.refused().empty()) return unfinished_;
  MARGAY_CHECK(tables_.apply());
  if (close_endpoints()) {
    render_endpoints();
    MARGAY_CHECK(tables_.apply());
  }
  base::keep_first(unfinished_, sets_.apply_removals());
  return {};
}

// What names a set that is not as it should be would match what it should not.
Result<> FamilyRules::apply_sets() {
  auto result = sets_.apply_updates();
  const auto tables = {&raw_, &mangle_, &filter_};
  for (const auto& chain : chains_without_sets_)
    for (auto* table : tables) table->allow(chain);
  chains_without_sets_.clear();
  for (const auto& [name, reason] : sets_.refused())
    for (auto* table : tables)
      for (auto& chain : table->chains_with(" " + name + " ")) {
        table->refuse({chain, "", fmt::format("set {}: {}", name, reason)});
        chains_without_sets_.push_back(std::move(chain));
      }
  return result;
}

bool FamilyRules::close_endpoints() {
  std::map<policy::WorkloadKey, std::string> closed;
  if (!filter_.refused().empty())
    for (const auto& [key, workload] : workloads_)
      for (const auto& chain : rules_chains(workload)) {
        const auto refused = filter_.refused().find(chain);
        if (refused == filter_.refused().end()) continue;
        const auto& [name, rule, reason] = refused->second;
        closed.emplace(key, fmt::format("{}: {}{}", rules_chains_.at(name).subject,
                                        rule.empty() ? "" : "rule \"" + rule + "\": ", reason));
      }
  if (closed == closed_) return false;
  for (const auto* side : {&closed, &closed_})
    for (const auto& [key, reason] : *side) {
      const auto workload = workloads_.find(key);
      if (closed.contains(key) == closed_.contains(key) || workload == workloads_.end()) continue;
      if (interfaces_.contains(workload->second.endpoint.interface_name))
        changed_interfaces_.insert(workload->second.endpoint.interface_name);
    }
  for (const auto& [key, reason] : closed)
    if (!closed_.contains(key)) spdlog::error("endpoint {} is closed: {}", key.id(), reason);
  closed_ = std::move(closed);
  return true;
}

// Whether packets reach the chains that an agent before us has left: another program may have
// flushed the kernel's own.
bool FamilyRules::is_wired() const {
  return filter_.has_rules("cali-FORWARD") && raw_.leads_to_ours("PREROUTING") &&
         std::ranges::all_of(k_filter_hooks,
                             [&](const char* hook) { return filter_.leads_to_ours(hook); });
}

// Whether a run before has left what enforces, host endpoints included.
bool FamilyRules::has_all_chains() const {
  return raw_.has_rules("cali-PREROUTING") &&
         std::ranges::all_of(
             std::initializer_list<std::string_view>{"cali-FORWARD", "cali-INPUT", "cali-OUTPUT",
                                                     k_workload_to_host, k_from_workload_dispatch,
                                                     k_to_workload_dispatch},
             [this](std::string_view chain) { return filter_.has_rules(std::string(chain)); });
}

// Another program has flushed the kernel's own chains: leads packets to ours again, which stay.
Result<> FamilyRules::wire() {
  std::string input;
  const auto add = [&](const Table& table, std::span<const char* const> hooks) {
    input += fmt::format("*{}\n", table.name());
    for (const char* hook : hooks)
      if (!table.leads_to_ours(hook))
        input += fmt::format("-I {} 1 {}\n", hook, hashed(insertion(hook)).front().text);
    input += "COMMIT\n";
  };
  constexpr std::array k_raw_hooks{"PREROUTING"};
  add(raw_, k_raw_hooks);
  add(filter_, k_filter_hooks);
  tables_.forget();
  return commands_.restore(family_, input);
}

Result<> FamilyRules::apply_closed_start() {
  MARGAY_CHECK(tables_.load());
  if (is_wired()) return {};
  if (has_all_chains()) return wire();
  Table raw("raw"), filter("filter");
  TableGroup tables(family_, {&raw, &filter}, commands_);
  const ChainContext context{config_, family_, marks_};
  for (const auto& chain : raw_chains(context)) raw.set_chain(chain);
  raw.set_insertions(insertion("PREROUTING"));
  for (const auto& chain : filter_chains(context, {})) filter.set_chain(chain);
  for (const auto dispatch : {k_from_workload_dispatch, k_to_workload_dispatch})
    for (const auto& chain : dispatch_chains({std::string(dispatch), "-i", from_workload_chain}, {},
                                             config_.interface_prefixes))
      filter.set_chain(chain);
  for (const char* hook : k_filter_hooks) filter.set_insertions(insertion(hook));
  tables_.forget();
  return tables.apply();
}

Result<> FamilyRules::clean_up() {
  tables_.forget();
  Table raw("raw"), mangle("mangle"), filter("filter"), nat("nat");
  MARGAY_CHECK(TableGroup(family_, {&raw, &mangle, &filter, &nat}, commands_).apply());
  // The kernel lets go of a set a moment after the last rule that named it.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  IPSets none(family_, commands_);
  MARGAY_CHECK(none.apply_updates());
  MARGAY_CHECK(none.apply_removals());
  while (none.has_removals() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    MARGAY_CHECK(none.apply_removals());
  }
  sets_.resync();
  if (none.has_removals())
    return base::fail(base::ErrorCode::conflict,
                      "sets named cali* are still used by rules of another program");
  return {};
}

}  // namespace margay::dataplane::iptables
