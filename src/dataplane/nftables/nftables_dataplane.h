#pragma once

// The data plane of Linux nodes whose kernel has nf_tables: it decides, the kernel's routes carry.
// Needs no program: it speaks netlink.

#include <memory>

#include "dataplane/linux/kernel_dataplane.h"
#include "dataplane/nftables/nftables_tables.h"

namespace margay::dataplane::nftables {

class NftablesDataPlane final : public linux_host::KernelDataPlane {
 public:
  // `invalid`: the configuration contradicts itself. In the calling thread's network namespace;
  // without `routes` only rules and sets are programmed.
  static base::Result<std::unique_ptr<NftablesDataPlane>> create(linux_host::Config config,
                                                                 bool routes = true);

  const Sockets::Written& written() const { return sockets_->written; }

 private:
  NftablesDataPlane(linux_host::Config config, std::shared_ptr<Sockets> sockets);
  std::shared_ptr<Sockets> sockets_;
};

}  // namespace margay::dataplane::nftables
