#include "dataplane/iptables/iptables_dataplane.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <optional>

#include "base/result_steps.h"
#include "dataplane/iptables/family_rules.h"
#include "dataplane/iptables/table.h"
#include "dataplane/iptables/table_group.h"
#include "dataplane/linux/node_routes.h"
#include "dataplane/linux/setting_text.h"
#include "net/sysctl.h"

namespace margay::dataplane::iptables {

using base::keep_first;
using base::Result;
using policy::IPFamily;

namespace {

// Each error names the setting.
Result<> validate(const Config& config) {
  const auto setting = [](std::string_view name, std::string_view value, Result<> checked) {
    if (!checked)
      checked = base::fail(std::move(checked).error().wrap(fmt::format("{} \"{}\"", name, value)));
    return checked;
  };
  if (config.interface_prefixes.empty())
    return base::fail(base::ErrorCode::invalid, "interfacePrefix: must name at least one prefix");
  for (const auto& prefix : config.interface_prefixes)
    MARGAY_CHECK(setting("interfacePrefix", prefix, check_interface_prefix(prefix)));
  MARGAY_CHECK(setting("logPrefix", config.log_prefix, check_log_prefix(config.log_prefix)));
  const std::string& filter = config.nat_outgoing_interface;
  if (!filter.empty())
    MARGAY_CHECK(
        setting("iptablesNATOutgoingInterfaceFilter", filter, check_interface_filter(filter)));
  MARGAY_CHECK(Marks::from_mask(config.mark_mask));
  return {};
}

}  // namespace

Result<std::unique_ptr<IptablesDataPlane>> IptablesDataPlane::create(Config config) {
  MARGAY_TRY(auto commands, system_commands(config.backend, config.lock_timeout));
  const auto forwarding = net::read_sysctl("net/ipv6/conf/all/forwarding");
  if (!forwarding && forwarding.error().code != base::ErrorCode::not_found)
    return base::fail(forwarding.error());  // else IPv6 would be left open
  config.kernel_has_ipv6 = forwarding.has_value();
  if (config.ipv6 && !config.kernel_has_ipv6)
    spdlog::warn("ipv6Support: the kernel has no IPv6, so there is none");
  MARGAY_TRY(auto made, create(std::move(config), std::move(commands.chosen), true));
  made->other_backend_ = std::move(commands.other);
  return made;
}

Result<std::unique_ptr<IptablesDataPlane>> IptablesDataPlane::create(
    Config config, std::unique_ptr<Commands> commands, bool routes) {
  MARGAY_CHECK(validate(config));
  config.ipv6 = config.ipv6 && config.kernel_has_ipv6;
  std::unique_ptr<IptablesDataPlane> made(
      new IptablesDataPlane(std::move(config), std::move(commands)));
  if (routes) {
    MARGAY_TRY(made->routes_, NodeRoutes::create(made->config_));
  }
  return made;
}

IptablesDataPlane::IptablesDataPlane(Config config, std::unique_ptr<Commands> commands)
    : config_(std::move(config)), commands_(std::move(commands)) {
  const Marks marks = *Marks::from_mask(config_.mark_mask);
  families_.push_back(std::make_unique<FamilyRules>(config_, IPFamily::v4, marks, *commands_));
  if (config_.kernel_has_ipv6)
    families_.push_back(std::make_unique<FamilyRules>(config_, IPFamily::v6, marks, *commands_));
}

IptablesDataPlane::~IptablesDataPlane() = default;

Capabilities IptablesDataPlane::capabilities() const {
  return {.name = "iptables", .host_endpoints = true, .ipv6 = config_.ipv6};
}

void IptablesDataPlane::on_delta(const policy::Delta& delta) {
  if (std::holds_alternative<policy::InSync>(delta)) in_sync_ = true;
  if (const auto* update = std::get_if<policy::WorkloadUpdate>(&delta)) {
    endpoints_.insert(update->workload.endpoint.key);
    unprogrammed_.insert(update->workload.endpoint.key);
  } else if (const auto* gone = std::get_if<policy::WorkloadRemove>(&delta)) {
    endpoints_.erase(gone->key);
    unprogrammed_.erase(gone->key);
    statuses_.remove(gone->key);
  } else if (const auto* host = std::get_if<policy::HostEndpointUpdate>(&delta)) {
    host_endpoints_.insert(host->endpoint.endpoint.key);
    unprogrammed_hosts_.insert(host->endpoint.endpoint.key);
  } else if (const auto* host_gone = std::get_if<policy::HostEndpointRemove>(&delta)) {
    host_endpoints_.erase(host_gone->key);
    unprogrammed_hosts_.erase(host_gone->key);
    statuses_.remove(host_gone->key);
  }
  // Without IPv6 support that family knows of no endpoint, and so closes all: kernels give each
  // interface a link-local address, by which its pod would reach the node and the node it.
  for (auto& family : families_)
    if (family->family() == IPFamily::v4 || config_.ipv6) family->on_delta(delta);
  if (routes_) routes_->on_delta(delta);
}

ApplyReport IptablesDataPlane::apply() {
  ApplyReport report{.outcome = program()};
  if (!in_sync_) return report;
  for (const auto& key : endpoints_) statuses_.set(key, status_of(key, report.outcome));
  report_hosts(report.outcome);
  report.endpoints = statuses_.take_changes();
  return report;
}

void IptablesDataPlane::report_hosts(const Result<>& outcome) {
  std::map<policy::HostEndpointKey, std::string> impaired;
  for (const auto& family : families_) impaired.merge(family->impaired_hosts());
  for (const auto& key : unprogrammed_hosts_) impaired.emplace(key, outcome.error().message);
  for (const auto& key : host_endpoints_) {
    const auto reason = impaired.find(key);
    statuses_.set(key, reason == impaired.end()
                           ? EndpointStatus{}
                           : EndpointStatus{EndpointState::error, reason->second});
  }
}

Result<> IptablesDataPlane::program() {
  Result<> result;
  std::set<IPFamily> programmed;
  for (auto& family : families_) {
    const bool stays_closed = family->family() == IPFamily::v6 && !config_.ipv6;
    auto done = in_sync_ || stays_closed ? family->apply() : family->apply_closed_start();
    if (done) programmed.insert(family->family());
    keep_first(result, std::move(done));
  }
  if (!in_sync_) return result;
  if (result) {
    unprogrammed_.clear();
    unprogrammed_hosts_.clear();
  }
  if (routes_) keep_first(result, routes_->apply(programmed));
  for (const auto& family : families_) keep_first(result, family->unfinished());
  if (result && other_backend_) sweep_other_backend();
  return result;
}

// A run before may have used it (the kubelet's mark, by which it is chosen, can come later): what
// it left there drops every workload that is newer. By now ours are in force.
void IptablesDataPlane::sweep_other_backend() {
  for (const auto& family : families_) {
    const auto saved = other_backend_->save(family->family());
    if (!saved || !saved->contains("\n:cali-")) continue;  // not installed, or nothing there
    spdlog::info("iptables: removing what another run left under the other backend");
    Table raw("raw"), mangle("mangle"), filter("filter"), nat("nat");
    const auto swept =
        TableGroup(family->family(), {&raw, &mangle, &filter, &nat}, *other_backend_).apply();
    if (!swept) return spdlog::warn("the other iptables backend: {}", swept.error().message);
  }
  other_backend_.reset();
}

// What of its policy the kernel refuses, what keeps rules from being written at all, what its
// interface wants for.
EndpointStatus IptablesDataPlane::status_of(const policy::WorkloadKey& key,
                                            const Result<>& outcome) const {
  for (const auto& family : families_)
    if (const auto closed = family->closed().find(key); closed != family->closed().end())
      return {EndpointState::error, closed->second};
  if (unprogrammed_.contains(key)) return {EndpointState::error, outcome.error().message};
  const auto obstacle = routes_ ? routes_->obstacle_of(key) : std::nullopt;
  if (!obstacle) return {};
  return {obstacle->failed ? EndpointState::error : EndpointState::down, obstacle->reason};
}

void IptablesDataPlane::resync(StateKind kind) {
  if (kind == StateKind::routes) {
    if (routes_) routes_->resync();
    return;
  }
  for (auto& family : families_)
    kind == StateKind::rules ? family->resync_rules() : family->resync_sets();
}

Result<> IptablesDataPlane::clean_up() {
  Result<> result;
  if (routes_) keep_first(result, routes_->clean_up());
  for (auto& family : families_) keep_first(result, family->clean_up());
  if (other_backend_) sweep_other_backend();
  return result;
}

void IptablesDataPlane::on_interface(const Interface& interface) {
  auto& known = interfaces_[interface.name];
  if (known == interface) return;
  known = interface;
  if (routes_) routes_->on_interface_change(interface.name, interface.up);
}

void IptablesDataPlane::on_interface_removed(const std::string& name) {
  interfaces_.erase(name);
  if (routes_) routes_->on_interface_change(name, false);
}

}  // namespace margay::dataplane::iptables
