#pragma once

// The programs that reach the kernel's tables and sets. A seam: tests give answers of their own
// and see what would have been written.

#include <memory>
#include <string>

#include "base/result.h"
#include "dataplane/iptables/linux_names.h"

namespace margay::dataplane::iptables {

class Commands {
 public:
  virtual ~Commands() = default;
  // What iptables-save prints: every table in use.
  virtual base::Result<std::string> save(policy::IPFamily family) = 0;
  // iptables-restore --noflush: atomic for each table in `input`.
  virtual base::Result<> restore(policy::IPFamily family, const std::string& input) = 0;
  // What ipset save prints: every set of both families.
  virtual base::Result<std::string> save_sets() = 0;
  // ipset restore: line by line; an error leaves the lines before it done.
  virtual base::Result<> restore_sets(const std::string& input) = 0;
};

// The installed programs, in the calling thread's network namespace. `backend` decides between
// iptables-nft-* and iptables-legacy-*; `automatic` takes the one whose tables Kubernetes or other
// programs already use, and the system's default when neither has rules.
struct SystemPrograms {
  std::unique_ptr<Commands> chosen;
  std::unique_ptr<Commands> other;  // of the other backend, where a run before may have left rules
};
base::Result<SystemPrograms> system_commands(Backend backend, const IptablesLock& lock);

}  // namespace margay::dataplane::iptables
