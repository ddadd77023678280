#pragma once

// Lets the plugins of one node hand out addresses one after another. They work on the same blocks:
// side by side, all but one would lose each race for the block and try again. Only for speed: what
// keeps the books right are the store's compare-and-swaps.
//
// The file (/var/run/calico/ipam.lock) and the lock (flock(2)) are those of Calico's plugin, so
// that both may run on a node.

#include <filesystem>

#include "base/unique_fd.h"

namespace margay::cni {

class NodeLock {
 public:
  // Waits for its turn: the one before works within the deadlines of its requests, and the kernel
  // takes the lock of one that died. Where there can be no lock, goes on without.
  explicit NodeLock(const std::filesystem::path& path);

 private:
  base::UniqueFd file_;
};

}  // namespace margay::cni
