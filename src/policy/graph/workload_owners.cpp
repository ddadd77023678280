#include "policy/graph/workload_owners.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <tuple>
#include <utility>

namespace margay::policy {
namespace {

template <typename Claims, typename Name>
void unclaim(Claims& claims, const Name& name, const WorkloadKey& key) {
  const auto found = claims.find(name);
  if (found == claims.end()) return;
  found->second.erase(key);
  if (found->second.empty()) claims.erase(found);
}

}  // namespace

void WorkloadOwners::set_workload(const WorkloadEndpoint& endpoint) {
  remove_workload(endpoint.key);
  const auto& held = workloads_.emplace(endpoint.key, endpoint).first->second;
  add_claims(held);
  touch(held);
}

void WorkloadOwners::remove_workload(const WorkloadKey& key) {
  const auto found = workloads_.find(key);
  if (found == workloads_.end()) return;
  touch(found->second);
  remove_claims(found->second);
  workloads_.erase(found);
}

void WorkloadOwners::add_claims(const WorkloadEndpoint& endpoint) {
  if (!endpoint.interface_name.empty()) interfaces_[endpoint.interface_name].insert(endpoint.key);
  for (const IPAddress& address : endpoint.addresses) addresses_[address].insert(endpoint.key);
  for (const FloatingIP& ip : endpoint.floating_ips)
    floating_ips_[ip.external].insert(endpoint.key);
}

void WorkloadOwners::remove_claims(const WorkloadEndpoint& endpoint) {
  unclaim(interfaces_, endpoint.interface_name, endpoint.key);
  for (const IPAddress& address : endpoint.addresses) unclaim(addresses_, address, endpoint.key);
  for (const FloatingIP& ip : endpoint.floating_ips)
    unclaim(floating_ips_, ip.external, endpoint.key);
}

void WorkloadOwners::touch(const WorkloadEndpoint& endpoint) {
  touch_addresses(endpoint);
  // Who has the interface decides who may have addresses.
  const auto rivals = interfaces_.find(endpoint.interface_name);
  if (rivals == interfaces_.end()) return;
  for (const WorkloadKey& rival : rivals->second) touch_addresses(workloads_.at(rival));
}

void WorkloadOwners::touch_addresses(const WorkloadEndpoint& endpoint) {
  changed_.insert(endpoint.key);
  for (const IPAddress& address : endpoint.addresses)
    if (const auto claimants = addresses_.find(address); claimants != addresses_.end())
      changed_.insert(claimants->second.begin(), claimants->second.end());
  for (const FloatingIP& ip : endpoint.floating_ips)
    if (const auto claimants = floating_ips_.find(ip.external); claimants != floating_ips_.end())
      changed_.insert(claimants->second.begin(), claimants->second.end());
}

bool WorkloadOwners::is_programmed(const WorkloadEndpoint& endpoint) const {
  const std::string& name = endpoint.interface_name;
  return name.empty() ||
         (workload_interfaces_.contains(name) && *interfaces_.at(name).begin() == endpoint.key);
}

std::string WorkloadOwners::reason_for_none(const WorkloadEndpoint& endpoint) const {
  const std::string& name = endpoint.interface_name;
  if (!workload_interfaces_.contains(name))
    return fmt::format("interface {} is the host's by its name (interfacePrefix)", name);
  return fmt::format("interface {} is that of {}", name, interfaces_.at(name).begin()->id());
}

const WorkloadKey& WorkloadOwners::owner_among(const std::set<WorkloadKey>& claimants) const {
  if (claimants.size() == 1) return *claimants.begin();
  return *std::ranges::min_element(claimants, {}, [this](const WorkloadKey& key) {
    const WorkloadEndpoint& endpoint = workloads_.at(key);
    const bool carries = endpoint.admin_up && !endpoint.interface_name.empty();
    return std::tuple(!is_programmed(endpoint), !carries, key);
  });
}

void WorkloadOwners::leave_to_owners(WorkloadEndpoint& endpoint,
                                     std::vector<std::string>& reasons) const {
  const auto is_anothers = [&](const char* what, const auto& claims, const IPAddress& address) {
    const WorkloadKey& owner = owner_among(claims.at(address));
    if (owner == endpoint.key) return false;
    reasons.push_back(fmt::format("{} {} is that of {}", what, address.to_string(), owner.id()));
    return true;
  };
  std::erase_if(endpoint.addresses, [&](const IPAddress& address) {
    return is_anothers("address", addresses_, address);
  });
  std::erase_if(endpoint.floating_ips, [&](const FloatingIP& ip) {
    return is_anothers("floating IP", floating_ips_, ip.external);
  });
}

void WorkloadOwners::resolve() {
  for (const WorkloadKey& key : std::exchange(changed_, {})) resolve(key);
}

void WorkloadOwners::resolve(const WorkloadKey& key) {
  const auto found = workloads_.find(key);
  if (found == workloads_.end() || !is_programmed(found->second)) programmed_.erase(key);
  if (found == workloads_.end()) return unprogrammed_.erase(key);
  WorkloadEndpoint endpoint = found->second;
  if (!is_programmed(endpoint)) {
    unprogrammed_.set(key, {.key = key, .reason = reason_for_none(endpoint)});
    return;
  }
  std::vector<std::string> reasons;
  leave_to_owners(endpoint, reasons);
  programmed_.set(key, std::move(endpoint));
  if (reasons.empty()) return unprogrammed_.erase(key);
  unprogrammed_.set(
      key, {.key = key, .partly = true, .reason = fmt::format("{}", fmt::join(reasons, "; "))});
}

}  // namespace margay::policy
