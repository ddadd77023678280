#pragma once

// Passes the host's interfaces on without those that an operator wants left alone (Felix's
// interfaceExclude), or without their addresses: kube-proxy's in IPVS mode has one for each
// service, which say nothing of this host.

#include <memory>
#include <string>
#include <vector>

#include "dataplane/interface.h"

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

}  // namespace margay::node
