#pragma once

// Passes the host's interfaces on without those that an operator wants left alone (Felix's
// interfaceExclude), or without their addresses: kube-proxy's in IPVS mode has one for each
// service, which say nothing of this host.

#include <memory>
#include <string>
#include <vector>

#include "dataplane/interface.h"
#include "node/host_interfaces.h"

namespace margay::node {

class InterfaceExclusion final : public dataplane::InterfaceSource::Listener {
 public:
  enum class Of : uint8_t { interfaces, addresses };

  // `patterns`: valid regular expressions; what one of them finds in its name is excluded. `next`
  // outlives this.
  InterfaceExclusion(const std::vector<std::string>& patterns, Of what,
                     dataplane::InterfaceSource::Listener& next);
  ~InterfaceExclusion() override;

  void on_interfaces(const std::vector<dataplane::Interface>& all) override;
  void on_interface(const dataplane::Interface& interface) override;
  void on_interface_removed(const std::string& name) override;

 private:
  class Patterns;

  const std::unique_ptr<const Patterns> patterns_;
  const Of what_;
  dataplane::InterfaceSource::Listener& next_;
};

// What of the host's interfaces an agent's parts hear: the enforcer of each, the agent of those
// that are not excluded. Whoever computes what an agent ought to have programmed hears the same.
class AgentInterfaces {
 public:
  // As InterfaceExclusion; the listeners outlive this, and this the source.
  AgentInterfaces(const std::vector<std::string>& patterns,
                  dataplane::InterfaceSource::Listener& enforcer,
                  dataplane::InterfaceSource::Listener& agent)
      : to_enforcer_(patterns, InterfaceExclusion::Of::addresses, enforcer),
        to_agent_(patterns, InterfaceExclusion::Of::interfaces, agent) {}

  void listen_to(HostInterfaces& source) {
    source.add_listener(to_enforcer_);
    source.add_listener(to_agent_);
  }

 private:
  InterfaceExclusion to_enforcer_, to_agent_;
};

}  // namespace margay::node
