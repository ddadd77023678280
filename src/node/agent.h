#pragma once

// The agent of a node: watches the store, computes what policy means here, and has it enforced.
//
//   syncer (threads): objects -> model --post--> loop: graph --deltas--> enforcer (thread)
//
// Everything but the enforcer and the syncer's threads runs on the loop given at construction.

#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/event_loop.h"
#include "dataplane/interface.h"
#include "node/agent_metrics.h"
#include "node/enforcer.h"
#include "node/health.h"
#include "node/parameters.h"
#include "policy/workload_interfaces.h"
#include "store/store.h"

namespace margay::node {

// FelixConfiguration's settings for `node`, the node's own before the global ones: the two weakest
// sources of node/parameters.h; and BGPConfiguration's of services' addresses (k_service_networks).
// One of those that cannot be read says nothing.
//
// A FelixConfiguration that cannot be read is set aside by name, and what it said last
// (`remembered`, in the same order) stays in effect, so that nothing becomes laxer than it was.
// Where nothing is known of it, its defaults would be a guess: interfacePrefix alone decides which
// interfaces are policed at all. Then `unavailable`, and the node stays closed until somebody has
// mended or removed it.
base::Result<std::vector<Settings>> settings_from_store(store::Store& store,
                                                        const std::string& node,
                                                        const std::vector<Settings>& remembered);

class Agent final : public dataplane::InterfaceSource::Listener {
 public:
  struct Options {
    std::string node;
    // Called on the loop when FelixConfiguration has changed from what the agent runs with.
    std::function<void()> on_settings_changed;
    // Called on the loop when the pools are known, and again when one has changed.
    std::function<void()> on_pools_changed;
    std::vector<Settings> stored_settings;  // what settings_from_store said at start
    policy::WorkloadInterfaces workload_interfaces;
    RouteSource route_source = RouteSource::calico_ipam;

    // What the settings decide; the functions are the caller's to set.
    static Options of(std::string node, const Parameters& parameters,
                      std::vector<Settings> stored) {
      return {.node = std::move(node),
              .on_settings_changed = {},
              .on_pools_changed = {},
              .stored_settings = std::move(stored),
              .workload_interfaces = {parameters.interface_prefixes},
              .route_source = parameters.route_source};
    }
  };

  Agent(base::EventLoop& loop, store::Store& store, Enforcer& enforcer, Health& health,
        AgentMetrics& metrics, Options options);
  ~Agent() override;

  base::Result<> start();

  // Any thread. The first list is due before start(): it belongs to the first complete state.
  void on_interfaces(const std::vector<dataplane::Interface>& all) override;
  void on_interface(const dataplane::Interface& interface) override;
  void on_interface_removed(const std::string& name) override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace margay::node
