#pragma once

// The kernel as the data plane programs it, in a namespace of its own.

#include <memory>

#include "dataplane/dataplane.h"
#include "differential/delta_source.h"
#include "differential/kernel/wire.h"
#include "differential/subject.h"

namespace margay::differential {

class KernelSubject : public Subject {
 public:
  // Moves the calling thread into a new namespace. Needs root. `dataplane`: iptables,
  // iptables-nft, iptables-legacy; `invalid` for others.
  static base::Result<std::unique_ptr<KernelSubject>> create(const std::string& dataplane);

  base::Result<> start(const policy::Model& model,
                       const policy::HostTrafficSettings& settings) override;
  base::Result<> change(const std::vector<policy::ModelChange>& changes) override;
  base::Result<Arrivals> exchange(std::span<const Injection> batch, Flows flows) override {
    return wire_.exchange(batch, flows);
  }
  bool has_host() const override { return true; }
  bool denied_goes_nowhere() const override { return false; }
  const policy::ProgramState& program() const override { return deltas_->program(); }
  base::Result<std::string> start_over(const policy::Model& model) override;

 private:
  KernelSubject(std::string dataplane_name, Wire wire)
      : dataplane_name_(std::move(dataplane_name)), wire_(std::move(wire)) {}
  base::Result<> program(const std::vector<policy::Delta>& deltas);

  std::string dataplane_name_;
  policy::HostTrafficSettings settings_;
  Wire wire_;
  std::unique_ptr<DeltaSource> deltas_;
  std::unique_ptr<dataplane::DataPlane> dataplane_;
};

}  // namespace margay::differential
