#pragma once

// Hears of it when this node's address is no longer the one that it announces: a lease has ended,
// an interface was renumbered. Other nodes would go on sending its workloads' traffic to an address
// that is nobody's, or another machine's.

#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <optional>

#include "base/event_loop.h"
#include "dataplane/interface.h"
#include "node/startup.h"
#include "policy/workload_interfaces.h"

namespace margay::node {

class AddressWatch final : public dataplane::InterfaceSource::Listener {
 public:
  // What the node's addresses are now; nothing while none fits, as between two leases.
  using Detect = std::function<std::optional<NodeAddresses>()>;
  struct Options {
    policy::WorkloadInterfaces workload_interfaces;  // of no interest here
    // After a change of an interface, before a look: what flaps is no reason to move.
    std::chrono::milliseconds settle{60'000};
  };

  // `detect` and `on_change` are called on the loop, which outlives this.
  AddressWatch(base::EventLoop& loop, Options options, Detect detect, NodeAddresses announced,
               std::function<void()> on_change);

  void on_interfaces(const std::vector<dataplane::Interface>& all) override;
  void on_interface(const dataplane::Interface& interface) override;
  void on_interface_removed(const std::string& name) override;

 private:
  void look_soon();

  base::EventLoop& loop_;
  const Options options_;
  const Detect detect_;
  const NodeAddresses announced_;
  const std::function<void()> on_change_;
  boost::asio::steady_timer timer_;  // on the loop
  bool waits_ = false;
};

}  // namespace margay::node
