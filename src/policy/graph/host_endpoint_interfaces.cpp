#include "policy/graph/host_endpoint_interfaces.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace margay::policy {
namespace {

constexpr std::string_view k_all_interfaces = "*";

bool expects_an_address_of(const HostEndpoint& endpoint, const HostInterface& interface) {
  return std::ranges::any_of(endpoint.expected_addresses, [&](const IPAddress& expected) {
    return std::ranges::count(interface.addresses, expected) > 0;
  });
}

}  // namespace

void HostEndpointInterfaces::set_host_endpoint(const HostEndpoint& endpoint) {
  endpoints_.insert_or_assign(endpoint.key, endpoint);
  changed_ = true;
}

void HostEndpointInterfaces::remove_host_endpoint(const HostEndpointKey& key) {
  changed_ |= endpoints_.erase(key) > 0;
  governing_.erase(key);
  unprogrammed_.erase(key);
}

void HostEndpointInterfaces::set_interface(const HostInterface& interface) {
  if (workload_interfaces_.contains(interface.name)) return;
  interfaces_.insert_or_assign(interface.name, interface);
  changed_ = true;
}

void HostEndpointInterfaces::remove_interface(const std::string& name) {
  changed_ |= interfaces_.erase(name) > 0;
}

// Endpoints are in the order of their names, so the first that fits is the lowest.
const HostEndpoint* HostEndpointInterfaces::governor_of(const std::string& name) const {
  const auto interface = interfaces_.find(name);
  const HostEndpoint* by_address = nullptr;
  for (const auto& [key, endpoint] : endpoints_) {
    if (endpoint.interface_name == name) return &endpoint;
    if (by_address == nullptr && endpoint.interface_name.empty() &&
        interface != interfaces_.end() && expects_an_address_of(endpoint, interface->second))
      by_address = &endpoint;
  }
  return by_address;
}

const HostEndpoint* HostEndpointInterfaces::governor_of_all() const {
  const auto found = std::ranges::find_if(endpoints_, [](const auto& entry) {
    return entry.second.interface_name == k_all_interfaces;
  });
  return found == endpoints_.end() ? nullptr : &found->second;
}

std::set<std::string> HostEndpointInterfaces::interface_names() const {
  std::set<std::string> names;
  for (const auto& [name, interface] : interfaces_) names.insert(name);
  for (const auto& [key, endpoint] : endpoints_)
    if (!endpoint.interface_name.empty() && endpoint.interface_name != k_all_interfaces &&
        !workload_interfaces_.contains(endpoint.interface_name))
      names.insert(endpoint.interface_name);
  return names;
}

std::string HostEndpointInterfaces::reason_for_none(const HostEndpoint& endpoint) const {
  const std::string& name = endpoint.interface_name;
  if (name == k_all_interfaces)
    return fmt::format("host endpoint {} is the one for *", governor_of_all()->key.name);
  if (!name.empty()) {
    if (workload_interfaces_.contains(name))
      return fmt::format("interface {} is a workload's by its name (interfacePrefix)", name);
    return fmt::format("interface {} is that of host endpoint {}", name,
                       governor_of(name)->key.name);
  }
  for (const auto& [interface_name, interface] : interfaces_)
    if (expects_an_address_of(endpoint, interface))
      return fmt::format("interface {} is that of host endpoint {}", interface_name,
                         governor_of(interface_name)->key.name);
  return "no interface has one of its expectedIPs";
}

void HostEndpointInterfaces::resolve() {
  if (!std::exchange(changed_, false)) return;
  std::map<HostEndpointKey, GoverningHostEndpoint> governing;
  if (const HostEndpoint* governor = governor_of_all())
    governing[governor->key].every_other_interface = true;
  for (const std::string& name : interface_names())
    if (const HostEndpoint* governor = governor_of(name))
      governing[governor->key].interfaces.push_back(name);

  for (const auto& [key, endpoint] : endpoints_) {
    if (const auto found = governing.find(key); found != governing.end()) {
      found->second.endpoint = endpoint;
      governing_.set(key, std::move(found->second));
      unprogrammed_.erase(key);
    } else {
      governing_.erase(key);
      unprogrammed_.set(key, {.key = key, .reason = reason_for_none(endpoint)});
    }
  }
}

}  // namespace margay::policy
