#include "dataplane/linux/kernel_dataplane.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>
#include <optional>

#include "base/result_steps.h"
#include "dataplane/linux/family_rules.h"
#include "dataplane/linux/node_routes.h"
#include "dataplane/linux/setting_text.h"
#include "net/sysctl.h"

namespace margay::dataplane::linux_host {

using base::keep_first;
using base::Result;
using policy::IPFamily;

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

Result<> complete(Config& config) {
  const auto forwarding = net::read_sysctl("net/ipv6/conf/all/forwarding");
  if (!forwarding && forwarding.error().code != base::ErrorCode::not_found)
    return base::fail(forwarding.error());  // else IPv6 would be left open
  config.kernel_has_ipv6 = forwarding.has_value();
  if (config.ipv6 && !config.kernel_has_ipv6)
    spdlog::warn("ipv6Support: the kernel has no IPv6, so there is none");
  return {};
}

KernelDataPlane::KernelDataPlane(std::string name, Config config, const MakeTables& tables)
    : name_(std::move(name)), config_([&] {
        config.ipv6 = config.ipv6 && config.kernel_has_ipv6;
        return std::move(config);
      }()) {
  const Marks marks = *Marks::from_mask(config_.mark_mask);
  for (const auto family : {IPFamily::v4, IPFamily::v6})
    if (family == IPFamily::v4 || config_.kernel_has_ipv6)
      families_.push_back(
          std::make_unique<FamilyRules>(config_, family, marks, tables(family, config_)));
}

Result<> KernelDataPlane::make_routes() {
  MARGAY_TRY(routes_, NodeRoutes::create(config_));
  return {};
}

KernelDataPlane::~KernelDataPlane() = default;

Capabilities KernelDataPlane::capabilities() const {
  return {.name = name_, .host_endpoints = true, .ipv6 = config_.ipv6};
}

void KernelDataPlane::on_delta(const policy::Delta& delta) {
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

ApplyReport KernelDataPlane::apply() {
  ApplyReport report{.outcome = program()};
  for (const auto& family : families_)
    if (const auto due = family->check_due_in())
      report.again_in = std::min(*due, report.again_in.value_or(*due));
  if (!in_sync_) return report;
  for (const auto& key : endpoints_) statuses_.set(key, status_of(key, report.outcome));
  report_hosts(report.outcome);
  report.endpoints = statuses_.take_changes();
  return report;
}

void KernelDataPlane::report_hosts(const Result<>& outcome) {
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

Result<> KernelDataPlane::program() {
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
  if (result) on_settled();
  return result;
}

// What of its policy the kernel refuses, what keeps rules from being written at all, what its
// interface wants for.
EndpointStatus KernelDataPlane::status_of(const policy::WorkloadKey& key,
                                          const Result<>& outcome) const {
  for (const auto& family : families_)
    if (const auto closed = family->closed().find(key); closed != family->closed().end())
      return {EndpointState::error, closed->second};
  if (unprogrammed_.contains(key)) return {EndpointState::error, outcome.error().message};
  const auto obstacle = routes_ ? routes_->obstacle_of(key) : std::nullopt;
  if (!obstacle) return {};
  return {obstacle->failed ? EndpointState::error : EndpointState::down, obstacle->reason};
}

void KernelDataPlane::resync(StateKind kind) {
  if (kind == StateKind::routes) {
    if (routes_) routes_->resync();
    return;
  }
  for (auto& family : families_)
    kind == StateKind::rules ? family->resync_rules() : family->resync_sets();
}

Result<Differences> KernelDataPlane::differences() {
  Differences all;
  for (auto& family : families_) {
    MARGAY_TRY(auto of_family, family->differences());
    std::ranges::move(of_family, std::back_inserter(all));
  }
  if (!routes_) return all;
  MARGAY_TRY(auto of_routes, routes_->differences());
  std::ranges::move(of_routes, std::back_inserter(all));
  return all;
}

Result<> KernelDataPlane::clean_up() {
  Result<> result;
  if (routes_) keep_first(result, routes_->clean_up());
  for (auto& family : families_) keep_first(result, family->clean_up());
  return result;
}

void KernelDataPlane::on_interface(const Interface& interface) {
  auto& known = interfaces_[interface.name];
  if (known == interface) return;
  known = interface;
  if (routes_) routes_->on_interface_change(interface.name, interface.up);
}

void KernelDataPlane::on_interface_removed(const std::string& name) {
  interfaces_.erase(name);
  if (routes_) routes_->on_interface_change(name, false);
}

}  // namespace margay::dataplane::linux_host
