#include "vector/workloads.h"

#include <algorithm>

namespace margay::vector {

using policy::WorkloadEndpoint;
using policy::WorkloadKey;

std::set<base::Prefix> Workloads::prefixes_of(const WorkloadEndpoint& endpoint) {
  std::set<base::Prefix> prefixes;
  for (const auto& address : endpoint.addresses) prefixes.emplace(address);
  return prefixes;
}

void Workloads::claim(const WorkloadEndpoint& endpoint) {
  if (!endpoint.interface_name.empty())
    claims_of_interface_[endpoint.interface_name].insert(endpoint.key);
  for (const auto& prefix : prefixes_of(endpoint)) claims_of_address_[prefix].insert(endpoint.key);
}

void Workloads::disclaim(const WorkloadEndpoint& endpoint) {
  const auto drop = [&](auto& claims, const auto& what) {
    const auto found = claims.find(what);
    if (found == claims.end()) return;
    found->second.erase(endpoint.key);
    touch(found->second);
    if (found->second.empty()) claims.erase(found);
  };
  drop(claims_of_interface_, endpoint.interface_name);
  for (const auto& prefix : prefixes_of(endpoint)) drop(claims_of_address_, prefix);
}

void Workloads::set(const WorkloadEndpoint& endpoint) {
  auto& workload = workloads_[endpoint.key];
  disclaim(workload.endpoint);
  workload.endpoint = endpoint;
  claim(endpoint);
  touch({endpoint.key});
  // Who has to make room for it.
  if (!endpoint.interface_name.empty()) touch(claims_of_interface_[endpoint.interface_name]);
  for (const auto& prefix : prefixes_of(endpoint)) touch(claims_of_address_[prefix]);
}

void Workloads::remove(const WorkloadKey& key) {
  const auto found = workloads_.find(key);
  if (found == workloads_.end()) return;
  disclaim(found->second.endpoint);
  gone_[key] = std::move(found->second);
  workloads_.erase(found);
  changed_.erase(key);
}

void Workloads::add_interface(const std::string& name, InterfaceIndex index) {
  interfaces_[name] = index;
  if (const auto claims = claims_of_interface_.find(name); claims != claims_of_interface_.end())
    touch(claims->second);
}

void Workloads::remove_interface(const std::string& name) {
  interfaces_.erase(name);
  if (const auto claims = claims_of_interface_.find(name); claims != claims_of_interface_.end())
    touch(claims->second);
}

bool Workloads::has_interface(const Workload& workload) const {
  const auto& name = workload.endpoint.interface_name;
  if (!interfaces_.contains(name)) return false;
  const auto claims = claims_of_interface_.find(name);
  return claims != claims_of_interface_.end() && *claims->second.begin() == workload.endpoint.key;
}

void Workloads::unroute(Workload& workload, const std::set<base::Prefix>& keep) {
  for (const auto& prefix : workload.routed)
    if (!keep.contains(prefix)) forwarding_.erase_route(prefix);
  std::erase_if(workload.routed, [&](const auto& prefix) { return !keep.contains(prefix); });
}

void Workloads::withdraw() {
  for (auto& [key, workload] : gone_) {
    unroute(workload, {});
    if (workload.adjacency == 0) continue;
    forwarding_.detach(workload.adjacency);
    forwarding_.give_back(workload.adjacency);
  }
  gone_.clear();
  for (const auto& key : changed_) {
    const auto found = workloads_.find(key);
    if (found == workloads_.end()) continue;
    Workload& workload = found->second;
    std::set<base::Prefix> keep;
    if (has_interface(workload))
      for (const auto& prefix : prefixes_of(workload.endpoint))
        if (*claims_of_address_[prefix].begin() == key) keep.insert(prefix);
    unroute(workload, keep);
    if (workload.adjacency == 0) continue;
    // One that keeps its interface goes on: its new flows must not be dropped until publish.
    if (has_interface(workload) &&
        forwarding_.is_attached(workload.adjacency,
                                interfaces_.at(workload.endpoint.interface_name)))
      continue;
    forwarding_.detach(workload.adjacency);
    if (!has_interface(workload)) forwarding_.set(workload.adjacency, {});
  }
}

void Workloads::show(Workload& workload) {
  const auto number = classifier_.endpoint(workload.endpoint.key);
  if (!number || !has_interface(workload)) {
    if (workload.adjacency != 0) forwarding_.set(workload.adjacency, {});
    return;
  }
  if (workload.adjacency == 0) workload.adjacency = forwarding_.take_adjacency();
  if (workload.adjacency == 0) return;  // as many as there can be: it stays unreachable
  forwarding_.attach(workload.adjacency, interfaces_.at(workload.endpoint.interface_name),
                     net::MacAddress::parse(workload.endpoint.mac).value_or(net::MacAddress{}),
                     *number);
  for (const auto& prefix : prefixes_of(workload.endpoint)) {
    if (*claims_of_address_[prefix].begin() != workload.endpoint.key) continue;
    forwarding_.set_route(prefix, workload.adjacency);
    workload.routed.insert(prefix);
  }
}

void Workloads::publish() {
  for (const auto& key : std::exchange(changed_, {}))
    if (const auto found = workloads_.find(key); found != workloads_.end()) show(found->second);
}

}  // namespace margay::vector
