#pragma once

// Brings an engine from one configuration to the next: what has not changed is not touched.

#include <map>
#include <string>

#include "base/result.h"
#include "vector/control/configuration.h"
#include "vector/engine.h"

namespace margay::vector {

class Configured {
 public:
  // With no interfaces, routes or anything else yet. The engine outlives this.
  explicit Configured(Engine& engine) : engine_(engine) {}

  // Starts the devices and applies the rest. Once, before the workers start.
  base::Result<> start(Configuration configuration);
  // Interfaces and their devices must be the same. parse_configuration has checked whatever the
  // engine could refuse, so an error here is one of this machine (no memory).
  base::Result<> change_to(Configuration next);
  const Configuration& current() const { return current_; }
  std::string interface_name(InterfaceIndex index) const;

 private:
  void withdraw_addresses(const Configuration& next);
  void change_policy(const Configuration& next);
  void set_node_addresses(const Configuration& next);
  void set_routes(const Configuration& next);
  base::Result<> set_services(const Configuration& next);
  NextHop next_hop(const RouteSettings& route) const;

  Engine& engine_;
  std::map<std::string, InterfaceIndex> interfaces_;
  Configuration current_;
};

// Of the workload of this name, as the classifier knows it.
policy::WorkloadKey workload_key(const std::string& name);

}  // namespace margay::vector
