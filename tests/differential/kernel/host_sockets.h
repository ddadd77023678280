#pragma once

// Processes of the node under test: they send packets as they are, and get what is delivered to the
// node, which is behind all policy. Nobody answers: neither they nor the kernel.

#include <cstdint>
#include <functional>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "differential/frame.h"

namespace margay::differential {

class HostSockets {
 public:
  // In the calling thread's network namespace, where it takes a table of nftables' for itself, and
  // has the frontends (network.h) translated. Needs root.
  static base::Result<HostSockets> open();

  // What policy keeps from leaving is no error.
  base::Result<> send(const policy::Packet& packet, PacketId id);
  // Takes the ids of all that were delivered.
  base::Result<> collect(const std::function<void(uint32_t)>& got);

 private:
  base::UniqueFd sender_v4_, sender_v6_;
  std::vector<base::UniqueFd> receivers_;
};

}  // namespace margay::differential
