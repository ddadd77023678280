#pragma once

// Lets the plugins of one node hand out addresses one after another. They work on the same blocks:
// side by side, all but one would lose each race for the block and try again. Only for speed: what
// keeps the books right are the store's compare-and-swaps.
//
// The file (/var/run/calico/ipam.lock) and the lock (flock(2)) are those of Calico's plugin, so
// that both may run on a node; that is why it is not base::FileLock.

#include <chrono>
#include <filesystem>
#include <memory>

#include "base/unique_fd.h"
#include "cni/errors.h"

namespace margay::cni {

class NodeLock {
 public:
  // A runtime gives a call two minutes: this leaves it the time to do its work.
  static constexpr std::chrono::seconds k_patience{60};

  // Waits for its turn, and no longer than `patience`: whoever has it may have been stopped, or
  // wait for an API server that does not answer. Then `try_again_later`. The kernel takes the lock
  // of one that died. Where there can be no lock, goes on without.
  static CniResult<NodeLock> take(const std::filesystem::path& path,
                                  std::chrono::milliseconds patience = k_patience);

 private:
  explicit NodeLock(std::shared_ptr<const base::UniqueFd> file) : file_(std::move(file)) {}
  std::shared_ptr<const base::UniqueFd> file_;
};

}  // namespace margay::cni
