#pragma once

// The data plane of Linux nodes without eBPF: iptables and ipset decide, the kernel's routes carry.

#include <memory>

#include "dataplane/iptables/commands.h"
#include "dataplane/linux/kernel_dataplane.h"

namespace margay::dataplane::iptables {

class IptablesDataPlane final : public linux_host::KernelDataPlane {
 public:
  // `invalid`: the configuration contradicts itself. `unavailable`: no iptables to run.
  static base::Result<std::unique_ptr<IptablesDataPlane>> create(Config config);
  // The same with other programs in place of the installed ones; without `routes` only rules and
  // sets are programmed.
  static base::Result<std::unique_ptr<IptablesDataPlane>> create(Config config,
                                                                 std::unique_ptr<Commands> commands,
                                                                 bool routes);
  base::Result<> clean_up() override;

 private:
  IptablesDataPlane(Config config, std::unique_ptr<Commands> commands);
  void on_settled() override;

  std::unique_ptr<Commands> commands_;
  std::unique_ptr<Commands>
      other_backend_;  // null: there is nothing of ours, or it is not asked for
};

}  // namespace margay::dataplane::iptables
