#pragma once

// The remote ends of our VXLAN devices: one for each other node and family whose address, tunnel
// address and tunnel MAC are known.

#include <string>
#include <utility>

#include "policy/graph/tracked.h"
#include "policy/program.h"

namespace margay::policy {

class Tunnels {
 public:
  explicit Tunnels(std::string node) : node_(std::move(node)) {}

  void set_host(const Host& host);
  void remove_host(const std::string& name);

  using Key = std::pair<std::string, IPFamily>;
  Tracked<Key, ProgramTunnel>::Difference take_difference() { return tunnels_.take_difference(); }

 private:
  std::string node_;
  Tracked<Key, ProgramTunnel> tunnels_;
};

}  // namespace margay::policy
