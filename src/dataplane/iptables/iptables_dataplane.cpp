#include "dataplane/iptables/iptables_dataplane.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/interface_name.h"
#include "base/result_steps.h"
#include "dataplane/iptables/family_rules.h"
#include "dataplane/iptables/node_routes.h"

namespace margay::dataplane::iptables {

using base::keep_first;
using base::Result;
using policy::IPFamily;

namespace {

constexpr size_t k_log_prefix_length = 27;        // the kernel keeps 29, and ": " is added
constexpr size_t k_interface_prefix_length = 14;  // a name has one character more at least

// Text from settings that ends up in rules. Each error names the setting.
Result<> validate(const Config& config) {
  const auto invalid = [](std::string message) {
    return base::fail(base::ErrorCode::invalid, std::move(message));
  };
  if (config.interface_prefixes.empty())
    return invalid("interfacePrefix: must name at least one prefix");
  for (const auto& prefix : config.interface_prefixes)
    if (!base::is_interface_name(prefix) || prefix.size() > k_interface_prefix_length)
      return invalid(fmt::format(
          "interfacePrefix \"{}\": must be 1 to 14 letters, digits, '_', '.' or '-'", prefix));
  std::string_view outgoing = config.nat_outgoing_interface;
  if (outgoing.size() > 1 && outgoing.ends_with('+')) outgoing.remove_suffix(1);
  if (!outgoing.empty() && !base::is_interface_name(outgoing))
    return invalid(
        fmt::format("iptablesNATOutgoingInterfaceFilter \"{}\": must be an interface "
                    "name, or the beginning of some and '+'",
                    config.nat_outgoing_interface));
  if (config.log_prefix.size() > k_log_prefix_length ||
      !std::ranges::all_of(config.log_prefix, [](char c) { return c >= ' ' && c <= '~'; }))
    return invalid(
        fmt::format("logPrefix: must have at most {} characters, and all of them in one "
                    "line of ASCII",
                    k_log_prefix_length));
  MARGAY_CHECK(Marks::from_mask(config.mark_mask));
  return {};
}

}  // namespace

Result<std::unique_ptr<IptablesDataPlane>> IptablesDataPlane::create(Config config) {
  MARGAY_TRY(auto commands, system_commands(config.backend, config.lock_timeout));
  return create(std::move(config), std::move(commands), true);
}

Result<std::unique_ptr<IptablesDataPlane>> IptablesDataPlane::create(
    Config config, std::unique_ptr<Commands> commands, bool routes) {
  MARGAY_CHECK(validate(config));
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
  if (config_.ipv6)
    families_.push_back(std::make_unique<FamilyRules>(config_, IPFamily::v6, marks, *commands_));
}

IptablesDataPlane::~IptablesDataPlane() = default;

Capabilities IptablesDataPlane::capabilities() const {
  return {.name = "iptables", .ipv6 = config_.ipv6};
}

void IptablesDataPlane::on_delta(const policy::Delta& delta) {
  if (std::holds_alternative<policy::InSync>(delta)) in_sync_ = true;
  if (const auto* update = std::get_if<policy::WorkloadUpdate>(&delta)) {
    const auto& endpoint = update->workload.endpoint;
    endpoints_[endpoint.key] = {endpoint.interface_name, endpoint.admin_up};
    unprogrammed_.insert(endpoint.key);
  } else if (const auto* gone = std::get_if<policy::WorkloadRemove>(&delta)) {
    endpoints_.erase(gone->key);
    unprogrammed_.erase(gone->key);
    statuses_.remove(gone->key);
  }
  for (auto& family : families_) family->on_delta(delta);
  if (routes_) routes_->on_delta(delta);
}

ApplyReport IptablesDataPlane::apply() {
  ApplyReport report{.outcome = program()};
  if (!in_sync_) return report;
  report_endpoints(report.outcome);
  report.endpoints = statuses_.take_changes();
  return report;
}

Result<> IptablesDataPlane::program() {
  Result<> result;
  for (auto& family : families_)
    keep_first(result, in_sync_ ? family->apply() : family->apply_closed_start());
  if (!result || !in_sync_ || !routes_) return result;
  return routes_->apply();
}

void IptablesDataPlane::report_endpoints(const Result<>& outcome) {
  if (outcome) unprogrammed_.clear();
  for (const auto& [key, endpoint] : endpoints_)
    statuses_.set(key, unprogrammed_.contains(key)
                           ? EndpointStatus{EndpointState::error, outcome.error().message}
                           : status_of(key, endpoint));
}

EndpointStatus IptablesDataPlane::status_of(const policy::WorkloadKey& key,
                                            const Endpoint& endpoint) const {
  for (const auto& family : families_)
    if (const auto closed = family->closed().find(key); closed != family->closed().end())
      return {EndpointState::error, closed->second};
  const auto down = [](std::string reason) {
    return EndpointStatus{EndpointState::down, std::move(reason)};
  };
  if (!endpoint.admin_up) return down("administratively down");
  if (endpoint.interface_name.empty()) return down("its interface is not known yet");
  const auto interface = interfaces_.find(endpoint.interface_name);
  if (interface == interfaces_.end())
    return down("waiting for interface " + endpoint.interface_name);
  if (!interface->second) return down("interface " + endpoint.interface_name + " is down");
  return {};
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
  return result;
}

void IptablesDataPlane::on_interface(const Interface& interface) {
  interfaces_[interface.name] = interface.up;
  if (routes_) routes_->on_interface_change(interface.name, interface.up);
}

void IptablesDataPlane::on_interface_removed(const std::string& name) {
  interfaces_.erase(name);
  if (routes_) routes_->on_interface_change(name, false);
}

}  // namespace margay::dataplane::iptables
