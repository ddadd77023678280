#include "vector/control/configuration_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "vector/service/service_worker.h"

namespace margay::vector {
namespace {

using base::FieldError;
using base::IPAddress;
using base::IPFamily;
using base::Prefix;
using Type = FieldError::Type;

constexpr size_t k_most_next_hops = 60'000;  // adjacencies, with some to spare while they change

std::string quoted(std::string_view text) { return fmt::format("\"{}\"", text); }

class Check {
 public:
  explicit Check(const Configuration& configuration) : all_(configuration) {}
  std::vector<FieldError> run();

 private:
  const InterfaceSettings* interface(const std::string& name) const;
  void check_interfaces();
  void check_node_addresses();
  void check_routes();
  void check_workloads();
  void check_services();
  void check_limits();
  void claim(const Prefix& address, const std::string& path);
  void error(Type type, std::string path, std::string_view value, std::string_view rule) {
    errors_.push_back({type, std::move(path), quoted(value), std::string(rule)});
  }

  const Configuration& all_;
  std::vector<FieldError> errors_;
  std::map<Prefix, std::string> claimed_;  // what has a route, and the path of the field
};

const InterfaceSettings* Check::interface(const std::string& name) const {
  const auto found = std::ranges::find(all_.interfaces, name, &InterfaceSettings::name);
  return found == all_.interfaces.end() ? nullptr : &*found;
}

void Check::claim(const Prefix& address, const std::string& path) {
  const auto [first, is_new] = claimed_.emplace(address, path);
  if (!is_new)
    error(Type::duplicate, path, address.to_string(),
          fmt::format("must not be there twice: {} has it too", first->second));
}

void Check::check_interfaces() {
  std::set<std::string> names, devices;
  for (size_t i = 0; i < all_.interfaces.size(); ++i) {
    const auto& [name, device, mac, mtu, is_workload] = all_.interfaces[i];
    const auto path = fmt::format("interfaces[{}]", i);
    if (!names.insert(name).second)
      error(Type::duplicate, path + ".name", name, "must not be there twice");
    const auto device_name = device.substr(0, device.find(','));
    if (!device.starts_with("net_"))
      error(Type::not_supported, path + ".device", device,
            "must be a DPDK device: net_tap0,…, net_pcap0,…, net_ring0, net_null0");
    if (!devices.insert(device_name).second)
      error(Type::duplicate, path + ".device", device_name, "must not be there twice");
    if (mac && (mac->bytes[0] & 1) != 0)
      error(Type::invalid, path + ".mac", mac->to_string(), "must not be a multicast address");
  }
}

void Check::check_node_addresses() {
  std::set<IPFamily> families;
  for (size_t i = 0; i < all_.node_addresses.size(); ++i) {
    const auto& address = all_.node_addresses[i];
    const auto path = fmt::format("nodeAddresses[{}]", i);
    if (!families.insert(address.family()).second)
      error(Type::invalid, path, address.to_string(), "must be one of each family at most");
    claim(Prefix(address), path);
  }
}

void Check::check_routes() {
  for (const auto& [destination, route] : all_.routes) {
    claim(destination, fmt::format("routes of {}", destination.to_string()));
    if (route.kind != Adjacency::Kind::transit) continue;
    const auto* through = interface(route.interface);
    const auto via = fmt::format("routes of {}: via.interface", destination.to_string());
    if (!through)
      error(Type::invalid, via, route.interface, "must be one of the interfaces");
    else if (through->is_workload)
      error(Type::invalid, via, route.interface,
            "must not be a workload's: what is routed there would pass its policy by");
  }
}

void Check::check_workloads() {
  std::map<std::string, std::string> taken;
  for (const auto& [name, workload] : all_.workloads) {
    const auto path = fmt::format("workloads of name {}", name);
    const auto* behind = interface(workload.interface);
    if (!behind || !behind->is_workload)
      error(Type::invalid, path + ": interface", workload.interface,
            "must be one of the interfaces that have workload: true");
    if (const auto [first, is_new] = taken.emplace(workload.interface, name); !is_new)
      error(Type::duplicate, path + ": interface", workload.interface,
            fmt::format("must have one workload: {} is there too", first->second));
    for (const auto& address : workload.addresses) claim(Prefix(address), path + ": addresses");
    for (const auto& policy : workload.policies)
      if (!all_.policies.contains(policy))
        error(Type::invalid, path + ": policies", policy, "must be one of the policies");
  }
}

void Check::check_services() {
  std::set<std::tuple<IPAddress, uint8_t, uint16_t>> frontends;
  std::map<Prefix, std::string> addresses;
  for (const auto& [name, service] : all_.services) {
    const auto path = fmt::format("services of name {}", name);
    if (const auto valid = validate(service); !valid)
      for (auto error : valid.error().fields) {
        error.path = path + ": " + error.path;
        errors_.push_back(std::move(error));
      }
    for (const auto& frontend : service.frontends) {
      if (!frontends.emplace(frontend.address, frontend.protocol, frontend.port).second)
        error(Type::duplicate, path + ": frontends", frontend.address.to_string(),
              "must not be another's with the same protocol and port");
      addresses.emplace(Prefix(frontend.address), path + ": frontends");
    }
  }
  for (const auto& [address, path] : addresses) claim(address, path);
}

void Check::check_limits() {
  std::set<std::tuple<std::string, MacAddress>> next_hops;
  for (const auto& [destination, route] : all_.routes)
    next_hops.emplace(route.interface, route.mac);
  size_t frontends = 0, backends = 0;
  for (const auto& [name, service] : all_.services) {
    frontends += service.frontends.size();
    backends += service.backends.size();
  }
  const ServiceLimits limits;
  const auto at_most = [&](std::string path, size_t count, size_t most, std::string_view what) {
    if (count > most)
      errors_.push_back({Type::too_long, std::move(path), fmt::to_string(count),
                         fmt::format("must not be more than {} {}", most, what)});
  };
  at_most("interfaces", all_.interfaces.size(), k_most_interfaces, "interfaces");
  at_most("routes", next_hops.size() + all_.workloads.size(), k_most_next_hops,
          "next hops and workloads");
  at_most("services", all_.services.size(), limits.services, "services");
  at_most("services", frontends, limits.frontends / 2, "frontends");
  at_most("services", backends, limits.backends, "backends");
}

std::vector<FieldError> Check::run() {
  check_interfaces();
  check_node_addresses();
  check_routes();
  check_workloads();
  check_services();
  check_limits();
  return std::move(errors_);
}

}  // namespace

std::vector<FieldError> check(const Configuration& configuration) {
  return Check(configuration).run();
}

}  // namespace margay::vector
