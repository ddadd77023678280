#include "dataplane/linux/family_rules.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "base/interface_name.h"
#include "base/result_steps.h"
#include "dataplane/linux/names.h"

namespace margay::dataplane::linux_host {
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

// Those that are there whatever the policy, and what leads packets to them.
void set_static_chains(const ChainContext& context, Encapsulations encapsulations, HostPolicy hosts,
                       FamilyTables& tables) {
  for (const auto& chain : filter_chains(context, encapsulations, hosts))
    tables.set_chain(Layer::filter, chain);
  for (const auto& chain : raw_chains(context, hosts)) tables.set_chain(Layer::raw, chain);
  for (const char* hook : k_filter_hooks) tables.set_hook(Layer::filter, hook, true);
  tables.set_hook(Layer::raw, "PREROUTING", true);
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

FamilyRules::FamilyRules(const Config& config, IPFamily family, Marks marks,
                         std::unique_ptr<FamilyTables> tables)
    : config_(config),
      family_(family),
      marks_(marks),
      render_options_{.family = family,
                      .marks = marks,
                      .log_prefix = config.log_prefix,
                      .deny_target = deny_target(config)},
      tables_(std::move(tables)) {}

void FamilyRules::on_delta(const policy::Delta& delta) {
  std::visit([this](const auto& update) { on(update); }, delta);
}

void FamilyRules::on(const policy::SetUpdate& update) {
  tables_->set_members(update.id, update.type, update.members);
}
void FamilyRules::on(const policy::SetDelta& update) {
  tables_->change_members(update.id, update.added, update.removed);
}
void FamilyRules::on(const policy::SetRemove& update) { tables_->remove_set(update.id); }

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
  tables_->set_chain(Layer::filter, {name, std::move(rendered.rules), true});
  rules_chains_[name] = {subject, std::move(rules), direction};
  for (const auto layer : {Layer::raw, Layer::mangle})
    if (early_rules_[layer].contains(name)) render_early(layer, name);
}

void FamilyRules::remove_rules_chain(const std::string& name) {
  if (const auto held = held_sets_.find(name); held != held_sets_.end()) {
    release(held->second);
    held_sets_.erase(held);
  }
  tables_->remove_chain(Layer::filter, name);
  rules_chains_.erase(name);
}

void FamilyRules::hold(const NetSets& sets) {
  for (const auto& [id, nets] : sets)
    if (set_holders_[id]++ == 0) tables_->set_members(id, SetType::nets, as_members(nets));
}

void FamilyRules::release(const std::vector<std::string>& ids) {
  for (const auto& id : ids) {
    if (--set_holders_[id] > 0) continue;
    set_holders_.erase(id);
    tables_->remove_set(id);
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
  if (nat_changed_) render_nat();
  if (address_sets_changed_) render_address_sets();
  hosts_changed_ = static_changed_ = nat_changed_ = address_sets_changed_ = false;
}

void FamilyRules::render_static() {
  const HostPolicy hosts = host_policy();
  set_static_chains({config_, family_, marks_}, encapsulations(), hosts, *tables_);
  tables_->set_hook(Layer::raw, "OUTPUT", hosts.untracked);
  for (const char* hook : {"PREROUTING", "POSTROUTING"})
    tables_->set_hook(Layer::mangle, hook, hosts.any);
  for (const char* hook : {"PREROUTING", "POSTROUTING", "OUTPUT"})
    tables_->set_hook(Layer::nat, hook, true);
}

void FamilyRules::render_endpoints() {
  const ChainContext context{config_, family_, marks_};
  for (const auto& name : changed_interfaces_) {
    const auto owner = interfaces_.find(name);
    if (owner == interfaces_.end()) {
      tables_->remove_chain(Layer::filter, to_workload_chain(name));
      tables_->remove_chain(Layer::filter, from_workload_chain(name));
      tables_->set_workload(name, false);
      continue;
    }
    const auto& workload = workloads_.at(owner->second);
    for (const auto& chain : closed_.contains(workload.endpoint.key)
                                 ? closed_endpoint_chains(workload)
                                 : endpoint_chains(context, workload))
      tables_->set_chain(Layer::filter, chain);
    tables_->set_workload(name, true);
  }
  changed_interfaces_.clear();
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
    tables_->set_chain(Layer::nat, chain);
}

void FamilyRules::render_address_sets() {
  policy::SetMembers all, masquerade;
  for (const auto& [name, pool] : pools_) {
    all.insert({.net = pool.cidr});
    if (pool.nat_outgoing) masquerade.insert({.net = pool.cidr});
  }
  const auto addresses = [this](const std::map<std::string, policy::IPAddress>& by_node) {
    std::vector<policy::Prefix> out = config_.external_nodes;
    for (const auto& [node, address] : by_node) out.emplace_back(address);
    return as_members(out);
  };
  tables_->set_members(k_all_pools, SetType::nets, all);
  tables_->set_members(k_masquerade_pools, SetType::nets, masquerade);
  tables_->set_members(k_ipip_hosts, SetType::nets, addresses(hosts_));
  tables_->set_members(k_vxlan_hosts, SetType::nets, addresses(tunnel_ends_));
}

Result<> FamilyRules::apply() {
  render_pending();
  unfinished_ = tables_->write_sets();
  if (!unfinished_ && !tables_->has_refused_sets()) return unfinished_;
  auto written = write_rules();
  if (close_endpoints()) {
    render_endpoints();
    written = write_rules();
  }
  const auto unwritten = tables_->unwritten();
  if (!written && (unwritten.empty() || unwritten.contains(Layer::filter))) return written;
  base::keep_first(unfinished_, tables_->remove_unused_sets());
  return written;
}

// Workloads need nothing of mangle.
Result<> FamilyRules::write_rules() {
  auto written = tables_->write_rules(unwritten_);
  // At most one time for each layer that cannot be written, and one for those that can again.
  for (int i = 0; i < 3 && do_without_unwritten(); ++i) {
    render_pending();
    written = tables_->write_rules(unwritten_);
  }
  const bool is_followed = tables_->unwritten() == unwritten_;
  if (written || !is_followed || unwritten_ != std::set{Layer::mangle}) return written;
  base::keep_first(unfinished_, std::move(written));
  return {};
}

bool FamilyRules::close_endpoints() {
  std::map<policy::WorkloadKey, std::string> closed;
  const auto& refused_chains = tables_->refused(Layer::filter);
  if (!refused_chains.empty())
    for (const auto& [key, workload] : workloads_)
      for (const auto& chain : rules_chains(workload)) {
        const auto refused = refused_chains.find(chain);
        if (refused == refused_chains.end()) continue;
        const auto& [name, why] = *refused;
        closed.emplace(
            key, fmt::format("{}: {}{}", rules_chains_.at(name).subject,
                             why.rule.empty() ? "" : "rule \"" + why.rule + "\": ", why.reason));
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

Result<Differences> FamilyRules::differences() {
  render_pending();
  MARGAY_TRY(auto differences, tables_->differences());
  for (auto& difference : differences)
    difference.item =
        fmt::format("{} {}", family_ == IPFamily::v4 ? "IPv4" : "IPv6", difference.item);
  return differences;
}

Result<> FamilyRules::apply_closed_start() {
  MARGAY_TRY(const bool enforces, tables_->resume());
  if (enforces) return {};
  const auto closed = tables_->for_closed_start();
  set_static_chains({config_, family_, marks_}, {}, {}, *closed);
  // Of raw filter needs nothing there; but where it enforces what was left, that stays.
  const std::set<Layer> done_without =
      tables_->filter_enforces() ? std::set<Layer>{} : std::set{Layer::raw};
  tables_->forget_rules();
  return closed->write_rules(done_without);
}

}  // namespace margay::dataplane::linux_host
