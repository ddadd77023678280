#pragma once

// What `margay vector run --config FILE` is told: the engine's interfaces and everything that it
// forwards and enforces, as values. docs/guide/vector.md describes the file. What is read is wholly
// checked, also for what one part needs of another: a configuration that is read can be applied.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "policy/program.h"
#include "vector/adjacency.h"
#include "vector/service/service_config.h"

namespace margay::vector {

struct InterfaceSettings {
  std::string name;
  std::string device;             // DPDK's: "net_tap0,iface=vtap0"
  std::optional<MacAddress> mac;  // the engine's own there
  uint16_t mtu = 1500;
  bool is_workload = false;
  bool operator==(const InterfaceSettings&) const = default;
};

struct RouteSettings {
  Adjacency::Kind kind = Adjacency::Kind::transit;  // or local, or unreachable
  std::string interface;                            // transit
  MacAddress mac{};
  bool operator==(const RouteSettings&) const = default;
};

struct WorkloadSettings {
  std::string interface;
  MacAddress mac{};
  std::vector<base::IPAddress> addresses;
  std::vector<std::string> policies;  // in the order in which they are asked
  bool operator==(const WorkloadSettings&) const = default;
};

struct PolicySettings {
  std::shared_ptr<const policy::ProgramRules> rules;
  bool has_ingress = false, has_egress = false;  // the directions that it decides about
  bool operator==(const PolicySettings& other) const {
    return *rules == *other.rules && has_ingress == other.has_ingress &&
           has_egress == other.has_egress;
  }
};

struct Configuration {
  std::vector<InterfaceSettings> interfaces;
  std::map<base::Prefix, RouteSettings> routes;
  std::vector<base::IPAddress> node_addresses;
  std::map<std::string, WorkloadSettings> workloads;
  std::map<std::string, PolicySettings> policies;
  std::map<std::string, ServiceConfig> services;
};

// YAML or JSON. An `invalid` error names every field that breaks a rule.
base::Result<Configuration> parse_configuration(std::string_view text);
base::Result<Configuration> read_configuration(const std::string& path);

}  // namespace margay::vector
