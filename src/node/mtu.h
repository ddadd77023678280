#pragma once

// How large packets may be: on the uplink, in the VXLAN overlay, at workloads. As Calico v3.19
// works it out: the smallest MTU among the uplinks, less what the encapsulations in use add. The
// workloads' is written where the CNI plugin reads it (base/node_state.h).

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "dataplane/interface.h"
#include "node/parameters.h"
#include "store/store.h"

namespace margay::node {

// Bytes that an encapsulation adds: outer IP header, UDP, VXLAN and inner Ethernet; outer IPv4.
inline constexpr uint32_t k_vxlan_v4_overhead = 50;
inline constexpr uint32_t k_vxlan_v6_overhead = 70;
inline constexpr uint32_t k_ipip_overhead = 20;
// What is assumed when no uplink can be told: fits every cloud, as Calico's.
inline constexpr uint32_t k_unknown_uplink_mtu = 1460;

// The smallest MTU among the uplinks, now and as it changes. The uplinks are the interfaces that
// are up and whose names match mtu_interface_pattern, and the one that has an address of the node.
// One that was an uplink stays one while it is down, and where none is left the last value holds: a
// cable that is pulled is no reason to change packets' size.
class UplinkMtu final : public dataplane::InterfaceSource::Listener {
 public:
  // `pattern` is valid (resolve() has seen to it). `on_change` is called on the interface source's
  // thread when an interface changes the result.
  UplinkMtu(const std::string& pattern, std::vector<base::IPAddress> node_addresses,
            std::function<void()> on_change = {});
  ~UplinkMtu() override;

  // Any thread.
  uint32_t value() const;

  void on_interfaces(const std::vector<dataplane::Interface>& all) override;
  void on_interface(const dataplane::Interface& interface) override;
  void on_interface_removed(const std::string& name) override;

 private:
  class Pattern;
  bool is_uplink(const dataplane::Interface& interface) const;
  void change(const std::function<void()>& edit);

  const std::unique_ptr<const Pattern> pattern_;
  const std::vector<base::IPAddress> node_addresses_;
  const std::function<void()> on_change_;
  mutable std::mutex mutex_;
  std::map<std::string, uint32_t> uplinks_;  // name -> MTU
  uint32_t last_ = k_unknown_uplink_mtu;
};

// Of the IPv4 overlay, unless VXLANMTU says it; the IPv6 one has 20 less.
uint32_t vxlan_mtu(uint32_t uplink, const Parameters& parameters);

struct Encapsulations {
  bool vxlan_v4 = false;
  bool vxlan_v6 = false;
  bool ipip = false;
};
// What the pools ask for, those that are disabled too: they still have workloads. One that cannot
// be read counts as one that asks for everything.
base::Result<Encapsulations> encapsulations_in_use(store::Store& store);

// Small enough for every encapsulation in use.
uint32_t workload_mtu(uint32_t uplink, const Parameters& parameters, const Encapsulations& used);

}  // namespace margay::node
