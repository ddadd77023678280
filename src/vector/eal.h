#pragma once

// DPDK's environment (EAL), started once in a process: no NIC is taken, and no hugepages are
// needed. With enough free hugepages it uses them; otherwise its memory is ordinary, with
// transparent huge pages where the kernel has them.

#include <string>
#include <vector>

#include "base/result.h"

namespace margay::vector {

struct EalOptions {
  unsigned memory_mib = 1024;  // for rings, and for packet buffers where it is of hugepages
  unsigned main_core = 0;
  std::vector<std::string> devices;  // DPDK's --vdev: "net_tap0,iface=tap0", "net_pcap0,..."
};

// `already_exists` when it runs already.
base::Result<> start_eal(const EalOptions& options);
bool eal_is_started();

}  // namespace margay::vector
